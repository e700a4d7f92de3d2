/*  zap.h - answers ZeroMQ's question who may connect (ZAP, ZeroMQ RFC 27), by the certificates.
 *
 *  The broker's own loop answers, so that certificates and roles are used by one thread. Each
 * endpoint is a domain of its own, and ZMQ_ZAP_ENFORCE_DOMAIN keeps everybody out where nobody
 * answers. czmq's zauth isn't used: it answers in czmq's context only, knows no roles, and writes a
 * certificate's metadata into 512 bytes without looking. */
#ifndef ZC_ZAP_H
#define ZC_ZAP_H

#include <zmq.h>
#include "broker/certificates.h"

typedef struct zc_zap zc_zap_t;

/*  Begins to be asked, in this context; before any socket is bound. `certificates` is borrowed.
 * NULL with errno, where somebody else answers already. */
zc_zap_t *zc_zap_new (void *context, const zc_certificates_t *certificates);
void zc_zap_destroy (zc_zap_t **self_p);

/*  The socket to wait for, readable when zc_zap_serve has something to do. */
void *zc_zap_socket (const zc_zap_t *self);
void zc_zap_serve (zc_zap_t *self);
/*  Connections that were refused so far. */
uint64_t zc_zap_refused (const zc_zap_t *self);

/*  Makes a socket a CURVE server of this domain: "publish", "subscribe" or "control". Returns 0, or
 *  -1 with errno where ZeroMQ can't (a build without CURVE, or one that would let everybody in
 * where nobody answers): the socket must not be bound then. */
int zc_zap_protect (void *socket, const char *domain, const char *secret_key);
/*  Who sent a message that came in on a protected socket: its public key, borrowed from the
 * message; empty where the socket isn't protected. */
zc_slice_t zc_zap_sender (zmq_msg_t *message);

#endif
