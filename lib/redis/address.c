/*  address.c - the URL of a Redis, in the forms that redis-cli and the Redis clients share. */
#include "lib/redis/address.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "lib/base/buf.h"
#include "lib/base/text.h"

#define S_PORT 6379
#define S_SENTINEL_PORT 26379
#define S_SENTINELS_MAX 100
#define S_DATABASE_MAX 65535

/*  The error for a URL of any other form. */
static const char s_form[] = "expected redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], "
                             "unix:///PATH[?db=N] or redis+sentinel://HOST[:PORT],.../NAME";
static const char s_escape[] = "a '%' is followed by two hexadecimal digits, and stands for no NUL "
                               "byte; '%' itself is %25";
static const char s_port[] = "after the host's ':' comes a port from 1 to 65535";
static const char s_ipv6[] = "an IPv6 address is in brackets: redis://[::1]:6379";
static const char s_database[] = "a database is a number from 0 to 65535";
static const char s_query_is[] = "after '?' comes db=N, and nothing else";
static const char s_sentinels[] = "Sentinels are hosts (at most 100) with ',' between them, and "
                                  "then '/' and the master's name: "
                                  "redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster";
static const char s_tls[] = "TLS is not supported: use a tunnel that begins on this machine";

/*  Decodes a part. Returns NULL, or the error. */
static const char *s_decode (zc_slice_t text, char **part)
{
    char *out = malloc (text.len + 1);
    if (!out)
        abort ();
    long len = zc_percent_decode (text.at, text.len, out);
    if (len < 0 || memchr (out, 0, (size_t)len)) {
        free (out);
        return s_escape;
    }
    out[len] = 0;
    *part = out;
    return NULL;
}

static const char *s_number (zc_slice_t text, uint64_t max, const char *wrong, int *number)
{
    uint64_t value;
    char *decoded;
    const char *error = s_decode (text, &decoded);
    if (error)
        return error;
    int rc = zc_text_u64 (decoded, strlen (decoded), max, &value);
    free (decoded);
    if (rc != 0)
        return wrong;
    *number = (int)value;
    return NULL;
}

/*  Takes "[user]:password@" or "user@" from `rest`, up to the last '@' in its first `len` bytes. */
static const char *s_credentials (zc_address_t *address, zc_slice_t *rest, size_t len)
{
    size_t end = len;
    while (end > 0 && rest->at[end - 1] != '@')
        end--;
    if (end == 0)
        return NULL;
    zc_slice_t all = {rest->at, end - 1};
    rest->at += end;
    rest->len -= end;
    const char *colon = memchr (all.at, ':', all.len), *error = NULL;
    size_t user_len = colon ? (size_t)(colon - all.at) : all.len;
    if (user_len)
        error = s_decode ((zc_slice_t){all.at, user_len}, &address->user);
    if (!error && colon)
        error = s_decode ((zc_slice_t){colon + 1, all.len - user_len - 1}, &address->password);
    return error;
}

/*  An address in brackets. Its zone comes after "%25" (RFC 6874 §2), or after a bare '%', as
 *  people write it. */
static const char *s_ipv6_host (char **host, zc_slice_t text)
{
    const char *percent = memchr (text.at, '%', text.len);
    size_t before = percent ? (size_t)(percent - text.at) : text.len;
    bool escaped = text.len - before > 3 && memcmp (percent, "%25", 3) == 0;
    if (!percent || escaped)
        return s_decode (text, host);
    *host = strndup (text.at, text.len);
    return NULL;
}

/*  "host", "host:port", "[::1]:port". *port is the default one. */
static const char *s_host (char **name, int *port_number, zc_slice_t text)
{
    static const char local[] = "127.0.0.1";
    bool brackets = text.len > 0 && text.at[0] == '[';
    const char *end = text.len ? memchr (text.at, brackets ? ']' : ':', text.len) : NULL;
    if (brackets && !end)
        return s_ipv6;
    size_t len = end ? (size_t)(end - text.at) : text.len;
    zc_slice_t host = {text.at + brackets, len - brackets};
    zc_slice_t port = {text.at + len + brackets, text.len - len - brackets};
    if (!brackets && port.len && memchr (port.at + 1, ':', port.len - 1))
        return s_ipv6;
    if (host.len == 0)
        host = (zc_slice_t){local, strlen (local)};
    const char *error = brackets ? s_ipv6_host (name, host) : s_decode (host, name);
    if (error || port.len == 0)
        return error;
    if (port.at[0] != ':')
        return s_port;
    error = s_number ((zc_slice_t){port.at + 1, port.len - 1}, 65535, s_port, port_number);
    return error ? error : *port_number > 0 ? NULL : s_port;
}

static const char *s_query (zc_address_t *address, zc_slice_t query)
{
    zc_slice_t name, value;
    const char *error = NULL;
    while (!error && zc_query_next (&query, &name, &value))
        error = zc_slice_is (name, "db")
                    ? s_number (value, S_DATABASE_MAX, s_database, &address->database)
                    : s_query_is;
    return error;
}

/*  Takes from `text` all that follows the first `mark`, and the mark. */
static zc_slice_t s_cut (zc_slice_t *text, char mark)
{
    const char *at = text->len ? memchr (text->at, mark, text->len) : NULL;
    if (!at)
        return (zc_slice_t){"", 0};
    zc_slice_t rest = {at + 1, text->len - (size_t)(at - text->at) - 1};
    text->len = (size_t)(at - text->at);
    return rest;
}

/*  The last '@' ends user and password, whatever is in them, since neither a database nor a
 *  query has an '@'. Generated passwords contain '/', and few people escape it. */
static const char *s_tcp (zc_address_t *address, zc_slice_t rest)
{
    const char *error = s_credentials (address, &rest, rest.len);
    zc_slice_t query = s_cut (&rest, '?');
    zc_slice_t database = s_cut (&rest, '/');
    address->port = S_PORT;
    if (!error)
        error = s_host (&address->host, &address->port, rest);
    if (!error && database.len)
        error = s_number (database, S_DATABASE_MAX, s_database, &address->database);
    return error ? error : s_query (address, query);
}

static const char *s_unix (zc_address_t *address, zc_slice_t rest)
{
    zc_slice_t query = s_cut (&rest, '?');
    const char *slash = rest.len ? memchr (rest.at, '/', rest.len) : NULL;
    const char *error =
        s_credentials (address, &rest, slash ? (size_t)(slash - rest.at) : rest.len);
    if (!error && (rest.len < 2 || rest.at[0] != '/'))
        error = s_form;
    if (!error)
        error = s_decode (rest, &address->path);
    return error ? error : s_query (address, query);
}

static const char *s_sentinel (zc_address_t *address, zc_slice_t *rest)
{
    zc_slice_t one = *rest;
    *rest = s_cut (&one, ',');
    if (one.len == 0 || address->sentinel_count == S_SENTINELS_MAX)
        return s_sentinels;
    size_t size = (address->sentinel_count + 1) * sizeof *address->sentinels;
    zc_place_t *places = realloc (address->sentinels, size);
    if (!places)
        abort ();
    address->sentinels = places;
    zc_place_t *place = &places[address->sentinel_count++];
    *place = (zc_place_t){.port = S_SENTINEL_PORT};
    return s_host (&place->host, &place->port, one);
}

static const char *s_sentinel_list (zc_address_t *address, zc_slice_t rest)
{
    const char *error = s_credentials (address, &rest, rest.len);
    zc_slice_t query = s_cut (&rest, '?');
    const char *slash = rest.len ? memchr (rest.at, '/', rest.len) : NULL;
    if (!slash || slash + 1 == rest.at + rest.len)
        return error ? error : s_sentinels;
    zc_slice_t service = s_cut (&rest, '/');
    bool more = true;
    while (!error && more) {
        more = rest.len && memchr (rest.at, ',', rest.len);
        error = s_sentinel (address, &rest);
    }
    if (!error)
        error = s_decode (service, &address->service);
    return error ? error : s_query (address, query);
}

static const char *s_parse (const char *url, zc_address_t *address)
{
    static const struct {
        const char *scheme;
        const char *(*parse) (zc_address_t *address, zc_slice_t rest);
    } schemes[] = {{"redis://", s_tcp},
                   {"unix://", s_unix},
                   {"redis+socket://", s_unix},
                   {"redis+sentinel://", s_sentinel_list}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen (schemes[i].scheme);
        if (strncasecmp (url, schemes[i].scheme, len) == 0)
            return schemes[i].parse (address, (zc_slice_t){url + len, strlen (url + len)});
    }
    return strncasecmp (url, "rediss://", 9) == 0 ? s_tls : s_form;
}

/*  For logs. */
static void s_show (zc_address_t *self)
{
    zc_buf_t shown = ZC_BUF_INIT;
    if (self->path)
        zc_buf_addf (&shown, "unix://%s", self->path);
    else if (self->service)
        zc_buf_addf (&shown, "%s of the Sentinels at ", self->service);
    zc_place_t one = {self->host, self->port};
    const zc_place_t *places = self->sentinels ? self->sentinels : &one;
    size_t count = self->sentinels ? self->sentinel_count : self->host ? 1 : 0;
    for (size_t i = 0; i < count; i++)
        zc_buf_addf (&shown, strchr (places[i].host, ':') ? "%s[%s]:%d" : "%s%s:%d", i ? "," : "",
                     places[i].host, places[i].port);
    zc_buf_addc (&shown, 0);
    self->shown = (char *)shown.data;
}

int zc_address_parse (const char *url, zc_address_t *address, char *error, size_t size)
{
    *address = (zc_address_t){0};
    const char *wrong = s_parse (url, address);
    if (wrong) {
        zc_address_clear (address);
        snprintf (error, size, "%s", wrong);
        return -1;
    }
    s_show (address);
    return 0;
}

static char *s_copy (const char *text)
{
    char *copy = text ? strdup (text) : NULL;
    if (text && !copy)
        abort ();
    return copy;
}

void zc_address_sentinel (const zc_address_t *self, size_t index, bool authenticates,
                          zc_address_t *sentinel)
{
    const zc_place_t *place = &self->sentinels[index];
    *sentinel = (zc_address_t){.host = s_copy (place->host),
                               .port = place->port,
                               .user = authenticates ? s_copy (self->user) : NULL,
                               .password = authenticates ? s_copy (self->password) : NULL};
    s_show (sentinel);
}

void zc_address_clear (zc_address_t *self)
{
    for (size_t i = 0; i < self->sentinel_count; i++)
        free (self->sentinels[i].host);
    free (self->sentinels);
    free (self->service);
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

int zc_address_read_password (zc_address_t *self, const char *path, char *error, size_t size)
{
    char password[ZC_PASSWORD_MAX];
    FILE *file = fopen (path, "re");
    if (!file) {
        snprintf (error, size, "%s: %s", path, strerror (errno));
        return -1;
    }
    bool good = fgets (password, sizeof password, file) != NULL;
    fclose (file);
    if (good)
        password[strcspn (password, "\r\n")] = 0;
    if (good && password[0]) {
        zc_address_set (&self->password, password);
        return 0;
    }
    snprintf (error, size, "%s: its first line is to be the password", path);
    return -1;
}
