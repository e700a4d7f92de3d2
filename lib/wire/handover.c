/*  handover.c - see handover.h. One row for each field tells its place, the kinds that have it,
 *  and its valid values, so that writing and reading can't differ. */
#include "lib/wire/handover.h"

#include <stddef.h>
#include <string.h>

#include "lib/wire/selector.h"

#define S_HEAD 5 /* bytes of a frame's head, and of a field's */
#define S_LENGTH 4
#define S_NUMBER 8
#define S_OF(kind) (1u << (kind))
#define S_CLIENT S_OF (ZC_HANDOVER_CLIENT)

typedef bool (*s_check_fn) (zc_slice_t value);

typedef struct {
    size_t offset;    /* in zc_handover_t */
    unsigned kinds;   /* kinds of frames that may have it */
    unsigned needs;   /* kinds of frames that must have it */
    s_check_fn check; /* NULL: a number */
    uint64_t max;     /* of a number */
} s_field_t;

static bool s_is_plain (zc_slice_t value)
{
    return zc_text_plain (value.at, value.len);
}

static bool s_is_address (zc_slice_t value)
{
    return value.len < ZC_HANDOVER_ADDRESS_MAX && s_is_plain (value);
}

static bool s_is_text (zc_slice_t value)
{
    return !memchr (value.at, 0, value.len);
}

static bool s_is_bytes (zc_slice_t value)
{
    (void)value;
    return true;
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

/*  The index is the tag; a tag is never given to another field. */
static const s_field_t s_fields[] = {
    [1] = {S_AT (number),
           S_OF (ZC_HANDOVER_HELLO) | S_OF (ZC_HANDOVER_DONE) | S_OF (ZC_HANDOVER_TAKEN),
           S_OF (ZC_HANDOVER_HELLO), NULL, UINT64_MAX},
    [2] = {S_AT (text), S_OF (ZC_HANDOVER_OFFER) | S_OF (ZC_HANDOVER_REFUSED),
           S_OF (ZC_HANDOVER_REFUSED), s_is_plain, 0},
    [3] = {S_AT (encoding), S_OF (ZC_HANDOVER_CHANNEL) | S_CLIENT, S_OF (ZC_HANDOVER_CHANNEL),
           s_is_plain, 0},
    [4] = {S_AT (topics), S_OF (ZC_HANDOVER_CHANNEL) | S_CLIENT, S_OF (ZC_HANDOVER_CHANNEL),
           s_is_list_of_names, 0},
    [5] = {S_AT (protocol), S_CLIENT, S_CLIENT, NULL, ZC_HANDOVER_FASTCGI},
    [6] = {S_AT (mode), S_CLIENT, 0, NULL, UINT8_MAX},
    [7] = {S_AT (flags), S_OF (ZC_HANDOVER_CHANNEL) | S_CLIENT, 0, NULL, 63},
    [8] = {S_AT (position), S_CLIENT, 0, NULL, UINT64_MAX},
    [9] = {S_AT (unsent), S_CLIENT, 0, s_is_bytes, 0},
    [10] = {S_AT (received), S_CLIENT, 0, s_is_bytes, 0},
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
#define S_FIELDS (sizeof s_fields / sizeof *s_fields)

bool zc_handover_next (zc_slice_t *list, zc_slice_t *item)
{
    if (!list->at)
        return false;
    const char *end = list->len ? memchr (list->at, '\n', list->len) : NULL;
    *item = (zc_slice_t){list->at, end ? (size_t)(end - list->at) : list->len};
    *list = end ? (zc_slice_t){end + 1, list->len - item->len - 1} : (zc_slice_t){NULL, 0};
    return true;
}

/*  Writing. */

static void s_put (uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = size; i > 0; i--, value >>= 8)
        to[i - 1] = (uint8_t)value;
}

static void s_write_field (zc_buf_t *out, size_t tag, const void *value, size_t len)
{
    uint8_t head[S_HEAD] = {(uint8_t)tag};
    s_put (head + 1, len, S_LENGTH);
    zc_buf_add (out, head, sizeof head);
    zc_buf_add (out, value, len);
}

void zc_handover_write (zc_buf_t *out, const zc_handover_t *self)
{
    size_t begun = out->len;
    uint8_t head[S_HEAD] = {0}, number[S_NUMBER];
    head[S_LENGTH] = (uint8_t)self->kind;
    zc_buf_add (out, head, sizeof head);
    for (size_t tag = 1; tag < S_FIELDS; tag++) {
        const void *at = (const char *)self + s_fields[tag].offset;
        if (s_fields[tag].check) {
            const zc_slice_t *slice = at;
            if (slice->len)
                s_write_field (out, tag, slice->at, slice->len);
        } else if (*(const uint64_t *)at) {
            s_put (number, *(const uint64_t *)at, sizeof number);
            s_write_field (out, tag, number, sizeof number);
        }
    }
    s_put (out->data + begun, out->len - begun - S_LENGTH, S_LENGTH);
}

/*  Reading. */

static uint64_t s_get (const uint8_t *from, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | from[i];
    return value;
}

/*  Returns the error, or NULL. */
static const char *s_take_field (zc_handover_t *self, const s_field_t *field, zc_slice_t value)
{
    void *at = (char *)self + field->offset;
    if (field->check) {
        if (value.len == 0 || !field->check (value))
            return "a field's value is not what it may be";
        *(zc_slice_t *)at = value;
        return NULL;
    }
    if (value.len != S_NUMBER)
        return "a number has 8 bytes";
    uint64_t number = s_get ((const uint8_t *)value.at, S_NUMBER);
    if (number == 0 || number > field->max)
        return "a number is out of its range";
    *(uint64_t *)at = number;
    return NULL;
}

static const char *s_read_fields (zc_handover_t *self, const uint8_t *bytes, size_t len)
{
    unsigned of = S_OF (self->kind);
    uint32_t seen = 0;
    while (len > 0) {
        if (len < S_HEAD || s_get (bytes + 1, S_LENGTH) > len - S_HEAD)
            return "a field is longer than its frame";
        size_t tag = bytes[0], size = (size_t)s_get (bytes + 1, S_LENGTH);
        if (tag == 0 || tag >= S_FIELDS || !(s_fields[tag].kinds & of))
            return "a field is unknown";
        if (seen >> tag & 1)
            return "a field is repeated";
        seen |= 1u << tag;
        const char *wrong =
            s_take_field (self, &s_fields[tag], (zc_slice_t){(const char *)bytes + S_HEAD, size});
        if (wrong)
            return wrong;
        bytes += S_HEAD + size;
        len -= S_HEAD + size;
    }
    for (size_t tag = 1; tag < S_FIELDS; tag++)
        if (s_fields[tag].needs & of && !(seen >> tag & 1))
            return "a field is missing";
    return NULL;
}

long zc_handover_read (zc_handover_t *self, const void *bytes, size_t len, const char **error)
{
    const uint8_t *at = bytes;
    memset (self, 0, sizeof *self);
    *error = NULL;
    if (len < S_LENGTH)
        return 0;
    size_t size = (size_t)s_get (at, S_LENGTH);
    if (size == 0 || size > ZC_HANDOVER_FRAME_MAX)
        *error = "a frame's length is out of its range";
    else if (len - S_LENGTH < size)
        return 0;
    else if (at[S_LENGTH] == 0 || at[S_LENGTH] >= ZC_HANDOVER_KINDS)
        *error = "a frame is of an unknown kind";
    if (*error)
        return -1;
    self->kind = (zc_handover_kind_t)at[S_LENGTH];
    *error = s_read_fields (self, at + S_HEAD, size - 1);
    return *error ? -1 : (long)(S_LENGTH + size);
}
