/*  head.h - the head of an HTTP/1.x request: its request line, and what its fields say about the
 *  message itself (RFC 9112 §2, §3, §5, §6, §9). Bytes in, a status out; no I/O, no allocation.
 *
 *  Strict: what two readers could understand differently (bare CR or LF, folded lines, a space
 *  before the colon, repeated or missing Host, a length given twice) is refused. What the other
 *  fields mean is for whoever reads them with zc_head_next. */
#ifndef ZC_HEAD_H
#define ZC_HEAD_H

#include "lib/base/text.h"

#define ZC_HEAD_FIELDS 100 /* header fields of one request */

typedef struct {
    /*  What the request says. Slices point into the bytes last given to zc_head_feed. */
    zc_slice_t method, path, query; /* query.at is NULL where there is no '?' */
    zc_slice_t authority;           /* of the target, else Host; empty: there is none */
    uint64_t content_length;        /* bytes of the body; 0 where it is chunked */
    uint8_t minor;                  /* of HTTP/1.0 or 1.1; whatever is newer counts as 1.1 */
    bool keep;                      /* the connection may have another request */
    bool chunked;                   /* the body comes in chunks */
    bool expects;                   /* 100 (Continue), before the body is sent */
    bool websocket;                 /* Connection and Upgrade ask for it */
    size_t length;                  /* bytes of the head; the body follows */
    const char *reason;             /* one sentence on a refusal, static */

    /*  How far it has got. */
    size_t max;     /* bytes that it may have */
    size_t scanned; /* bytes looked at */
    size_t begin;   /* of the request line: empty lines before it are passed over */
    size_t fields;  /* where they begin */
    size_t line;    /* where the line that is scanned begins */
    size_t lines;   /* whole ones */
} zc_head_t;

/*  max: bytes that a head may have. */
void zc_head_init (zc_head_t *self, size_t max);
/*  `bytes` are all that came so far; the same bytes may have moved since the last call. Returns 0
 *  where more is needed, 200 for a well-formed head (then path and the rest can be read), else the
 *  status to refuse it with, after which the connection closes: 400, 413 (a length beyond all
 *  numbers), 414, 417, 431, 501 (a transfer coding that is unknown), 505. Not called again after
 *  that. */
int zc_head_feed (zc_head_t *self, const char *bytes, size_t len);
/*  Nothing of a request line has come. */
bool zc_head_empty (const zc_head_t *self);
/*  Iterates over the fields of a well-formed head in `bytes`: *at starts at 0. False at the end. */
bool zc_head_next (const zc_head_t *self, const char *bytes, size_t *at, zc_slice_t *name,
                   zc_slice_t *value);

/*  uri-host [":" port] (RFC 9110 §7.2, RFC 3986 §3.2.2); empty is allowed. */
bool zc_host_valid (zc_slice_t host);

#endif
