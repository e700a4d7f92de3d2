/*  bequest.c - see bequest.h. */
#include "broker/bequest.h"

#include <stddef.h>
#include <string.h>

#include "lib/wire/line.h"
#include "lib/wire/message.h"
#include "lib/wire/tagged.h"

#define S_OF ZC_TAGGED_OF
#define S_HELLO S_OF (ZC_BEQUEST_HELLO)
#define S_MESSAGE S_OF (ZC_BEQUEST_MESSAGE)
#define S_GONE S_OF (ZC_BEQUEST_GONE)
#define S_STATE S_OF (ZC_BEQUEST_STATE)
#define S_TOPIC S_OF (ZC_BEQUEST_TOPIC)
#define S_SEEN S_OF (ZC_BEQUEST_SEEN)
#define S_LISTENER S_OF (ZC_BEQUEST_LISTENER)
#define S_REFUSED S_OF (ZC_BEQUEST_REFUSED)

#define S_ID 8 /* bytes */
#define S_ADDRESS_MAX 256
#define S_ROLES 3

static bool s_is_topic (zc_slice_t value)
{
    return zc_topic_valid (value.at, value.len);
}

static bool s_is_line (zc_slice_t value)
{
    zc_line_t line;
    return zc_line_parse (&line, value) == 0;
}

static bool s_is_address (zc_slice_t value)
{
    return value.len < S_ADDRESS_MAX && zc_tagged_plain (value);
}

static bool s_is_digest (zc_slice_t value)
{
    return value.len == ZC_BEQUEST_DIGEST;
}

static bool s_is_name (zc_slice_t value)
{
    return value.len <= UINT16_MAX;
}

static bool s_are_ids (zc_slice_t value)
{
    uint64_t before = 0, id;
    if (value.len % S_ID)
        return false;
    while (zc_bequest_next_id (&value, &id)) {
        if (id <= before)
            return false;
        before = id;
    }
    return true;
}

#define S_AT(name) offsetof (zc_bequest_t, name)

static const zc_tagged_field_t s_fields[] = {
    [1] = {S_AT (number), S_HELLO, S_HELLO, NULL, UINT64_MAX},
    [2] = {S_AT (text), S_HELLO | S_REFUSED, S_HELLO | S_REFUSED, zc_tagged_plain, 0},
    [3] = {S_AT (topic), S_MESSAGE | S_TOPIC | S_SEEN, S_MESSAGE | S_TOPIC | S_SEEN, s_is_topic, 0},
    [4] = {S_AT (id), S_MESSAGE | S_STATE | S_TOPIC | S_SEEN, S_MESSAGE | S_SEEN, NULL, UINT64_MAX},
    [5] = {S_AT (expires_ms), S_MESSAGE, 0, NULL, UINT64_MAX},
    [6] = {S_AT (event_at), S_MESSAGE, 0, NULL, UINT16_MAX},
    [7] = {S_AT (event_len), S_MESSAGE, 0, NULL, UINT16_MAX},
    [8] = {S_AT (meta), S_MESSAGE, S_MESSAGE, zc_tagged_bytes, 0},
    [9] = {S_AT (payload), S_MESSAGE, 0, zc_tagged_bytes, 0},
    [10] = {S_AT (ids), S_GONE, S_GONE, s_are_ids, 0},
    [11] = {S_AT (sent), S_TOPIC, 0, NULL, UINT64_MAX},
    [12] = {S_AT (floor), S_TOPIC | S_STATE, 0, NULL, UINT64_MAX},
    [13] = {S_AT (lost), S_TOPIC | S_STATE, 0, NULL, UINT64_MAX},
    [14] = {S_AT (published), S_TOPIC, 0, NULL, 1},
    [15] = {S_AT (name), S_SEEN, S_SEEN, s_is_name, 0},
    [16] = {S_AT (digest), S_SEEN, S_SEEN, s_is_digest, 0},
    [17] = {S_AT (at_ms), S_SEEN, 0, NULL, UINT64_MAX},
    [18] = {S_AT (role), S_LISTENER, S_LISTENER, NULL, S_ROLES},
    [19] = {S_AT (address), S_LISTENER, S_LISTENER, s_is_address, 0},
    [20] = {S_AT (head), S_STATE, 0, NULL, UINT64_MAX},
    [21] = {S_AT (dropped), S_STATE, 0, NULL, UINT64_MAX},
    [22] = {S_AT (forgotten), S_STATE, 0, NULL, UINT64_MAX},
    [23] = {S_AT (trimmed), S_STATE, 0, NULL, UINT64_MAX},
    [24] = {S_AT (started_ms), S_STATE, 0, NULL, UINT64_MAX},
    [25] = {S_AT (line), S_STATE, S_STATE, s_is_line, 0},
    [26] = {S_AT (secret), S_STATE, S_STATE, s_is_digest, 0},
    [27] = {S_AT (file), S_STATE, 0, NULL, 1},
};
static const zc_tagged_t s_format = {s_fields, sizeof s_fields / sizeof *s_fields,
                                     sizeof (zc_bequest_t), ZC_BEQUEST_KINDS, ZC_BEQUEST_FRAME_MAX};

void zc_bequest_write (zc_buf_t *out, const zc_bequest_t *self)
{
    zc_tagged_write (&s_format, out, self->kind, self);
}

long zc_bequest_read (zc_bequest_t *self, const void *bytes, size_t len, const char **error)
{
    unsigned kind = 0;
    long size = zc_tagged_read (&s_format, bytes, len, &kind, self, error);
    self->kind = (zc_bequest_kind_t)kind;
    if (size > 0 && self->event_at + self->event_len > self->meta.len) {
        *error = "a message's name is not in its headers";
        return -1;
    }
    return size;
}

bool zc_bequest_next_id (zc_slice_t *ids, uint64_t *id)
{
    if (ids->len < S_ID)
        return false;
    *id = 0;
    for (size_t i = 0; i < S_ID; i++)
        *id = *id << 8 | (uint8_t)ids->at[i];
    ids->at += S_ID;
    ids->len -= S_ID;
    return true;
}

void zc_bequest_add_id (zc_buf_t *ids, uint64_t id)
{
    uint8_t bytes[S_ID];
    for (size_t i = S_ID; i > 0; i--, id >>= 8)
        bytes[i - 1] = (uint8_t)id;
    zc_buf_add (ids, bytes, sizeof bytes);
}
