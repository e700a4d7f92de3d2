/*  arena.h - memory for one reply of a Redis at a time: a reply with thousands of elements is made
 * of a few pieces, which are used again for the next one. No I/O.
 *
 *  hiredis allocates each element and each string by itself: with short messages that took more
 * time than all that the broker does with them. */
#ifndef ZC_REDIS_ARENA_H
#define ZC_REDIS_ARENA_H

#include <hiredis/hiredis.h>

typedef struct zc_reply_arena zc_reply_arena_t;

zc_reply_arena_t *zc_reply_arena_new (void);
void zc_reply_arena_destroy (zc_reply_arena_t **self_p);
/*  The reader's replies lie in the arena from now on. Arrays are bounded as by zc_reply_bound. The
 *  reader must not be in the middle of a reply. */
void zc_reply_arena_serve (zc_reply_arena_t *self, redisReader *reader);
/*  The reply that the reader gave last isn't used any more, nor is the one that it has begun. */
void zc_reply_arena_reset (zc_reply_arena_t *self);

#endif
