/*  events.c - see events.h. */
#include "lib/front/events.h"

#include <stdio.h>

#include "lib/front/keeper.h"
#include "lib/wire/chunked.h"
#include "lib/wire/query.h"
#include "lib/wire/sse.h"

/*  The stream that a URL asks for. */
typedef struct {
    zc_query_t query;   /* owned */
    bool json;          /* format=zcast.v1 */
    zc_slice_t last_id; /* as the client sent it; empty: from now on */
} s_wish_t;

/*  Returns false if the format is unknown. */
static bool s_format (zc_slice_t query, bool *json)
{
    zc_slice_t name, value;
    while (zc_query_next (&query, &name, &value)) {
        if (!zc_slice_is (name, "format"))
            continue;
        *json = zc_slice_is (value, "zcast.v1");
        if (!*json)
            return false;
    }
    return true;
}

/*  The header overrides the URL, as it is newer: a browser repeats the URL unchanged. A text
 *  that can't be an id is no error, because a browser would give up for good on an error: the
 *  client is told a gap. */
static void s_take_last_id (const zc_exchange_t *exchange, s_wish_t *wish)
{
    zc_slice_t header = exchange->request.fields[ZC_FIELD_LAST_EVENT_ID];
    wish->last_id = header.len > 0 ? header : wish->query.last_id;
}

/*  Returns false after it has answered. */
static bool s_parse (zc_exchange_t *exchange, s_wish_t *wish)
{
    char text[64];
    size_t max = exchange->front->max_topics;
    int rc = zc_query_parse (&wish->query, exchange->request.query, max);
    wish->json = false;
    s_take_last_id (exchange, wish);
    if (rc == ZC_QUERY_MANY) {
        zc_denial_t refusal = zc_front_limit (exchange->front, ZC_LIMIT_TOPICS);
        snprintf (text, sizeof text, "too many topics: at most %zu", max);
        refusal.text = text;
        zc_exchange_refuse_by (exchange, &refusal);
    } else if (rc < 0) {
        zc_exchange_refuse (exchange, 400, zc_query_code (rc),
                            zc_query_strerror (&wish->query, rc));
    } else if (wish->query.count == 0) {
        zc_exchange_refuse (exchange, 400, "topic",
                            "no topic: ask for at least one, as in ?topic=NAME");
    } else if (!s_format (exchange->request.query, &wish->json)) {
        zc_exchange_refuse (exchange, 400, "format", "unknown format: zcast.v1 is the only one");
    } else {
        zc_denial_t refusal = zc_exchange_granted (exchange, ZC_ACTION_SUBSCRIBE,
                                                   wish->query.topics, wish->query.count);
        if (refusal.status)
            zc_exchange_refuse_by (exchange, &refusal);
    }
    return !exchange->over;
}

static const zc_encoding_t *s_encoding (bool json, bool chunked)
{
    if (chunked)
        return json ? &zc_encoding_sse_json_chunked : &zc_encoding_sse_chunked;
    return json ? &zc_encoding_sse_json : &zc_encoding_sse;
}

/*  Adds `text` at a boundary between messages, and clears it. */
static void s_add (zc_client_t *client, bool chunked, zc_buf_t *text)
{
    zc_buf_t chunk = ZC_BUF_INIT;
    if (chunked) {
        size_t begun = zc_chunk_begin (&chunk, text->len);
        zc_buf_add (&chunk, text->data, text->len);
        zc_chunk_end (&chunk, begun, text->len);
    }
    const zc_buf_t *whole = chunked ? &chunk : text;
    zc_client_add (client, whole->data, whole->len);
    zc_buf_clear (&chunk);
    zc_buf_clear (text);
}

/*  The last call may clear the exchange. */
static void s_stream (zc_exchange_t *exchange, const zc_slice_t *topics, size_t count, bool json,
                      zc_slice_t last_id)
{
    zc_worker_t *worker = exchange->front->worker;
    bool chunked = exchange->chunked;
    const zc_encoding_t *encoding = s_encoding (json, chunked);
    zc_buf_t granted = ZC_BUF_INIT, text = ZC_BUF_INIT;
    zc_view_t view = zc_keeper_view (exchange->front, exchange->subject, topics, count, &granted);
    zc_response_t response;
    zc_response_init (&response, 200);
    zc_exchange_add_stream_fields (exchange, &response);
    zc_cors_add (&exchange->cors, &response);
    zc_response_say (&response, "X-Content-Type-Options", "nosniff");
    exchange->over = true;
    zc_client_t *client = exchange->carrier->stream (exchange, &response);
    zc_response_clear (&response);
    zc_sse_open (&text, zc_worker_retry (worker));
    s_add (client, chunked, &text);
    zc_hub_join (zc_worker_hub (worker), client, encoding, topics, count, &view, last_id);
    zc_buf_clear (&granted);
    if (!zc_hub_opening (client))
        zc_pump_send (zc_worker_pump (worker), client);
}

/*  Answers HEAD like GET, without the stream. */
static void s_answer_head (zc_exchange_t *exchange)
{
    zc_response_t response;
    zc_response_init (&response, 200);
    zc_exchange_add_stream_fields (exchange, &response);
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

void zc_events_stream (zc_exchange_t *exchange, const zc_slice_t *topics, size_t count, bool json,
                       zc_slice_t last_id)
{
    if (exchange->request.method == ZC_METHOD_HEAD)
        s_answer_head (exchange);
    else if (exchange->front->draining)
        zc_exchange_refuse (exchange, 503, "busy", "restarting, come back soon");
    else if (zc_hub_stale (zc_worker_hub (exchange->front->worker)))
        zc_exchange_refuse (exchange, 503, "broker", "the broker doesn't answer this worker");
    else
        s_stream (exchange, topics, count, json, last_id);
}

static void s_open (zc_exchange_t *exchange)
{
    s_wish_t wish;
    if (s_parse (exchange, &wish))
        zc_events_stream (exchange, wish.query.topics, wish.query.count, wish.json, wish.last_id);
    zc_query_clear (&wish.query);
}

void zc_events_retry (zc_client_t *client, zc_worker_t *worker, bool chunked)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_sse_retry (&text, zc_worker_retry (worker));
    s_add (client, chunked, &text);
}

void zc_events_end (zc_client_t *client, bool chunked, const zc_farewell_t *why)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_sse_end (&text, why->code, why->text, zc_hub_last_id (client));
    s_add (client, chunked, &text);
}

const zc_door_t zc_door_events = {
    .name = "events",
    .methods = ZC_METHOD_GET | ZC_METHOD_HEAD,
    .streams = true,
    .stays = true,
    .open = s_open,
};
