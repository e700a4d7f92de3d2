/*  revocations.h - tokens that were revoked before their end: those of a subject, those that a key
 * has signed, and single ones. No I/O. */
#ifndef ZC_REVOCATIONS_H
#define ZC_REVOCATIONS_H

#include "lib/access/access.h"
#include "lib/base/table.h"
#include "lib/wire/instruction.h"

typedef struct {
    zc_table_t all;
    uint64_t round; /* of the list that is being taken in */
} zc_revocations_t;

void zc_revocations_init (zc_revocations_t *self);
void zc_revocations_clear (zc_revocations_t *self);
/*  Takes in a REVOKE or RESTORE. */
void zc_revocations_take (zc_revocations_t *self, const zc_instruction_t *instruction);
/*  A list of all that count begins, and ends: what it didn't have is forgotten. */
void zc_revocations_begin (zc_revocations_t *self);
void zc_revocations_end (zc_revocations_t *self);

/*  Forgets those of tokens that have all ended by now. */
void zc_revocations_tick (zc_revocations_t *self, uint64_t now_ms);
/*  Whether the identity's token was revoked. That of a subject only if it was issued before, or
 *  doesn't say when. */
bool zc_revocations_have (const zc_revocations_t *self, const zc_identity_t *identity);

#endif
