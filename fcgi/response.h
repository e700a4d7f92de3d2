/*  response.h - the heads and short bodies that clients are answered with, as a CGI program writes
 *  them (RFC 3875 §6). No I/O. */
#ifndef ZC_RESPONSE_H
#define ZC_RESPONSE_H

#include "fcgi/request.h"
#include "lib/config/options.h"

/*  Who may read the stream from another origin. */
typedef struct {
    zc_slice_t origin; /* the request's Origin; empty: none */
    bool any;          /* "*" is configured */
    bool listed;       /* this origin is configured by name, which lets it send credentials */
} zc_cors_t;

/*  What option `name` (a list of origins, or *) says about `origin` (borrowed). */
zc_cors_t zc_cors_check (const zc_options_t *options, const char *name, zc_slice_t origin);

/*  A stream's head, and a comment and `retry: <retry_ms>`: lines with which the first event's block
 *  begins. */
void zc_response_stream (zc_buf_t *out, const zc_cors_t *cors, unsigned retry_ms);
/*  The whole answer to a client that is to come back: 200, since a browser that is shown an error
 *  never does. */
void zc_response_later (zc_buf_t *out, const zc_cors_t *cors, unsigned retry_ms);
/*  The whole answer to a request that isn't to be a stream: HEAD, OPTIONS, or an error. */
void zc_response_short (zc_buf_t *out, const zc_cors_t *cors, const zc_request_t *request);

#endif
