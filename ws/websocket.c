/*  websocket.c - a client that is silent for two thirds of pong-timeout is sent a ping, and is
 *  dropped after the last third. Private frames go between messages of the feed, and a close
 *  frame goes last. */
#include "ws/websocket.h"

#include <stdio.h>

#include "lib/base/log.h"
#include "ws/command.h"
#include "ws/encoding.h"
#include "ws/frame.h"

static zc_log_limit_t s_limit_close, s_limit_silent;

const zc_encoding_t *zc_websocket_encoding (const zc_session_t *self)
{
    if (self->mode == ZC_MODE_V1)
        return self->deflate ? &zc_encoding_ws_json_deflate : &zc_encoding_ws_json;
    return self->deflate ? &zc_encoding_ws_deflate : &zc_encoding_ws;
}

static bool s_is_open (const zc_session_t *self)
{
    return self->state == ZC_SESSION_OPEN || self->state == ZC_SESSION_PINGED;
}

/*  The clock counts milliseconds, so a busy client's timeout is restarted once in each. */
void zc_websocket_alive (zc_session_t *self)
{
    uint32_t now = (uint32_t)uv_now (zc_worker_loop (self->server->worker));
    if (self->state == ZC_SESSION_PINGED ||
        (self->state == ZC_SESSION_OPEN && self->timeout.since != now))
        zc_session_enter (self, ZC_SESSION_OPEN);
}

void zc_websocket_send (zc_session_t *self, unsigned opcode, const void *payload, size_t len)
{
    zc_buf_t frame = ZC_BUF_INIT;
    if (!s_is_open (self))
        return;
    if (self->deflate && (opcode == ZC_FRAME_TEXT || opcode == ZC_FRAME_BINARY))
        zc_frame_add_deflated (&frame, opcode, payload, len);
    else
        zc_frame_add (&frame, opcode, payload, len);
    zc_client_add (&self->client, frame.data, frame.len);
    zc_buf_clear (&frame);
    zc_session_flush (self);
}

static void s_log_close (zc_session_t *self, unsigned code, const char *reason)
{
    char name[128];
    bool usual = code == ZC_CLOSE_NORMAL || code == ZC_CLOSE_AWAY || code == ZC_CLOSE_NO_STATUS ||
                 code == ZC_CLOSE_RESTART;
    zc_session_name (self, name, sizeof name);
    zc_log_limited (&s_limit_close, usual ? ZC_LOG_DEBUG : ZC_LOG_INFO,
                    ZC_EVENT ("client.closed client code reason", "%s: closed %u %s"), name, code,
                    reason);
}

void zc_websocket_close (zc_session_t *self, unsigned code, const char *reason)
{
    zc_buf_t frame = ZC_BUF_INIT;
    if (!s_is_open (self))
        return;
    s_log_close (self, code, reason);
    zc_session_leave_hub (self);
    zc_session_enter (self, ZC_SESSION_CLOSING);
    zc_frame_add_close (&frame, code, reason);
    zc_client_add (&self->client, frame.data, frame.len);
    zc_buf_clear (&frame);
    zc_session_flush (self);
}

void zc_websocket_fail (zc_session_t *self, unsigned code)
{
    if (self->state != ZC_SESSION_CLOSING)
        self->server->stats.violations++;
    self->deaf = true;
    zc_websocket_close (self, code,
                        code == ZC_CLOSE_TOO_BIG    ? "message too large"
                        : code != ZC_CLOSE_NOT_UTF8 ? "protocol error"
                        : self->deflate             ? "malformed text or compressed data"
                                                    : "text is not UTF-8");
    zc_session_flush (self); /* it may have been closing already */
}

void zc_websocket_expire (zc_session_t *self)
{
    char name[128];
    switch (self->state) {
    case ZC_SESSION_OPEN:
        zc_session_enter (self, ZC_SESSION_PINGED);
        zc_websocket_send (self, ZC_FRAME_PING, NULL, 0);
        break;
    case ZC_SESSION_PINGED:
        self->server->stats.silent++;
        zc_session_name (self, name, sizeof name);
        zc_log_limited (&s_limit_silent, ZC_LOG_INFO,
                        ZC_EVENT ("client.silent client", "%s: dropped: no sign of life"), name);
        zc_session_drop (self);
        break;
    default:
        zc_session_drop (self);
    }
}

void zc_websocket_dismiss (zc_session_t *self, const zc_farewell_t *why)
{
    zc_websocket_close (self, ZC_CLOSE_REFUSED + why->status, why->text);
}

void zc_websocket_restart (zc_session_t *self)
{
    zc_buf_t text = ZC_BUF_INIT;
    if (self->mode == ZC_MODE_V1 && s_is_open (self)) {
        zc_answer_reconnect (&text, zc_worker_retry (self->server->worker));
        zc_websocket_send (self, ZC_FRAME_TEXT, text.data, text.len);
        zc_buf_clear (&text);
    }
    zc_websocket_close (self, ZC_CLOSE_RESTART, "restarting, come back soon");
}
