/*  gate.h - who may do what at the broker, by CURVE certificates, and by the rules of the table
 *  `access` for messages from ZeroMQ and Redis.
 *
 *  Without CURVE every peer that reaches an endpoint is trusted, also with a `via` header that
 *  names a message's source. With CURVE a `via` header takes a certificate with `control`. */
#ifndef ZC_GATE_H
#define ZC_GATE_H

#include <zmq.h>
#include "lib/wire/ask.h"
#include "lib/access/certificate.h"
#include "lib/config/options.h"

typedef struct zc_gate zc_gate_t;

/*  Reads the files that the options curve-key, curve-clients and access name; to be called
 *  before any socket is bound. `context` and `options` are borrowed. NULL with a sentence in
 *  `error`. */
zc_gate_t *zc_gate_new (void *context, const zc_options_t *options, char *error, size_t size);
/*  To be called before the context ends. */
void zc_gate_destroy (zc_gate_t **self_p);
/*  Reads the rules again; mistakes were found by zc_gate_verify. */
void zc_gate_configure (zc_gate_t *self, const zc_options_t *options);
/*  For the program's verify: NULL, or the option at fault. */
const char *zc_gate_verify (const zc_options_t *options, char *error, size_t size);

/*  Protects an endpoint's socket before it is bound. `domain` is "publish", "subscribe" or
 *  "control". Returns 0; or -1 with errno, and the socket must not be bound. */
int zc_gate_protect (zc_gate_t *self, void *socket, const char *domain);
/*  The socket to poll for zc_gate_serve; NULL without CURVE. */
void *zc_gate_socket (const zc_gate_t *self);
void zc_gate_serve (zc_gate_t *self);
/*  To be called in each turn of the loop. True where some peer has lost rights: all connections
 *  must be made anew. */
bool zc_gate_turn (zc_gate_t *self, uint64_t mono_ms);

/*  The certificate of a message's sender, found by one of the frames as received; NULL without
 *  CURVE, or if the certificate is gone. Borrowed until zc_gate_turn. */
const zc_certificate_t *zc_gate_sender (const zc_gate_t *self, zmq_msg_t *frame);
/*  Whether the sender may publish on this topic, with these headers. A canary's topic is for
 *  workers only. */
bool zc_gate_publish (const zc_gate_t *self, const zc_certificate_t *sender, zc_slice_t topic,
                      zc_slice_t headers);
/*  Whether the sender may make this request; PUBLISH is decided by zc_gate_publish. */
bool zc_gate_ask (const zc_gate_t *self, const zc_certificate_t *sender, zc_verb_t verb);
/*  The number of connections that were refused. */
uint64_t zc_gate_refused (const zc_gate_t *self);

#endif
