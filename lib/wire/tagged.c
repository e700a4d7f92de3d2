/*  tagged.c - see tagged.h. */
#include "lib/wire/tagged.h"

#include <string.h>

#define S_HEAD 5 /* bytes of a frame's head, and of a field's */
#define S_LENGTH 4
#define S_NUMBER 8

bool zc_tagged_plain (zc_slice_t value)
{
    return zc_text_plain (value.at, value.len);
}

bool zc_tagged_bytes (zc_slice_t value)
{
    (void)value;
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

void zc_tagged_write (const zc_tagged_t *self, zc_buf_t *out, unsigned kind, const void *object)
{
    size_t begun = out->len;
    uint8_t head[S_HEAD] = {0}, number[S_NUMBER];
    head[S_LENGTH] = (uint8_t)kind;
    zc_buf_add (out, head, sizeof head);
    for (size_t tag = 1; tag < self->count; tag++) {
        const void *at = (const char *)object + self->fields[tag].offset;
        if (self->fields[tag].check) {
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
static const char *s_take_field (void *object, const zc_tagged_field_t *field, zc_slice_t value)
{
    void *at = (char *)object + field->offset;
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

static const char *s_read_fields (const zc_tagged_t *self, unsigned kind, void *object,
                                  const uint8_t *bytes, size_t len)
{
    unsigned of = ZC_TAGGED_OF (kind);
    uint32_t seen = 0;
    while (len > 0) {
        if (len < S_HEAD || s_get (bytes + 1, S_LENGTH) > len - S_HEAD)
            return "a field is longer than its frame";
        size_t tag = bytes[0], size = (size_t)s_get (bytes + 1, S_LENGTH);
        if (tag == 0 || tag >= self->count || !(self->fields[tag].kinds & of))
            return "a field is unknown";
        if (seen >> tag & 1)
            return "a field is repeated";
        seen |= 1u << tag;
        const char *wrong = s_take_field (object, &self->fields[tag],
                                          (zc_slice_t){(const char *)bytes + S_HEAD, size});
        if (wrong)
            return wrong;
        bytes += S_HEAD + size;
        len -= S_HEAD + size;
    }
    for (size_t tag = 1; tag < self->count; tag++)
        if (self->fields[tag].needs & of && !(seen >> tag & 1))
            return "a field is missing";
    return NULL;
}

long zc_tagged_read (const zc_tagged_t *self, const void *bytes, size_t len, unsigned *kind,
                     void *object, const char **error)
{
    const uint8_t *at = bytes;
    memset (object, 0, self->size);
    *error = NULL;
    if (len < S_LENGTH)
        return 0;
    size_t size = (size_t)s_get (at, S_LENGTH);
    if (size == 0 || size > self->frame_max)
        *error = "a frame's length is out of its range";
    else if (len - S_LENGTH < size)
        return 0;
    else if (at[S_LENGTH] == 0 || at[S_LENGTH] >= self->kinds)
        *error = "a frame is of an unknown kind";
    if (*error)
        return -1;
    *kind = at[S_LENGTH];
    *error = s_read_fields (self, *kind, object, at + S_HEAD, size - 1);
    return *error ? -1 : (long)(S_LENGTH + size);
}
