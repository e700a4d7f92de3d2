/*  response.c - header lines end in CR LF, as HTTP's do, though a web server takes LF too. */
#include "fcgi/response.h"

#include <string.h>

#include "lib/wire/sse.h"

/*  no-transform: a proxy that compresses would hold events back. */
#define NO_STORE "Cache-Control: no-cache, no-transform\r\n"
#define METHODS "GET, HEAD, OPTIONS"

zc_cors_t zc_cors_check (const zc_options_t *options, const char *name, zc_slice_t origin)
{
    zc_cors_t cors = {.origin = origin};
    const char *key, *value;
    if (!zc_text_plain (origin.at, origin.len))
        cors.origin.len = 0;
    for (size_t i = 0; zc_options_item (options, name, i, &key, &value); i++) {
        if (strcmp (value, "*") == 0)
            cors.any = true;
        else if (strlen (value) == cors.origin.len &&
                 memcmp (value, cors.origin.at, cors.origin.len) == 0)
            cors.listed = true;
    }
    return cors;
}

static void s_cors (zc_buf_t *out, const zc_cors_t *cors)
{
    if (cors->origin.len == 0)
        return;
    if (cors->listed)
        zc_buf_addf (out,
                     "Access-Control-Allow-Origin: %.*s\r\n"
                     "Access-Control-Allow-Credentials: true\r\n"
                     "Vary: Origin\r\n",
                     (int)cors->origin.len, cors->origin.at);
    else if (cors->any)
        zc_buf_adds (out, "Access-Control-Allow-Origin: *\r\n");
}

static void s_stream_head (zc_buf_t *out, const zc_cors_t *cors)
{
    zc_buf_adds (out, "Status: 200 OK\r\n"
                      "Content-Type: text/event-stream\r\n" NO_STORE
                      /*  nginx: hand on what comes at once */
                      "X-Accel-Buffering: no\r\n");
    s_cors (out, cors);
    zc_buf_adds (out, "\r\n");
}

void zc_response_stream (zc_buf_t *out, const zc_cors_t *cors, unsigned retry_ms)
{
    s_stream_head (out, cors);
    zc_buf_adds (out, ": zcast\n");
    zc_sse_retry (out, retry_ms);
}

void zc_response_later (zc_buf_t *out, const zc_cors_t *cors, unsigned retry_ms)
{
    s_stream_head (out, cors);
    zc_buf_adds (out, ": busy\n");
    zc_sse_retry (out, retry_ms);
}

static void s_preflight (zc_buf_t *out, const zc_cors_t *cors)
{
    zc_buf_adds (out, "Status: 204 No Content\r\nAllow: " METHODS "\r\n");
    s_cors (out, cors);
    if (cors->origin.len > 0 && (cors->any || cors->listed))
        zc_buf_adds (out, "Access-Control-Allow-Methods: " METHODS "\r\n"
                          "Access-Control-Allow-Headers: Last-Event-ID, Cache-Control, "
                          "Authorization\r\n"
                          "Access-Control-Max-Age: 86400\r\n");
    zc_buf_adds (out, "\r\n");
}

void zc_response_short (zc_buf_t *out, const zc_cors_t *cors, const zc_request_t *request)
{
    if (request->status == 204) {
        s_preflight (out, cors);
        return;
    }
    if (request->status == 200) {
        s_stream_head (out, cors);
        return;
    }
    zc_buf_addf (out, "Status: %u %s\r\nContent-Type: text/plain; charset=utf-8\r\n" NO_STORE,
                 request->status, request->status == 405 ? "Method Not Allowed" : "Bad Request");
    if (request->status == 405)
        zc_buf_adds (out, "Allow: " METHODS "\r\n");
    s_cors (out, cors);
    zc_buf_addf (out, "\r\n%s\n", request->head ? "" : request->error);
}
