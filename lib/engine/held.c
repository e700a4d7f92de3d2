/*  held.c - sums of bytes, and messages that are kept once however many channels hold them back.
 *  One repaired topic may be in thousands of channels. */
#include "lib/engine/held.h"

#include <stdlib.h>

#include "lib/engine/client.h"

size_t zc_held_bytes (const zc_held_t *self)
{
    return self->feeds + self->pages + self->kept + zc_client_private_bytes ();
}

bool zc_held_over (const zc_held_t *self)
{
    return self->max > 0 && zc_held_bytes (self) > self->max / 4 * 3;
}

size_t zc_held_goal (const zc_held_t *self)
{
    return self->max / 8 * 5;
}

bool zc_held_has_room (const zc_held_t *self)
{
    return self->max == 0 || zc_held_bytes (self) <= self->max;
}

zc_kept_t *zc_held_keep (zc_held_t *self, const zc_message_t *message)
{
    zc_kept_t *kept = self->last;
    if (kept && kept->message->id == message->id) {
        kept->count++;
        return kept;
    }
    kept = malloc (sizeof *kept);
    if (!kept)
        abort ();
    *kept = (zc_kept_t){zc_message_copy (message), zc_message_size (message), 1};
    self->kept += kept->bytes;
    self->last = kept;
    return kept;
}

void zc_held_release (zc_held_t *self, zc_kept_t *kept)
{
    if (--kept->count > 0)
        return;
    if (self->last == kept)
        self->last = NULL;
    self->kept -= kept->bytes;
    free (kept->message);
    free (kept);
}

void zc_held_forget (zc_held_t *self)
{
    self->last = NULL;
}
