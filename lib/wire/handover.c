/*  handover.c - see handover.h. */
#include "lib/wire/handover.h"

#include <stddef.h>
#include <string.h>

#include "lib/wire/selector.h"
#include "lib/wire/tagged.h"

#define S_OF ZC_TAGGED_OF
#define S_CLIENT S_OF (ZC_HANDOVER_CLIENT)

static bool s_is_address (zc_slice_t value)
{
    return value.len < ZC_HANDOVER_ADDRESS_MAX && zc_tagged_plain (value);
}

static bool s_is_text (zc_slice_t value)
{
    return !memchr (value.at, 0, value.len);
}

static bool s_is_list_of_names (zc_slice_t value)
{
    zc_slice_t item;
    while (zc_handover_next (&value, &item))
        if (!zc_is_topic_or_selector (item))
            return false;
    return true;
}

#define S_AT(name) offsetof (zc_handover_t, name)

static const zc_tagged_field_t s_fields[] = {
    [1] = {S_AT (number),
           S_OF (ZC_HANDOVER_HELLO) | S_OF (ZC_HANDOVER_DONE) | S_OF (ZC_HANDOVER_TAKEN),
           S_OF (ZC_HANDOVER_HELLO), NULL, UINT64_MAX},
    [2] = {S_AT (text), S_OF (ZC_HANDOVER_OFFER) | S_OF (ZC_HANDOVER_REFUSED),
           S_OF (ZC_HANDOVER_REFUSED), zc_tagged_plain, 0},
    [3] = {S_AT (encoding), S_OF (ZC_HANDOVER_CHANNEL) | S_CLIENT, S_OF (ZC_HANDOVER_CHANNEL),
           zc_tagged_plain, 0},
    [4] = {S_AT (topics), S_OF (ZC_HANDOVER_CHANNEL) | S_CLIENT, S_OF (ZC_HANDOVER_CHANNEL),
           s_is_list_of_names, 0},
    [5] = {S_AT (protocol), S_CLIENT, S_CLIENT, NULL, ZC_HANDOVER_FASTCGI},
    [6] = {S_AT (mode), S_CLIENT, 0, NULL, UINT8_MAX},
    [7] = {S_AT (flags), S_OF (ZC_HANDOVER_CHANNEL) | S_CLIENT, 0, NULL, 63},
    [8] = {S_AT (position), S_CLIENT, 0, NULL, UINT64_MAX},
    [9] = {S_AT (unsent), S_CLIENT, 0, zc_tagged_bytes, 0},
    [10] = {S_AT (received), S_CLIENT, 0, zc_tagged_bytes, 0},
    [11] = {S_AT (unheard), S_CLIENT, 0, NULL, UINT32_MAX},
    [12] = {S_AT (last_id), S_CLIENT, 0, s_is_text, 0},
    [13] = {S_AT (address), S_CLIENT, 0, s_is_address, 0},
    [14] = {S_AT (peer), S_CLIENT, 0, s_is_address, 0},
    [15] = {S_AT (subject), S_CLIENT, 0, s_is_text, 0},
    [16] = {S_AT (token_id), S_CLIENT, 0, s_is_text, 0},
    [17] = {S_AT (key_id), S_CLIENT, 0, s_is_text, 0},
    [18] = {S_AT (issued_ms), S_CLIENT, 0, NULL, UINT64_MAX},
    [19] = {S_AT (expires_ms), S_CLIENT, 0, NULL, UINT64_MAX},
    [20] = {S_AT (publish), S_CLIENT, 0, s_is_list_of_names, 0},
    [21] = {S_AT (subscribe), S_OF (ZC_HANDOVER_CHANNEL) | S_CLIENT, 0, s_is_list_of_names, 0},
    [22] = {S_AT (limit_key), S_CLIENT, 0, s_is_address, 0},
    [23] = {S_AT (port), S_CLIENT, 0, NULL, UINT16_MAX},
    [24] = {S_AT (request), S_CLIENT, 0, NULL, UINT16_MAX},
    [25] = {S_AT (request_flags), S_CLIENT, 0, NULL, 3},
    [26] = {S_AT (owed_header), S_CLIENT, 0, NULL, 8},
    [27] = {S_AT (owed_content), S_CLIENT, 0, NULL, UINT16_MAX},
    [28] = {S_AT (client), S_CLIENT, 0, NULL, UINT64_MAX},
};
static const zc_tagged_t s_format = {s_fields, sizeof s_fields / sizeof *s_fields,
                                     sizeof (zc_handover_t), ZC_HANDOVER_KINDS,
                                     ZC_HANDOVER_FRAME_MAX};

bool zc_handover_next (zc_slice_t *list, zc_slice_t *item)
{
    if (!list->at)
        return false;
    const char *end = list->len ? memchr (list->at, '\n', list->len) : NULL;
    *item = (zc_slice_t){list->at, end ? (size_t)(end - list->at) : list->len};
    *list = end ? (zc_slice_t){end + 1, list->len - item->len - 1} : (zc_slice_t){NULL, 0};
    return true;
}

void zc_handover_write (zc_buf_t *out, const zc_handover_t *self)
{
    zc_tagged_write (&s_format, out, self->kind, self);
}

long zc_handover_read (zc_handover_t *self, const void *bytes, size_t len, const char **error)
{
    unsigned kind = 0;
    long size = zc_tagged_read (&s_format, bytes, len, &kind, self, error);
    self->kind = (zc_handover_kind_t)kind;
    return size;
}
