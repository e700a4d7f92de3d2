/*  held.h - the sum of the bytes that a hub holds for its clients, and its limit.
 *
 *  The sum includes feeds, pages of history that are being received for one client, messages
 *  that channels hold back, and clients' private bytes. From three quarters of the limit on, no
 *  bytes are appended that would have to wait, and some are freed (slow.c). At the limit no
 *  message is held back either: it comes from history later. */
#ifndef ZC_HELD_H
#define ZC_HELD_H

#include "lib/wire/message.h"

/*  A message that any number of channels hold back. */
typedef struct {
    zc_message_t *message; /* owned */
    size_t bytes;
    unsigned count; /* the number of channels that keep it */
} zc_kept_t;

/*  All zero: nothing is held, and there is no limit. Other files change only `max`, `feeds` and
 *  `pages`. */
typedef struct {
    size_t max;      /* 0: no bound */
    size_t feeds;    /* memory of all feeds */
    size_t pages;    /* memory of all pages on their way */
    size_t kept;     /* memory of all kept messages */
    zc_kept_t *last; /* borrowed; the message that was kept last, while it is */
} zc_held_t;

size_t zc_held_bytes (const zc_held_t *self);
/*  So much is held that some of it has to be freed. */
bool zc_held_over (const zc_held_t *self);
/*  The sum down to which bytes are freed. */
size_t zc_held_goal (const zc_held_t *self);
/*  Whether there is room for messages that are held back. */
bool zc_held_has_room (const zc_held_t *self);

/*  Keeps a copy of the message: a single one for all channels that keep it one after another. */
zc_kept_t *zc_held_keep (zc_held_t *self, const zc_message_t *message);
/*  A channel doesn't keep the message any more. */
void zc_held_release (zc_held_t *self, zc_kept_t *kept);
/*  The broker's positions went back: the next message may have the position of the last one. */
void zc_held_forget (zc_held_t *self);

#endif
