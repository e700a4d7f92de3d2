/*  http_sub.c - see http_sub.h. */
#include "tools/http_sub.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/wire/encoding.h"
#include "lib/wire/traceparent.h"
#include "tools/eventstream.h"
#include "tools/http.h"
#include "tools/locate.h"
#include "tools/tool.h"

#define S_CONNECT_MS 5000 /* for the first stream */
#define S_EVENT_MAX (96 * 1024 * 1024)
#define S_RETRY_MS 3000 /* if the stream tells no other time */
#define S_FIELDS 2

typedef struct {
    const zc_options_t *options;
    zc_printer_t *printer;
    const char *since;
    zc_http_client_t *http;
    zc_eventstream_t *stream;
    zc_buf_t path, last;
    uint64_t end, connect; /* monotonic ms; end 0: never */
    bool opened;           /* this connection has sent something */
    bool ready;            /* some connection has */
    bool foreign;          /* the server isn't a zcast */
    bool away;             /* the loss of the connection was reported */
    bool unknown;          /* history doesn't know the own id to begin with */
} s_http_sub_t;

/*  Events -------------------------------------------------------------------------------------- */

static zc_slice_t s_text (json_t *object, const char *key)
{
    json_t *value = json_object_get (object, key);
    return json_is_string (value)
               ? (zc_slice_t){json_string_value (value), json_string_length (value)}
               : (zc_slice_t){NULL, 0};
}

static bool s_id (json_t *object, const char *key, zc_id_t *id)
{
    zc_slice_t text = s_text (object, key);
    return text.at && zc_id_parse (text.at, text.len, id) == 0;
}

/*  The verdict on a last id, or a gap in a running stream. */
static void s_continuity (s_http_sub_t *self, json_t *object)
{
    zc_id_t since = ZC_ID_NONE, from = ZC_ID_NONE;
    zc_slice_t text = s_text (object, "since");
    if (!zc_slice_is (s_text (object, "status"), "gap"))
        return;
    bool known = s_id (object, "since", &since), goes_on = s_id (object, "from", &from);
    if (known && goes_on) {
        zc_printer_gap (s_text (object, "topic"), false, since, from);
        return;
    }
    if (!known && self->since && zc_slice_is (text, self->since)) {
        self->unknown = true;
        return;
    }
    fflush (stdout);
    zc_slice_t begin = s_text (object, "from");
    zc_tool_say ("gap: nobody knows '%.*s' any more; going on after %.*s", (int)text.len, text.at,
                 (int)begin.len, begin.at ? begin.at : "");
}

/*  Events of zcast's own. */
static void s_own (s_http_sub_t *self, zc_slice_t type, json_t *object)
{
    if (zc_slice_is (type, "zcast.continuity"))
        s_continuity (self, object);
    else if (zc_slice_is (type, "zcast.stale"))
        zc_tool_say (zc_slice_is (s_text (object, "status"), "live")
                         ? "the broker is back"
                         : "the server has lost its broker; waiting for it");
    else if (zc_slice_is (type, "zcast.end")) {
        zc_slice_t code = s_text (object, "code"), why = s_text (object, "message");
        zc_tool_say ("the stream ends: %.*s: %.*s", (int)code.len, code.at ? code.at : "",
                     (int)why.len, why.at ? why.at : "");
    }
}

/*  The data of a zcast.v1 event. Returns false if it isn't one. */
static bool s_message (s_http_sub_t *self, json_t *object)
{
    zc_message_t message = {.topic = s_text (object, "topic"),
                            .payload = s_text (object, "data"),
                            .event = s_text (object, "event"),
                            .event_id = s_text (object, "eventId")};
    zc_slice_t encoded = s_text (object, "base64"), trace = s_text (object, "traceparent");
    char meta[ZC_TRACEPARENT_LEN + 16];
    zc_trace_t parsed;
    if (trace.len == ZC_TRACEPARENT_LEN && zc_traceparent_parse (trace, &parsed) == 0)
        message.meta =
            (zc_slice_t){meta, (size_t)snprintf (meta, sizeof meta, "traceparent: %.*s\n",
                                                 (int)trace.len, trace.at)};
    zc_buf_t decoded = ZC_BUF_INIT;
    bool good = zc_topic_valid (message.topic.at, message.topic.len) &&
                s_id (object, "id", &message.id) && (message.payload.at || encoded.at) &&
                (!encoded.at || zc_base64_decode (&decoded, encoded));
    if (encoded.at)
        message.payload = (zc_slice_t){zc_buf_str (&decoded), decoded.len};
    if (zc_slice_is (message.event, "message"))
        message.event = (zc_slice_t){NULL, 0};
    if (good)
        zc_printer_message (self->printer, &message);
    zc_buf_clear (&decoded);
    return good;
}

static void s_event (void *arg, const zc_event_t *event)
{
    s_http_sub_t *self = arg;
    if (self->unknown)
        return; /* all messages that there are follow, which nobody asked for */
    json_t *object =
        json_loadb (event->data.at, event->data.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    bool own = zc_slice_starts (event->type, "zcast.");
    if (!json_is_object (object) || (!own && !s_message (self, object)))
        self->foreign = true;
    else if (own)
        s_own (self, event->type, object);
    json_decref (object);
    if (!self->opened && self->away)
        zc_tool_say ("the server is back");
    self->opened = self->ready = true;
    self->away = false;
}

static bool s_body (void *arg, const char *bytes, size_t len)
{
    s_http_sub_t *self = arg;
    if (zc_eventstream_read (self->stream, bytes, len) != 0)
        self->foreign = true;
    return !self->foreign && !self->unknown && !zc_printer_full (self->printer);
}

/*  Connections --------------------------------------------------------------------------------- */

static bool s_time_is_up (const s_http_sub_t *self)
{
    return self->end && zc_mono_ms () >= self->end;
}

/*  Whether to end: all messages came, a signal, or the time is over. */
static bool s_done (const s_http_sub_t *self)
{
    return zc_printer_full (self->printer) || zc_tool_stopped || self->foreign || self->unknown ||
           s_time_is_up (self) || (!self->ready && zc_mono_ms () >= self->connect);
}

/*  Waits until the first of: `until` (0: never), the end, the timeout for a server that has sent
 *  nothing yet. */
static long s_wait (const s_http_sub_t *self, uint64_t until)
{
    uint64_t now = zc_mono_ms (), first = until ? until : now + 60000;
    if (self->end && self->end < first)
        first = self->end;
    if (!self->ready && self->connect < first)
        first = self->connect;
    return first > now ? (long)(first - now) : 0;
}

static int s_begin (s_http_sub_t *self)
{
    const char *last = zc_eventstream_last_id (self->stream);
    const char *fields[S_FIELDS] = {"Accept: text/event-stream", NULL};
    if (!*last)
        last = self->since;
    self->last.len = 0;
    if (last)
        zc_buf_addf (&self->last, "Last-Event-ID: %s", last);
    fields[1] = zc_buf_str (&self->last);
    zc_http_request_t request = {.path = zc_buf_str (&self->path),
                                 .fields = fields,
                                 .field_count = last ? 2 : 1,
                                 .type = "text/event-stream",
                                 .fn = s_body,
                                 .arg = self};
    zc_eventstream_restart (self->stream);
    self->opened = false;
    return zc_http_begin (self->http, &request);
}

/*  Whether to connect again after a connection has ended; if not, says why. */
static bool s_goes_on (s_http_sub_t *self)
{
    const zc_http_answer_t *answer = zc_http_answer (self->http);
    if (zc_http_may_pass (answer) || (answer->status == 200 && !answer->text.len) ||
        (answer->status == 200 && !answer->whole)) {
        if (self->ready && !self->away)
            zc_tool_say ("lost the server; waiting for it");
        self->away = self->ready;
        return true;
    }
    if (answer->status == 200)
        self->foreign = true;
    else
        zc_tool_say ("%s refuses: %s", zc_http_url (self->http), zc_http_reason (self->http));
    return false;
}

/*  Makes one connection after the other. Returns false if the server refuses for good. */
static bool s_follow (s_http_sub_t *self)
{
    for (unsigned attempt = 0; !s_done (self); attempt++) {
        if (s_begin (self) != 0)
            return false;
        while (!s_done (self) && zc_http_turn (self->http, s_wait (self, 0), true))
            if (!zc_tool_flush ())
                return false;
        zc_http_end (self->http);
        if (!zc_tool_flush ())
            return false;
        if (s_done (self))
            break;
        if (!s_goes_on (self))
            return false;
        attempt = self->opened ? 0 : attempt;
        const zc_http_answer_t *answer = zc_http_answer (self->http);
        long pause = answer->status == 200
                         ? (long)zc_eventstream_retry_ms (self->stream, S_RETRY_MS)
                         : zc_http_pause_ms (answer, attempt);
        uint64_t until = zc_mono_ms () + (uint64_t)pause;
        while (!s_done (self) && zc_mono_ms () < until)
            zc_http_turn (self->http, s_wait (self, until), true);
    }
    return true;
}

static int s_no_stream (s_http_sub_t *self, uint64_t waited)
{
    const char *reason = zc_http_reason (self->http);
    zc_tool_say ("no stream comes from %s (waited %g s): %s", zc_http_url (self->http),
                 (double)waited / 1000, *reason ? reason : "no worker answers");
    return ZC_EXIT_FAILURE;
}

/*  With several topics, this answer of the server may also mean that one topic has lost messages
 *  since. */
static int s_unknown (const s_http_sub_t *self)
{
    bool several = zc_options_word (self->options, 1);
    return zc_locate_unknown (self->since,
                              several ? "these topics, or not all that came after it on them"
                                      : "this topic");
}

static int s_run (s_http_sub_t *self)
{
    uint64_t timeout = (uint64_t)zc_options_number (self->options, "timeout");
    uint64_t connect_ms = timeout && timeout < S_CONNECT_MS ? timeout : S_CONNECT_MS;
    uint64_t now = zc_mono_ms ();
    self->end = timeout ? now + timeout : 0;
    self->connect = now + connect_ms;
    if (!s_follow (self) && !self->foreign)
        return zc_tool_stopped ? zc_printer_verdict (self->printer, false) : ZC_EXIT_FAILURE;
    if (self->unknown)
        return s_unknown (self);
    if (self->foreign) {
        zc_tool_say ("the server at %s is not zcast", zc_http_url (self->http));
        return ZC_EXIT_FAILURE;
    }
    if (!self->ready && !zc_tool_stopped)
        return s_no_stream (self, connect_ms);
    return zc_printer_verdict (self->printer, s_time_is_up (self));
}

int zc_http_sub (const zc_options_t *options, zc_printer_t *printer, const char *since)
{
    s_http_sub_t self = {.options = options, .printer = printer, .since = since};
    self.http = zc_http_new (options, "--http", zc_options_text (options, "http"));
    if (!self.http)
        return ZC_EXIT_USAGE;
    self.stream = zc_eventstream_new (S_EVENT_MAX, s_event, &self);
    zc_buf_adds (&self.path, "/events?format=zcast.v1");
    bool match = zc_options_bool (options, "match");
    const char *topic;
    for (size_t i = 0; (topic = zc_options_word (options, i)); i++) {
        zc_buf_adds (&self.path, match ? "&match=" : "&topic=");
        zc_http_encode (self.http, &self.path, (zc_slice_t){topic, strlen (topic)});
    }
    int status = s_run (&self);
    zc_eventstream_destroy (&self.stream);
    zc_http_destroy (&self.http);
    zc_buf_clear (&self.path);
    zc_buf_clear (&self.last);
    return status;
}
