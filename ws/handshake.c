/*  handshake.c - the door to WebSocket: a request for an upgrade becomes a client of the hub. */
#include "ws/handshake.h"

#include <stdlib.h>
#include <string.h>

#include "lib/wire/query.h"
#include "ws/command.h"
#include "ws/frame.h"
#include "ws/http.h"
#include "ws/talk.h"
#include "ws/upgrade.h"
#include "ws/websocket.h"

/*  Refuses a request without an upgrade, or with one to another version. */
static void s_refuse_upgrade (zc_exchange_t *exchange, const char *reason)
{
    zc_response_t response;
    zc_response_init (&response, 426);
    zc_response_say (&response, "Connection", "Upgrade");
    zc_response_say (&response, "Upgrade", "websocket");
    zc_response_say (&response, "Sec-WebSocket-Version", "13");
    zc_response_text (&response, reason);
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

/*  Returns false after it has refused. */
static bool s_check (zc_exchange_t *exchange, zc_upgrade_t *upgrade)
{
    zc_server_t *server = zc_http_session (exchange)->server;
    unsigned status = zc_upgrade_check (upgrade, &exchange->request);
    if (status == 426)
        s_refuse_upgrade (exchange, upgrade->reason);
    else if (status != 101)
        zc_exchange_refuse (exchange, status, "websocket", upgrade->reason);
    else if (!zc_cors_may_open (&exchange->cors, server->front.allow_publish))
        zc_exchange_refuse (
            exchange, 403, "origin",
            "pages of this origin may not connect: allow-origin names those that may");
    else if (server->front.draining)
        zc_exchange_refuse (exchange, 503, "busy", "restarting, come back soon");
    else if (zc_hub_stale (zc_worker_hub (server->worker)))
        zc_exchange_refuse (exchange, 503, "broker", "the broker doesn't answer this worker");
    return !exchange->over;
}

/*  From here on the connection is a WebSocket. */
static void s_upgrade (zc_session_t *session, const zc_upgrade_t *upgrade, zc_session_mode_t mode,
                       bool deflate)
{
    zc_response_t response;
    zc_upgrade_answer (upgrade, deflate, &response);
    zc_http_upgrade (session, &response);
    zc_response_clear (&response);
    zc_talk_start (session, mode, deflate);
}

static void s_accept (zc_exchange_t *exchange, const zc_upgrade_t *upgrade, zc_session_mode_t mode)
{
    zc_session_t *session = zc_http_session (exchange);
    zc_server_t *server = session->server;
    s_upgrade (session, upgrade, mode, upgrade->extension.deflate && server->deflate_from > 0);
    zc_session_take_over (session, exchange);
    server->stats.opened++;
    server->stats.deflate += session->deflate;
    exchange->over = true;
}

/*  A client that is refused counts against no limit. It has a few seconds to answer our close
 *  frame. */
bool zc_handshake_refuse (zc_exchange_t *exchange, const zc_denial_t *refusal, unsigned after)
{
    zc_session_t *session = zc_http_session (exchange);
    zc_upgrade_t upgrade;
    zc_buf_t text = ZC_BUF_INIT;
    if (exchange->request.method != ZC_METHOD_GET ||
        zc_upgrade_check (&upgrade, &exchange->request) != 101 || !upgrade.protocol.at)
        return false;
    session->server->stats.refused++;
    session->server->stats.limited += refusal->status == 429;
    s_upgrade (session, &upgrade, ZC_MODE_V1, false);
    if (after > 0) {
        zc_answer_reconnect (&text, after);
        zc_websocket_send (session, ZC_FRAME_TEXT, text.data, text.len);
        zc_buf_clear (&text);
    }
    zc_websocket_close (session, ZC_CLOSE_REFUSED + refusal->status, refusal->text);
    return true;
}

static void s_join (zc_session_t *session, const zc_query_t *query, zc_slice_t header)
{
    zc_slice_t last_id = header.len > 0 ? header : query->last_id; /* as on SSE */
    if (query->count > 0)
        zc_keeper_join (&session->server->front, session->rights, &session->client,
                        zc_websocket_encoding (session), query->topics, query->count, last_id);
    else if (last_id.len > 0)
        session->last_id =
            zc_text_plain (last_id.at, last_id.len)
                ? strndup (last_id.at, last_id.len)
                : strdup ("\n"); /* any invalid id will do: a NUL would end the text */
}

/*  Opens a stream of messages. */
static void s_open_stream (zc_exchange_t *exchange, const zc_upgrade_t *upgrade,
                           const zc_query_t *query)
{
    bool v1 = upgrade->protocol.at != NULL;
    zc_denial_t refusal = {0};
    if (query->count > 0)
        refusal = zc_exchange_granted (exchange, ZC_ACTION_SUBSCRIBE, query->topics, query->count);
    if (refusal.status) {
        zc_exchange_refuse_by (exchange, &refusal);
    } else if (query->count == 0 && !v1) {
        zc_exchange_refuse (exchange, 400, "topic", "no topic: ask for one with ?topic=NAME");
    } else {
        s_accept (exchange, upgrade, v1 ? ZC_MODE_V1 : ZC_MODE_RAW);
        s_join (zc_http_session (exchange), query,
                exchange->request.fields[ZC_FIELD_LAST_EVENT_ID]);
    }
}

static void s_open (zc_exchange_t *exchange)
{
    zc_upgrade_t upgrade;
    zc_query_t query;
    if (!s_check (exchange, &upgrade))
        return;
    int rc = zc_query_parse (&query, exchange->request.query, exchange->front->max_topics);
    if (rc != 0) {
        if (rc == ZC_QUERY_MANY)
            zc_front_limit (exchange->front, ZC_LIMIT_TOPICS);
        zc_exchange_refuse (exchange, 400, zc_query_code (rc), zc_query_strerror (&query, rc));
        return;
    }
    s_open_stream (exchange, &upgrade, &query);
    zc_query_clear (&query);
}

static void s_open_echo (zc_exchange_t *exchange)
{
    zc_upgrade_t upgrade;
    if (s_check (exchange, &upgrade))
        s_accept (exchange, &upgrade, ZC_MODE_ECHO);
}

const zc_door_t zc_door_ws = {
    .name = "ws", .methods = ZC_METHOD_GET, .stays = true, .open = s_open};
const zc_door_t zc_door_echo = {
    .name = "echo", .methods = ZC_METHOD_GET, .stays = true, .open = s_open_echo};
