/*  http.h - the public door of a zcast, as a browser has it: one request after the other on one
 *  connection, by libcurl. Nothing is followed elsewhere, since a token goes with each. */
#ifndef ZC_TOOLS_HTTP_H
#define ZC_TOOLS_HTTP_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/config/options.h"

/*  Of `zmq pub` and `zmq sub`. */
#define ZC_HTTP_OPTIONS                                                                   \
    {                                                                                     \
        "http",                                                                           \
        0,                                                                                \
        ZC_OPT_TEXT,                                                                      \
        NULL,                                                                             \
        8,                                                                                \
        2000,                                                                             \
        NULL,                                                                             \
        "URL",                                                                            \
        "not to the broker, but through a zcast's public door at http://… or https://…",  \
        false},                                                                           \
        {"token-file",                                                                    \
         0,                                                                               \
         ZC_OPT_TEXT,                                                                     \
         NULL,                                                                            \
         1,                                                                               \
         4096,                                                                            \
         NULL,                                                                            \
         "FILE",                                                                          \
         "with --http: a file with the token or API key; read again for each connection", \
         false},                                                                          \
        {"token",                                                                         \
         0,                                                                               \
         ZC_OPT_SECRET,                                                                   \
         NULL,                                                                            \
         1,                                                                               \
         102400,                                                                          \
         NULL,                                                                            \
         "TOKEN",                                                                         \
         "the token or API key itself, which is for ZCAST_TOKEN in the environment",      \
         false},                                                                          \
    {                                                                                     \
        "ca", 0, ZC_OPT_TEXT, NULL, 1, 4096, NULL, "FILE",                                \
            "with https: the certificates to trust, in place of the system's", false      \
    }

typedef struct zc_http_client zc_http_client_t;

/*  Of a body, as it comes; false ends the request. */
typedef bool (*zc_http_fn) (void *arg, const char *bytes, size_t len);

typedef struct {
    const char *path; /* behind the URL of `http`: "/publish?topic=a" */
    const char *const *fields;
    size_t field_count;     /* "Name: value" */
    const zc_slice_t *body; /* NULL: a GET; borrowed until it is over */
    const char *type;       /* with which the body of a 200 has to come, for `fn`; NULL: any */
    zc_http_fn fn;          /* takes the body of a 200; NULL: it is in the answer's text */
    void *arg;
} zc_http_request_t;

typedef struct {
    int status;          /* 0: there was no answer */
    long retry_after_ms; /* what it says; 0: nothing */
    zc_buf_t text;       /* the body, where `fn` hasn't got it, as far as 4 KiB; without answer, or
                          * where that broke off: why */
    bool whole;          /* it came to its end */
    bool hopeless;       /* no attempt can do better: a certificate that isn't trusted */
} zc_http_answer_t;

/*  NULL after saying what is wrong with the options. They are borrowed. */
zc_http_client_t *zc_http_new (const zc_options_t *options);
void zc_http_destroy (zc_http_client_t **self_p);
/*  The URL, without a slash at its end: for messages. */
const char *zc_http_url (const zc_http_client_t *self);
/*  Begins a request; the one before is over. Returns 0, or -1 after saying that the token's file
 *  can't be read. */
int zc_http_begin (zc_http_client_t *self, const zc_http_request_t *request);
/*  Waits for at most `ms`; whether the request goes on. Ends as zc_tool_poll does where the reader
 *  of our output has left (`output`). Also to wait without a request. */
bool zc_http_turn (zc_http_client_t *self, long ms, bool output);
/*  Of the request that is over, or was ended. */
zc_http_answer_t *zc_http_answer (zc_http_client_t *self);
/*  Ends one that goes on. */
void zc_http_end (zc_http_client_t *self);
/*  Appends text to a query as it has to be there: "a/b c" as "a%2Fb%20c". */
void zc_http_encode (zc_http_client_t *self, zc_buf_t *out, zc_slice_t text);
/*  Whether another attempt may do better: nobody was there, or it was too much. */
bool zc_http_may_pass (const zc_http_answer_t *answer);
/*  The milliseconds until another attempt: what the answer says, else 0.2, 0.4, … 5 s. */
long zc_http_pause_ms (const zc_http_answer_t *answer, unsigned attempt);
/*  "503: broker: …", or why there was no answer, to the last request of which that is known; for
 *  messages. Borrowed. */
const char *zc_http_reason (zc_http_client_t *self);

#endif
