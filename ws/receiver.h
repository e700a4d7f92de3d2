/*  receiver.h - frames in, messages out: the bytes of a client after the handshake (RFC 6455
 *  §5-§8, RFC 7692 §6). No I/O. An idle client has no receiver at all. */
#ifndef ZC_RECEIVER_H
#define ZC_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

typedef struct zc_receiver zc_receiver_t;

/*  A whole message (opcode text or binary, fragments joined, inflated, text is valid UTF-8) or a
 * control frame (close: the body's code and reason were checked). `data` is borrowed. Returns 0, or
 * the close code with which the connection is to fail. */
typedef unsigned (*zc_receiver_fn) (void *arg, unsigned opcode, const uint8_t *data, size_t len);

/*  Takes all of `bytes`. `deflate`: messages may be compressed. *self_p is NULL at first; a
 *  receiver is made when a frame or message is incomplete, and is destroyed when none is.
 *  Returns 0, or the close code with which the connection is to fail: 1002, 1007, 1009 (more
 *  than `max_message` bytes, inflated), or the result of fn. Nothing may be fed after that. fn
 *  must not destroy the receiver. */
unsigned zc_receiver_feed (zc_receiver_t **self_p, const void *bytes, size_t len,
                           size_t max_message, bool deflate, zc_receiver_fn fn, void *arg);
void zc_receiver_destroy (zc_receiver_t **self_p);
/*  Appends bytes that bring a new receiver, in this process or in another one, to where this one
 * is: what has come of the message and of the frame that aren't whole. */
void zc_receiver_save (const zc_receiver_t *self, zc_buf_t *out);

/*  The code in a close frame's body; ZC_CLOSE_NO_STATUS if it is empty. */
unsigned zc_close_code (const uint8_t *body, size_t len);

#endif
