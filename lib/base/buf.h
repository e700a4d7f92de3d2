/*  buf.h - a run of bytes that grows. Its capacity doubles; zc_buf_clear frees the memory. */
#ifndef ZC_BUF_H
#define ZC_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *data; /* owned; NULL while capacity is 0 */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated */
} zc_buf_t;

#define ZC_BUF_INIT \
    {               \
        NULL, 0, 0  \
    }

/*  Makes room for `more` bytes after len, and returns where they go. Like all functions here, it
 *  aborts when there is no memory. */
uint8_t *zc_buf_reserve (zc_buf_t *self, size_t more);
void zc_buf_add (zc_buf_t *self, const void *bytes, size_t len);
void zc_buf_adds (zc_buf_t *self, const char *text);
void zc_buf_addc (zc_buf_t *self, char c);
void zc_buf_addf (zc_buf_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
void zc_buf_vaddf (zc_buf_t *self, const char *format, va_list args)
    __attribute__ ((format (printf, 2, 0)));
/*  A NUL-terminated view, valid until the next change; the NUL is not counted in len. */
const char *zc_buf_str (zc_buf_t *self);
/*  Removes `count` bytes (<= len) from the front. */
void zc_buf_shift (zc_buf_t *self, size_t count);
/*  Frees the memory; the buffer can be used again. */
void zc_buf_clear (zc_buf_t *self);

#endif
