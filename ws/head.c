/*  head.c - see head.h.
 *
 *  Two passes: a scan that sees each byte once as it arrives, ends at the empty line and refuses
 *  at once what can't become a head (so that a TLS hello or random bytes aren't waited for), then
 *  one parse of the whole. A parser that keeps its state inside a field would save nothing: heads
 *  come in one segment, nearly always. */
#include "ws/head.h"

#include <arpa/inet.h>
#include <czmq.h>
#include <string.h>
#include <strings.h>

void zc_head_init (zc_head_t *self, size_t max)
{
    memset (self, 0, sizeof *self);
    self->max = max;
}

static int s_refuse (zc_head_t *self, int status, const char *reason)
{
    self->reason = reason;
    return status;
}

static int s_malformed (zc_head_t *self, const char *reason)
{
    return s_refuse (self, 400, reason);
}

static bool s_is_token (zc_slice_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!zc_token_char (text.at[i]))
            return false;
    return text.len > 0;
}

static bool s_is (zc_slice_t text, const char *word)
{
    return text.len == strlen (word) && strncasecmp (text.at, word, text.len) == 0;
}

static zc_slice_t s_trim (zc_slice_t text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text.at++, text.len--;
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/*  Takes what stands before `end` off the text, and `end` with it. False where it isn't there. */
static bool s_cut (zc_slice_t *text, char end, zc_slice_t *part)
{
    const char *at = text->len > 0 ? memchr (text->at, end, text->len) : NULL;
    if (!at)
        return false;
    *part = (zc_slice_t){text->at, (size_t)(at - text->at)};
    text->len -= part->len + 1;
    text->at = at + 1;
    return true;
}

/*  The next element of a list with commas; empty elements are passed over (RFC 9110 §5.6.1). */
static bool s_next_element (zc_slice_t *list, zc_slice_t *element)
{
    while (list->len > 0) {
        if (!s_cut (list, ',', element)) {
            *element = *list;
            list->len = 0;
        }
        *element = s_trim (*element);
        if (element->len > 0)
            return true;
    }
    return false;
}

static bool s_list_has (zc_slice_t list, const char *word)
{
    zc_slice_t element;
    while (s_next_element (&list, &element))
        if (s_is (element, word))
            return true;
    return false;
}

/*  origin-form or absolute-form (RFC 9112 §3.2); what stands before the path is passed over. */
static int s_parse_target (zc_head_t *self, zc_slice_t target)
{
    for (size_t i = 0; i < target.len; i++)
        if (target.at[i] <= ' ' || target.at[i] > '~' || target.at[i] == '#')
            return s_malformed (self, "malformed request target");
    static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen (schemes[i]);
        if (target.len <= len || strncasecmp (target.at, schemes[i], len) != 0)
            continue;
        while (len < target.len && target.at[len] != '/' && target.at[len] != '?')
            len++;
        target.at += len;
        target.len -= len;
        if (target.len == 0 || target.at[0] == '?')
            self->path = (zc_slice_t){"/", 1};
        break;
    }
    if (!self->path.at && (target.len == 0 || target.at[0] != '/'))
        return s_malformed (self, "malformed request target");
    zc_slice_t path;
    bool query = s_cut (&target, '?', &path);
    if (!self->path.at)
        self->path = query ? path : target;
    if (query)
        self->query = target;
    return 0;
}

static int s_parse_request_line (zc_head_t *self, zc_slice_t line)
{
    zc_slice_t method, target;
    if (!s_cut (&line, ' ', &method) || !s_is_token (method) || !s_cut (&line, ' ', &target))
        return s_malformed (self, "malformed request line");
    if (line.len != 8 || memcmp (line.at, "HTTP/1.1", 8) != 0)
        return s_malformed (self, "HTTP/1.1 is needed");
    self->get = method.len == 3 && memcmp (method.at, "GET", 3) == 0;
    return s_parse_target (self, target);
}

/*  Fields that may come once only. */
static zc_slice_t *s_single (zc_head_t *self, zc_slice_t name)
{
    const struct {
        const char *name;
        zc_slice_t *value;
    } fields[] = {
        {"host", &self->host},
        {"sec-websocket-key", &self->key},
        {"sec-websocket-version", &self->version},
        {"origin", &self->origin},
        {"last-event-id", &self->last_event_id},
        {"content-length", &self->content_length},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (s_is (name, fields[i].name))
            return fields[i].value;
    return NULL;
}

typedef struct {
    bool connection, websocket;
} s_wish_t;

static int s_take_field (zc_head_t *self, zc_slice_t name, zc_slice_t value, s_wish_t *wish)
{
    zc_slice_t *single = s_single (self, name), element;
    if (single) {
        if (single->at)
            return s_malformed (self, "a header field is repeated");
        *single = value;
    } else if (s_is (name, "transfer-encoding")) {
        return s_malformed (self, "a body is not expected");
    } else if (s_is (name, "connection")) {
        wish->connection |= s_list_has (value, "upgrade");
    } else if (s_is (name, "upgrade")) {
        wish->websocket |= s_list_has (value, "websocket");
    } else if (s_is (name, "sec-websocket-protocol")) {
        self->zcast_v1 |= s_list_has (value, "zcast.v1");
    } else if (s_is (name, "sec-websocket-extensions")) {
        if (zc_extension_offer (&self->extension, value) != 0)
            return s_malformed (self, "malformed Sec-WebSocket-Extensions");
    } else if (s_is (name, "x-forwarded-host")) {
        if (!self->forwarded_host.at && s_next_element (&value, &element))
            self->forwarded_host = element;
    } else if (s_is (name, "x-forwarded-for")) {
        while (s_next_element (&value, &element))
            self->forwarded = element;
    }
    return 0;
}

static int s_parse_field (zc_head_t *self, zc_slice_t line, s_wish_t *wish)
{
    zc_slice_t name;
    if (!s_cut (&line, ':', &name) || !s_is_token (name))
        return s_malformed (self, "malformed header field");
    return s_take_field (self, name, s_trim (line), wish);
}

static int s_parse (zc_head_t *self, const char *bytes)
{
    zc_slice_t rest = {bytes, self->length - 2}, line;
    s_wish_t wish = {false, false};
    int status = 0;
    for (size_t i = 0; status == 0 && s_cut (&rest, '\n', &line); i++) {
        line.len--; /* the CR */
        status = i == 0 ? s_parse_request_line (self, line) : s_parse_field (self, line, &wish);
    }
    if (status != 0)
        return status;
    if (!self->host.at)
        return s_malformed (self, "no Host header field");
    if (self->content_length.at && !s_is (self->content_length, "0"))
        return s_malformed (self, "a body is not expected");
    self->upgrade = wish.connection && wish.websocket;
    return 200;
}

static int s_too_long (zc_head_t *self)
{
    return self->lines == 0 ? s_refuse (self, 414, "the request line is too long")
                            : s_refuse (self, 431, "the request head is too long");
}

/*  Looks at the byte at `scanned`. Returns 0, or the status of a refusal; *end at the last. */
static int s_scan (zc_head_t *self, const char *bytes, bool *end)
{
    size_t at = self->scanned;
    unsigned char c = (unsigned char)bytes[at];
    bool after_cr = at > self->line && bytes[at - 1] == '\r';
    if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
        return s_malformed (self, "a control character in the request head");
    if (after_cr != (c == '\n'))
        return s_malformed (self, "a line does not end with CR LF");
    if (c != '\n')
        return 0;
    *end = at == self->line + 1;
    if (*end && self->lines == 0)
        return s_malformed (self, "malformed request line");
    self->line = at + 1;
    if (++self->lines > ZC_HEAD_FIELDS + 2)
        return s_refuse (self, 431, "too many header fields");
    return 0;
}

int zc_head_feed (zc_head_t *self, const char *bytes, size_t len)
{
    bool end = false;
    int status = 0;
    for (; self->scanned < len && status == 0 && !end; self->scanned++)
        status = self->scanned >= self->max ? s_too_long (self) : s_scan (self, bytes, &end);
    if (status != 0 || !end)
        return status;
    self->length = self->scanned;
    return s_parse (self, bytes);
}

/*  16 bytes in base64. */
static bool s_is_key (zc_slice_t key)
{
    if (key.len != 24 || memcmp (key.at + 22, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '+' || c == '/'))
            return false;
    }
    return true;
}

int zc_head_check (zc_head_t *self)
{
    if (!self->get)
        return s_refuse (self, 405, "a WebSocket is opened with GET");
    if (!self->upgrade)
        return s_refuse (self, 426, "this is a WebSocket: ask for an upgrade");
    if (!s_is (self->version, "13"))
        return s_refuse (self, 426, "WebSocket version 13 is needed");
    if (!s_is_key (self->key))
        return s_malformed (self, "malformed Sec-WebSocket-Key");
    return 101;
}

/*  "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80" */
bool zc_head_forwarded (const zc_head_t *self, char *text, size_t size)
{
    zc_slice_t from = self->forwarded, part, port;
    if (from.len > 0 && from.at[0] == '[') {
        from.at++, from.len--;
        if (!s_cut (&from, ']', &part))
            return false;
    } else {
        part = from;
        if (s_cut (&from, ':', &part) && s_cut (&from, ':', &port))
            part = self->forwarded; /* more than one colon: IPv6 */
    }
    if (part.len == 0 || part.len >= size)
        return false;
    memcpy (text, part.at, part.len);
    text[part.len] = 0;
    uint8_t address[16];
    return inet_pton (AF_INET, text, address) == 1 || inet_pton (AF_INET6, text, address) == 1;
}

void zc_head_accept (zc_slice_t key, char text[ZC_HEAD_ACCEPT + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    zdigest_t *digest = zdigest_new ();
    zdigest_update (digest, (const byte *)key.at, key.len);
    zdigest_update (digest, (const byte *)guid, sizeof guid - 1);
    zc_base64 (zdigest_data (digest), zdigest_size (digest), text);
    text[ZC_HEAD_ACCEPT] = 0;
    zdigest_destroy (&digest);
}
