/*  held.h - the bytes that a hub holds for its clients: how many in all, and their bound.
 *
 *  They are: feeds; pages of history that are being received for one client; messages that channels
 *  hold back; and clients' private bytes. From three quarters of the bound on, nothing is appended
 *  that has to wait, and something has to go (slow.c); at the bound nothing is held back either:
 *  it comes from history later. */
#ifndef ZC_HELD_H
#define ZC_HELD_H

#include "lib/wire/message.h"

/*  A message that any number of channels hold back. */
typedef struct {
    zc_message_t *message; /* owned */
    size_t bytes;
    unsigned count; /* of those who keep it */
} zc_kept_t;

/*  All zero: nothing is held, without a bound. Others change only `max`, `feeds` and `pages`. */
typedef struct {
    size_t max;      /* 0: no bound */
    size_t feeds;    /* memory of all feeds */
    size_t pages;    /* memory of all pages on their way */
    size_t kept;     /* memory of all kept messages */
    zc_kept_t *last; /* borrowed; the one that was kept last, while it is */
} zc_held_t;

size_t zc_held_bytes (const zc_held_t *self);
/*  Something has to go. */
bool zc_held_over (const zc_held_t *self);
/*  So many bytes are few enough once something has gone. */
size_t zc_held_goal (const zc_held_t *self);
/*  There is room for messages that are held back. */
bool zc_held_has_room (const zc_held_t *self);

/*  Keeps a copy of the message; a single one for all who keep it in a row. */
zc_kept_t *zc_held_keep (zc_held_t *self, const zc_message_t *message);
/*  One of them doesn't any more. */
void zc_held_release (zc_held_t *self, zc_kept_t *kept);
/*  The broker's positions went back: the next message may have the position of the last one. */
void zc_held_forget (zc_held_t *self);

#endif
