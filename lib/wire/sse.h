/*  sse.h - Server-Sent Events (WHATWG HTML §9.2): bytes out, no I/O. */
#ifndef ZC_SSE_H
#define ZC_SSE_H

#include "lib/wire/encoding.h"

/*  A message is `event:` if the publisher gave a type (else the default type), `data:` split on CR,
 *  LF and CRLF, and `id:` last. A payload that isn't UTF-8 is sent as
 *  data:application/octet-stream;base64,… A heartbeat is an event `zcast.heartbeat`. */
extern const zc_encoding_t zc_encoding_sse;
/*  The same blocks with zc_message_json as data, asked for with format=zcast.v1. */
extern const zc_encoding_t zc_encoding_sse_json;
/*  Both encodings for HTTP/1.1 without a web server between: each block is a chunk. */
extern const zc_encoding_t zc_encoding_sse_chunked;
extern const zc_encoding_t zc_encoding_sse_json_chunked;

/*  Sets the event type of messages whose publisher gave none. NULL or "": no `event:` line. The
 *  text is borrowed for the life of the process. */
void zc_sse_default_event (const char *event);
/*  Appends the line "retry: <ms>", which clients obey as soon as it comes. It may stand wherever a
 *  block begins. */
void zc_sse_retry (zc_buf_t *out, unsigned ms);
/*  zc_sse_open appends the beginning of a stream; zc_sse_busy, an answer in place of a stream. Both
 *  are lines that the block of the first event continues. */
void zc_sse_open (zc_buf_t *out, unsigned retry_ms);
void zc_sse_busy (zc_buf_t *out, unsigned retry_ms);
/*  Appends the event `zcast.end`: the stream ends, for the reason `code` and in the words of
 * `text`, which need no escaping in JSON. It has the id with which the client can come back, unless
 * that isn't known. */
void zc_sse_end (zc_buf_t *out, const char *code, const char *text, zc_id_t position);

#endif
