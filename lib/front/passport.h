/*  passport.h - the front's part of a client, for another process that takes the client over
 *  (doc/upgrade.md): its address, and the identity that its rights belong to. No I/O. */
#ifndef ZC_PASSPORT_H
#define ZC_PASSPORT_H

#include "lib/front/keeper.h"
#include "lib/wire/handover.h"

/*  Fills in the fields for the rights (NULL: of no subject). `lists` holds text that the fields
 *  borrow; the caller clears it. */
void zc_passport_write (zc_handover_t *client, const zc_rights_t *rights, zc_buf_t *lists);
/*  The rights that a client has here. NULL: of no subject. */
zc_rights_t *zc_passport_read (const zc_handover_t *client, zc_front_t *front);

#endif
