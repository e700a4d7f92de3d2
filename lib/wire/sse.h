/*  sse.h - Server-Sent Events (WHATWG HTML §9.2): bytes out, no I/O. */
#ifndef ZC_SSE_H
#define ZC_SSE_H

#include "lib/wire/encoding.h"

/*  `event:` where the publisher gave one (else the default), `data:` split on CR, LF and CRLF,
 *  `id:` last. A payload that isn't UTF-8 goes as data:application/octet-stream;base64,…
 *  A heartbeat is an event `zcast.heartbeat`. */
extern const zc_encoding_t zc_encoding_sse;
/*  The same blocks with zc_message_json as data, asked for with format=zcast.v1. */
extern const zc_encoding_t zc_encoding_sse_json;
/*  Both for HTTP/1.1 without a web server between: each block is a chunk. */
extern const zc_encoding_t zc_encoding_sse_chunked;
extern const zc_encoding_t zc_encoding_sse_json_chunked;

/*  The event type of messages whose publisher gave none; NULL or "": no `event:` line. The text is
 *  borrowed for the life of the process. */
void zc_sse_default_event (const char *event);
/*  The line "retry: <ms>": clients heed it as it comes. It may stand wherever a block begins. */
void zc_sse_retry (zc_buf_t *out, unsigned ms);
/*  What a stream begins with, and what stands in the place of one: lines that the block of the
 * first event goes on with. */
void zc_sse_open (zc_buf_t *out, unsigned retry_ms);
void zc_sse_busy (zc_buf_t *out, unsigned retry_ms);
/*  The event `zcast.end`: the stream ends, since its token has. It has no id: an EventSource keeps
 *  the one that it has. */
void zc_sse_expired (zc_buf_t *out);

#endif
