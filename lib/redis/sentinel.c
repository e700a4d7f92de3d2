/*  sentinel.c - the answer to SENTINEL MASTER, which has the epoch; that to
 *  SENTINEL GET-MASTER-ADDR-BY-NAME hasn't. */
#include "lib/redis/sentinel.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/text.h"
#include "lib/redis/reply.h"

struct zc_sentinel {
    const zc_address_t *address;
    size_t index;       /* of the one that is asked */
    zc_address_t asked; /* its address */
    bool authenticates; /* with the user and password for Redis */
    char *host;         /* of the master; NULL: not known */
    int port;
    uint64_t epoch;
    size_t stale; /* answers in a row that named another one */
};

static void s_ask (zc_sentinel_t *self)
{
    zc_address_clear (&self->asked);
    zc_address_sentinel (self->address, self->index, self->authenticates, &self->asked);
}

zc_sentinel_t *zc_sentinel_new (const zc_address_t *address)
{
    zc_sentinel_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->address = address;
    s_ask (self);
    return self;
}

void zc_sentinel_destroy (zc_sentinel_t **self_p)
{
    zc_sentinel_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_address_clear (&self->asked);
    free (self->host);
    free (self);
}

const zc_address_t *zc_sentinel_asked (const zc_sentinel_t *self)
{
    return &self->asked;
}

bool zc_sentinel_next (zc_sentinel_t *self)
{
    self->index = (self->index + 1) % self->address->sentinel_count;
    s_ask (self);
    return self->index == 0;
}

void zc_sentinel_question (const zc_sentinel_t *self, const char *words[ZC_SENTINEL_WORDS])
{
    words[0] = "SENTINEL";
    words[1] = "MASTER";
    words[2] = self->address->service;
}

/*  The value of a field in a reply of names and values. Empty if there is none. */
static zc_slice_t s_field (const redisReply *reply, const char *name)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (zc_slice_is (zc_reply_text (reply->element[i]), name))
            return zc_reply_text (reply->element[i + 1]);
    return (zc_slice_t){"", 0};
}

static bool s_is_known (const zc_sentinel_t *self, zc_slice_t host, uint64_t port)
{
    return self->host && zc_slice_is (host, self->host) && port == (uint64_t)self->port;
}

/*  Where every Sentinel says the same twice, it is so: their epochs began anew. */
static zc_sentinel_verdict_t s_weigh (zc_sentinel_t *self, zc_slice_t host, uint64_t port,
                                      uint64_t epoch)
{
    bool known = s_is_known (self, host, port);
    bool later = !self->host || epoch > self->epoch;
    if (!known && !later && ++self->stale < 2 * self->address->sentinel_count)
        return ZC_SENTINEL_STALE;
    self->stale = 0;
    if (known && !later)
        return ZC_SENTINEL_SAME;
    self->epoch = epoch;
    if (known)
        return ZC_SENTINEL_SAME;
    free (self->host);
    self->host = strndup (host.at, host.len);
    if (!self->host)
        abort ();
    self->port = (int)port;
    return ZC_SENTINEL_MOVED;
}

bool zc_sentinel_refused (zc_sentinel_t *self, const char *error)
{
    zc_slice_t text = {error, strlen (error)};
    bool was = self->authenticates;
    if (zc_slice_starts (text, "NOAUTH "))
        self->authenticates = self->address->password != NULL;
    else if (zc_slice_starts (text, "ERR AUTH ") || zc_slice_starts (text, "WRONGPASS "))
        self->authenticates = false;
    s_ask (self);
    return self->authenticates && !was;
}

zc_sentinel_verdict_t zc_sentinel_answered (zc_sentinel_t *self, const redisReply *reply, char *why,
                                            size_t size)
{
    zc_slice_t error = zc_reply_error (reply);
    if (error.len) {
        snprintf (why, size, "%.*s", (int)error.len, error.at);
        return ZC_SENTINEL_WRONG;
    }
    uint64_t port, epoch;
    zc_slice_t host = {"", 0}, port_text = host, epoch_text = host;
    if (reply->type == REDIS_REPLY_ARRAY) {
        host = s_field (reply, "ip");
        port_text = s_field (reply, "port");
        epoch_text = s_field (reply, "config-epoch");
    }
    if (host.len == 0 || host.len > ZC_HOST_MAX || memchr (host.at, 0, host.len) ||
        zc_text_u64 (port_text.at, port_text.len, 65535, &port) != 0 || port == 0 ||
        zc_text_u64 (epoch_text.at, epoch_text.len, UINT64_MAX, &epoch) != 0) {
        snprintf (why, size, "its answer to SENTINEL MASTER makes no sense");
        return ZC_SENTINEL_WRONG;
    }
    return s_weigh (self, host, port, epoch);
}

const char *zc_sentinel_host (const zc_sentinel_t *self)
{
    return self->host;
}

int zc_sentinel_port (const zc_sentinel_t *self)
{
    return self->port;
}
