/*  head.h - the head of the HTTP/1.1 request that opens a WebSocket (RFC 9112 §2-§5, RFC 6455
 *  §4.2.1). Bytes in, a status out; no I/O, no allocation.
 *
 *  Strict: what two readers could understand differently (bare CR or LF, folded lines, a space
 *  before the colon, repeated or missing Host, a body) is refused. */
#ifndef ZC_HEAD_H
#define ZC_HEAD_H

#include "lib/base/text.h"
#include "ws/extension.h"

#define ZC_HEAD_FIELDS 100 /* header fields of one request */
#define ZC_HEAD_ACCEPT 28  /* characters of Sec-WebSocket-Accept */

typedef struct {
    /*  What the request says. Slices point into the bytes last given to zc_head_feed; at is NULL
     *  where it says nothing. */
    zc_slice_t path, query;
    zc_slice_t host, key, version, origin, last_event_id, content_length;
    zc_slice_t forwarded;      /* the last element of X-Forwarded-For: what the nearest proxy saw */
    zc_slice_t forwarded_host; /* X-Forwarded-Host: what the first proxy was asked for */
    bool get;                  /* the method is GET */
    bool upgrade;              /* Connection and Upgrade ask for websocket */
    bool zcast_v1;             /* Sec-WebSocket-Protocol offers zcast.v1 */
    zc_extension_t extension;  /* what Sec-WebSocket-Extensions offers and we take */
    size_t length;             /* bytes of the head; what follows are frames */
    const char *reason;        /* one sentence on a refusal, static */

    /*  How far it has got. */
    size_t max, scanned, line, lines;
} zc_head_t;

/*  max: bytes that a head may have. */
void zc_head_init (zc_head_t *self, size_t max);
/*  `bytes` are all that came so far; the same bytes may have moved since the last call. Returns 0
 *  where more is needed, 200 for a well-formed head (then path and the rest can be read), else the
 *  status to refuse it with: 400, 414, 431. Not called again after that. */
int zc_head_feed (zc_head_t *self, const char *bytes, size_t len);
/*  Whether a well-formed head on a path that exists opens a WebSocket. Returns 101, else 405, 426
 *  or 400. */
int zc_head_check (zc_head_t *self);
/*  The client's address as the nearest proxy gave it, without port and brackets. Returns false
 *  where it gave none, or something that isn't an address. */
bool zc_head_forwarded (const zc_head_t *self, char *text, size_t size);
/*  Sec-WebSocket-Accept of a key (RFC 6455 §4.2.2): 28 characters and a NUL. */
void zc_head_accept (zc_slice_t key, char text[ZC_HEAD_ACCEPT + 1]);

#endif
