/*  zap.h - answers the question of ZeroMQ whether a peer may connect (ZAP, ZeroMQ RFC 27), by the
 *  certificates.
 *
 *  The broker's own loop answers, so that only one thread uses certificates and roles. Each
 *  endpoint is a domain of its own, and ZMQ_ZAP_ENFORCE_DOMAIN keeps all peers out if nobody
 *  answers. czmq's zauth isn't used: it answers in czmq's context only, knows no roles, and writes
 *  a certificate's metadata into 512 bytes without checking the length. */
#ifndef ZC_ZAP_H
#define ZC_ZAP_H

#include <zmq.h>
#include "broker/certificates.h"

typedef struct zc_zap zc_zap_t;

/*  Begins to answer in this context; to be called before any socket is bound. `certificates` is
 *  borrowed. NULL with errno if another handler already answers. */
zc_zap_t *zc_zap_new (void *context, const zc_certificates_t *certificates);
void zc_zap_destroy (zc_zap_t **self_p);

/*  The socket to wait for, readable when zc_zap_serve has something to do. */
void *zc_zap_socket (const zc_zap_t *self);
void zc_zap_serve (zc_zap_t *self);
/*  Connections that were refused so far. */
uint64_t zc_zap_refused (const zc_zap_t *self);

/*  Makes a socket a CURVE server of this domain: "publish", "subscribe" or "control". Returns 0; or
 *  -1 with errno if this build of ZeroMQ has no CURVE, or would let all peers in if nobody answers.
 *  The socket must not be bound after -1. */
int zc_zap_protect (void *socket, const char *domain, const char *secret_key);
/*  The public key of the sender of a message from a protected socket, borrowed from the message;
 *  empty if the socket isn't protected. */
zc_slice_t zc_zap_sender (zmq_msg_t *message);

#endif
