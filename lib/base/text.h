/*  text.h - checks and small parsers of text from outside. No I/O, no allocation. */
#ifndef ZC_TEXT_H
#define ZC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZC_TOPIC_MAX 1024 /* bytes */

/*  The length of the character of UTF-8 that `bytes`, of which at least one is left, begin with,
 * and its code point; 0 if they begin with none. */
size_t zc_utf8_next (const void *bytes, size_t left, uint32_t *code);
/*  Whether the bytes are UTF-8 (RFC 3629 §3): whole characters in their shortest form, without
 *  surrogates. The empty string is valid. */
bool zc_utf8_valid (const void *bytes, size_t len);
/*  Whether the bytes are UTF-8 without control characters (U+0000..U+001F, U+007F..U+009F). */
bool zc_text_plain (const void *bytes, size_t len);
/*  Whether a character turns the direction of text (U+202A..U+202E, U+2066..U+2069). */
bool zc_text_turns (uint32_t code);
/*  Makes text from outside fit to be shown on one line, where it can neither command a terminal
 *  nor forge another line: control characters (U+0000..U+001F, U+007F..U+009F), characters that
 *  turn the direction of text (zc_text_turns) and bytes that aren't UTF-8 become \\n, \\r, \\t,
 * \\xNN or \\uNNNN. `out` has room for 4 * len bytes. Returns the length; no NUL is added. */
size_t zc_text_escape (const void *bytes, size_t len, char *out);
/*  The length of text that was cut at `len`, without a last character of UTF-8 that may be cut,
 *  too. */
size_t zc_text_whole (const char *text, size_t len);
/*  Whether the bytes are a topic: 1 to ZC_TOPIC_MAX bytes of plain text. */
bool zc_topic_valid (const void *bytes, size_t len);
/*  The value of a hexadecimal digit, or of one whose letters are lower case; -1: it is none. */
int zc_text_hex (char c);
int zc_text_hex_lower (char c);
/*  Decodes a name or value of a URL's query, which is a form
 *  (application/x-www-form-urlencoded): %XX, and '+' for a blank. `out` has room for `len`
 *  bytes. Returns the decoded length, or -1 on a broken escape. */
long zc_url_decode (const char *in, size_t len, char *out);
/*  Decodes any other part of a URL in the same way, but for '+', which stands for itself (RFC
 *  3986 §2.1). */
long zc_percent_decode (const char *in, size_t len, char *out);
/*  A run of bytes, borrowed, without a NUL. */
typedef struct {
    const char *at;
    size_t len;
} zc_slice_t;
/*  Whether the slice is this text, byte for byte. */
bool zc_slice_is (zc_slice_t slice, const char *text);
bool zc_slice_begins (zc_slice_t slice, zc_slice_t prefix);
/*  Whether the slice begins with this text. */
bool zc_slice_starts (zc_slice_t slice, const char *text);
/*  Compares byte by byte: the result is below, at or above 0, as memcmp's is. */
int zc_slice_compare (zc_slice_t left, zc_slice_t right);
/*  Takes the next "name=value" off *query, whose pairs are separated by '&'. False at the end. Name
 *  and value are still encoded, and borrowed. */
bool zc_query_next (zc_slice_t *query, zc_slice_t *name, zc_slice_t *value);
/*  Parses decimal digits, without a sign, of a number that is at most `max`. Returns 0 or -1. */
int zc_text_u64 (const char *text, size_t len, uint64_t max, uint64_t *value);

#endif
