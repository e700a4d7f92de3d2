/*  reply.h - reads the replies of Redis. No I/O: trees of hiredis in, values out. A proxy or
 *  another server may stand in place of Redis, so these functions assume nothing about a reply's
 *  form.
 *
 *  Slices are borrowed from the reply. */
#ifndef ZC_REPLY_H
#define ZC_REPLY_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include "lib/base/text.h"

/*  An array with more elements is no reply. (hiredis allocates as many elements as the peer
 *  says.) */
#define ZC_REPLY_ELEMENTS_MAX 10000
/*  Makes a reader treat such an array as an error. The reader must not be in the middle of a
 *  reply. */
void zc_reply_bound (redisReader *reader);

/*  The text of a string or status; empty for any other reply. */
zc_slice_t zc_reply_text (const redisReply *reply);
/*  The text of an error, up to a zero byte in it, and never empty; empty for any other reply. */
zc_slice_t zc_reply_error (const redisReply *reply);

/*  The messages of a connection with subscriptions (Redis, "Pub/Sub"; RESP2). */
typedef enum {
    ZC_EVENT_NONE, /* none of these */
    ZC_EVENT_SUBSCRIBED,
    ZC_EVENT_UNSUBSCRIBED,
    ZC_EVENT_MESSAGE,
    ZC_EVENT_PONG,
} zc_event_kind_t;

typedef struct {
    zc_event_kind_t kind;
    bool pattern;
    zc_slice_t name;    /* the subscription: a channel or a pattern */
    zc_slice_t channel; /* MESSAGE */
    zc_slice_t payload; /* MESSAGE */
} zc_redis_event_t;

zc_redis_event_t zc_reply_event (const redisReply *reply);

/*  The role of a node. */
typedef enum {
    ZC_ROLE_UNKNOWN, /* the reply doesn't tell */
    ZC_ROLE_MASTER,
    ZC_ROLE_REPLICA,
    ZC_ROLE_SENTINEL,
} zc_role_kind_t;

typedef struct {
    zc_role_kind_t kind;
    zc_slice_t host; /* REPLICA: its master, if the reply names it */
    int port;
} zc_role_t;

/*  Why a Sentinel is of no use to the bridge in either direction. */
#define ZC_SENTINEL_REASON "it is a Sentinel, which takes no messages: give the master's address"

/*  Reads the role from a reply to ROLE or HELLO. */
zc_role_t zc_reply_role (const redisReply *reply);

/*  The cause of an error, which decides how to react. */
typedef enum {
    ZC_FAULT_NONE,    /* the reply is no error */
    ZC_FAULT_PASSING, /* the server's state, which ends by itself: try again later */
    ZC_FAULT_STATE,   /* the server's state, which somebody has to repair */
    ZC_FAULT_NODE,    /* another node has to be asked */
    ZC_FAULT_RIGHTS,  /* our login, or our rights */
    ZC_FAULT_COMMAND, /* this command can never work */
    ZC_FAULT_UNKNOWN,
} zc_fault_t;

zc_fault_t zc_reply_fault (const redisReply *reply);
/*  Advice for the operator about an error, as the rest of a sentence. NULL if there is none.
 *  Static. */
const char *zc_fault_advice (zc_slice_t error);

/*  The node of a Cluster that has a key (MOVED), or has it for this command only (ASK). */
typedef struct {
    bool ask;
    zc_slice_t host; /* empty: the host that said so */
    int port;
} zc_redirect_t;

#define ZC_REDIRECT_HOST_MAX 255
/*  Returns false if the reply names no other node. */
bool zc_reply_redirect (const redisReply *reply, zc_redirect_t *redirect);

#endif
