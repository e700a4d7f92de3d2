/*  encoding.h - messages as WebSocket frames. Bytes out, no I/O. */
#ifndef ZC_WS_ENCODING_H
#define ZC_WS_ENCODING_H

#include "lib/wire/encoding.h"

/*  No sub-protocol: a payload is one frame, text if it is UTF-8, and otherwise binary. A verdict
 *  is the text {"event":"zcast.continuity","data":"…"}; a heartbeat is a ping. */
extern const zc_encoding_t zc_encoding_ws;
/*  Sub-protocol zcast.v1: zc_message_json in a text frame; a verdict is the same shape with event
 *  zcast.continuity; a heartbeat is a ping and {"type":"heartbeat","id":"…"}, which a page sees. */
extern const zc_encoding_t zc_encoding_ws_json;
/*  The same for clients that have negotiated permessage-deflate: messages that become shorter
 *  are compressed (zc_frame_add_deflated), once for all clients. */
extern const zc_encoding_t zc_encoding_ws_deflate;
extern const zc_encoding_t zc_encoding_ws_json_deflate;

#endif
