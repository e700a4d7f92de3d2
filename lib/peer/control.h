/*  control.h - a client of the broker's control endpoint: requests with a tag, answers by
 *  callback.
 *
 *  One DEALER socket and no thread. The owner polls zc_control_fds (edge-triggered: it calls
 *  zc_control_read until that returns 0), or calls zc_control_wait. Answers may come in any
 *  order. */
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

/*  Connects in the background, and again whenever the connection is lost. NULL with errno where
 *  the endpoint is malformed. `context` is a ZeroMQ context (borrowed). Requests made before
 *  there is a connection are sent once there is one; requests made on a connection that is lost
 *  are given up at once. */
zc_control_t *zc_control_new (void *context, const char *endpoint);
/*  The same for a single connection. When it breaks or can't be made, nothing is sent any more,
 *  and zc_control_lost returns true. The peer has then got the requests from the first one up to
 *  some point, in order: a caller that sends the others again over a new connection keeps the
 *  order. `attempt` counts the failed attempts since the last connection that worked
 *  (zc_endpoint_family). */
zc_control_t *zc_control_new_once (void *context, const char *endpoint, unsigned attempt);
bool zc_control_connected (zc_control_t *self);
/*  Whether the connection of zc_control_new_once is over; false for other ones. */
bool zc_control_lost (zc_control_t *self);
/*  Gives up every request (ZC_NO_ANSWER), and goes on at another endpoint; not for
 *  zc_control_new_once. */
void zc_control_move (zc_control_t *self, const char *endpoint);
/*  Gives up every request (ZC_NO_ANSWER). */
void zc_control_destroy (zc_control_t **self_p);

/*  Sends a request. Returns its number (never 0), or 0 with errno EAGAIN where
 *  the queue is full, EMSGSIZE where the broker would close the connection on a frame as large as
 *  one of these. timeout_ms: for the answer, and from each MSG of it for the next part; 0: no
 *  limit. The time doesn't run while anything moves on the connection, such as a page over a narrow
 *  link, but for a dozen times as long. */
uint64_t zc_control_request (zc_control_t *self, const zc_ask_t *ask, unsigned timeout_ms,
                             zc_control_fn fn, void *arg);
/*  Allows requests with payloads of up to `max_payload` bytes; before the first call, frames of
 *  ZC_FRAME_SURE bytes are allowed. */
void zc_control_allow (zc_control_t *self, size_t max_payload);
/*  Forgets a request: its callback isn't called any more. */
void zc_control_cancel (zc_control_t *self, uint64_t request);
/*  Forgets all requests without calling back, because the peer that owed the answers is gone. */
void zc_control_reset (zc_control_t *self);
size_t zc_control_pending (const zc_control_t *self);
/*  The time (monotonic ms) when bytes last moved on the connection, or when an answer was first
 *  awaited. */
uint64_t zc_control_moved_ms (zc_control_t *self);
/*  Whether bytes that were sent have yet to leave this machine. */
bool zc_control_is_sending (const zc_control_t *self);

/*  The descriptors to watch until they are readable. */
void zc_control_fds (zc_control_t *self, int fds[2]);
/*  For a loop on zmq_poll, which knows no edges: fills in the items to poll. Returns how many. */
size_t zc_control_pollitems (zc_control_t *self, zmq_pollitem_t items[2]);
/*  Milliseconds until a timeout is over; -1: there is none. */
long zc_control_timeout (const zc_control_t *self);
/*  Handles what has arrived, at most `max` answers, and expired timeouts. Returns how many answers
 *  it handled. */
int zc_control_read (zc_control_t *self, int max);
/*  Waits up to timeout_ms for something to handle, and handles it. Returns as zc_control_read. */
int zc_control_wait (zc_control_t *self, int timeout_ms);

#endif
