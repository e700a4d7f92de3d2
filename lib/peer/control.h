/*  control.h - a client of the broker's control endpoint: requests with a tag, answers by callback.
 *
 *  One DEALER socket and no thread. The owner polls zc_control_fds (edge-triggered: drain with
 *  zc_control_read until it returns 0) or zc_control_wait. Answers may come in any order. */
#ifndef ZC_CONTROL_H
#define ZC_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>
#include "lib/wire/answer.h"

typedef struct zc_control zc_control_t;

/*  One part of an answer, borrowed for the call. The last one, which ends the request, is the one
 *  without `more`. ZC_NO_ANSWER: the request was given up (its time is over, its connection is
 * lost, or zc_control_destroy). */
typedef void (*zc_control_fn) (void *arg, const zc_answer_t *answer);

/*  Connects in the background, and again whenever the connection is lost; NULL with errno where the
 *  endpoint is malformed. `context` is a ZeroMQ context (borrowed). What is asked before there is a
 *  connection is sent once there is; what was asked on one that is lost is given up at once. */
zc_control_t *zc_control_new (void *context, const char *endpoint);
/*  For one connection: where it breaks or can't be made, nothing is sent any more and
 *  zc_control_lost tells. What was sent has then reached the peer from the first request up to
 *  some point, in order: a caller that sends the rest again over a new one keeps the order.
 *  `attempt` counts those that came to nothing since the last that did: see zc_endpoint_family. */
zc_control_t *zc_control_new_once (void *context, const char *endpoint, unsigned attempt);
bool zc_control_connected (zc_control_t *self);
/*  For zc_control_new_once; false otherwise. */
bool zc_control_lost (zc_control_t *self);
/*  Gives up every request (ZC_NO_ANSWER). */
void zc_control_destroy (zc_control_t **self_p);

/*  Sends a request. Returns its number (never 0), or 0 with errno EAGAIN where
 *  the queue is full, EMSGSIZE where the broker would close the connection on a frame as large as
 *  one of these. timeout_ms: for the answer, and from each MSG of it for the next part; 0: no
 *  limit. The time doesn't run while anything moves on the connection, such as a page over a narrow
 *  link, but for a dozen times as long. */
uint64_t zc_control_request (zc_control_t *self, const zc_ask_t *ask, unsigned timeout_ms,
                             zc_control_fn fn, void *arg);
/*  Payloads of so many bytes are sent too; from the beginning, frames of ZC_FRAME_SURE. */
void zc_control_allow (zc_control_t *self, size_t max_payload);
/*  Forgets a request: its callback is not called any more. */
void zc_control_cancel (zc_control_t *self, uint64_t request);
/*  Forgets all requests, without callbacks (the peer that owed the answers is gone). */
void zc_control_reset (zc_control_t *self);
size_t zc_control_pending (const zc_control_t *self);
/*  Milliseconds of the monotonic clock when something last moved on the connection, or was first
 *  waited for. */
uint64_t zc_control_moved_ms (zc_control_t *self);

/*  What to watch for being readable. */
void zc_control_fds (zc_control_t *self, int fds[2]);
/*  For a loop on zmq_poll, which knows no edges: fills in what to poll, and returns how many. */
size_t zc_control_pollitems (zc_control_t *self, zmq_pollitem_t items[2]);
/*  Milliseconds until something is due; -1: nothing. */
long zc_control_timeout (const zc_control_t *self);
/*  Handles what has arrived, at most `max` answers, and expired timeouts. Returns how many answers
 *  it handled. */
int zc_control_read (zc_control_t *self, int max);
/*  Waits up to timeout_ms for something to handle, and handles it. Returns as zc_control_read. */
int zc_control_wait (zc_control_t *self, int timeout_ms);

#endif
