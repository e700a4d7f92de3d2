/*  frame.c - see frame.h. */
#include "ws/frame.h"

#include <string.h>

#include "lib/base/text.h"
#include "ws/deflate.h"

size_t zc_frame_header_size (uint64_t len)
{
    return len < 126 ? 2 : len <= UINT16_MAX ? 4 : 10;
}

static void s_write_header (uint8_t *out, unsigned opcode, uint64_t len)
{
    size_t size = zc_frame_header_size (len);
    out[0] = (uint8_t)(0x80 | opcode); /* FIN */
    out[1] = (uint8_t)(size == 2 ? len : size == 4 ? 126 : 127);
    for (size_t i = size; i > 2; i--, len >>= 8)
        out[i - 1] = (uint8_t)len;
}

void zc_frame_add (zc_buf_t *out, unsigned opcode, const void *payload, size_t len)
{
    size_t size = zc_frame_header_size (len);
    uint8_t *at = zc_buf_reserve (out, size + len);
    s_write_header (at, opcode, len);
    if (len > 0)
        memcpy (at + size, payload, len);
    out->len += size + len;
}

void zc_frame_add_close (zc_buf_t *out, unsigned code, const char *reason)
{
    uint8_t body[ZC_FRAME_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    if (code == ZC_CLOSE_NO_STATUS) {
        zc_frame_add (out, ZC_FRAME_CLOSE, NULL, 0);
        return;
    }
    size_t len = strlen (reason);
    if (len > sizeof body - 2)
        len = sizeof body - 2;
    while (!zc_utf8_valid (reason, len))
        len--;
    memcpy (body + 2, reason, len);
    zc_frame_add (out, ZC_FRAME_CLOSE, body, len + 2);
}

size_t zc_frame_begin (zc_buf_t *out, size_t guess)
{
    size_t begun = out->len;
    size_t size = zc_frame_header_size (guess);
    zc_buf_reserve (out, size + guess);
    out->len += size;
    return begun;
}

void zc_frame_end (zc_buf_t *out, size_t begun, size_t guess, unsigned opcode)
{
    size_t guessed = zc_frame_header_size (guess);
    size_t len = out->len - begun - guessed;
    size_t size = zc_frame_header_size (len);
    if (size != guessed) {
        zc_buf_reserve (out, size);
        memmove (out->data + begun + size, out->data + begun + guessed, len);
        out->len = begun + size + len;
    }
    s_write_header (out->data + begun, opcode, len);
}

void zc_frame_add_deflated (zc_buf_t *out, unsigned opcode, const void *payload, size_t len)
{
    size_t guess = len / 3; /* about what compressed JSON takes */
    size_t begun = zc_frame_begin (out, guess);
    if (zc_deflate (out, payload, len)) {
        zc_frame_end (out, begun, guess, opcode | ZC_FRAME_RSV1);
    } else {
        out->len = begun;
        zc_frame_add (out, opcode, payload, len);
    }
}
