/*  query.c - see query.h.
 *
 *  Decoding never makes text longer, so one block of the query's size holds all decoded values. */
#include "lib/wire/query.h"

#include <stdlib.h>
#include <string.h>

static bool s_is_last_id (zc_slice_t name)
{
    return zc_slice_is (name, "last-event-id") || zc_slice_is (name, "lastEventId") ||
           zc_slice_is (name, "lastEventID") || zc_slice_is (name, "last_event_id");
}

static int s_add_topic (zc_query_t *self, zc_slice_t topic, size_t max_topics)
{
    if (!zc_topic_valid (topic.at, topic.len))
        return ZC_QUERY_TOPIC;
    if (self->count == max_topics)
        return ZC_QUERY_MANY;
    self->topics[self->count++] = topic;
    return 0;
}

int zc_query_parse (zc_query_t *self, zc_slice_t query, size_t max_topics)
{
    zc_slice_t name, value;
    size_t pairs = 1;
    for (size_t i = 0; i < query.len; i++)
        pairs += query.at[i] == '&';
    memset (self, 0, sizeof *self);
    self->topics = malloc ((pairs < max_topics ? pairs : max_topics) * sizeof *self->topics + 1);
    char *out = self->text = malloc (query.len + 1);
    if (!self->topics || !self->text)
        abort ();
    int rc = 0;
    while (rc == 0 && zc_query_next (&query, &name, &value)) {
        bool topic = zc_slice_is (name, "topic");
        if (!topic && !s_is_last_id (name))
            continue;
        long len = zc_url_decode (value.at, value.len, out);
        zc_slice_t decoded = {out, len < 0 ? 0 : (size_t)len};
        if (len < 0)
            rc = ZC_QUERY_ESCAPE;
        else if (topic)
            rc = s_add_topic (self, decoded, max_topics);
        else
            self->last_id = decoded;
        out += decoded.len;
    }
    if (rc != 0)
        zc_query_clear (self);
    return rc;
}

void zc_query_clear (zc_query_t *self)
{
    free (self->topics);
    free (self->text);
    memset (self, 0, sizeof *self);
}

const char *zc_query_strerror (int code)
{
    switch (code) {
    case ZC_QUERY_ESCAPE:
        return "broken percent-escape in the query";
    case ZC_QUERY_TOPIC:
        return "a topic is 1 to 1024 bytes of UTF-8 without control characters";
    case ZC_QUERY_MANY:
        return "too many topics";
    default:
        return "unknown error";
    }
}
