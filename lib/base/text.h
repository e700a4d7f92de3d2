/*  text.h - checks and small parsers on text from outside. No I/O, no allocation. */
#ifndef ZC_TEXT_H
#define ZC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZC_TOPIC_MAX 1024 /* bytes */

/*  Whole, shortest-form UTF-8 without surrogates (RFC 3629 §3). The empty string is valid. */
bool zc_utf8_valid (const void *bytes, size_t len);
/*  UTF-8 without control characters (U+0000..U+001F, U+007F..U+009F). */
bool zc_text_plain (const void *bytes, size_t len);
/*  Shows what came from outside on one line, so that it can neither command a terminal nor forge a
 *  line: control characters (U+0000..U+001F, U+007F..U+009F), those that turn the direction of text
 *  (U+202A..U+202E, U+2066..U+2069) and bytes that are no UTF-8 become \\n, \\r, \\t, \\xNN or
 *  \\uNNNN. `out` has room for 4 * len bytes; returns the length (no NUL is added). */
size_t zc_text_escape (const void *bytes, size_t len, char *out);
/*  Of text that is cut at `len`: the length without a last character of UTF-8 of which a part may
 *  be missing. */
size_t zc_text_whole (const char *text, size_t len);
/*  A topic: 1 to ZC_TOPIC_MAX bytes of plain text. */
bool zc_topic_valid (const void *bytes, size_t len);
/*  Decodes the query of an HTTP URL, which is a form (application/x-www-form-urlencoded): %XX, and
 *  '+' for a blank. `out` has room for `len` bytes. Returns the decoded length, or -1 on a broken
 *  escape. */
long zc_url_decode (const char *in, size_t len, char *out);
/*  The same for every other part of a URL, and for URLs of other schemes: there '+' stands for
 *  itself (RFC 3986 §2.1). */
long zc_percent_decode (const char *in, size_t len, char *out);
/*  Iterates "name=value&…": takes the next pair off *query, which shrinks. Returns false at the
 *  end. Name and value are still encoded, and borrowed. */
typedef struct {
    const char *at;
    size_t len;
} zc_slice_t;
/*  Whether the slice is this text, byte for byte. */
bool zc_slice_is (zc_slice_t slice, const char *text);
bool zc_slice_begins (zc_slice_t slice, zc_slice_t prefix);
/*  The order of bytes: below, at or above 0, as memcmp says it. */
int zc_slice_compare (zc_slice_t left, zc_slice_t right);
bool zc_query_next (zc_slice_t *query, zc_slice_t *name, zc_slice_t *value);
/*  Decimal digits only, no sign, at most `max`. Returns 0 or -1. */
int zc_text_u64 (const char *text, size_t len, uint64_t max, uint64_t *value);
/*  Standard base64 with padding (RFC 4648 §4) of `len` bytes; writes 4*((len+2)/3) characters. */
void zc_base64 (const void *bytes, size_t len, char *out);

#endif
