/*  head.c - see head.h.
 *
 *  There are two passes. A scan sees each byte once, as it arrives. It ends at the empty line,
 *  and refuses at once bytes that can't become a head, so that a TLS hello or random bytes
 *  aren't waited for. Then the whole head is parsed. A parser that keeps its state inside a
 *  field would save nothing, since nearly all heads come in one segment. llhttp, which would do,
 *  isn't in Debian 12. */
#include "lib/wire/head.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "lib/wire/field.h"

void zc_head_init (zc_head_t *self, size_t max)
{
    memset (self, 0, sizeof *self);
    self->max = max;
}

bool zc_head_empty (const zc_head_t *self)
{
    return self->scanned == self->begin;
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

/*  ---------------------------------------------------------------- Host */

/*  unreserved or sub-delims */
static bool s_is_name_char (char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr ("-._~!$&'()*+,;=", c));
}

/*  reg-name, which includes IPv4 addresses */
static bool s_is_name (zc_slice_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        bool escape = name.at[i] == '%' && name.len - i > 2 && zc_text_hex (name.at[i + 1]) >= 0 &&
                      zc_text_hex (name.at[i + 2]) >= 0;
        if (!escape && !s_is_name_char (name.at[i]))
            return false;
    }
    return name.len > 0;
}

/*  "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static bool s_is_future_address (zc_slice_t text)
{
    size_t i = 1;
    if (text.len == 0 || (text.at[0] != 'v' && text.at[0] != 'V'))
        return false;
    while (i < text.len && zc_text_hex (text.at[i]) >= 0)
        i++;
    if (i == 1 || i + 1 >= text.len || text.at[i] != '.')
        return false;
    while (++i < text.len)
        if (text.at[i] != ':' && !s_is_name_char (text.at[i]))
            return false;
    return true;
}

/*  The text between the brackets. */
static bool s_is_literal (zc_slice_t text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ip;
    if (text.len >= sizeof address)
        return s_is_future_address (text);
    memcpy (address, text.at, text.len);
    address[text.len] = 0;
    return inet_pton (AF_INET6, address, &ip) == 1 || s_is_future_address (text);
}

/*  *DIGIT, and not more than a port can be. */
static bool s_is_port (zc_slice_t port)
{
    uint64_t number;
    return port.len == 0 || zc_text_u64 (port.at, port.len, 65535, &number) == 0;
}

bool zc_host_valid (zc_slice_t host)
{
    zc_slice_t name;
    if (host.len == 0)
        return true;
    if (host.at[0] == '[') {
        host.at++, host.len--;
        if (!zc_field_cut (&host, ']', &name) || !s_is_literal (name))
            return false;
        if (host.len == 0)
            return true;
        return host.at[0] == ':' && s_is_port ((zc_slice_t){host.at + 1, host.len - 1});
    }
    if (!zc_field_cut (&host, ':', &name))
        return s_is_name (host);
    return s_is_name (name) && s_is_port (host);
}

/*  ---------------------------------------------------------------- the request line */

/*  In http-URI and the like, the part before the path names the host (RFC 9112 §3.2.2). Takes
 *  that part from the target. Returns false if the URI is malformed, or names no host (RFC 9110
 *  §4.2.1). */
static bool s_take_authority (zc_head_t *self, zc_slice_t *target)
{
    static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t begin = strlen (schemes[i]), end = begin;
        if (target->len <= begin || strncasecmp (target->at, schemes[i], begin) != 0)
            continue;
        while (end < target->len && target->at[end] != '/' && target->at[end] != '?')
            end++;
        self->authority = (zc_slice_t){target->at + begin, end - begin};
        target->at += end;
        target->len -= end;
        return self->authority.len > 0 && self->authority.at[0] != ':' &&
               zc_host_valid (self->authority);
    }
    return false;
}

/*  origin-form or absolute-form, and for OPTIONS "*" (RFC 9112 §3.2). */
static int s_parse_target (zc_head_t *self, zc_slice_t target)
{
    for (size_t i = 0; i < target.len; i++)
        if (target.at[i] <= ' ' || target.at[i] > '~' || target.at[i] == '#')
            return s_malformed (self, "malformed request target");
    bool star = zc_slice_is (target, "*") && zc_slice_is (self->method, "OPTIONS");
    bool absolute = target.len > 0 && target.at[0] != '/' && !star;
    if (target.len == 0 || (absolute && !s_take_authority (self, &target)))
        return s_malformed (self, "malformed request target");
    if (zc_field_cut (&target, '?', &self->path))
        self->query = target;
    else
        self->path = target;
    if (self->path.len == 0)
        self->path = (zc_slice_t){"/", 1};
    return 0;
}

static int s_parse_version (zc_head_t *self, zc_slice_t version)
{
    const char *at = version.at;
    if (version.len != 8 || memcmp (at, "HTTP/", 5) != 0 || at[5] < '0' || at[5] > '9' ||
        at[6] != '.' || at[7] < '0' || at[7] > '9')
        return s_malformed (self, "malformed request line");
    if (at[5] != '1')
        return s_refuse (self, 505, "HTTP/1.1 is spoken here");
    self->minor = at[7] > '0';
    return 0;
}

static int s_parse_request_line (zc_head_t *self, zc_slice_t line)
{
    zc_slice_t target;
    if (!zc_field_cut (&line, ' ', &self->method) || !zc_token_valid (self->method) ||
        !zc_field_cut (&line, ' ', &target))
        return s_malformed (self, "malformed request line");
    int status = s_parse_version (self, line);
    return status != 0 ? status : s_parse_target (self, target);
}

/*  ---------------------------------------------------------------- fields */

/*  What the fields together say about the message. */
typedef struct {
    zc_slice_t host;
    bool has_length;   /* there was a Content-Length */
    bool has_coding;   /* there was a Transfer-Encoding */
    bool last_chunked; /* the last coding named so far is chunked */
    bool unknown;      /* a coding isn't chunked */
    bool connection_upgrade, connection_close, connection_keep, websocket;
} s_fields_t;

static int s_take_host (zc_head_t *self, s_fields_t *fields, zc_slice_t value)
{
    if (fields->host.at)
        return s_malformed (self, "Host is repeated");
    if (!zc_host_valid (value))
        return s_malformed (self, "Host is no host");
    fields->host = value;
    return 0;
}

/*  One number: a list of equal numbers is refused, too, which RFC 9112 §6.3 leaves open. */
static int s_take_length (zc_head_t *self, s_fields_t *fields, zc_slice_t value)
{
    if (fields->has_length)
        return s_malformed (self, "Content-Length is repeated");
    fields->has_length = true;
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] < '0' || value.at[i] > '9')
            return s_malformed (self, "Content-Length is no number");
    if (value.len == 0)
        return s_malformed (self, "Content-Length is no number");
    while (value.len > 1 && value.at[0] == '0')
        value.at++, value.len--;
    if (zc_text_u64 (value.at, value.len, INT64_MAX, &self->content_length) != 0)
        return s_refuse (self, 413, "the body is too large");
    return 0;
}

/*  Codings in the order in which they were applied (RFC 9112 §6.1). */
static int s_take_coding (zc_head_t *self, s_fields_t *fields, zc_slice_t value)
{
    zc_slice_t coding;
    fields->has_coding = true;
    while (zc_list_next (&value, &coding)) {
        if (fields->last_chunked)
            return s_malformed (self, "chunked is not the last transfer coding");
        zc_slice_t coding_name = zc_media_type (coding);
        bool chunked = zc_field_is (coding_name, "chunked");
        if (!zc_token_valid (coding_name) || (chunked && coding.len > coding_name.len))
            return s_malformed (self, "malformed Transfer-Encoding");
        fields->last_chunked = chunked;
        fields->unknown |= !chunked;
    }
    return 0;
}

static int s_take_expect (zc_head_t *self, zc_slice_t value)
{
    if (self->minor == 0)
        return 0; /* RFC 9110 §10.1.1 */
    if (!zc_field_is (value, "100-continue"))
        return s_refuse (self, 417, "only 100-continue can be expected");
    self->expects = true;
    return 0;
}

static int s_take_field (zc_head_t *self, s_fields_t *fields, zc_slice_t name, zc_slice_t value)
{
    if (zc_field_is (name, "host"))
        return s_take_host (self, fields, value);
    if (zc_field_is (name, "content-length"))
        return s_take_length (self, fields, value);
    if (zc_field_is (name, "transfer-encoding"))
        return s_take_coding (self, fields, value);
    if (zc_field_is (name, "expect"))
        return s_take_expect (self, value);
    if (zc_field_is (name, "connection")) {
        fields->connection_upgrade |= zc_list_has (value, "upgrade");
        fields->connection_close |= zc_list_has (value, "close");
        fields->connection_keep |= zc_list_has (value, "keep-alive");
    } else if (zc_field_is (name, "upgrade")) {
        fields->websocket |= zc_list_has (value, "websocket");
    }
    return 0;
}

/*  The length of the body (RFC 9112 §6.3). */
static int s_settle_body (zc_head_t *self, const s_fields_t *fields)
{
    if (!fields->has_coding)
        return 0;
    if (fields->has_length)
        return s_malformed (self, "Content-Length and Transfer-Encoding exclude each other");
    if (self->minor == 0)
        return s_malformed (self, "HTTP/1.0 has no Transfer-Encoding");
    if (!fields->last_chunked)
        return s_malformed (self, "chunked is not the last transfer coding");
    if (fields->unknown)
        return s_refuse (self, 501, "only the transfer coding chunked is known");
    self->chunked = true;
    return 0;
}

/*  Whether the connection is kept or upgraded (RFC 9112 §9.3, §9.6). Upgrade means nothing in
 *  HTTP/1.0 (RFC 9110 §7.8). */
static int s_settle (zc_head_t *self, const s_fields_t *fields)
{
    if (!fields->host.at && self->minor > 0)
        return s_malformed (self, "no Host header field");
    if (!self->authority.at)
        self->authority = fields->host;
    self->keep = !fields->connection_close && (self->minor > 0 || fields->connection_keep);
    self->websocket = fields->connection_upgrade && fields->websocket && self->minor > 0;
    return s_settle_body (self, fields);
}

bool zc_head_next (const zc_head_t *self, const char *bytes, size_t *at, zc_slice_t *name,
                   zc_slice_t *value)
{
    if (*at == 0)
        *at = self->fields;
    zc_slice_t rest = {bytes + *at, self->length - 2 - *at}, line;
    if (!zc_field_cut (&rest, '\n', &line))
        return false;
    *at += line.len + 1;
    line.len--; /* the CR */
    if (!zc_field_cut (&line, ':', name)) {
        *name = *value = (zc_slice_t){"", 0};
        return true;
    }
    *value = zc_field_trim (line);
    return true;
}

static int s_parse (zc_head_t *self, const char *bytes)
{
    zc_slice_t rest = {bytes + self->begin, self->length - self->begin}, line, name, value;
    s_fields_t fields = {0};
    zc_field_cut (&rest, '\n', &line);
    self->fields = self->begin + line.len + 1;
    line.len--;
    int status = s_parse_request_line (self, line);
    for (size_t at = 0; status == 0 && zc_head_next (self, bytes, &at, &name, &value);)
        status = zc_token_valid (name) ? s_take_field (self, &fields, name, value)
                                       : s_malformed (self, "malformed header field");
    if (status == 0)
        status = s_settle (self, &fields);
    return status != 0 ? status : 200;
}

/*  ---------------------------------------------------------------- the scan */

static int s_too_long (zc_head_t *self)
{
    return self->lines == 0 ? s_refuse (self, 414, "the request line is too long")
                            : s_refuse (self, 431, "the request head is too long");
}

/*  A line has ended at `at`. Empty lines before the request line are skipped (RFC 9112 §2.2). */
static int s_end_line (zc_head_t *self, size_t at, bool *end)
{
    bool empty = at == self->line + 1;
    self->line = at + 1;
    if (empty && self->lines == 0) {
        self->begin = at + 1;
        return 0;
    }
    *end = empty;
    if (++self->lines > ZC_HEAD_FIELDS + 2)
        return s_refuse (self, 431, "too many header fields");
    return 0;
}

/*  Scans the byte at `scanned`. Returns 0, or the status of a refusal; *end is set at the last
 *  byte. */
static int s_scan (zc_head_t *self, const char *bytes, bool *end)
{
    size_t at = self->scanned;
    unsigned char c = (unsigned char)bytes[at];
    bool after_cr = at > self->line && bytes[at - 1] == '\r';
    if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
        return s_malformed (self, "a control character in the request head");
    if (after_cr != (c == '\n'))
        return s_malformed (self, "a line does not end with CR LF");
    return c == '\n' ? s_end_line (self, at, end) : 0;
}

/*  Skips text within a line, up to `end`: a head is mostly that. */
static void s_pass_text (zc_head_t *self, const char *bytes, size_t end)
{
    size_t at = self->scanned;
    if (at == self->line || bytes[at - 1] == '\r')
        return;
    while (at < end && (unsigned char)bytes[at] >= ' ' && bytes[at] != 0x7f)
        at++;
    self->scanned = at;
}

int zc_head_feed (zc_head_t *self, const char *bytes, size_t len)
{
    bool end = false;
    int status = 0;
    while (self->scanned < len && status == 0 && !end) {
        s_pass_text (self, bytes, len < self->max ? len : self->max);
        if (self->scanned == len)
            break;
        status = self->scanned >= self->max ? s_too_long (self) : s_scan (self, bytes, &end);
        self->scanned++;
    }
    if (status != 0 || !end)
        return status;
    self->length = self->scanned;
    return s_parse (self, bytes);
}
