/*  text.c - checks on text from outside. */
#include "lib/base/text.h"

#include <string.h>

/*  The length of the UTF-8 sequence at `at`, and its code point; 0 if it is invalid. */
static inline __attribute__ ((always_inline)) size_t s_sequence (const uint8_t *at, size_t left,
                                                                 uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80   ? 1
                 : at[0] < 0xc2 ? 0
                 : at[0] < 0xe0 ? 2
                 : at[0] < 0xf0 ? 3
                 : at[0] < 0xf5 ? 4
                                : 0;
    if (len == 0 || len > left)
        return 0;
    uint32_t value = len == 1 ? at[0] : at[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3fu);
    }
    if (value < least[len] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return len;
}

size_t zc_utf8_next (const void *bytes, size_t left, uint32_t *code)
{
    return s_sequence (bytes, left, code);
}

/*  Handles eight bytes of plain ASCII at a time, as nearly all text is. */
static size_t s_ascii_run (const uint8_t *at, size_t len)
{
    size_t done = 0;
    while (len - done >= 8) {
        uint64_t word;
        memcpy (&word, at + done, 8);
        if (word & 0x8080808080808080u)
            break;
        done += 8;
    }
    return done;
}

bool zc_utf8_valid (const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint32_t code;
    for (size_t i = 0; i < len;) {
        i += s_ascii_run (at + i, len - i);
        if (i == len)
            break;
        size_t step = s_sequence (at + i, len - i, &code);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

bool zc_text_plain (const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint32_t code;
    for (size_t i = 0; i < len;) {
        size_t step = s_sequence (at + i, len - i, &code);
        if (step == 0 || code < 0x20 || (code >= 0x7f && code <= 0x9f))
            return false;
        i += step;
    }
    return true;
}

bool zc_text_turns (uint32_t code)
{
    return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/*  Writes what is shown in place of a byte or character. Returns its length, at most 6. */
static size_t s_escape (uint32_t code, char *out)
{
    static const char hex[] = "0123456789abcdef";
    char letter = code == '\n' ? 'n' : code == '\r' ? 'r' : code == '\t' ? 't' : 0;
    size_t digits = letter ? 0 : code > 0xff ? 4 : 2;
    out[0] = '\\';
    out[1] = letter ? letter : digits == 4 ? 'u' : 'x';
    for (size_t i = 0; i < digits; i++)
        out[2 + i] = hex[code >> 4 * (digits - 1 - i) & 15];
    return 2 + digits;
}

size_t zc_text_escape (const void *bytes, size_t len, char *out)
{
    const uint8_t *at = bytes;
    size_t done = 0;
    uint32_t code;
    for (size_t i = 0; i < len;) {
        size_t step = s_sequence (at + i, len - i, &code);
        if (step == 0)
            code = at[i];
        if (step == 0 || code < 0x20 || (code >= 0x7f && code <= 0x9f) || zc_text_turns (code)) {
            done += s_escape (code, out + done);
        } else {
            memcpy (out + done, at + i, step);
            done += step;
        }
        i += step ? step : 1;
    }
    return done;
}

size_t zc_text_whole (const char *text, size_t len)
{
    size_t at = len;
    while (at > 0 && ((uint8_t)text[at - 1] & 0xc0) == 0x80)
        at--;
    return at > 0 && (uint8_t)text[at - 1] >= 0xc0 ? at - 1 : len;
}

bool zc_topic_valid (const void *bytes, size_t len)
{
    return len >= 1 && len <= ZC_TOPIC_MAX && zc_text_plain (bytes, len);
}

int zc_text_hex (char c)
{
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : zc_text_hex_lower (c);
}

int zc_text_hex_lower (char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static long s_decode (const char *in, size_t len, char plus, char *out)
{
    long done = 0;
    for (size_t i = 0; i < len; i++) {
        char c = in[i];
        if (c == '%') {
            if (len - i < 3 || zc_text_hex (in[i + 1]) < 0 || zc_text_hex (in[i + 2]) < 0)
                return -1;
            c = (char)(zc_text_hex (in[i + 1]) << 4 | zc_text_hex (in[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = plus;
        }
        out[done++] = c;
    }
    return done;
}

long zc_url_decode (const char *in, size_t len, char *out)
{
    return s_decode (in, len, ' ', out);
}

long zc_percent_decode (const char *in, size_t len, char *out)
{
    return s_decode (in, len, '+', out);
}

bool zc_slice_is (zc_slice_t slice, const char *text)
{
    return slice.len == strlen (text) && (slice.len == 0 || !memcmp (slice.at, text, slice.len));
}

bool zc_slice_begins (zc_slice_t slice, zc_slice_t prefix)
{
    return slice.len >= prefix.len &&
           (prefix.len == 0 || !memcmp (slice.at, prefix.at, prefix.len));
}

bool zc_slice_starts (zc_slice_t slice, const char *text)
{
    return zc_slice_begins (slice, (zc_slice_t){text, strlen (text)});
}

int zc_slice_compare (zc_slice_t left, zc_slice_t right)
{
    size_t len = left.len < right.len ? left.len : right.len;
    int order = len ? memcmp (left.at, right.at, len) : 0;
    return order ? order : (left.len > right.len) - (left.len < right.len);
}

bool zc_query_next (zc_slice_t *query, zc_slice_t *name, zc_slice_t *value)
{
    while (query->len > 0) {
        const char *end = memchr (query->at, '&', query->len);
        size_t len = end ? (size_t)(end - query->at) : query->len;
        zc_slice_t pair = {query->at, len};
        size_t step = len + (end ? 1 : 0);
        query->at += step;
        query->len -= step;
        if (len == 0)
            continue;
        const char *equals = memchr (pair.at, '=', len);
        size_t name_len = equals ? (size_t)(equals - pair.at) : len;
        size_t skip = name_len + (equals ? 1 : 0);
        *name = (zc_slice_t){pair.at, name_len};
        *value = (zc_slice_t){pair.at + skip, len - skip};
        return true;
    }
    return false;
}

int zc_text_u64 (const char *text, size_t len, uint64_t max, uint64_t *value)
{
    if (len == 0)
        return -1;
    uint64_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > max || sum > (max - digit) / 10)
            return -1;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return 0;
}
