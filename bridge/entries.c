/*  entries.c - see entries.h.
 *
 *  A Stream that is trimmed loses its oldest entries, read or not. Redis 7 counts all that were
 * ever added, and so all that are gone. If more are gone than were ever read, some weren't read.
 * And a reader that has the last entry knows the number of all. */
#include "bridge/entries.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "bridge/envelope.h"
#include "lib/wire/encoding.h"

/*  Places -------------------------------------------------------------------------------------- */

/*  Takes the digits at the beginning of `text`. */
static bool s_number (zc_slice_t *text, uint64_t *number)
{
    size_t digits = 0;
    while (digits < text->len && text->at[digits] >= '0' && text->at[digits] <= '9')
        digits++;
    if (digits == 0 || zc_text_u64 (text->at, digits, UINT64_MAX, number) != 0)
        return false;
    text->at += digits;
    text->len -= digits;
    return true;
}

static bool s_mark (zc_slice_t *text, char mark)
{
    bool there = text->len && text->at[0] == mark;
    text->at += there;
    text->len -= there;
    return there;
}

static bool s_id (zc_slice_t *text, zc_entry_id_t *id)
{
    return s_number (text, &id->ms) && s_mark (text, '-') && s_number (text, &id->seq);
}

bool zc_entry_id_parse (zc_slice_t text, zc_entry_id_t *id)
{
    return s_id (&text, id) && text.len == 0;
}

void zc_entry_id_format (zc_entry_id_t id, char text[ZC_ENTRY_ID_SIZE])
{
    snprintf (text, ZC_ENTRY_ID_SIZE, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
}

int zc_entry_id_compare (zc_entry_id_t a, zc_entry_id_t b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

bool zc_place_read_parse (zc_slice_t text, zc_place_read_t *place)
{
    *place = (zc_place_read_t){.counted = false};
    if (!s_id (&text, &place->id))
        return false;
    if (text.len == 0)
        return true;
    place->counted = s_mark (&text, ' ') && s_number (&text, &place->added) && text.len == 0;
    return place->counted;
}

void zc_place_read_format (const zc_place_read_t *place, char text[ZC_PLACE_READ_SIZE])
{
    char id[ZC_ENTRY_ID_SIZE];
    zc_entry_id_format (place->id, id);
    if (place->counted)
        snprintf (text, ZC_PLACE_READ_SIZE, "%s %" PRIu64, id, place->added);
    else
        snprintf (text, ZC_PLACE_READ_SIZE, "%s", id);
}

/*  A Stream's name holds a hash tag if it has bytes between its first '{' and the next '}'. */
static bool s_has_tag (const char *name)
{
    const char *open = strchr (name, '{'), *close = open ? strchr (open, '}') : NULL;
    return close && close > open + 1;
}

void zc_place_key (zc_buf_t *out, const char *site, const char *stream)
{
    zc_buf_addf (out, s_has_tag (stream) ? "zcast:stream:%s:%s" : "zcast:stream:%s:{%s}", site,
                 stream);
}

/*  XINFO STREAM -------------------------------------------------------------------------------- */

static const redisReply *s_element (const redisReply *reply, size_t index)
{
    bool there = reply && reply->type == REDIS_REPLY_ARRAY && index < reply->elements;
    return there ? reply->element[index] : NULL;
}

static bool s_count (const redisReply *reply, uint64_t *count)
{
    if (!reply || reply->type != REDIS_REPLY_INTEGER || reply->integer < 0)
        return false;
    *count = (uint64_t)reply->integer;
    return true;
}

bool zc_stream_info_parse (const redisReply *reply, zc_stream_info_t *info)
{
    bool length = false, last = false;
    *info = (zc_stream_info_t){.there = false};
    if (zc_slice_starts (zc_reply_error (reply), "ERR no such key"))
        return true;
    for (size_t i = 0; s_element (reply, i); i += 2) {
        zc_slice_t name = zc_reply_text (s_element (reply, i));
        const redisReply *value = s_element (reply, i + 1);
        if (zc_slice_is (name, "length"))
            length = s_count (value, &info->length);
        else if (zc_slice_is (name, "last-generated-id"))
            last = zc_entry_id_parse (zc_reply_text (value), &info->last);
        else if (zc_slice_is (name, "entries-added"))
            info->counts = s_count (value, &info->added);
    }
    info->there = length && last;
    return info->there;
}

uint64_t zc_stream_removed (const zc_stream_info_t *info)
{
    return info->added > info->length ? info->added - info->length : 0;
}

uint64_t zc_stream_missed (zc_place_read_t *place, const zc_stream_info_t *info)
{
    bool has_all = zc_entry_id_compare (place->id, info->last) == 0;
    uint64_t certain = has_all ? info->added : zc_stream_removed (info);
    uint64_t missed = place->counted && certain > place->added ? certain - place->added : 0;
    if (!info->there || !info->counts)
        return 0;
    if (has_all || missed)
        place->added = certain;
    place->counted = place->counted || has_all;
    return missed;
}

/*  XREAD --------------------------------------------------------------------------------------- */

bool zc_entries (const redisReply *reply, const redisReply **entries)
{
    *entries = NULL;
    if (!reply || reply->type == REDIS_REPLY_NIL)
        return reply != NULL;
    *entries = s_element (s_element (reply, 0), 1);
    return *entries && (*entries)->type == REDIS_REPLY_ARRAY;
}

bool zc_entry (const redisReply *entries, size_t index, zc_entry_id_t *id,
               const redisReply **fields)
{
    const redisReply *entry = s_element (entries, index);
    *fields = s_element (entry, 1);
    if (*fields && (*fields)->type != REDIS_REPLY_ARRAY)
        *fields = NULL;
    return zc_entry_id_parse (zc_reply_text (s_element (entry, 0)), id);
}

/*  The text of a name or value. Returns false if the element is anything else. */
static bool s_text (const redisReply *element, zc_slice_t *text)
{
    *text = zc_reply_text (element);
    return element && element->type == REDIS_REPLY_STRING;
}

static const char *s_object (const redisReply *fields, zc_buf_t *out)
{
    zc_buf_addc (out, '{');
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        zc_slice_t name, value;
        if (!s_text (fields->element[i], &name) || !s_text (fields->element[i + 1], &value))
            return "a field that is no text";
        if (!zc_utf8_valid (name.at, name.len) || !zc_utf8_valid (value.at, value.len))
            return "its fields are no UTF-8, so they make no JSON, and none is the payload";
        if (i)
            zc_buf_addc (out, ',');
        zc_json_string (out, name.at, name.len);
        zc_buf_addc (out, ':');
        zc_json_string (out, value.at, value.len);
    }
    zc_buf_addc (out, '}');
    return NULL;
}

const char *zc_entry_payload (const redisReply *fields, const char *field, zc_buf_t *room,
                              zc_slice_t *payload)
{
    if (!fields || fields->elements % 2 != 0)
        return "no fields";
    for (size_t i = 0; i < fields->elements; i += 2)
        if (zc_slice_is (zc_reply_text (fields->element[i]), field) &&
            s_text (fields->element[i + 1], payload))
            return NULL;
    const char *wrong = s_object (fields, room);
    *payload = (zc_slice_t){zc_buf_str (room), room->len};
    return wrong;
}

void zc_entry_headers (zc_buf_t *out, const char *stream, zc_entry_id_t id)
{
    char text[ZC_ENTRY_ID_SIZE];
    zc_entry_id_format (id, text);
    zc_buf_addf (out, "key: %s:%s\n" ZC_VIA_REDIS, stream, text);
}

bool zc_stream_name_valid (const char *name)
{
    size_t len = strlen (name);
    return len >= 1 && len <= ZC_STREAM_NAME_MAX && name[0] != ' ' && zc_text_plain (name, len);
}
