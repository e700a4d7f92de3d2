/*  frame.h - WebSocket frames as a server sends them (RFC 6455 §5.2): one frame a message, never
 *  masked, and so the same bytes for every client. Bytes out, no I/O. */
#ifndef ZC_FRAME_H
#define ZC_FRAME_H

#include "lib/base/buf.h"

enum {
    ZC_FRAME_CONTINUATION = 0x0,
    ZC_FRAME_TEXT = 0x1,
    ZC_FRAME_BINARY = 0x2,
    ZC_FRAME_CLOSE = 0x8,
    ZC_FRAME_PING = 0x9,
    ZC_FRAME_PONG = 0xa,
};

#define ZC_FRAME_RSV1 0x40       /* with an opcode: the payload is compressed (RFC 7692 §6) */
#define ZC_FRAME_HEADER_MAX 10   /* bytes of the longest header */
#define ZC_FRAME_CONTROL_MAX 125 /* bytes of a control frame's payload */

/*  Close codes (RFC 6455 §7.4.1; 1012 and 1013 are in the IANA registry, and
 *  4000 and above is for applications). */
enum {
    ZC_CLOSE_NORMAL = 1000,
    ZC_CLOSE_AWAY = 1001,
    ZC_CLOSE_PROTOCOL = 1002,
    ZC_CLOSE_NO_STATUS = 1005, /* never on the wire */
    ZC_CLOSE_NOT_UTF8 = 1007,  /* also: compressed data that is broken */
    ZC_CLOSE_POLICY = 1008,
    ZC_CLOSE_TOO_BIG = 1009,
    ZC_CLOSE_INTERNAL = 1011,
    ZC_CLOSE_RESTART = 1012,
    ZC_CLOSE_LATER = 1013,
    ZC_CLOSE_REFUSED = 4000, /* ours: and the status that HTTP would have answered */
    ZC_CLOSE_TOKEN = 4401,
};

/*  Bytes of the header of a frame with a payload of `len` bytes. */
size_t zc_frame_header_size (uint64_t len);
void zc_frame_add (zc_buf_t *out, unsigned opcode, const void *payload, size_t len);
/*  The same for text or binary, compressed where that is worth it (zc_deflate). */
void zc_frame_add_deflated (zc_buf_t *out, unsigned opcode, const void *payload, size_t len);
/*  A close frame; `code` ZC_CLOSE_NO_STATUS: an empty one. `reason` is cut to what fits, at a
 *  character's end. */
void zc_frame_add_close (zc_buf_t *out, unsigned code, const char *reason);
/*  A frame around payload that is written in place: begin, append the payload, end with what begin
 *  returned. `guess` is about how long it will be; a wrong one costs a move of the payload. */
size_t zc_frame_begin (zc_buf_t *out, size_t guess);
void zc_frame_end (zc_buf_t *out, size_t begun, size_t guess, unsigned opcode);

#endif
