/*  buf.c - a buffer grows by doubling, so appending is linear. A failed malloc ends the program,
 *  since callers would otherwise have to drop messages in silence. */
#include "lib/base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t *zc_buf_reserve (zc_buf_t *self, size_t more)
{
    size_t need = self->len + more;
    if (need > self->cap) {
        size_t cap = self->cap ? self->cap : 64;
        while (cap < need)
            cap *= 2;
        self->data = realloc (self->data, cap);
        if (!self->data)
            abort ();
        self->cap = cap;
    }
    return self->data + self->len;
}

void zc_buf_add (zc_buf_t *self, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    memcpy (zc_buf_reserve (self, len), bytes, len);
    self->len += len;
}

void zc_buf_adds (zc_buf_t *self, const char *text)
{
    zc_buf_add (self, text, strlen (text));
}

void zc_buf_addc (zc_buf_t *self, char c)
{
    *zc_buf_reserve (self, 1) = (uint8_t)c;
    self->len++;
}

void zc_buf_vaddf (zc_buf_t *self, const char *format, va_list args)
{
    va_list again;
    va_copy (again, args);
    int len = vsnprintf (NULL, 0, format, args);
    assert (len >= 0);
    char *to = (char *)zc_buf_reserve (self, (size_t)len + 1);
    vsnprintf (to, (size_t)len + 1, format, again);
    self->len += (size_t)len;
    va_end (again);
}

void zc_buf_addf (zc_buf_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    zc_buf_vaddf (self, format, args);
    va_end (args);
}

const char *zc_buf_str (zc_buf_t *self)
{
    *zc_buf_reserve (self, 1) = 0;
    return (const char *)self->data;
}

void zc_buf_shift (zc_buf_t *self, size_t count)
{
    assert (count <= self->len);
    if (count == 0)
        return;
    self->len -= count;
    memmove (self->data, self->data + count, self->len);
}

void zc_buf_clear (zc_buf_t *self)
{
    free (self->data);
    *self = (zc_buf_t)ZC_BUF_INIT;
}
