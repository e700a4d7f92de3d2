/*  base64.c - see base64.h. OpenSSL's decoder accepts blanks and padding, which a token must not
 *  have (RFC 7515 §2); those of GLib and libb64 have one alphabet only. */
#include "lib/base/base64.h"

#define S_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/*  Encodes without padding. Returns how many characters there are, of at most (len + 2) / 3 * 4. */
static size_t s_encode (char *out, const void *bytes, size_t len, const char alphabet[])
{
    const uint8_t *in = bytes;
    char *at = out;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t word = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                        (left > 2 ? in[i + 2] : 0u);
        *at++ = alphabet[word >> 18];
        *at++ = alphabet[word >> 12 & 63];
        if (left > 1)
            *at++ = alphabet[word >> 6 & 63];
        if (left > 2)
            *at++ = alphabet[word & 63];
    }
    return (size_t)(at - out);
}

void zc_base64 (const void *bytes, size_t len, char *out)
{
    for (size_t end = s_encode (out, bytes, len, S_LETTERS "+/"); end % 4 != 0;)
        out[end++] = '=';
}

void zc_base64url_encode (zc_buf_t *out, const void *bytes, size_t len)
{
    char *at = (char *)zc_buf_reserve (out, (len + 2) / 3 * 4);
    out->len += s_encode (at, bytes, len, S_LETTERS "-_");
}

static int s_value (char c, const char last[2])
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == last[0]         ? 62
           : c == last[1]         ? 63
                                  : -1;
}

/*  Decodes text without padding; `last` are the last two characters of the alphabet. Returns the
 *  bits that are left over after the last byte, or -1. */
static int s_decode (zc_buf_t *out, zc_slice_t text, const char last[2])
{
    uint32_t bits = 0;
    unsigned held = 0;
    if (text.len % 4 == 1)
        return -1;
    uint8_t *at = zc_buf_reserve (out, text.len / 4 * 3 + 3);
    for (size_t i = 0; i < text.len; i++) {
        int value = s_value (text.at[i], last);
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *at++ = (uint8_t)(bits >> held);
        }
    }
    out->len = (size_t)(at - out->data);
    return (int)(bits & ((1u << held) - 1));
}

bool zc_base64_decode (zc_buf_t *out, zc_slice_t text)
{
    if (text.len % 4 != 0)
        return false;
    for (int i = 0; i < 2 && text.len > 0 && text.at[text.len - 1] == '='; i++)
        text.len--;
    return s_decode (out, text, "+/") >= 0;
}

int zc_base64url_decode (zc_buf_t *out, zc_slice_t text)
{
    size_t before = out->len;
    if (s_decode (out, text, "-_") == 0)
        return 0;
    out->len = before;
    return -1;
}
