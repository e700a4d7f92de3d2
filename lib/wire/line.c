/*  line.c - the name of an order of positions. */
#include "lib/wire/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int zc_line_parse (zc_line_t *self, zc_slice_t text)
{
    if (text.len < 1 || text.len > ZC_LINE_MAX)
        return -1;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x21 || text.at[i] > 0x7e)
            return -1;
    *self = (zc_line_t){""};
    memcpy (self->text, text.at, text.len);
    return 0;
}

void zc_line_make (zc_line_t *self, zc_id_t begin, uint64_t random)
{
    *self = (zc_line_t){""};
    size_t len = zc_id_format (begin, self->text);
    snprintf (self->text + len, sizeof self->text - len, ".%016" PRIx64, random);
}

bool zc_line_known (const zc_line_t *self)
{
    return self->text[0] != 0;
}

bool zc_line_same (const zc_line_t *self, const zc_line_t *other)
{
    return strcmp (self->text, other->text) == 0;
}

bool zc_line_follows (const zc_line_t *self, zc_id_t position)
{
    const char *dot = strchr (self->text, '.');
    zc_id_t begin;
    return dot && zc_id_parse (self->text, (size_t)(dot - self->text), &begin) == 0 &&
           begin >= position;
}

zc_slice_t zc_line_slice (const zc_line_t *self)
{
    return (zc_slice_t){self->text, strlen (self->text)};
}
