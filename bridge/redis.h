/*  redis.h - one connection to Redis, made again for ever: address, login, database, replies in
 *  order. The owner polls; nothing blocks. */
#ifndef ZC_REDIS_H
#define ZC_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <zmq.h>
#include "bridge/address.h"
#include "bridge/reply.h"

typedef struct zc_redis zc_redis_t;

typedef struct {
    const zc_address_t *address; /* borrowed, for as long as the connection lives */
    const char *name;            /* CLIENT SETNAME, and in logs */
    size_t reply_max;            /* bytes; a larger reply ends the connection; 0: 64 MiB */
    void *arg;
    /*  Connected, logged in, database chosen: commands can be sent. */
    void (*ready) (void *arg);
    /*  The reply to the command of that tag; NULL: to none, since Redis has ended a subscription by
     *  itself. Borrowed for the call. */
    void (*reply) (void *arg, void *tag, const redisReply *reply);
    /*  A message of a subscription. NULL: nothing is subscribed to. Borrowed for the call. */
    void (*message) (void *arg, const zc_redis_event_t *event);
    /*  The connection broke after it was ready: no reply comes any more to what was asked. */
    void (*lost) (void *arg);
} zc_redis_config_t;

zc_redis_t *zc_redis_new (const zc_redis_config_t *config);
void zc_redis_destroy (zc_redis_t **self_p);

bool zc_redis_is_ready (const zc_redis_t *self);
/*  Why it is of no use, in a sentence, from the first failure until something good is heard; ""
 *  where all is well. Borrowed until the next call. */
const char *zc_redis_complaint (const zc_redis_t *self);
/*  Queues a command; does nothing unless it is ready. `tag` comes back with its reply. */
void zc_redis_command (zc_redis_t *self, void *tag, int count, const char **words,
                       const size_t *lengths);
/*  In a call of `reply`: ends the connection for this reason, as those errors end it by themselves
 *  that pass (ZC_FAULT_PASSING). It is made again, and what was asked can be asked again, ever more
 *  slowly until zc_redis_works. */
void zc_redis_give_up (zc_redis_t *self, const char *reason);
/*  The same for the reason that an error gives, with what can be done about it. */
void zc_redis_give_up_for (zc_redis_t *self, const redisReply *error);
/*  What it was given up for is over. */
void zc_redis_works (zc_redis_t *self);

/*  For the owner's zmq_poll: what to poll (0 or 1 items), how many milliseconds at most (-1: no
 *  limit), and what to do then. */
size_t zc_redis_pollitems (zc_redis_t *self, zmq_pollitem_t *item);
long zc_redis_timeout (const zc_redis_t *self);
void zc_redis_run (zc_redis_t *self);

#endif
