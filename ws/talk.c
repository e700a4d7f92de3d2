/*  talk.c - the commands of zcast.v1, and messages without a sub-protocol, which are published. */
#include "ws/talk.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/wire/selector.h"
#include "ws/command.h"
#include "ws/frame.h"
#include "ws/websocket.h"

static zc_log_limit_t s_limit_rate;

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void s_send_text (zc_session_t *self, zc_buf_t *text)
{
    zc_websocket_send (self, ZC_FRAME_TEXT, text->data, text->len);
    zc_buf_clear (text);
}

static void s_answer_error (zc_session_t *self, const char *ref, zc_slice_t code,
                            zc_slice_t message)
{
    zc_buf_t text = ZC_BUF_INIT;
    self->server->stats.refused++;
    zc_answer_error (&text, ref, code, message);
    s_send_text (self, &text);
}

/*  A message of a client that gets no answers. */
static void s_close_refused (zc_session_t *self, unsigned code, const char *reason)
{
    self->server->stats.refused++;
    zc_websocket_close (self, code, reason);
}

/*  Publishing. */

/*  Raw mode has no answers, so a refusal ends the connection: 1008 if the message can never be
 *  published, 1013 if it can be later. */
static void s_publish_failed (zc_session_t *self, const char *ref, const zc_receipt_t *receipt)
{
    bool never = receipt->status < 500;
    char reason[128] = "";
    if (self->mode == ZC_MODE_V1) {
        s_answer_error (self, ref, receipt->code, receipt->text);
        return;
    }
    size_t len = receipt->text.len < sizeof reason ? receipt->text.len : sizeof reason - 1;
    if (zc_text_plain (receipt->text.at, len))
        memcpy (reason, receipt->text.at, len);
    s_close_refused (self, never ? ZC_CLOSE_POLICY : ZC_CLOSE_LATER, reason);
}

static void s_publish_done (zc_session_t *self, const char *ref, zc_slice_t id)
{
    zc_buf_t text = ZC_BUF_INIT;
    self->server->stats.published++;
    if (self->mode != ZC_MODE_V1)
        return;
    zc_answer_published (&text, ref, id);
    s_send_text (self, &text);
}

static void s_on_posted (void *arg, const char *ref, const zc_receipt_t *receipt)
{
    if (receipt->status == 200)
        s_publish_done (arg, ref, receipt->text);
    else
        s_publish_failed (arg, ref, receipt);
}

static void s_publish (zc_session_t *self, const char *ref, zc_slice_t topic, zc_slice_t payload,
                       zc_slice_t headers)
{
    zc_front_t *front = &self->server->front;
    zc_denial_t denial =
        zc_keeper_may (front, self->rights, self->foreign, ZC_ACTION_PUBLISH, &topic, 1);
    if (denial.status) {
        zc_receipt_t refused = {denial.status, s_slice (denial.code), s_slice (denial.text)};
        s_publish_failed (self, ref, &refused);
        return;
    }
    if (!self->publishes)
        self->publishes = zc_publishes_new (front, s_on_posted, self);
    zc_publishes_send (self->publishes, ref, topic, payload, headers);
}

static void s_publish_command (zc_session_t *self, const zc_command_t *command)
{
    const zc_publication_t *publication = &command->publication;
    self->server->front.stats.untraced += publication->untraced;
    if (!self->server->front.allow_publish)
        s_answer_error (self, command->ref, s_slice ("forbidden"),
                        s_slice ("publishing by clients is switched off"));
    else
        s_publish (self, command->ref, publication->items[ZC_ITEM_TOPIC],
                   publication->items[ZC_ITEM_DATA],
                   (zc_slice_t){(const char *)publication->headers.data, publication->headers.len});
}

/*  Subscriptions. */

static bool s_contains (const zc_slice_t *topics, size_t count, zc_slice_t topic)
{
    for (size_t i = 0; i < count; i++)
        if (topics[i].len == topic.len && memcmp (topics[i].at, topic.at, topic.len) == 0)
            return true;
    return false;
}

static void s_set_topics (zc_session_t *self, const zc_slice_t *topics, size_t count)
{
    if (count == 0) {
        zc_session_leave_hub (self);
    } else if (self->client.channel) {
        zc_keeper_move (&self->server->front, self->rights, &self->client, topics, count);
    } else {
        char *last_id = self->last_id;
        self->last_id = NULL;
        zc_keeper_join (&self->server->front, self->rights, &self->client,
                        zc_websocket_encoding (self), topics, count,
                        s_slice (last_id ? last_id : ""));
        free (last_id);
    }
}

/*  Adds the command's topics to the client's, or removes them. */
static void s_change_topics (zc_session_t *self, const zc_command_t *command)
{
    const zc_slice_t *had;
    size_t had_count = self->client.channel ? zc_hub_topics (&self->client, &had) : 0, count = 0;
    bool add = command->type == ZC_COMMAND_SUBSCRIBE;
    zc_slice_t *topics = calloc (had_count + command->count, sizeof *topics);
    zc_buf_t text = ZC_BUF_INIT;
    if (!topics)
        abort ();
    for (size_t i = 0; i < had_count; i++)
        if (add || !s_contains (command->topics, command->count, had[i]))
            topics[count++] = had[i];
    for (size_t i = 0; add && i < command->count; i++)
        if (!s_contains (topics, count, command->topics[i]))
            topics[count++] = command->topics[i];
    zc_denial_t denial = {0};
    if (add)
        denial = zc_keeper_may (&self->server->front, self->rights, self->foreign,
                                ZC_ACTION_SUBSCRIBE, command->topics, command->count);
    if (count > self->server->front.max_topics) {
        denial = zc_front_limit (&self->server->front, ZC_LIMIT_TOPICS);
        s_answer_error (self, command->ref, s_slice (denial.code), s_slice (denial.text));
    } else if (denial.status) {
        s_answer_error (self, command->ref, s_slice (denial.code), s_slice (denial.text));
    } else {
        zc_answer_subscribed (&text, command->ref, topics, count);
        if (count != had_count)
            s_set_topics (self, topics, count); /* the old topics may be gone now */
        zc_answer_position (&text, zc_hub_position (&self->client));
        s_send_text (self, &text);
    }
    free (topics);
}

static void s_command (zc_session_t *self, const uint8_t *data, size_t len)
{
    zc_command_t command;
    zc_front_t *front = &self->server->front;
    const zc_command_limits_t max = {front->max_topics, front->max_payload};
    zc_buf_t text = ZC_BUF_INIT;
    if (zc_command_parse (&command, data, len, max) != 0) {
        if (command.many)
            zc_front_limit (front, ZC_LIMIT_TOPICS);
        s_answer_error (self, command.ref, s_slice (command.code), s_slice (command.error));
    } else if (command.type == ZC_COMMAND_PING) {
        zc_answer_pong (&text, command.ref);
        s_send_text (self, &text);
    } else if (command.type == ZC_COMMAND_PUBLISH) {
        s_publish_command (self, &command);
    } else {
        s_change_topics (self, &command);
    }
    zc_command_clear (&command);
}

/*  A message without a sub-protocol is a payload for the only topic of its connection. */
static void s_raw (zc_session_t *self, const uint8_t *data, size_t len)
{
    const zc_slice_t *topics;
    if (!self->server->front.allow_publish)
        s_close_refused (self, ZC_CLOSE_POLICY, "publishing by clients is switched off");
    else if (zc_hub_topics (&self->client, &topics) != 1 || zc_names_selector (topics[0]))
        s_close_refused (self, ZC_CLOSE_POLICY, "a message needs a connection with one topic");
    else
        s_publish (self, NULL, topics[0], (zc_slice_t){(const char *)data, len}, s_slice (""));
}

/*  Status 0: the client is within its limits. */
static zc_denial_t s_take_message (zc_session_t *self)
{
    zc_server_t *server = self->server;
    zc_front_t *front = &server->front;
    zc_denial_t denial = {0};
    if (!zc_bucket_take (&self->bucket, server->rate, server->burst, 1, zc_mono_ms ()))
        denial = zc_front_limit (front, ZC_LIMIT_CLIENT_MESSAGES);
    else if (self->address)
        denial = zc_front_take (front, self->address, 1);
    return denial.status ? denial : zc_keeper_take (front, self->rights, 1);
}

/*  Closes and returns false if the client exceeds its limits. */
static bool s_is_within_limits (zc_session_t *self)
{
    zc_denial_t denial = s_take_message (self);
    char name[128];
    if (!denial.status)
        return true;
    zc_session_name (self, name, sizeof name);
    zc_log_limited (&s_limit_rate, ZC_LOG_INFO,
                    ZC_EVENT ("client.limited client", "%s: more messages than allowed"), name);
    self->server->stats.limited++;
    zc_websocket_close (self, ZC_CLOSE_POLICY, denial.text);
    return false;
}

static void s_message (zc_session_t *self, unsigned opcode, const uint8_t *data, size_t len)
{
    self->server->stats.messages++;
    if (self->mode == ZC_MODE_ECHO)
        zc_websocket_send (self, opcode, data, len);
    else if (self->mode == ZC_MODE_RAW)
        s_raw (self, data, len);
    else if (opcode == ZC_FRAME_TEXT)
        s_command (self, data, len);
    else
        s_answer_error (self, NULL, s_slice ("json"), s_slice ("a message is one JSON object"));
}

/*  The client closes, or answers our close frame. */
static void s_on_close (zc_session_t *self, const uint8_t *body, size_t len)
{
    unsigned code = zc_close_code (body, len);
    self->said_close = true;
    if (self->state == ZC_SESSION_CLOSING)
        zc_session_flush (self);
    else
        zc_websocket_close (self, code, "");
}

static unsigned s_take_frame (void *arg, unsigned opcode, const uint8_t *data, size_t len)
{
    zc_session_t *self = arg;
    if (opcode == ZC_FRAME_CLOSE && self->state != ZC_SESSION_CLOSED)
        s_on_close (self, data, len);
    if (opcode == ZC_FRAME_PONG || self->state > ZC_SESSION_PINGED)
        return 0;
    if (self->mode != ZC_MODE_ECHO && !s_is_within_limits (self))
        return 0;
    if (opcode == ZC_FRAME_PING) {
        zc_websocket_send (self, ZC_FRAME_PONG, data, len);
    } else {
        s_message (self, opcode, data, len);
    }
    return 0;
}

static void s_take (zc_session_t *self, const uint8_t *bytes, size_t len)
{
    size_t max = self->mode == ZC_MODE_ECHO ? ZC_ECHO_MAX : self->server->max_message;
    zc_websocket_alive (self);
    unsigned code =
        zc_receiver_feed (&self->receiver, bytes, len, max, self->deflate, s_take_frame, self);
    if (code != 0)
        zc_websocket_fail (self, code);
}

static void s_release (zc_session_t *self)
{
    zc_receiver_destroy (&self->receiver);
}

static const zc_protocol_t s_protocol = {
    .take = s_take,
    .take_end = zc_session_drop,
    .resume = zc_websocket_alive, /* the client's kernel has acknowledged bytes */
    .expire = zc_websocket_expire,
    .dismiss = zc_websocket_dismiss,
    .restart = zc_websocket_restart,
    .release = s_release,
};

void zc_talk_start (zc_session_t *self, zc_session_mode_t mode, bool deflate)
{
    self->protocol = &s_protocol;
    self->mode = mode;
    self->deflate = deflate;
    zc_session_enter (self, ZC_SESSION_OPEN);
}
