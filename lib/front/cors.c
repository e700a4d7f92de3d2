/*  cors.c - see cors.h. */
#define _GNU_SOURCE /* memrchr */
#include "lib/front/cors.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/wire/field.h"
#include "lib/wire/origin.h"

#define S_ALLOWED_FIELDS                                                                        \
    "Last-Event-ID, Cache-Control, Authorization, Content-Type, Idempotency-Key, Zcast-Topic, " \
    "Zcast-Event, Zcast-Id, Zcast-Key, Zcast-Ttl, Zcast-Retry, Zcast-Private"

static void s_check_list (zc_cors_t *self, const zc_options_t *options, const char *name)
{
    const char *key, *value;
    bool allows = strcmp (name, "allow-origin") == 0;
    for (size_t i = 0; zc_options_item (options, name, i, &key, &value); i++) {
        bool any = strcmp (value, "*") == 0;
        bool named = self->origin.len > 0 && zc_slice_is (self->origin, value);
        self->any |= any;
        self->listed |= named;
        self->allowed |= allows && (any || named);
    }
}

/*  The host that the first proxy was asked for. */
static zc_slice_t s_forwarded_host (const zc_request_t *request)
{
    zc_slice_t list = request->fields[ZC_FIELD_X_FORWARDED_HOST], first = {"", 0};
    zc_list_next (&list, &first);
    return first;
}

zc_cors_t zc_cors_check (const zc_options_t *options, const zc_request_t *request, bool proxied)
{
    zc_slice_t origin = request->fields[ZC_FIELD_ORIGIN], host = request->fields[ZC_FIELD_HOST];
    zc_cors_t self = {.origin = {"", 0}, .given = origin.at != NULL};
    if (origin.len > 0 && zc_text_plain (origin.at, origin.len))
        self.origin = origin;
    self.same = host.len > 0 && zc_origin_is_of_host (self.origin, host);
    if (proxied && !self.same) {
        host = s_forwarded_host (request);
        self.same = host.len > 0 && zc_origin_is_of_host (self.origin, host);
    }
    s_check_list (&self, options, "cors-origin");
    s_check_list (&self, options, "allow-origin");
    return self;
}

bool zc_cors_may_ask (const zc_cors_t *self)
{
    return !self->given || self->same || self->any || self->listed;
}

/*  Removes the port from "[::1]:8081", "127.0.0.1:8081" and so on. */
static zc_slice_t s_without_port (zc_slice_t host)
{
    const char *colon = host.len ? memrchr (host.at, ':', host.len) : NULL;
    if (colon && host.at[host.len - 1] != ']')
        host.len = (size_t)(colon - host.at);
    return host;
}

static bool s_is_address (zc_slice_t host)
{
    char text[64];
    struct in6_addr address;
    if (host.len >= sizeof text)
        return false;
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        return true; /* the parser of heads accepts nothing else in brackets */
    memcpy (text, host.at, host.len);
    text[host.len] = 0;
    return inet_pton (AF_INET, text, &address) == 1;
}

bool zc_host_is_ours (const zc_options_t *options, const zc_request_t *request)
{
    zc_slice_t host = s_without_port (request->fields[ZC_FIELD_HOST]);
    const char *key, *value;
    if (host.len == 0 || s_is_address (host) || zc_field_is (host, "localhost"))
        return true;
    for (size_t i = 0; zc_options_item (options, "hosts", i, &key, &value); i++)
        if (zc_field_is (host, value) || strcmp (value, "*") == 0)
            return true;
    return false;
}

bool zc_cors_may_write (const zc_cors_t *self)
{
    return !self->given || self->same || self->listed || self->allowed;
}

bool zc_cors_may_open (const zc_cors_t *self, bool publishes)
{
    return publishes ? zc_cors_may_write (self) : zc_cors_may_ask (self);
}

void zc_cors_add (const zc_cors_t *self, zc_response_t *response)
{
    if (self->origin.len == 0)
        return;
    if (self->listed) {
        zc_response_field (response, "Access-Control-Allow-Origin", self->origin);
        zc_response_say (response, "Access-Control-Allow-Credentials", "true");
        zc_response_say (response, "Vary", "Origin");
    } else if (self->any) {
        zc_response_say (response, "Access-Control-Allow-Origin", "*");
    }
}

void zc_cors_add_preflight (const zc_cors_t *self, const char *methods, zc_response_t *response)
{
    if (self->origin.len == 0 || (!self->any && !self->listed))
        return;
    zc_response_say (response, "Access-Control-Allow-Methods", methods);
    zc_response_say (response, "Access-Control-Allow-Headers", S_ALLOWED_FIELDS);
    zc_response_say (response, "Access-Control-Max-Age", "86400");
}
