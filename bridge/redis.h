/*  redis.h - one connection to Redis, made again for ever: address, login, database, replies in
 *  order. The owner polls; nothing blocks. */
#ifndef ZC_REDIS_H
#define ZC_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <zmq.h>
#include "bridge/address.h"

typedef struct zc_redis zc_redis_t;

typedef struct {
    const zc_address_t *address; /* borrowed, for as long as the connection lives */
    const char *name;            /* CLIENT SETNAME, and in logs */
    void *arg;
    /*  Connected, logged in, database chosen: commands can be sent. */
    void (*ready) (void *arg);
    /*  Each reply and each message, in the order they came; borrowed for the call. */
    void (*reply) (void *arg, redisReply *reply);
    /*  The connection broke after it was ready. */
    void (*lost) (void *arg);
} zc_redis_config_t;

zc_redis_t *zc_redis_new (const zc_redis_config_t *config);
void zc_redis_destroy (zc_redis_t **self_p);

bool zc_redis_is_ready (const zc_redis_t *self);
/*  Connections that broke after they were ready. */
uint64_t zc_redis_losses (const zc_redis_t *self);
/*  Queues a command; does nothing unless it is ready. */
void zc_redis_command (zc_redis_t *self, int count, const char **words, const size_t *lengths);
/*  In a call of `reply`: ends the connection for this error, as those end it by themselves that are
 *  of Redis's state (BUSY, LOADING …). It is made again, and what was asked can be asked again,
 *  ever more slowly until something good is heard. */
void zc_redis_give_up (zc_redis_t *self, const redisReply *reply);

/*  For the owner's zmq_poll: what to poll (0 or 1 items), how many milliseconds at most (-1: no
 *  limit), and what to do then. */
size_t zc_redis_pollitems (zc_redis_t *self, zmq_pollitem_t *item);
long zc_redis_timeout (const zc_redis_t *self);
void zc_redis_run (zc_redis_t *self);

#endif
