/*  http.h - requests to the public door of a zcast, as a browser sends them: one request after the
 *  other on one connection, by libcurl. Redirects are not followed, since requests carry a
 *  token. */
#ifndef ZC_TOOLS_HTTP_H
#define ZC_TOOLS_HTTP_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/config/options.h"

/*  The options for HTTP of `zmq pub` and `zmq sub`. */
#define ZC_HTTP_OPTIONS                                                                            \
    {.name = "http",                                                                               \
     .type = ZC_OPT_TEXT,                                                                          \
     .min = 8,                                                                                     \
     .max = 2000,                                                                                  \
     .argument = "URL",                                                                            \
     .help = "not to the broker, but through a zcast's public door at http://… or https://…"},     \
        {.name = "token-file",                                                                     \
         .type = ZC_OPT_TEXT,                                                                      \
         .min = 1,                                                                                 \
         .max = 4096,                                                                              \
         .argument = "FILE",                                                                       \
         .help = "with --http: a file with the token or API key; read again for each connection"}, \
        {.name = "token",                                                                          \
         .type = ZC_OPT_SECRET,                                                                    \
         .min = 1,                                                                                 \
         .max = 102400,                                                                            \
         .argument = "TOKEN",                                                                      \
         .help = "the token or API key itself, which is for ZCAST_TOKEN in the environment"},      \
    {                                                                                              \
        .name = "ca", .type = ZC_OPT_TEXT, .min = 1, .max = 4096, .argument = "FILE",              \
        .help = "with https: the certificates to trust, in place of the system's"                  \
    }

typedef struct zc_http_client zc_http_client_t;

/*  Takes a piece of the body. False ends the request. */
typedef bool (*zc_http_fn) (void *arg, const char *bytes, size_t len);

typedef struct {
    const char *path; /* appended to the URL of the option http: "/publish?topic=a" */
    const char *const *fields;
    size_t field_count;     /* "Name: value" */
    const zc_slice_t *body; /* NULL: a GET; borrowed until the request is over */
    const char *type; /* the Content-Type that the body of a 200 must have for `fn`; NULL: any */
    zc_http_fn fn;    /* takes the body of a 200; NULL: the body goes to the answer's `text` */
    void *arg;
} zc_http_request_t;

typedef struct {
    int status;          /* 0: there was no answer */
    long retry_after_ms; /* from the answer's Retry-After; 0: none */
    zc_buf_t text; /* the first 4 KiB of the body, unless `fn` got it; or, if there was no whole
                      answer, the reason */
    bool whole;    /* the answer came to its end */
    bool hopeless; /* no further attempt can succeed: the certificate isn't trusted */
} zc_http_answer_t;

/*  The options are borrowed. NULL after saying which of them is wrong. */
zc_http_client_t *zc_http_new (const zc_options_t *options);
void zc_http_destroy (zc_http_client_t **self_p);
/*  The URL without a slash at its end, for messages. */
const char *zc_http_url (const zc_http_client_t *self);
/*  Begins a request. The request before must be over. Returns 0; or -1 after saying that the
 *  token's file can't be read. */
int zc_http_begin (zc_http_client_t *self, const zc_http_request_t *request);
/*  Waits for at most `ms` milliseconds. Returns whether the request goes on. If the reader of our
 *  output has left, ends the program as zc_tool_poll does (`output`: see there). May be called
 *  without a request, too, just to wait. */
bool zc_http_turn (zc_http_client_t *self, long ms, bool output);
/*  The answer to the last request, which is over or was ended. */
zc_http_answer_t *zc_http_answer (zc_http_client_t *self);
/*  Ends a request that goes on. */
void zc_http_end (zc_http_client_t *self);
/*  Appends text to a query, escaped: "a/b c" as "a%2Fb%20c". */
void zc_http_encode (zc_http_client_t *self, zc_buf_t *out, zc_slice_t text);
/*  Whether another attempt may succeed: there was no answer, or the server had too much to do. */
bool zc_http_may_pass (const zc_http_answer_t *answer);
/*  Milliseconds to wait before another attempt: from the answer, else 0.2, 0.4, … 5 s. */
long zc_http_pause_ms (const zc_http_answer_t *answer, unsigned attempt);
/*  The status and text of an answer ("503: broker: …"), or the reason why there was none: for the
 *  last request for which this is known. For messages. Borrowed. */
const char *zc_http_reason (zc_http_client_t *self);

#endif
