/*  doctor_socket.h - a WebSocket as a client sees it (RFC 6455): the request that opens it, and the
 *  server's frames. Bytes in, bytes out; no I/O. `zmq doctor` only watches: it answers pings and
 *  counts, and keeps nothing of messages. */
#ifndef ZC_DOCTOR_SOCKET_H
#define ZC_DOCTOR_SOCKET_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/text.h"

#define ZC_SOCKET_KEY 24    /* characters of Sec-WebSocket-Key */
#define ZC_SOCKET_ACCEPT 28 /* … of Sec-WebSocket-Accept */

typedef struct {
    uint8_t mask[4];   /* of the frames that are sent, random; set it before the first call */
    unsigned messages; /* texts and binaries that have begun */
    unsigned pings;
    bool closed;      /* a close frame came */
    unsigned code;    /* … with this code; 0: none */
    char reason[124]; /* … and this reason, escaped and cut */

    /*  The state of the parser. */
    uint8_t head[14];
    size_t head_len;
    uint64_t left;     /* bytes of the payload that are still to come */
    uint8_t kept[125]; /* the payload of a control frame */
    size_t kept_len;
} zc_doctor_socket_t;

/*  Appends the request. `target`: path and query; `origin`: the page's; `token`: "", or a token. */
void zc_doctor_socket_ask (zc_buf_t *out, const char *target, const char *host, const char *origin,
                           const char *key, const char *token);
/*  Writes a key of 16 random bytes, and the answer that a server gives to it, each with a NUL. */
void zc_doctor_socket_key (const uint8_t random[16], char key[ZC_SOCKET_KEY + 1]);
void zc_doctor_socket_accept (const char *key, char accept[ZC_SOCKET_ACCEPT + 1]);
/*  Reads frames, and appends the bytes to be sent to `out`. Returns 0; or -1 if these bytes
 *  aren't frames of a server, and then nothing may follow. Bytes after a close frame are
 *  ignored. */
int zc_doctor_socket_read (zc_doctor_socket_t *self, const char *bytes, size_t len, zc_buf_t *out);

#endif
