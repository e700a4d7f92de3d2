/*  request.c - see request.h. */
#include "fcgi/request.h"

#include <stdio.h>
#include <string.h>

#include "lib/wire/message.h"
#include "lib/wire/sse.h"

static bool s_is (zc_slice_t slice, const char *text)
{
    return slice.len == strlen (text) && memcmp (slice.at, text, slice.len) == 0;
}

static void s_refuse (zc_request_t *self, unsigned status, const char *error)
{
    snprintf (self->error, sizeof self->error, "%s", error);
    self->status = status;
}

static void s_method (zc_request_t *self, zc_slice_t method)
{
    self->status = 200;
    self->head = s_is (method, "HEAD");
    if (s_is (method, "OPTIONS"))
        self->status = 204;
    else if (!self->head && !s_is (method, "GET"))
        s_refuse (self, 405, "method not allowed: use GET");
}

static void s_format (zc_request_t *self, zc_slice_t query)
{
    zc_slice_t name, value;
    while (zc_query_next (&query, &name, &value)) {
        if (!s_is (name, "format"))
            continue;
        if (s_is (value, "zcast.v1"))
            self->encoding = &zc_encoding_sse_json;
        else
            s_refuse (self, 400, "unknown format: zcast.v1 is the only one");
    }
}

static void s_query (zc_request_t *self, zc_slice_t query, size_t max_topics)
{
    int rc = zc_query_parse (&self->query, query, max_topics);
    if (rc < 0)
        s_refuse (self, 400, zc_query_strerror (rc));
    else if (self->query.count == 0)
        s_refuse (self, 400, "no topic: ask for at least one, as in ?topic=NAME");
    else
        s_format (self, query);
    if (rc == ZC_QUERY_MANY)
        snprintf (self->error, sizeof self->error, "too many topics: at most %zu", max_topics);
}

/*  The header wins: it is newer than the URL, which a browser repeats as it was. One that can't be
 *  an id is no error, with which a browser would give up for good: the client is told of a gap. */
static void s_last_id (zc_request_t *self, zc_slice_t header)
{
    self->last_id = header.len > 0 ? header : self->query.last_id;
}

void zc_request_parse (zc_request_t *self, const zc_params_t *params, size_t max_topics)
{
    memset (self, 0, sizeof *self);
    self->encoding = &zc_encoding_sse;
    s_method (self, zc_params_get (params, ZC_PARAM_REQUEST_METHOD));
    if (self->status == 200)
        s_query (self, zc_params_get (params, ZC_PARAM_QUERY_STRING), max_topics);
    s_last_id (self, zc_params_get (params, ZC_PARAM_LAST_EVENT_ID));
}

void zc_request_clear (zc_request_t *self)
{
    zc_query_clear (&self->query);
}
