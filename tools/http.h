/*  http.h - requests to the public door of a zcast, as a browser sends them: one request after the
 *  other on one connection, by libcurl. Redirects are not followed, since requests carry a
 *  token. */
#ifndef ZC_TOOLS_HTTP_H
#define ZC_TOOLS_HTTP_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/config/options.h"

/*  Who asks, of every command that makes requests. */
#define ZC_HTTP_TOKEN_OPTIONS                                                                 \
    {.name = "token-file",                                                                    \
     .type = ZC_OPT_TEXT,                                                                     \
     .min = 1,                                                                                \
     .max = 4096,                                                                             \
     .argument = "FILE",                                                                      \
     .help = "with a URL: a file with the token or API key; read again for each connection"}, \
        {.name = "token",                                                                     \
         .type = ZC_OPT_SECRET,                                                               \
         .min = 1,                                                                            \
         .max = 102400,                                                                       \
         .argument = "TOKEN",                                                                 \
         .help = "the token or API key itself, which is for ZCAST_TOKEN in the environment"}, \
    {                                                                                         \
        .name = "ca", .type = ZC_OPT_TEXT, .min = 1, .max = 4096, .argument = "FILE",         \
        .help = "with https: the certificates to trust, in place of the system's"             \
    }
/*  The options for HTTP of `zmq pub` and `zmq sub`. */
#define ZC_HTTP_OPTIONS                                                                        \
    {.name = "http",                                                                           \
     .type = ZC_OPT_TEXT,                                                                      \
     .min = 8,                                                                                 \
     .max = 2000,                                                                              \
     .argument = "URL",                                                                        \
     .help = "not to the broker, but through a zcast's public door at http://… or https://…"}, \
        ZC_HTTP_TOKEN_OPTIONS

typedef struct zc_http_client zc_http_client_t;

/*  Takes a piece of the body. False ends the request. */
typedef bool (*zc_http_fn) (void *arg, const char *bytes, size_t len);

typedef struct {
    const char *path;   /* appended to the URL: "/publish?topic=a" */
    const char *method; /* NULL: GET, or with a body POST */
    const char *const *fields;
    size_t field_count;     /* "Name: value" */
    const zc_slice_t *body; /* NULL: a GET; borrowed until the request is over */
    const char *type;    /* the Content-Type that the body of a 200 must have for `fn`; NULL: any */
    zc_http_fn fn;       /* takes the body of a 200; NULL: the body goes to the answer's `text` */
    zc_http_fn field_fn; /* takes each line of the answer's head; may be NULL */
    void *arg;
    bool anonymous;  /* without the token */
    bool look;       /* offers compression, as browsers do; and zc_http_look can be called */
    bool raw;        /* only connects: zc_http_write and zc_http_read follow */
    bool unverified; /* takes any certificate, and sends no token */
} zc_http_request_t;

typedef struct {
    int status;          /* 0: there was no answer */
    long retry_after_ms; /* from the answer's Retry-After; 0: none */
    zc_buf_t text; /* the first 4 KiB of the body, unless `fn` got it; or, if there was no whole
                      answer, the reason */
    bool whole;    /* the answer came to its end */
    bool hopeless; /* no further attempt can succeed: the certificate isn't trusted */
} zc_http_answer_t;

/*  What is known of the connection that a request had made. */
typedef struct {
    bool connected;
    long connect_ms; /* from the beginning of the request; 0: it used one that was there */
    int version;     /* of HTTP: 10, 11, 20, 30; 0: not known */
    bool has_certificate;
    int64_t certificate_end_s; /* seconds since 1970 */
} zc_http_look_t;

/*  The options token-file, token and ca are borrowed. NULL after saying that the URL, which
 * `option` gave, is wrong. */
zc_http_client_t *zc_http_new (const zc_options_t *options, const char *option, const char *url);
/*  Another client at the same URL, which lives no longer than the first one. zc_http_turn of either
 *  serves the requests of both. */
zc_http_client_t *zc_http_new_beside (const zc_http_client_t *first);
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
/*  Lets zc_http_turn return also when this descriptor is readable; -1: none. */
void zc_http_also (zc_http_client_t *self, int fd);
/*  The answer to the last request, which is over or was ended. */
zc_http_answer_t *zc_http_answer (zc_http_client_t *self);
/*  Ends a request that goes on. */
void zc_http_end (zc_http_client_t *self);
/*  The connection of the present request, or of the last one. */
void zc_http_look (zc_http_client_t *self, zc_http_look_t *look);
/*  A raw connection, once zc_http_turn says that its request is over and its answer is `whole`. It
 *  lasts until zc_http_end. zc_http_write sends all the bytes, or returns false; zc_http_read
 *  returns how many came, 0 if none are there now, or -1 at the end. */
int zc_http_fd (zc_http_client_t *self);
bool zc_http_write (zc_http_client_t *self, const void *bytes, size_t len);
long zc_http_read (zc_http_client_t *self, void *bytes, size_t size);
/*  Reads the token again. Returns 0, with the token in `token`, empty if none was given (the caller
 *  clears it); or -1 after saying that its file can't be read. */
int zc_http_token (zc_http_client_t *self, zc_buf_t *token);
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
