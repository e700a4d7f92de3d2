/*  travel.c - see travel.h. What has come from a client and isn't whole travels as the bytes that
 * it came in (zc_receiver_save), so it is parsed like any other input. */
#include "ws/travel.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/front/passport.h"
#include "lib/wire/sse.h"
#include "ws/encoding.h"
#include "ws/stream.h"
#include "ws/talk.h"
#include "ws/websocket.h"

static const zc_session_state_t s_states[] = {ZC_SESSION_STREAM, ZC_SESSION_OPEN,
                                              ZC_SESSION_PINGED};
#define S_STATES (sizeof s_states / sizeof *s_states)

typedef void (*s_visit_fn) (zc_session_t *session, void *arg);

static void s_visit (const zc_server_t *server, s_visit_fn visit, void *arg)
{
    for (size_t i = 0; i < S_STATES; i++) {
        zc_timeout_t *one = zc_timeouts_first (&server->timeouts, s_states[i]), *next;
        for (; one; one = next) {
            next = zc_timeouts_next (one);
            visit (ZC_TIMEOUT_OWNER (one, zc_session_t, timeout), arg);
        }
    }
}

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, text ? strlen (text) : 0};
}

/*  Giving. */

static bool s_can_go (const zc_session_t *session)
{
    const zc_client_t *client = &session->client;
    return !client->leaving && !session->deaf && !session->said_close && !session->http &&
           (!session->publishes || zc_publishes_count (session->publishes) == 0) &&
           zc_hub_portable (client) && zc_client_private (client) <= ZC_HANDOVER_FRAME_MAX / 2;
}

static void s_list_topics (const zc_client_t *client, zc_buf_t *out)
{
    const zc_slice_t *topics;
    size_t count = zc_hub_topics (client, &topics);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            zc_buf_addc (out, '\n');
        zc_buf_add (out, topics[i].at, topics[i].len);
    }
}

static void s_describe (zc_session_t *session, zc_handover_t *record)
{
    zc_client_t *client = &session->client;
    bool stream = session->state == ZC_SESSION_STREAM;
    *record = (zc_handover_t){
        .kind = ZC_HANDOVER_CLIENT,
        .protocol = stream ? ZC_HANDOVER_STREAM : ZC_HANDOVER_WEBSOCKET,
        .mode = session->mode,
        .flags = (session->deflate ? ZC_HANDOVER_DEFLATE : 0) |
                 (session->chunked ? ZC_HANDOVER_CHUNKED : 0) |
                 (session->foreign ? ZC_HANDOVER_FOREIGN : 0),
        .encoding = s_slice (zc_hub_encoding (client)),
        .position = zc_hub_position (client), /* the rest of the message it is in is private now */
        .unheard = session->unheard,
        .last_id = s_slice (session->last_id),
        .address = s_slice (session->address),
        .peer = s_slice (session->peer),
        .client = zc_client_id (client),
    };
    if (client->private_)
        record->unsent = (zc_slice_t){(const char *)client->private_->data + client->private_sent,
                                      client->private_->len - client->private_sent};
}

static void s_give (zc_session_t *session, void *giver)
{
    zc_handover_t record;
    zc_buf_t topics = ZC_BUF_INIT, received = ZC_BUF_INIT, lists = ZC_BUF_INIT;
    if (!s_can_go (session))
        return;
    s_describe (session, &record);
    s_list_topics (&session->client, &topics);
    if (session->receiver)
        zc_receiver_save (session->receiver, &received);
    record.topics = (zc_slice_t){(const char *)topics.data, topics.len};
    record.received = (zc_slice_t){(const char *)received.data, received.len};
    zc_passport_write (&record, session->rights, &lists);
    zc_giver_add (giver, &record, session->client.fd, session);
    zc_buf_clear (&topics);
    zc_buf_clear (&received);
    zc_buf_clear (&lists);
}

void zc_travel_give (zc_server_t *server, zc_giver_t *giver)
{
    s_visit (server, s_give, giver);
}

static void s_hold (zc_session_t *session, void *arg)
{
    (void)arg;
    zc_session_hold (session);
}

void zc_travel_hold (zc_server_t *server)
{
    s_visit (server, s_hold, NULL);
}

static void s_count (zc_session_t *session, void *count)
{
    (void)session;
    ++*(size_t *)count;
}

size_t zc_travel_left (const zc_server_t *server)
{
    size_t count = 0;
    s_visit (server, s_count, &count);
    return count;
}

/*  Taking. */

const zc_encoding_t *zc_travel_encoding (zc_slice_t name)
{
    static const zc_encoding_t *const encodings[] = {
        &zc_encoding_sse,        &zc_encoding_sse_json,        &zc_encoding_sse_chunked,
        &zc_encoding_ws,         &zc_encoding_ws_json,         &zc_encoding_sse_json_chunked,
        &zc_encoding_ws_deflate, &zc_encoding_ws_json_deflate,
    };
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (zc_slice_is (name, encodings[i]->name))
            return encodings[i];
    return NULL;
}

bool zc_travel_can_take (const zc_server_t *server, const zc_handover_t *client)
{
    (void)server;
    bool stream = client->protocol == ZC_HANDOVER_STREAM;
    bool joined = client->topics.len > 0;
    if (client->flags & ZC_HANDOVER_IDENTITY && client->limit_key.len == 0)
        return false;
    return client->protocol != ZC_HANDOVER_FASTCGI && client->mode <= ZC_MODE_ECHO &&
           joined == (zc_travel_encoding (client->encoding) != NULL) && (joined || !stream) &&
           (!stream || client->received.len == 0);
}

static char *s_copy (zc_slice_t text)
{
    char *copy = text.len ? strndup (text.at, text.len) : NULL;
    if (text.len && !copy)
        abort ();
    return copy;
}

static void s_fill (zc_session_t *session, const zc_handover_t *client)
{
    zc_front_t *front = &session->server->front;
    session->proxied = false;
    session->foreign = client->flags & ZC_HANDOVER_FOREIGN;
    session->last_id = s_copy (client->last_id);
    session->peer = s_copy (client->peer);
    session->address = s_copy (client->address);
    if (session->address)
        zc_addresses_enter (front->addresses, session->address, 0);
    session->rights = zc_passport_read (client, front);
    session->stays = true;
    zc_registry_add (zc_worker_registry (session->server->worker), &session->client,
                     client->client);
    front->clients++;
    zc_rights_watch (session->rights, &session->client);
    if (client->protocol == ZC_HANDOVER_STREAM)
        zc_stream_adopt (session, client->flags & ZC_HANDOVER_CHUNKED, (uint32_t)client->unheard);
    else
        zc_talk_start (session, (zc_session_mode_t)client->mode,
                       client->flags & ZC_HANDOVER_DEFLATE);
}

static void s_join (zc_session_t *session, const zc_handover_t *client)
{
    zc_slice_t list = client->topics, topic;
    zc_slice_t *topics = NULL;
    size_t count = 0;
    while (zc_handover_next (&list, &topic)) {
        if (count % 16 == 0 && !(topics = realloc (topics, (count + 16) * sizeof *topics)))
            abort ();
        topics[count++] = topic;
    }
    if (count > 0)
        zc_keeper_resume (&session->server->front, session->rights, &session->client,
                          zc_travel_encoding (client->encoding), topics, count, client->position);
    free (topics);
}

void zc_travel_take (zc_server_t *server, const zc_handover_t *client, int fd)
{
    zc_session_t *session = zc_session_new (server, fd, NULL);
    if (!session)
        return;
    s_fill (session, client);
    if (client->unsent.len > 0)
        zc_client_add (&session->client, client->unsent.at, client->unsent.len);
    s_join (session, client);
    zc_session_flush (session);
    if (client->received.len > 0)
        zc_session_take (session, (const uint8_t *)client->received.at, client->received.len);
}
