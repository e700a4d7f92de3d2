/*  doctor_socket.c - see doctor_socket.h. */
#include "tools/doctor_socket.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "tools/doctor_head.h"

#define S_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { S_TEXT = 1, S_BINARY = 2, S_CLOSE = 8, S_PING = 9, S_PONG = 10 };

void zc_doctor_socket_key (const uint8_t random[16], char key[ZC_SOCKET_KEY + 1])
{
    zc_base64 (random, 16, key);
    key[ZC_SOCKET_KEY] = 0;
}

void zc_doctor_socket_accept (const char *key, char accept[ZC_SOCKET_ACCEPT + 1])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;
    zc_buf_t text = ZC_BUF_INIT;
    zc_buf_addf (&text, "%s" S_GUID, key);
    if (EVP_Digest (text.data, text.len, digest, &len, EVP_sha1 (), NULL) != 1)
        abort ();
    zc_buf_clear (&text);
    zc_base64 (digest, len, accept);
    accept[ZC_SOCKET_ACCEPT] = 0;
}

void zc_doctor_socket_ask (zc_buf_t *out, const char *target, const char *host, const char *origin,
                           const char *key, const char *token)
{
    zc_buf_addf (out,
                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: zmq\r\nConnection: Upgrade\r\n"
                 "Upgrade: websocket\r\nOrigin: %s\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: zcast.v1",
                 target, host, origin, key);
    if (*token)
        zc_buf_addf (out, ", zcast.token.%s", token);
    zc_buf_adds (out, "\r\n\r\n");
}

/*  Frames ------------------------------------------------------------------------------------- */

/*  Bytes of a frame's head, as far as those that are there tell. */
static size_t s_head_size (const zc_doctor_socket_t *self)
{
    unsigned len = self->head_len > 1 ? self->head[1] & 0x7fu : 0;
    return len == 126 ? 4 : len == 127 ? 10 : 2;
}

static uint64_t s_payload (const zc_doctor_socket_t *self)
{
    size_t size = s_head_size (self);
    uint64_t len = self->head[1] & 0x7fu;
    if (size > 2)
        len = 0;
    for (size_t i = 2; i < size; i++)
        len = len << 8 | self->head[i];
    return len;
}

static void s_send (zc_doctor_socket_t *self, zc_buf_t *out, unsigned opcode)
{
    zc_buf_addc (out, (char)(0x80u | opcode));
    zc_buf_addc (out, (char)(0x80u | self->kept_len));
    zc_buf_add (out, self->mask, sizeof self->mask);
    for (size_t i = 0; i < self->kept_len; i++)
        zc_buf_addc (out, (char)(self->kept[i] ^ self->mask[i % 4]));
}

/*  A frame that begins. A server masks nothing (RFC 6455 §5.1), and no extension was asked for. */
static bool s_begin (zc_doctor_socket_t *self)
{
    unsigned opcode = self->head[0] & 0x0fu;
    bool control = opcode >= S_CLOSE, final = self->head[0] & 0x80u;
    self->left = s_payload (self);
    self->kept_len = 0;
    self->messages += opcode == S_TEXT || opcode == S_BINARY;
    return !(self->head[0] & 0x70u) && !(self->head[1] & 0x80u) && opcode <= S_PONG &&
           (opcode <= S_BINARY || control) && (!control || (final && self->left <= 125)) &&
           self->left <= INT64_MAX;
}

static void s_end (zc_doctor_socket_t *self, zc_buf_t *out)
{
    unsigned opcode = self->head[0] & 0x0fu;
    self->head_len = 0;
    if (opcode == S_PING) {
        self->pings++;
        s_send (self, out, S_PONG);
    } else if (opcode == S_CLOSE) {
        self->closed = true;
        if (self->kept_len >= 2) {
            self->code = (unsigned)self->kept[0] << 8 | self->kept[1];
            zc_doctor_copy (self->reason, sizeof self->reason,
                            (zc_slice_t){(char *)self->kept + 2, self->kept_len - 2});
        }
        s_send (self, out, S_CLOSE);
    }
}

int zc_doctor_socket_read (zc_doctor_socket_t *self, const char *bytes, size_t len, zc_buf_t *out)
{
    while (!self->closed && len > 0) {
        if (self->left == 0) {
            self->head[self->head_len++] = (uint8_t)*bytes++;
            len--;
            if (self->head_len < 2 || self->head_len < s_head_size (self))
                continue;
            if (!s_begin (self))
                return -1;
        } else {
            size_t part = len < self->left ? len : (size_t)self->left;
            if ((self->head[0] & 0x0fu) >= S_CLOSE) { /* at most 125 bytes in all */
                memcpy (self->kept + self->kept_len, bytes, part);
                self->kept_len += part;
            }
            self->left -= part;
            bytes += part;
            len -= part;
        }
        if (self->left == 0)
            s_end (self, out);
    }
    return 0;
}
