/*  gate.c - see gate.h. */
#include "broker/gate.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/instructions.h"
#include "broker/zap.h"
#include "lib/access/rules.h"
#include "lib/peer/curve.h"

struct zc_gate {
    zc_rules_t *rules; /* owned; NULL: no rules */
    char secret_key[ZC_CURVE_TEXT];
    zc_certificates_t *certificates; /* owned; NULL without CURVE */
    zc_zap_t *zap;                   /* owned; NULL without CURVE */
};

/*  Returns NULL if there are no rules; *error isn't empty if a rule is wrong. */
static zc_rules_t *s_rules (const zc_options_t *options, char *error, size_t size)
{
    zc_rules_t *rules = NULL;
    const char *prefix, *words, *wrong = NULL;
    *error = 0;
    for (size_t i = 0; !wrong && zc_options_item (options, "access", i, &prefix, &words); i++) {
        if (!rules)
            rules = zc_rules_new (ZC_MODE_OPEN);
        wrong = zc_rules_add (rules, prefix, words);
        if (wrong)
            snprintf (error, size, "%s=%s: %s", prefix, words, wrong);
    }
    if (wrong)
        zc_rules_destroy (&rules);
    return rules;
}

/*  Reads the broker's own key. Returns 0, also if there is none, or -1 with *option and `error`. */
static int s_own_key (const zc_options_t *options, char key[ZC_CURVE_TEXT], const char **option,
                      char *error, size_t size)
{
    const char *path = zc_options_text (options, "curve-key");
    const char *clients = zc_options_text (options, "curve-clients");
    zc_certificate_t own;
    *key = 0;
    *option = path ? "curve-clients" : "curve-key";
    if (!path != !clients) {
        snprintf (error, size,
                  "is needed, too: curve-key is the broker's own certificate, "
                  "curve-clients the folder of those that may connect");
        return -1;
    }
    *option = "curve-key";
    if (!path)
        return 0;
    if (zc_curve_read (&own, path, true, error, size) != 0)
        return -1;
    memcpy (key, own.secret_key, ZC_CURVE_TEXT);
    zc_certificate_clear (&own);
    return 0;
}

const char *zc_gate_verify (const zc_options_t *options, char *error, size_t size)
{
    char key[ZC_CURVE_TEXT];
    const char *option;
    zc_rules_t *rules = s_rules (options, error, size);
    zc_rules_destroy (&rules);
    if (*error)
        return "access";
    int rc = s_own_key (options, key, &option, error, size);
    OPENSSL_cleanse (key, sizeof key);
    return rc == 0 ? NULL : option;
}

static int s_start_curve (zc_gate_t *self, void *context, const zc_options_t *options, char *error,
                          size_t size)
{
    const char *option;
    if (s_own_key (options, self->secret_key, &option, error, size) != 0)
        return -1;
    if (!*self->secret_key)
        return 0;
    self->certificates = zc_certificates_new (zc_options_text (options, "curve-clients"));
    self->zap = zc_zap_new (context, self->certificates);
    if (self->zap)
        return 0;
    snprintf (error, size, "nobody could be let in: %s", zmq_strerror (errno));
    return -1;
}

zc_gate_t *zc_gate_new (void *context, const zc_options_t *options, char *error, size_t size)
{
    zc_gate_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->rules = s_rules (options, error, size);
    if (*error || s_start_curve (self, context, options, error, size) != 0)
        zc_gate_destroy (&self);
    return self;
}

void zc_gate_destroy (zc_gate_t **self_p)
{
    zc_gate_t *self = *self_p;
    if (!self)
        return;
    zc_zap_destroy (&self->zap);
    zc_certificates_destroy (&self->certificates);
    zc_rules_destroy (&self->rules);
    OPENSSL_cleanse (self->secret_key, sizeof self->secret_key);
    free (self);
    *self_p = NULL;
}

void zc_gate_configure (zc_gate_t *self, const zc_options_t *options)
{
    char error[256];
    zc_rules_t *rules = s_rules (options, error, sizeof error);
    if (*error)
        return;
    zc_rules_destroy (&self->rules);
    self->rules = rules;
}

int zc_gate_protect (zc_gate_t *self, void *socket, const char *domain)
{
    return self->zap ? zc_zap_protect (socket, domain, self->secret_key) : 0;
}

void *zc_gate_socket (const zc_gate_t *self)
{
    return self->zap ? zc_zap_socket (self->zap) : NULL;
}

void zc_gate_serve (zc_gate_t *self)
{
    if (self->zap)
        zc_zap_serve (self->zap);
}

bool zc_gate_turn (zc_gate_t *self, uint64_t mono_ms)
{
    return self->certificates &&
           zc_certificates_turn (self->certificates, mono_ms) == ZC_CERTIFICATES_LESS;
}

uint64_t zc_gate_refused (const zc_gate_t *self)
{
    return self->zap ? zc_zap_refused (self->zap) : 0;
}

/*  Decisions. */

const zc_certificate_t *zc_gate_sender (const zc_gate_t *self, zmq_msg_t *frame)
{
    return self->certificates ? zc_certificates_find (self->certificates, zc_zap_sender (frame))
                              : NULL;
}

/*  The source of a message, by its header `via`. */
static zc_source_t s_source (zc_slice_t headers)
{
    zc_slice_t via;
    if (!zc_header_find (headers, "via", &via))
        return ZC_SOURCE_ZEROMQ;
    return zc_slice_is (via, "redis")  ? ZC_SOURCE_REDIS
           : zc_slice_is (via, "http") ? ZC_SOURCE_DOOR
                                       : ZC_SOURCE_ZEROMQ;
}

bool zc_gate_publish (const zc_gate_t *self, const zc_certificate_t *sender, zc_slice_t topic,
                      zc_slice_t headers)
{
    bool canary = zc_topic_is_canary (topic);
    if (zc_slice_is (topic, ZC_INSTRUCTIONS_TOPIC))
        return false;
    zc_source_t source = self->rules || canary ? s_source (headers) : ZC_SOURCE_ZEROMQ;
    if (self->certificates) {
        if (!sender || !zc_grants_allow (sender->grants, ZC_GRANT_PUBLISH, topic))
            return false;
        if (!sender->control)
            source = ZC_SOURCE_ZEROMQ;
    }
    if (canary)
        return source == ZC_SOURCE_DOOR;
    /* the door has checked a token already */
    return !self->rules || source == ZC_SOURCE_DOOR ||
           zc_rules_publish (self->rules, source, topic) == ZC_MAY;
}

bool zc_gate_ask (const zc_gate_t *self, const zc_certificate_t *sender, zc_verb_t verb)
{
    if (!self->certificates || verb == ZC_PUBLISH)
        return true;
    if (!sender)
        return false;
    switch (verb) {
    case ZC_PING:
    case ZC_LIMITS:
        return true;
    case ZC_STATS:
    case ZC_REPORT:
    case ZC_PURGE:
    case ZC_INSTRUCT:
    case ZC_INSTRUCTIONS:
        return sender->control;
    case ZC_LIST:
        return sender->control || zc_grants_any (sender->grants, ZC_GRANT_SUBSCRIBE);
    default:
        return zc_grants_any (sender->grants, ZC_GRANT_SUBSCRIBE);
    }
}
