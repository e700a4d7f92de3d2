/*  reply.h - what the replies of Redis say. No I/O: trees of hiredis in, values out. Nothing is
 *  taken for granted: a proxy, or another server, may stand where Redis is expected.
 *
 *  Slices are borrowed from the reply. */
#ifndef ZC_REPLY_H
#define ZC_REPLY_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include "lib/base/text.h"

/*  An array of more elements is no reply: hiredis makes room for as many as the peer says. */
#define ZC_REPLY_ELEMENTS_MAX 10000
/*  Makes a reader, which isn't being read from, take that for an error. */
void zc_reply_bound (redisReader *reader);

/*  A string or status; empty where it is neither. */
zc_slice_t zc_reply_text (const redisReply *reply);
/*  An error's text; empty where it is none. */
zc_slice_t zc_reply_error (const redisReply *reply);

/*  What comes on a connection with subscriptions (Redis, "Pub/Sub"; RESP2). */
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

/*  What a node is. */
typedef enum {
    ZC_ROLE_UNKNOWN, /* the reply doesn't say */
    ZC_ROLE_MASTER,
    ZC_ROLE_REPLICA,
    ZC_ROLE_SENTINEL,
} zc_role_kind_t;

typedef struct {
    zc_role_kind_t kind;
    zc_slice_t host; /* REPLICA: its master, where the reply has it */
    int port;
} zc_role_t;

/*  Of the reply to ROLE, or to HELLO. */
zc_role_t zc_reply_role (const redisReply *reply);

/*  What an error is about, which decides what to do about it. */
typedef enum {
    ZC_FAULT_NONE,    /* it is no error */
    ZC_FAULT_PASSING, /* of the server's state, and over by itself: the same will do, later */
    ZC_FAULT_STATE,   /* of the server's state, until somebody sees to the server */
    ZC_FAULT_NODE,    /* another node is to be asked */
    ZC_FAULT_RIGHTS,  /* who we are, or what we may */
    ZC_FAULT_COMMAND, /* this command can never be taken */
    ZC_FAULT_UNKNOWN,
} zc_fault_t;

zc_fault_t zc_reply_fault (const redisReply *reply);
/*  What the operator can do about an error, as the rest of a sentence; NULL where nobody knows.
 *  Of static text. */
const char *zc_fault_advice (zc_slice_t error);

#endif
