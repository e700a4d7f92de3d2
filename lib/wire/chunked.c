/*  chunked.c - a state machine that keeps its place in a chunk, and hands on the data without
 *  copying.
 *
 *  Extensions and trailer fields are skipped (RFC 9112 §7.1.1, §7.1.2). Their size is bounded,
 *  since they could be endless. Bare CR and LF and control characters in them are refused, as in
 *  a head. */
#include "lib/wire/chunked.h"

#include <string.h>

#include "lib/wire/field.h"

enum {
    PART_SIZE,      /* the digits */
    PART_SPACE,     /* blanks after the digits, before ';' or the CR */
    PART_EXTENSION, /* after ';' */
    PART_QUOTED,    /* in a quoted value of an extension */
    PART_ESCAPE,    /* after a backslash in it */
    PART_SIZE_LF,   /* the LF of a size line */
    PART_DATA,      /* of the chunk */
    PART_DATA_CR,   /* the CR after the data */
    PART_DATA_LF,
    PART_TRAILER,    /* at the beginning of a line after the last chunk */
    PART_NAME,       /* in the name of a trailer field */
    PART_VALUE,      /* in its value */
    PART_TRAILER_LF, /* the LF of its line */
    PART_LAST_LF,    /* the LF of the empty line that ends the body */
    PART_END,
    PART_BAD,
};

void zc_chunked_init (zc_chunked_t *self)
{
    memset (self, 0, sizeof *self);
}

/*  Whether a character may be in an extension or a field. */
static bool s_is_text (char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

/*  A digit of the size, or the character that ends it. */
static uint8_t s_size (zc_chunked_t *self, char c)
{
    int digit = zc_text_hex (c);
    if (digit >= 0) {
        self->digits = (uint8_t)(self->digits + (self->digits > 0 || digit > 0));
        self->left = self->left << 4 | (uint64_t)digit;
        return self->digits > 15 ? PART_BAD : PART_SIZE;
    }
    if (self->line == 1)
        return PART_BAD; /* there was no digit */
    return c == '\r'               ? PART_SIZE_LF
           : c == ';'              ? PART_EXTENSION
           : c == ' ' || c == '\t' ? PART_SPACE
                                   : PART_BAD;
}

static uint8_t s_extension (zc_chunked_t *self, char c)
{
    if (++self->extra > ZC_CHUNK_EXTRA_MAX)
        return PART_BAD;
    if (self->part == PART_SPACE)
        return c == ' ' || c == '\t' ? PART_SPACE
               : c == ';'            ? PART_EXTENSION
               : c == '\r'           ? PART_SIZE_LF
                                     : PART_BAD;
    if (self->part == PART_ESCAPE)
        return s_is_text (c) ? PART_QUOTED : PART_BAD;
    if (self->part == PART_QUOTED)
        return c == '"'        ? PART_EXTENSION
               : c == '\\'     ? PART_ESCAPE
               : s_is_text (c) ? PART_QUOTED
                               : PART_BAD;
    bool good = zc_token_char (c) || c == ';' || c == '=' || c == ' ' || c == '\t';
    return c == '\r' ? PART_SIZE_LF : c == '"' ? PART_QUOTED : good ? PART_EXTENSION : PART_BAD;
}

/*  Fields after the last chunk. */
static uint8_t s_trailer (zc_chunked_t *self, char c)
{
    if (++self->trailer > ZC_CHUNK_TRAILER_MAX)
        return PART_BAD;
    switch (self->part) {
    case PART_TRAILER:
        return c == '\r' ? PART_LAST_LF : zc_token_char (c) ? PART_NAME : PART_BAD;
    case PART_NAME:
        return c == ':' ? PART_VALUE : zc_token_char (c) ? PART_NAME : PART_BAD;
    case PART_VALUE:
        return c == '\r' ? PART_TRAILER_LF : s_is_text (c) ? PART_VALUE : PART_BAD;
    case PART_TRAILER_LF:
        return c == '\n' ? PART_TRAILER : PART_BAD;
    default:
        return c == '\n' ? PART_END : PART_BAD;
    }
}

/*  The part that follows a byte that isn't data. */
static uint8_t s_next (zc_chunked_t *self, char c)
{
    if (self->part <= PART_SIZE_LF && ++self->line > ZC_CHUNK_LINE_MAX)
        return PART_BAD;
    switch (self->part) {
    case PART_SIZE:
        return s_size (self, c);
    case PART_SPACE:
    case PART_EXTENSION:
    case PART_QUOTED:
    case PART_ESCAPE:
        return s_extension (self, c);
    case PART_SIZE_LF:
        return c != '\n' ? PART_BAD : self->left > 0 ? PART_DATA : PART_TRAILER;
    case PART_DATA_CR:
        return c == '\r' ? PART_DATA_LF : PART_BAD;
    case PART_DATA_LF:
        self->line = self->digits = 0;
        return c == '\n' ? PART_SIZE : PART_BAD;
    default:
        return s_trailer (self, c);
    }
}

zc_chunked_event_t zc_chunked_read (zc_chunked_t *self, const uint8_t **bytes, size_t *len,
                                    zc_slice_t *data)
{
    while (*len > 0 && self->part < PART_END) {
        if (self->part == PART_DATA) {
            *data = (zc_slice_t){(const char *)*bytes, *len < self->left ? *len : self->left};
            self->left -= data->len;
            self->part = self->left > 0 ? PART_DATA : PART_DATA_CR;
            *bytes += data->len;
            *len -= data->len;
            return ZC_CHUNKED_DATA;
        }
        self->part = s_next (self, (char)**bytes);
        (*bytes)++;
        (*len)--;
    }
    return self->part == PART_END   ? ZC_CHUNKED_END
           : self->part == PART_BAD ? ZC_CHUNKED_BAD
                                    : ZC_CHUNKED_MORE;
}

/*  The bytes that a line with this size takes. */
static size_t s_line_size (size_t len)
{
    size_t digits = 1;
    while (len >>= 4)
        digits++;
    return digits + 2;
}

static void s_write_line (uint8_t *line, size_t size, size_t len)
{
    line[size - 2] = '\r';
    line[size - 1] = '\n';
    for (size_t i = size - 2; i > 0; i--, len >>= 4)
        line[i - 1] = (uint8_t) "0123456789abcdef"[len & 15];
}

size_t zc_chunk_begin (zc_buf_t *out, size_t guess)
{
    size_t begun = out->len, size = s_line_size (guess);
    zc_buf_reserve (out, size + guess + 2);
    out->len += size;
    return begun;
}

void zc_chunk_end (zc_buf_t *out, size_t begun, size_t guess)
{
    size_t guessed = s_line_size (guess);
    size_t len = out->len - begun - guessed, size = s_line_size (len);
    if (len == 0) {
        out->len = begun;
        return;
    }
    if (size != guessed) {
        zc_buf_reserve (out, size);
        memmove (out->data + begun + size, out->data + begun + guessed, len);
        out->len = begun + size + len;
    }
    s_write_line (out->data + begun, size, len);
    zc_buf_add (out, "\r\n", 2);
}
