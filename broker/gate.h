/*  gate.h - who may do what at the broker: the certificates of CURVE, and the rules of the table
 *  `access` for what comes by ZeroMQ and from Redis.
 *
 *  Without CURVE everybody who reaches an endpoint is trusted: also with what a `via` header says
 * of where a message came from. With CURVE that takes a certificate with `control`. */
#ifndef ZC_GATE_H
#define ZC_GATE_H

#include <zmq.h>
#include "lib/wire/ask.h"
#include "lib/access/certificate.h"
#include "lib/config/options.h"

typedef struct zc_gate zc_gate_t;

/*  Reads what the options curve-key, curve-clients and access name. `context` and `options` are
 *  borrowed. NULL with a sentence in `error`. Before any socket is bound. */
zc_gate_t *zc_gate_new (void *context, const zc_options_t *options, char *error, size_t size);
/*  Before the context ends. NULL is fine. */
void zc_gate_destroy (zc_gate_t **self_p);
/*  Reads the rules again; what is wrong was found by zc_gate_verify. */
void zc_gate_configure (zc_gate_t *self, const zc_options_t *options);
/*  For the program's verify: NULL, or the option that is wrong. */
const char *zc_gate_verify (const zc_options_t *options, char *error, size_t size);

/*  Protects an endpoint's socket before it is bound: "publish", "subscribe" or "control". Returns
 * 0, or -1 with errno, and it must not be bound then. */
int zc_gate_protect (zc_gate_t *self, void *socket, const char *domain);
/*  What to poll for zc_gate_serve; NULL without CURVE. */
void *zc_gate_socket (const zc_gate_t *self);
void zc_gate_serve (zc_gate_t *self);
/*  Once a turn. True where somebody may less than before: all connections must be made anew. */
bool zc_gate_turn (zc_gate_t *self, uint64_t mono_ms);

/*  Who sent a message, by one of its frames as it was received; NULL without CURVE, and where the
 *  certificate is gone. Borrowed until zc_gate_turn. */
const zc_certificate_t *zc_gate_sender (const zc_gate_t *self, zmq_msg_t *frame);
/*  Whether it may publish on this topic, with these headers. */
bool zc_gate_publish (const zc_gate_t *self, const zc_certificate_t *sender, zc_slice_t topic,
                      zc_slice_t headers);
/*  Whether it may ask for this; a PUBLISH is for zc_gate_publish. */
bool zc_gate_ask (const zc_gate_t *self, const zc_certificate_t *sender, zc_verb_t verb);
/*  Connections that were refused. */
uint64_t zc_gate_refused (const zc_gate_t *self);

#endif
