/*  format.c - see format.h. */
#include "tools/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/timestamp.h"

#define S_LETTERS "tiTpIUeksb"

typedef struct {
    char letter;   /* of S_LETTERS; '{': a header; 0: text */
    zc_buf_t text; /* owned: the text, or the header's name */
} s_piece_t;

struct zc_format {
    s_piece_t *pieces;
    size_t count;
};

static s_piece_t *s_add (zc_format_t *self, char letter)
{
    self->pieces = realloc (self->pieces, (self->count + 1) * sizeof *self->pieces);
    if (!self->pieces)
        abort ();
    self->pieces[self->count] = (s_piece_t){.letter = letter, .text = ZC_BUF_INIT};
    return &self->pieces[self->count++];
}

static void s_add_byte (zc_format_t *self, char byte)
{
    s_piece_t *last = self->count ? &self->pieces[self->count - 1] : NULL;
    if (!last || last->letter)
        last = s_add (self, 0);
    zc_buf_addc (&last->text, byte);
}

/*  The escape after a backslash. Returns its length; 0: there is none. */
static size_t s_escape (zc_format_t *self, const char *text)
{
    static const char letters[] = "ntr0\\", bytes[] = "\n\t\r\0\\";
    const char *at = *text ? strchr (letters, *text) : NULL;
    if (at) {
        s_add_byte (self, bytes[at - letters]);
        return 1;
    }
    int high = *text == 'x' ? zc_text_hex (text[1]) : -1,
        low = high >= 0 ? zc_text_hex (text[2]) : -1;
    if (low < 0)
        return 0;
    s_add_byte (self, (char)(high * 16 + low));
    return 3;
}

/*  The directive after a per cent sign. Returns its length; 0: there is none. */
static size_t s_directive (zc_format_t *self, const char *text)
{
    if (*text == '%') {
        s_add_byte (self, '%');
        return 1;
    }
    if (*text && strchr (S_LETTERS, *text)) {
        s_add (self, *text);
        return 1;
    }
    size_t len = *text == '{' ? strcspn (text + 1, "}") : 0;
    if (len == 0 || !text[1 + len])
        return 0;
    s_piece_t *piece = s_add (self, '{');
    zc_buf_add (&piece->text, text + 1, len);
    return len + 2;
}

zc_format_t *zc_format_new (const char *text, char *error, size_t size)
{
    zc_format_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    while (*text) {
        size_t len = 1;
        if (*text == '%')
            len = s_directive (self, text + 1);
        else if (*text == '\\')
            len = s_escape (self, text + 1);
        else
            s_add_byte (self, *text);
        if (len == 0) {
            snprintf (error, size,
                      "'%.3s' is none of %%t %%i %%T %%U %%p %%b %%s %%e %%k %%I "
                      "%%{NAME} %%%% \\n \\t \\r \\0 \\\\ \\xHH",
                      text);
            zc_format_destroy (&self);
            return NULL;
        }
        text += len + (*text == '%' || *text == '\\');
    }
    return self;
}

void zc_format_destroy (zc_format_t **self_p)
{
    zc_format_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        zc_buf_clear (&self->pieces[i].text);
    free (self->pieces);
    free (self);
    *self_p = NULL;
}

static void s_write_text (zc_slice_t text, bool escape, zc_buf_t *out)
{
    if (text.len == 0)
        return;
    if (!escape) {
        zc_buf_add (out, text.at, text.len);
        return;
    }
    char *room = (char *)zc_buf_reserve (out, 4 * text.len + 1);
    out->len += zc_text_escape (text.at, text.len, room);
}

static void s_write_base64 (zc_slice_t bytes, zc_buf_t *out)
{
    size_t len = 4 * ((bytes.len + 2) / 3);
    zc_base64 (bytes.at, bytes.len, (char *)zc_buf_reserve (out, len + 1));
    out->len += len;
}

static zc_slice_t s_header (const zc_message_t *message, const char *name)
{
    zc_slice_t value;
    return zc_header_find (message->meta, name, &value) ? value : (zc_slice_t){"", 0};
}

static void s_write_piece (const s_piece_t *piece, const zc_message_t *message, bool escape,
                           zc_buf_t *out)
{
    char text[ZC_TIMESTAMP_SIZE > ZC_ID_SIZE ? ZC_TIMESTAMP_SIZE : ZC_ID_SIZE];
    uint64_t ms = zc_id_ms (message->id);
    switch (piece->letter) {
    case 't':
        s_write_text (message->topic, escape, out);
        break;
    case 'i':
        zc_buf_add (out, text, zc_id_format (message->id, text));
        break;
    case 'T':
        zc_buf_add (out, text, zc_timestamp_format (ms, text));
        break;
    case 'U':
        zc_buf_addf (out, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
        break;
    case 'p':
        s_write_text (message->payload, escape, out);
        break;
    case 'b':
        s_write_base64 (message->payload, out);
        break;
    case 's':
        zc_buf_addf (out, "%zu", message->payload.len);
        break;
    case 'e':
        s_write_text (message->event, escape, out);
        break;
    case 'k':
        s_write_text (s_header (message, "key"), escape, out);
        break;
    case 'I':
        s_write_text (message->event_id, escape, out);
        break;
    case '{':
        s_write_text (s_header (message, zc_buf_str ((zc_buf_t *)&piece->text)), escape, out);
        break;
    default:
        zc_buf_add (out, piece->text.data, piece->text.len);
        break;
    }
}

void zc_format_write (const zc_format_t *self, const zc_message_t *message, bool escape,
                      zc_buf_t *out)
{
    for (size_t i = 0; i < self->count; i++)
        s_write_piece (&self->pieces[i], message, escape, out);
}
