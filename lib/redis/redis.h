/*  redis.h - one connection to Redis, which is made again for ever: address, login, database,
 *  replies in order. Where the address names Sentinels, it is a connection to the master that they
 *  tell, and follows that. The owner polls; nothing blocks. */
#ifndef ZC_REDIS_H
#define ZC_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <zmq.h>
#include "lib/redis/address.h"
#include "lib/redis/reply.h"

typedef struct zc_redis zc_redis_t;

typedef struct {
    const zc_address_t *address; /* borrowed, for as long as the connection lives */
    const char *name;            /* CLIENT SETNAME, and in logs */
    size_t reply_max;            /* bytes; a larger reply ends the connection; 0: 64 MiB */
    unsigned backoff_ms;         /* between attempts to connect, at most; 0: 5 s */
    bool follows;                /* to the node of a Cluster that has the key of a command */
    bool many;                   /* replies have many elements: they are made as arena.h says */
    void *arg;
    /*  Connected, logged in, database chosen: commands can be sent. */
    void (*ready) (void *arg);
    /*  The reply to the command with that tag. NULL tag: the reply belongs to no command, because
     *  Redis itself has ended a subscription. Borrowed for the call. */
    void (*reply) (void *arg, void *tag, const redisReply *reply);
    /*  A message of a subscription. NULL hook: there are no subscriptions. Borrowed for the
     *  call. */
    void (*message) (void *arg, const zc_redis_event_t *event);
    /*  The connection broke after it was ready: commands without a reply get none any more. */
    void (*lost) (void *arg);
} zc_redis_config_t;

zc_redis_t *zc_redis_new (const zc_redis_config_t *config);
void zc_redis_destroy (zc_redis_t **self_p);

bool zc_redis_is_ready (const zc_redis_t *self);
/*  The reason why the connection is of no use, in a sentence, from the first failure until a
 *  success; "" if all is well. Borrowed until the next call. */
const char *zc_redis_complaint (const zc_redis_t *self);
/*  Queues a command; does nothing unless the connection is ready. `tag` comes back with the
 *  reply. */
void zc_redis_command (zc_redis_t *self, void *tag, int count, const char **words,
                       const size_t *lengths);
/*  Within a call of `reply`: ends the connection for this reason, just as errors of kind
 *  ZC_FAULT_PASSING end it. The connection is made again, so that commands can be sent again, with
 *  longer and longer pauses until zc_redis_works. */
void zc_redis_give_up (zc_redis_t *self, const char *reason);
/*  The same, with the text of an error as the reason, and advice for the operator. */
void zc_redis_give_up_for (zc_redis_t *self, const redisReply *error);
/*  The reason for which the connection was given up is gone. */
void zc_redis_works (zc_redis_t *self);

#define ZC_REDIS_ITEMS 2
/*  For the owner's zmq_poll: the items to poll (up to ZC_REDIS_ITEMS), the timeout in ms (-1: no
 *  limit), and the call after the poll. */
size_t zc_redis_pollitems (zc_redis_t *self, zmq_pollitem_t *items);
long zc_redis_timeout (const zc_redis_t *self);
void zc_redis_run (zc_redis_t *self);
/*  Sends commands that were queued since, as far as the connection takes them now. */
void zc_redis_flush (zc_redis_t *self);

#endif
