/*  address.c - the URL of a Redis, in the forms that redis-cli and the Redis clients share. */
#include "bridge/address.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/text.h"

#define S_PORT 6379
#define S_DATABASE_MAX 65535

static char *s_decode (zc_slice_t text)
{
    char *out = malloc (text.len + 1);
    if (!out)
        abort ();
    long len = zc_url_decode (text.at, text.len, out);
    if (len < 0 || memchr (out, 0, (size_t)len)) {
        free (out);
        return NULL;
    }
    out[len] = 0;
    return out;
}

static bool s_starts (const char *text, const char *with)
{
    return strncmp (text, with, strlen (with)) == 0;
}

static int s_number (zc_slice_t text, uint64_t max, int *number)
{
    uint64_t value;
    if (zc_text_u64 (text.at, text.len, max, &value) != 0)
        return -1;
    *number = (int)value;
    return 0;
}

/*  "[user]:password@" or "user@" off the front of `rest`. */
static int s_credentials (zc_address_t *address, zc_slice_t *rest)
{
    size_t end = rest->len;
    while (end > 0 && rest->at[end - 1] != '@')
        end--;
    if (end == 0)
        return 0;
    zc_slice_t all = {rest->at, end - 1};
    rest->at += end;
    rest->len -= end;
    const char *colon = memchr (all.at, ':', all.len);
    size_t user_len = colon ? (size_t)(colon - all.at) : all.len;
    if (user_len && !(address->user = s_decode ((zc_slice_t){all.at, user_len})))
        return -1;
    if (colon) {
        zc_slice_t password = {colon + 1, all.len - user_len - 1};
        if (!(address->password = s_decode (password)))
            return -1;
    }
    return 0;
}

/*  "host", "host:port", "[::1]:port". */
static int s_host (zc_address_t *address, zc_slice_t text)
{
    address->port = S_PORT;
    const char *end = text.len && text.at[0] == '[' ? memchr (text.at, ']', text.len) : NULL;
    zc_slice_t host = text, port = {NULL, 0};
    if (end) {
        host = (zc_slice_t){text.at + 1, (size_t)(end - text.at) - 1};
        port = (zc_slice_t){end + 1, text.len - host.len - 2};
    } else if ((end = memchr (text.at, ':', text.len))) {
        host.len = (size_t)(end - text.at);
        port = (zc_slice_t){end, text.len - host.len};
    }
    address->host = s_decode (host.len ? host : (zc_slice_t){"127.0.0.1", 9});
    if (!address->host)
        return -1;
    if (port.len == 0)
        return 0;
    zc_slice_t digits = {port.at + 1, port.len - 1};
    return port.at[0] == ':' && s_number (digits, 65535, &address->port) == 0 && address->port > 0
               ? 0
               : -1;
}

static int s_query (zc_address_t *address, zc_slice_t query)
{
    zc_slice_t name, value;
    while (zc_query_next (&query, &name, &value)) {
        if (name.len != 2 || memcmp (name.at, "db", 2) != 0 ||
            s_number (value, S_DATABASE_MAX, &address->database) != 0)
            return -1;
    }
    return 0;
}

static int s_parse (const char *url, zc_address_t *address)
{
    bool tcp = s_starts (url, "redis://");
    if (!tcp && !s_starts (url, "unix://") && !s_starts (url, "redis+socket://"))
        return -1;
    const char *start = strstr (url, "://") + 3;
    size_t len = strcspn (start, "?");
    zc_slice_t query = {start + len, strlen (start + len)};
    if (query.len) {
        query.at++;
        query.len--;
    }
    zc_slice_t rest = {start, len};
    const char *slash = memchr (rest.at, '/', rest.len);
    size_t authority = slash ? (size_t)(slash - rest.at) : rest.len;
    zc_slice_t path = {rest.at + authority, rest.len - authority};
    rest.len = authority;
    if (s_credentials (address, &rest) != 0 || s_query (address, query) != 0)
        return -1;
    if (!tcp) {
        address->path = rest.len == 0 && path.len > 1 ? s_decode (path) : NULL;
        return address->path ? 0 : -1;
    }
    if (path.len > 1 &&
        s_number ((zc_slice_t){path.at + 1, path.len - 1}, S_DATABASE_MAX, &address->database))
        return -1;
    return s_host (address, rest);
}

int zc_address_parse (const char *url, zc_address_t *address, char *error, size_t size)
{
    *address = (zc_address_t){0};
    if (s_parse (url, address) != 0) {
        zc_address_clear (address);
        snprintf (error, size,
                  "expected redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE] or unix:///PATH[?db=N]");
        return -1;
    }
    size_t room = 32 + strlen (address->path ? address->path : address->host);
    address->shown = malloc (room);
    if (!address->shown)
        abort ();
    if (address->path)
        snprintf (address->shown, room, "unix://%s", address->path);
    else
        snprintf (address->shown, room, strchr (address->host, ':') ? "[%s]:%d" : "%s:%d",
                  address->host, address->port);
    return 0;
}

void zc_address_clear (zc_address_t *self)
{
    free (self->path);
    free (self->host);
    free (self->user);
    free (self->password);
    free (self->shown);
    *self = (zc_address_t){0};
}

void zc_address_set (char **field, const char *value)
{
    if (!value)
        return;
    free (*field);
    *field = strdup (value);
}
