/*  revocations.c - a table by the kind and name of what is revoked, so a look costs the same
 * however many there are. */
#include "lib/access/revocations.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    zc_node_t node;
    zc_slice_t key; /* a digit for the kind, and the name */
    uint64_t at_ms, until_ms, round;
    char bytes[1 + ZC_REVOKED_MAX];
} s_revoked_t;

void zc_revocations_init (zc_revocations_t *self)
{
    *self = (zc_revocations_t){.round = 0};
    zc_table_init (&self->all);
}

static void s_remove (zc_revocations_t *self, s_revoked_t *revoked)
{
    zc_table_remove (&self->all, &revoked->node);
    free (revoked);
}

/*  Those of earlier rounds. */
static void s_sweep (zc_revocations_t *self)
{
    zc_table_cursor_t at = {0};
    s_revoked_t *revoked;
    while ((revoked = zc_table_next (&self->all, &at)))
        if (revoked->round != self->round)
            s_remove (self, revoked);
}

void zc_revocations_clear (zc_revocations_t *self)
{
    self->round++;
    s_sweep (self);
    zc_table_clear (&self->all);
}

static zc_slice_t s_key (zc_revoked_t what, zc_slice_t name, char bytes[1 + ZC_REVOKED_MAX])
{
    bytes[0] = (char)('0' + what);
    memcpy (bytes + 1, name.at, name.len);
    return (zc_slice_t){bytes, 1 + name.len};
}

static s_revoked_t *s_find (const zc_revocations_t *self, zc_revoked_t what, zc_slice_t name)
{
    char bytes[1 + ZC_REVOKED_MAX];
    if (name.len == 0 || name.len > ZC_REVOKED_MAX || self->all.size == 0)
        return NULL;
    return zc_table_get (&self->all, s_key (what, name, bytes));
}

void zc_revocations_take (zc_revocations_t *self, const zc_instruction_t *instruction)
{
    s_revoked_t *revoked = s_find (self, instruction->what, instruction->name);
    if (instruction->kind == ZC_INSTRUCTION_RESTORE) {
        if (revoked)
            s_remove (self, revoked);
        return;
    }
    if (!revoked) {
        revoked = calloc (1, sizeof *revoked);
        if (!revoked)
            abort ();
        revoked->key = s_key (instruction->what, instruction->name, revoked->bytes);
        zc_table_add (&self->all, revoked);
    }
    revoked->at_ms = instruction->at_ms;
    revoked->until_ms = instruction->until_ms;
    revoked->round = self->round;
}

void zc_revocations_begin (zc_revocations_t *self)
{
    self->round++;
}

void zc_revocations_end (zc_revocations_t *self)
{
    s_sweep (self);
}

void zc_revocations_tick (zc_revocations_t *self, uint64_t now_ms)
{
    zc_table_cursor_t at = {0};
    s_revoked_t *revoked;
    while ((revoked = zc_table_next (&self->all, &at)))
        if (revoked->until_ms && revoked->until_ms < now_ms)
            s_remove (self, revoked);
}

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

bool zc_revocations_have (const zc_revocations_t *self, const zc_identity_t *identity)
{
    const s_revoked_t *subject = s_find (self, ZC_REVOKED_SUBJECT, s_slice (identity->subject));
    return (subject && identity->issued_ms <= subject->at_ms) ||
           s_find (self, ZC_REVOKED_KEY, s_slice (identity->kid)) ||
           s_find (self, ZC_REVOKED_TOKEN, s_slice (identity->id));
}
