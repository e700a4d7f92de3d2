/*  frame.h - WebSocket frames as a server sends them (RFC 6455 §5.2): one frame for each
 *  message, never masked, and so the same bytes for every client. Bytes out, no I/O. */
#ifndef ZC_FRAME_H
#define ZC_FRAME_H

#include "lib/base/buf.h"
#include "ws/close.h"

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

/*  Bytes of the header of a frame with a payload of `len` bytes. */
size_t zc_frame_header_size (uint64_t len);
void zc_frame_add (zc_buf_t *out, unsigned opcode, const void *payload, size_t len);
/*  The same for text or binary; compressed, if that makes it shorter (zc_deflate). */
void zc_frame_add_deflated (zc_buf_t *out, unsigned opcode, const void *payload, size_t len);
/*  A close frame; `code` ZC_CLOSE_NO_STATUS: an empty one. `reason` is cut to the space that
 *  there is, at a character's end. */
void zc_frame_add_close (zc_buf_t *out, unsigned code, const char *reason);
/*  A frame around a payload that is written in place: begin it, append the payload, and end it
 *  with the result of zc_frame_begin. `guess` is about the length of the payload; a wrong guess
 *  costs a move of the payload. */
size_t zc_frame_begin (zc_buf_t *out, size_t guess);
void zc_frame_end (zc_buf_t *out, size_t begun, size_t guess, unsigned opcode);

#endif
