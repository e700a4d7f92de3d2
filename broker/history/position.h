/*  position.h - what must never be lost: how far positions may have been given, and of which line
 *  they are. A file of its own, written in place, which works on a full disk too. */
#ifndef ZC_POSITION_H
#define ZC_POSITION_H

#include "lib/wire/line.h"

#define ZC_POSITION_AHEAD_MS 10000 /* positions are reserved so far ahead */

typedef struct zc_position zc_position_t;

/*  Opens or makes the file, and keeps others out: a second process gets NULL with a sentence in
 *  `error`. */
zc_position_t *zc_position_new (const char *path, char *error, size_t size);
/*  Positions up to `last` were given, and none is reserved any more. */
void zc_position_destroy (zc_position_t **self_p, zc_id_t last);

/*  What was reserved when it was opened, and what zc_position_lose had noted. */
zc_id_t zc_position_reserved (const zc_position_t *self);
zc_id_t zc_position_lost (const zc_position_t *self);

/*  The line that its positions are of. Where the file has none, one is made that begins after
 *  `begin`, and *made is set. */
void zc_position_line (zc_position_t *self, zc_id_t begin, zc_line_t *line, bool *made);

/*  Called with every position that is given: writes only where it comes near to what is reserved.
 */
void zc_position_reserve (zc_position_t *self, zc_id_t id);
/*  Notes that something up to here was delivered, and not kept; ZC_ID_NONE: that has been made up
 *  for. */
void zc_position_lose (zc_position_t *self, zc_id_t id);

#endif
