/*  head.h - the head of an HTTP/1.x request: its request line, and the fields that describe the
 *  message itself (RFC 9112 §2, §3, §5, §6, §9). Bytes in, a status out; no I/O, no allocation.
 *
 *  The parser is strict: it refuses anything that two readers could understand differently (bare CR
 *  or LF, folded lines, a space before the colon, repeated or missing Host, a length given twice).
 *  It doesn't interpret the other fields; read them with zc_head_next. */
#ifndef ZC_HEAD_H
#define ZC_HEAD_H

#include "lib/base/text.h"

#define ZC_HEAD_FIELDS 100 /* header fields of one request */

typedef struct {
    /*  The request. Slices point into the bytes that zc_head_feed was given last. */
    zc_slice_t method, path, query; /* query.at is NULL if there is no '?' */
    zc_slice_t authority;    /* from the request target, else from Host; empty: there is none */
    uint64_t content_length; /* bytes of the body; 0 if it is chunked */
    uint8_t minor;           /* 0 of HTTP/1.0, 1 of HTTP/1.1 and of anything newer */
    bool keep;               /* the connection may carry another request */
    bool chunked;            /* the body comes in chunks */
    bool expects;            /* the client waits for 100 (Continue) before it sends the body */
    bool websocket;          /* Connection and Upgrade ask for it */
    size_t length;           /* bytes of the head; the body follows */
    const char *reason;      /* the reason of a refusal, one sentence; static */

    /*  The state of the parser. */
    size_t max;     /* bytes that the head may have */
    size_t scanned; /* bytes scanned */
    size_t begin;   /* begin of the request line; empty lines before it are ignored */
    size_t fields;  /* begin of the fields */
    size_t line;    /* begin of the line that is being scanned */
    size_t lines;   /* complete lines so far */
} zc_head_t;

/*  `max`: bytes that a head may have. */
void zc_head_init (zc_head_t *self, size_t max);
/*  `bytes` are all bytes that have come so far; they may have moved since the last call. Returns 0
 *  if more bytes are needed; 200 for a well-formed head, whose path and other fields can then be
 *  read; or a status with which to refuse the request and close the connection: 400, 413 (a length
 *  too large for any number), 414, 417, 431, 501 (an unknown transfer coding), 505. Must not be
 *  called again after 200 or a refusal. */
int zc_head_feed (zc_head_t *self, const char *bytes, size_t len);
/*  Whether no byte of a request line has come yet. */
bool zc_head_empty (const zc_head_t *self);
/*  Iterates over the fields of a well-formed head in `bytes`. *at starts at 0. False at the end. */
bool zc_head_next (const zc_head_t *self, const char *bytes, size_t *at, zc_slice_t *name,
                   zc_slice_t *value);

/*  Whether this is uri-host [":" port] (RFC 9110 §7.2, RFC 3986 §3.2.2). Empty is allowed. */
bool zc_host_valid (zc_slice_t host);

#endif
