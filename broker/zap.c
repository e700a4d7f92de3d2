/*  zap.c - see zap.h. All frames of a request come from our own I/O thread; only the key is the
 *  peer's. */
#include "broker/zap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/base/log.h"

/*  zmq.h defines it for drafts only; the library has had it since 4.3. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

#define S_FRAMES 7 /* version, request, domain, address, identity, mechanism, key */
#define S_AT_ONCE 100

struct zc_zap {
    const zc_certificates_t *certificates;
    void *socket;
    uint64_t refused;
};

zc_zap_t *zc_zap_new (void *context, const zc_certificates_t *certificates)
{
    zc_zap_t *self = calloc (1, sizeof *self);
    int none = 0;
    if (!self)
        abort ();
    self->certificates = certificates;
    self->socket = zmq_socket (context, ZMQ_REP);
    if (!self->socket)
        abort ();
    zmq_setsockopt (self->socket, ZMQ_LINGER, &none, sizeof none);
    if (zmq_bind (self->socket, "inproc://zeromq.zap.01") == 0)
        return self;
    int saved = errno;
    zc_zap_destroy (&self);
    errno = saved;
    return NULL;
}

void zc_zap_destroy (zc_zap_t **self_p)
{
    zc_zap_t *self = *self_p;
    if (!self)
        return;
    zmq_close (self->socket);
    free (self);
    *self_p = NULL;
}

void *zc_zap_socket (const zc_zap_t *self)
{
    return self->socket;
}

uint64_t zc_zap_refused (const zc_zap_t *self)
{
    return self->refused;
}

int zc_zap_protect (void *socket, const char *domain, const char *secret_key)
{
    int on = 1;
    if (zmq_setsockopt (socket, ZMQ_ZAP_DOMAIN, domain, strlen (domain)) != 0 ||
        zmq_setsockopt (socket, ZMQ_ZAP_ENFORCE_DOMAIN, &on, sizeof on) != 0 ||
        zmq_setsockopt (socket, ZMQ_CURVE_SERVER, &on, sizeof on) != 0)
        return -1;
    return zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, secret_key, strlen (secret_key) + 1);
}

zc_slice_t zc_zap_sender (zmq_msg_t *message)
{
    const char *key = zmq_msg_gets (message, "User-Id");
    return (zc_slice_t){key ? key : "", key ? strlen (key) : 0};
}

/*  Whether a certificate's rights concern an endpoint at all. */
static bool s_concerns (const zc_certificate_t *certificate, zc_slice_t domain)
{
    if (zc_slice_is (domain, "publish"))
        return zc_grants_any (certificate->grants, ZC_GRANT_PUBLISH);
    if (zc_slice_is (domain, "subscribe"))
        return zc_grants_any (certificate->grants, ZC_GRANT_SUBSCRIBE);
    return certificate->control || zc_grants_any (certificate->grants, ZC_GRANT_PUBLISH) ||
           zc_grants_any (certificate->grants, ZC_GRANT_SUBSCRIBE);
}

static bool s_decide (const zc_zap_t *self, const zc_slice_t *frames, size_t count,
                      char key[ZC_CURVE_TEXT])
{
    static zc_log_limit_t limit;
    *key = 0;
    if (count != S_FRAMES || !zc_slice_is (frames[5], "CURVE") || frames[6].len != 32)
        return false;
    zmq_z85_encode (key, (const uint8_t *)frames[6].at, 32);
    const zc_certificate_t *certificate =
        zc_certificates_find (self->certificates, (zc_slice_t){key, ZC_CURVE_TEXT - 1});
    if (certificate && s_concerns (certificate, frames[2]))
        return true;
    const char *who = certificate ? certificate->name : "a stranger";
    zc_log_limited (
        &limit, ZC_LOG_WARN,
        ZC_EVENT ("peer.refused role what address reason key",
                  "%.*s endpoint: refused %s from %.*s, %s (its key is %s)"),
        (int)frames[2].len, frames[2].at, *who ? who : "somebody", (int)frames[3].len, frames[3].at,
        certificate ? "whose certificate doesn't allow it" : "who has no certificate", key);
    return false;
}

static void s_send (void *socket, zc_slice_t frame, bool more)
{
    zmq_send (socket, frame.at, frame.len, more ? ZMQ_SNDMORE : 0);
}

static zc_slice_t s_text (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void s_answer (zc_zap_t *self, const zc_slice_t *frames, size_t count)
{
    char key[ZC_CURVE_TEXT];
    bool good = s_decide (self, frames, count, key);
    self->refused += !good;
    s_send (self->socket, s_text ("1.0"), true);
    s_send (self->socket, count > 1 ? frames[1] : s_text (""), true);
    s_send (self->socket, s_text (good ? "200" : "400"), true);
    s_send (self->socket, s_text (good ? "OK" : "No access"), true);
    s_send (self->socket, s_text (good ? key : ""), true);
    s_send (self->socket, s_text (""), false);
}

/*  Receives the frames of a request, as far as there is room. Returns how many it had, 0 if no
 *  request waits. */
static size_t s_receive (void *socket, zmq_msg_t messages[S_FRAMES])
{
    zmq_msg_t spare;
    size_t count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t *message = count < S_FRAMES ? &messages[count] : &spare;
        zmq_msg_init (message);
        if (zmq_msg_recv (message, socket, count ? 0 : ZMQ_DONTWAIT) < 0)
            return 0;
        more = zmq_msg_more (message);
        if (message == &spare)
            zmq_msg_close (&spare);
        count++;
    }
    return count;
}

static bool s_serve (zc_zap_t *self)
{
    zmq_msg_t messages[S_FRAMES];
    zc_slice_t frames[S_FRAMES];
    size_t count = s_receive (self->socket, messages);
    size_t kept = count < S_FRAMES ? count : S_FRAMES;
    for (size_t i = 0; i < kept; i++)
        frames[i] = (zc_slice_t){zmq_msg_data (&messages[i]), zmq_msg_size (&messages[i])};
    if (count)
        s_answer (self, frames, count);
    for (size_t i = 0; i < kept; i++)
        zmq_msg_close (&messages[i]);
    return count > 0;
}

void zc_zap_serve (zc_zap_t *self)
{
    for (int i = 0; i < S_AT_ONCE && s_serve (self); i++)
        continue;
}
