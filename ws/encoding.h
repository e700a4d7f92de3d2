/*  encoding.h - messages as WebSocket frames. Bytes out, no I/O. */
#ifndef ZC_WS_ENCODING_H
#define ZC_WS_ENCODING_H

#include "lib/wire/encoding.h"

/*  No sub-protocol: a payload is one frame, text where it is UTF-8 and else binary. A verdict is
 *  the text {"event":"zcast.continuity","data":"…"}; a heartbeat is a ping. */
extern const zc_encoding_t zc_encoding_ws;
/*  Sub-protocol zcast.v1: zc_message_json in a text frame; a verdict is the same shape with event
 *  zcast.continuity; a heartbeat is a ping and {"type":"heartbeat","id":"…"}, which a page sees. */
extern const zc_encoding_t zc_encoding_ws_json;
/*  The same for clients that have negotiated permessage-deflate: messages are compressed where that
 *  is worth it (zc_frame_add_deflated), once for all of them. */
extern const zc_encoding_t zc_encoding_ws_deflate;
extern const zc_encoding_t zc_encoding_ws_json_deflate;

#endif
