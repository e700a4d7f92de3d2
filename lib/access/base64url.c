/*  base64url.c - see base64url.h. OpenSSL's decoder accepts blanks and padding, which a token
 *  must not have (RFC 7515 §2); those of GLib and libb64 have the other alphabet. */
#include "lib/access/base64url.h"

static int s_value (char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '-'             ? 62
           : c == '_'             ? 63
                                  : -1;
}

int zc_base64url_decode (zc_buf_t *out, zc_slice_t text)
{
    uint32_t bits = 0;
    unsigned held = 0;
    if (text.len % 4 == 1)
        return -1;
    uint8_t *at = zc_buf_reserve (out, text.len / 4 * 3 + 3);
    for (size_t i = 0; i < text.len; i++) {
        int value = s_value (text.at[i]);
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *at++ = (uint8_t)(bits >> held);
        }
    }
    if (bits & ((1u << held) - 1))
        return -1;
    out->len = (size_t)(at - out->data);
    return 0;
}

void zc_base64url_encode (zc_buf_t *out, const void *bytes, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *at = bytes;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | at[i];
        for (held += 8; held >= 6; held -= 6)
            zc_buf_addc (out, alphabet[bits >> (held - 6) & 63]);
    }
    if (held)
        zc_buf_addc (out, alphabet[bits << (6 - held) & 63]);
}
