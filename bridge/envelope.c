/*  envelope.c - lines and a payload; see envelope.h. Rejected: JSON, since payloads are any
 *  bytes. */
#include "bridge/envelope.h"

#include <string.h>

#define S_MAGIC "zcast/1\n"

bool zc_site_valid (const char *name, size_t len)
{
    if (len < 1 || len > ZC_SITE_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
        if (!good)
            return false;
    }
    return true;
}

/*  Takes a line, without its LF, from `rest`. Returns false if there is no whole line. */
static bool s_line (zc_slice_t *rest, zc_slice_t *line)
{
    const char *end = rest->len ? memchr (rest->at, '\n', rest->len) : NULL;
    if (!end)
        return false;
    *line = (zc_slice_t){rest->at, (size_t)(end - rest->at)};
    rest->at = end + 1;
    rest->len -= line->len + 1;
    return true;
}

static bool s_named (zc_slice_t line, const char *name)
{
    size_t len = strlen (name);
    return line.len > len && memcmp (line.at, name, len) == 0 && line.at[len] == ':';
}

/*  History may have headers that older brokers accepted and the other sites' brokers don't. They
 *  are left out, so that the message isn't refused there. */
static bool s_outlived (zc_slice_t line, const zc_message_t *message)
{
    if (s_named (line, "event-id"))
        return !zc_event_id_valid (message->event_id);
    if (!s_named (line, "event"))
        return false;
    size_t skip = sizeof "event:" - 1;
    skip += skip < line.len && line.at[skip] == ' ';
    return zc_event_reserved ((zc_slice_t){line.at + skip, line.len - skip});
}

void zc_envelope_write (zc_buf_t *out, const char *site, zc_slice_t of, const zc_message_t *message)
{
    char id[ZC_ID_SIZE];
    zc_id_format (message->id, id);
    zc_buf_addf (out, S_MAGIC "site: %s\nid: %s\n", site, id);
    if (of.len)
        zc_buf_addf (out, "line: %.*s\n", (int)of.len, of.at);
    zc_slice_t meta = message->meta, line;
    while (s_line (&meta, &line)) {
        if (s_named (line, "id") || s_named (line, "prev") || s_named (line, "dropped") ||
            s_named (line, "site") || s_named (line, "line") || line.len == 0 ||
            s_outlived (line, message))
            continue;
        zc_buf_add (out, line.at, line.len + 1);
    }
    zc_buf_addc (out, '\n');
    zc_buf_add (out, message->payload.at, message->payload.len);
}

/*  The value of a header, or an empty slice. */
static zc_slice_t s_value (zc_slice_t headers, const char *name)
{
    zc_slice_t value;
    return zc_header_find (headers, name, &value) ? value : (zc_slice_t){"", 0};
}

static void s_headers (zc_buf_t *out, zc_slice_t headers, zc_slice_t site, zc_slice_t id)
{
    zc_slice_t own = s_value (headers, "event-id"), line;
    if (own.len)
        zc_buf_addf (out, "id: %.*s\n", (int)own.len, own.at);
    else
        zc_buf_addf (out, "key: %.*s.%.*s\n", (int)site.len, site.at, (int)id.len, id.at);
    zc_buf_addf (out, "origin: %.*s\n" ZC_VIA_REDIS, (int)site.len, site.at);
    while (s_line (&headers, &line)) {
        if (s_named (line, "site") || s_named (line, "line") || s_named (line, "id") ||
            s_named (line, "event-id") || s_named (line, "key") || s_named (line, "origin") ||
            s_named (line, "via"))
            continue;
        zc_buf_add (out, line.at, line.len + 1);
    }
}

bool zc_envelope_read (zc_slice_t bytes, zc_slice_t *site, zc_slice_t *of, zc_buf_t *headers,
                       zc_slice_t *payload)
{
    size_t magic = strlen (S_MAGIC);
    if (bytes.len < magic || memcmp (bytes.at, S_MAGIC, magic) != 0)
        return false;
    zc_slice_t rest = {bytes.at + magic, bytes.len - magic}, line;
    zc_slice_t all = {rest.at, 0};
    do {
        if (!s_line (&rest, &line))
            return false;
        all.len += line.len ? line.len + 1 : 0;
    } while (line.len);
    zc_id_t position;
    zc_slice_t id = s_value (all, "id");
    *site = s_value (all, "site");
    *of = s_value (all, "line");
    *payload = rest;
    if (!zc_site_valid (site->at, site->len) || zc_id_parse (id.at, id.len, &position) != 0)
        return false;
    s_headers (headers, all, *site, id);
    return true;
}

bool zc_envelope_is_from_redis (const zc_message_t *message)
{
    zc_slice_t via;
    return zc_header_find (message->meta, "via", &via) && via.len == 5 &&
           memcmp (via.at, "redis", 5) == 0;
}
