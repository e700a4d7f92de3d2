/*  sentinel.h - what the Sentinels of an address say about its master: which one is to be asked
 *  next, and which answer counts. No I/O.
 *
 *  Each change of the master has a number, the epoch of Sentinel's configuration. A Sentinel that
 *  was cut off names an earlier master, with a lower epoch, and isn't believed. */
#ifndef ZC_REDIS_SENTINEL_H
#define ZC_REDIS_SENTINEL_H

#include <hiredis/hiredis.h>
#include "lib/redis/address.h"

#define ZC_SENTINEL_WORDS 3 /* of the question */

typedef struct zc_sentinel zc_sentinel_t;

typedef enum {
    ZC_SENTINEL_SAME,  /* it names the master that was known */
    ZC_SENTINEL_MOVED, /* it names another master, or the first one */
    ZC_SENTINEL_STALE, /* it names an earlier master, or another one with the same epoch */
    ZC_SENTINEL_WRONG, /* it refuses, or its answer makes no sense */
} zc_sentinel_verdict_t;

/*  The address has Sentinels, and is borrowed. */
zc_sentinel_t *zc_sentinel_new (const zc_address_t *address);
void zc_sentinel_destroy (zc_sentinel_t **self_p);

/*  The Sentinel to ask. Borrowed until the next call of zc_sentinel_next. */
const zc_address_t *zc_sentinel_asked (const zc_sentinel_t *self);
/*  Goes on to the next one. True if that is the first of the list. */
bool zc_sentinel_next (zc_sentinel_t *self);
void zc_sentinel_question (const zc_sentinel_t *self, const char *words[ZC_SENTINEL_WORDS]);
/*  The Sentinel has refused the login, with this error, or can't be reached. True if it is to be
 *  asked again, with the password for Redis. */
bool zc_sentinel_refused (zc_sentinel_t *self, const char *error);
/*  WRONG: with a sentence in `why`. */
zc_sentinel_verdict_t zc_sentinel_answered (zc_sentinel_t *self, const redisReply *reply, char *why,
                                            size_t size);

/*  The master; NULL: not known. Borrowed until the next answer. */
const char *zc_sentinel_host (const zc_sentinel_t *self);
int zc_sentinel_port (const zc_sentinel_t *self);

#endif
