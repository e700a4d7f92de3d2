/*  outbox.h - sends answers on the control endpoint, without ever waiting for a peer that
 *  doesn't read. */
#ifndef ZC_OUTBOX_H
#define ZC_OUTBOX_H

#include <zmq.h>
#include "lib/wire/answer.h"

/*  The way back to a requester, and the tag that its answers begin with. */
typedef struct {
    uint8_t identity_len, tag_len;
    bool delimiter;
    bool names_line; /* the request did */
    uint8_t identity[255];
    uint8_t tag[ZC_TAG_MAX];
    int fd; /* of its connection; ZeroMQ's; -1: not known */
} zc_route_t;

void zc_route_set (zc_route_t *self, zmq_msg_t *identity, const zc_ask_t *request);
/*  The requester's identity, borrowed from the route. */
zc_slice_t zc_route_peer (const zc_route_t *self);

typedef enum {
    ZC_SENT,    /* sent, or waiting to be sent */
    ZC_BLOCKED, /* the peer doesn't read fast enough: try again later */
    ZC_GONE,    /* there is no such peer any more */
} zc_sent_t;

typedef struct zc_outbox zc_outbox_t;

/*  `router` is a ROUTER socket with ZMQ_ROUTER_MANDATORY (borrowed). */
zc_outbox_t *zc_outbox_new (void *router);
void zc_outbox_destroy (zc_outbox_t **self_p);

/*  Begins a message to the peer, where the peer takes one now: then it must be finished before
 *  any other message is sent. */
zc_sent_t zc_outbox_begin (zc_outbox_t *self, const zc_route_t *route);
/*  `payload`: of MSG, the frame that has it already, shared; NULL: it is copied. */
void zc_outbox_finish (zc_outbox_t *self, const zc_answer_t *answer, zmq_msg_t *payload);
/*  An answer of one part (copied). If the peer is blocked, it waits after the
 *  peer's other answers; if these are too many, it is dropped, and counted. */
void zc_outbox_answer (zc_outbox_t *self, const zc_route_t *route, const zc_answer_t *answer);
void zc_outbox_error (zc_outbox_t *self, const zc_route_t *route, const char *code,
                      const char *text);
/*  Sends answers that wait, as far as their peers take them, peer by peer, a bounded number. */
void zc_outbox_retry (zc_outbox_t *self);
size_t zc_outbox_waiting (const zc_outbox_t *self);
uint64_t zc_outbox_dropped (const zc_outbox_t *self);

void zc_frame_set (zmq_msg_t *frame, const void *bytes, size_t len);

#endif
