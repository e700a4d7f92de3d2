/*  request.c - see request.h. */
#include "lib/front/request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    bool list; /* several fields are joined by commas; Cookie's by semicolons */
} s_names[ZC_VARIABLE_COUNT] = {
    [ZC_FIELD_ACCEPT] = {"Accept", true},
    [ZC_FIELD_AUTHORIZATION] = {"Authorization", false},
    [ZC_FIELD_CONTENT_TYPE] = {"Content-Type", false},
    [ZC_FIELD_COOKIE] = {"Cookie", true},
    [ZC_FIELD_FORWARDED] = {"Forwarded", true},
    [ZC_FIELD_HOST] = {"Host", false},
    [ZC_FIELD_IDEMPOTENCY_KEY] = {"Idempotency-Key", false},
    [ZC_FIELD_IF_NONE_MATCH] = {"If-None-Match", true},
    [ZC_FIELD_LAST_EVENT_ID] = {"Last-Event-ID", false},
    [ZC_FIELD_ORIGIN] = {"Origin", false},
    [ZC_FIELD_REFERER] = {"Referer", false},
    [ZC_FIELD_SEC_WEBSOCKET_EXTENSIONS] = {"Sec-WebSocket-Extensions", true},
    [ZC_FIELD_SEC_WEBSOCKET_KEY] = {"Sec-WebSocket-Key", false},
    [ZC_FIELD_SEC_WEBSOCKET_PROTOCOL] = {"Sec-WebSocket-Protocol", true},
    [ZC_FIELD_SEC_WEBSOCKET_VERSION] = {"Sec-WebSocket-Version", false},
    [ZC_FIELD_TRACEPARENT] = {"traceparent", true},
    [ZC_FIELD_X_FORWARDED_FOR] = {"X-Forwarded-For", true},
    [ZC_FIELD_X_FORWARDED_HOST] = {"X-Forwarded-Host", true},
    [ZC_FIELD_ZCAST_EVENT] = {"Zcast-Event", false},
    [ZC_FIELD_ZCAST_ID] = {"Zcast-Id", false},
    [ZC_FIELD_ZCAST_KEY] = {"Zcast-Key", false},
    [ZC_FIELD_ZCAST_PRIVATE] = {"Zcast-Private", false},
    [ZC_FIELD_ZCAST_RETRY] = {"Zcast-Retry", false},
    [ZC_FIELD_ZCAST_TOPIC] = {"Zcast-Topic", false},
    [ZC_FIELD_ZCAST_TTL] = {"Zcast-Ttl", false},
    [ZC_VARIABLE_REQUEST_METHOD] = {"REQUEST_METHOD", false},
    [ZC_VARIABLE_REQUEST_URI] = {"REQUEST_URI", false},
    [ZC_VARIABLE_SCRIPT_NAME] = {"SCRIPT_NAME", false},
    [ZC_VARIABLE_PATH_INFO] = {"PATH_INFO", false},
    [ZC_VARIABLE_QUERY_STRING] = {"QUERY_STRING", false},
    [ZC_VARIABLE_CONTENT_LENGTH] = {"CONTENT_LENGTH", false},
    [ZC_VARIABLE_REMOTE_ADDR] = {"REMOTE_ADDR", false},
    [ZC_VARIABLE_REMOTE_PORT] = {"REMOTE_PORT", false},
};

/*  ---------------------------------------------------------------- names */

#define S_BUCKETS 64

/*  Names by length and last letter: a request has many fields that nobody reads, and each is
 *  looked up. */
static struct {
    bool made;
    uint8_t len[ZC_VARIABLE_COUNT];
    char variable[ZC_VARIABLE_COUNT][32]; /* Last-Event-ID is LAST_EVENT_ID here */
    uint8_t first[S_BUCKETS];             /* number + 1; 0: none */
    uint8_t next[ZC_VARIABLE_COUNT];      /* in the same bucket */
} s_index;

static unsigned s_bucket (const char *name, size_t len)
{
    return (unsigned)(len * 5 + ((unsigned char)name[len - 1] & 31)) % S_BUCKETS;
}

static void s_make_index (void)
{
    for (unsigned i = 0; i < ZC_VARIABLE_COUNT; i++) {
        size_t len = strlen (s_names[i].name);
        unsigned bucket = s_bucket (s_names[i].name, len);
        for (size_t j = 0; j < len; j++)
            s_index.variable[i][j] =
                s_names[i].name[j] == '-' ? '_' : (char)toupper ((unsigned char)s_names[i].name[j]);
        s_index.len[i] = (uint8_t)len;
        s_index.next[i] = s_index.first[bucket];
        s_index.first[bucket] = (uint8_t)(i + 1);
    }
    s_index.made = true;
}

/*  Finds a name among the numbers from `begin` to before `end`. */
static int s_find (zc_slice_t name, unsigned begin, unsigned end, bool variable)
{
    if (!s_index.made)
        s_make_index ();
    if (name.len == 0)
        return -1;
    for (unsigned at = s_index.first[s_bucket (name.at, name.len)]; at; at = s_index.next[at - 1]) {
        unsigned number = at - 1;
        if (number < begin || number >= end || s_index.len[number] != name.len)
            continue;
        if (variable ? memcmp (name.at, s_index.variable[number], name.len) == 0
                     : strncasecmp (name.at, s_names[number].name, name.len) == 0)
            return (int)number;
    }
    return -1;
}

int zc_field_find (zc_slice_t name)
{
    return s_find (name, 0, ZC_FIELD_COUNT, false);
}

int zc_cgi_find (zc_slice_t name)
{
    if (name.len > 5 && memcmp (name.at, "HTTP_", 5) == 0)
        return s_find ((zc_slice_t){name.at + 5, name.len - 5}, 0, ZC_FIELD_COUNT, true);
    if (zc_slice_is (name, "CONTENT_TYPE"))
        return ZC_FIELD_CONTENT_TYPE;
    return s_find (name, ZC_FIELD_COUNT, ZC_VARIABLE_COUNT, true);
}

const char *zc_cgi_name (unsigned number)
{
    return s_names[number].name;
}

static const struct {
    const char *name;
    zc_method_t method;
} s_methods[] = {
    {"GET", ZC_METHOD_GET},   {"HEAD", ZC_METHOD_HEAD}, {"OPTIONS", ZC_METHOD_OPTIONS},
    {"POST", ZC_METHOD_POST}, {"PUT", ZC_METHOD_PUT},   {"DELETE", ZC_METHOD_DELETE},
};

zc_method_t zc_method_parse (zc_slice_t name)
{
    for (size_t i = 0; i < sizeof s_methods / sizeof *s_methods; i++)
        if (zc_slice_is (name, s_methods[i].name))
            return s_methods[i].method;
    return ZC_METHOD_OTHER;
}

const char *zc_method_names (unsigned methods, char *text, size_t size)
{
    size_t len = 0;
    text[0] = 0;
    for (size_t i = 0; i < sizeof s_methods / sizeof *s_methods && len < size; i++)
        if (methods & s_methods[i].method)
            len += (size_t)snprintf (text + len, size - len, "%s%s", len > 0 ? ", " : "",
                                     s_methods[i].name);
    return text;
}

/*  ---------------------------------------------------------------- a request */

void zc_request_init (zc_request_t *self)
{
    memset (self, 0, sizeof *self);
    self->path = self->query = self->peer = (zc_slice_t){"", 0};
}

void zc_request_clear (zc_request_t *self)
{
    for (size_t i = 0; i < ZC_FIELD_COUNT; i++)
        if (self->joined[i]) /* rarely set: spares the calls */
            free (self->joined[i]);
    zc_request_init (self);
}

static void s_join (zc_request_t *self, zc_field_t field, zc_slice_t value)
{
    zc_slice_t *had = &self->fields[field];
    char *text = malloc (had->len + 2 + value.len + 1);
    if (!text)
        abort ();
    memcpy (text, had->at, had->len);
    memcpy (text + had->len, field == ZC_FIELD_COOKIE ? "; " : ", ", 2);
    memcpy (text + had->len + 2, value.at, value.len);
    *had = (zc_slice_t){text, had->len + 2 + value.len};
    free (self->joined[field]);
    self->joined[field] = text;
}

int zc_request_add (zc_request_t *self, zc_field_t field, zc_slice_t value)
{
    if (!self->fields[field].at)
        self->fields[field] = value;
    else if (s_names[field].list)
        s_join (self, field, value);
    else
        return -1;
    return 0;
}

/*  The path of a URL, without query, scheme and host. */
static zc_slice_t s_path_of (zc_slice_t uri)
{
    const char *query = uri.len > 0 ? memchr (uri.at, '?', uri.len) : NULL;
    if (query)
        uri.len = (size_t)(query - uri.at);
    return uri;
}

int zc_request_from_variables (zc_request_t *self, const zc_slice_t values[ZC_VARIABLE_COUNT])
{
    uint64_t number;
    zc_slice_t length = values[ZC_VARIABLE_CONTENT_LENGTH], port = values[ZC_VARIABLE_REMOTE_PORT];
    zc_request_init (self);
    self->method = zc_method_parse (values[ZC_VARIABLE_REQUEST_METHOD]);
    self->path = s_path_of (values[ZC_VARIABLE_REQUEST_URI]);
    if (self->path.len == 0)
        self->path = values[ZC_VARIABLE_SCRIPT_NAME];
    self->query = values[ZC_VARIABLE_QUERY_STRING];
    self->peer = values[ZC_VARIABLE_REMOTE_ADDR];
    /* empty means absent: web servers send many empty ones */
    for (size_t i = 0; i < ZC_FIELD_COUNT; i++)
        self->fields[i] = values[i].len > 0 ? values[i] : (zc_slice_t){NULL, 0};
    if (zc_text_u64 (port.at, port.len, 65535, &number) == 0)
        self->port = (uint16_t)number;
    self->body = ZC_BODY_UNKNOWN;
    if (length.len == 0 || zc_slice_is (length, "-1")) /* Caddy sends -1 for a body in chunks */
        return 0;
    if (zc_text_u64 (length.at, length.len, INT64_MAX, &number) != 0)
        return -1;
    self->body = (int64_t)number;
    return 0;
}
