/*  doctor_probe.c - see doctor_probe.h.
 *
 *  The stream and the WebSocket are opened first and stay open. All other requests are made
 *  beside them, one after the other, so that their silence is measured meanwhile. If the server
 *  repeats the token, it is removed from every text before the text is kept. */
#define _GNU_SOURCE /* memmem */
#include "tools/doctor_probe.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/wire/id.h"
#include "tools/eventstream.h"
#include "tools/http.h"
#include "tools/tool.h"

#define S_EVENT_MAX 65536
#define S_BYTES_MAX (16 * 1024 * 1024) /* of one answer */
#define S_WATCH_MS 40000               /* two heartbeats of 15 s */
#define S_TOKEN_BEGIN 16               /* bytes of a token by which it is recognised */
#define S_TOGETHER_US 20000            /* bytes that come within this time came in one piece */

/*  The state of one request. */
typedef struct s_probe s_probe_t;
typedef struct {
    s_probe_t *probe;
    zc_http_client_t *http;   /* owned */
    zc_eventstream_t *stream; /* owned */
    zc_doctor_try_t *attempt; /* filled in */
    size_t head_bytes, bytes;
    uint64_t begun_us, head_us, first_us, last_us; /* monotonic; 0: not yet */
    unsigned events;
    bool over, after_beat;
    char first_type[32], first_data[256];
} s_request_t;

struct s_probe {
    const zc_doctor_wish_t *wish;
    zc_doctor_facts_t *facts;
    s_request_t main, side, socket;
    zc_buf_t token;
    zc_buf_t path; /* of the stream */
    zc_doctor_socket_t frames;
    zc_buf_t opening; /* the head of the WebSocket's answer, as far as it is there */
    char key[ZC_SOCKET_KEY + 1];
    bool socket_open, socket_over;
    uint64_t socket_us; /* when bytes last came there */
    unsigned pings;
    char word[40]; /* the test event that is awaited; "": none */
    uint64_t word_us;
};

static long s_ms (uint64_t from_us, uint64_t to_us)
{
    return (long)((to_us - from_us + 500) / 1000);
}

/*  Texts from outside -------------------------------------------------------------------------- */

/*  Takes the token out, and also its beginning where the rest was cut off. */
static void s_hide (const s_probe_t *self, char *text, size_t len)
{
    const char *token = (const char *)self->token.data, *end = text + len;
    size_t begin = self->token.len < S_TOKEN_BEGIN ? self->token.len : S_TOKEN_BEGIN;
    while (begin > 0 && (text = memmem (text, (size_t)(end - text), token, begin)))
        for (size_t i = 0; i < self->token.len && text < end && *text == token[i]; i++)
            *text++ = '*';
}

/*  The first line of a body. */
static void s_keep_text (const s_probe_t *self, zc_doctor_try_t *attempt, zc_buf_t *text)
{
    s_hide (self, (char *)text->data, text->len);
    zc_slice_t line = {zc_buf_str (text), strcspn (zc_buf_str (text), "\r\n")};
    zc_doctor_copy (attempt->text, sizeof attempt->text, line);
}

/*  Answers ------------------------------------------------------------------------------------- */

static bool s_on_field (void *arg, const char *bytes, size_t len)
{
    s_request_t *self = arg;
    char line[2048];
    size_t part = len < sizeof line ? len : sizeof line; /* no field of interest is longer */
    memcpy (line, bytes, part);
    s_hide (self->probe, line, part);
    if (!self->head_us)
        self->head_us = zc_mono_us ();
    self->head_bytes += len;
    zc_doctor_head_line (&self->attempt->head, (zc_slice_t){line, part});
    return self->head_bytes <= ZC_DOCTOR_HEAD_MAX;
}

static void s_keep_line (s_request_t *self, const char *bytes, size_t len)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_buf_add (&text, bytes, len < ZC_DOCTOR_TEXT ? len : ZC_DOCTOR_TEXT);
    s_keep_text (self->probe, self->attempt, &text);
    zc_buf_clear (&text);
}

static bool s_on_body (void *arg, const char *bytes, size_t len)
{
    s_request_t *self = arg;
    self->bytes += len;
    if (self->bytes == len) /* the first piece: what a worker without room says is a comment */
        s_keep_line (self, bytes, len);
    if (zc_eventstream_read (self->stream, bytes, len) == 0 && self->bytes <= S_BYTES_MAX)
        return true;
    self->probe->facts->flooded |= self == &self->probe->main;
    return false;
}

/*  Bytes came; `beats` is how many heartbeats or pings they were. */
static void s_note_beats (zc_doctor_watch_t *watch, uint64_t *last_us, unsigned beats)
{
    uint64_t now = zc_mono_us ();
    if (*last_us && beats) {
        long ms = s_ms (*last_us, now);
        watch->beats += beats;
        watch->beat_ms = ms > watch->beat_ms ? ms : watch->beat_ms;
    }
    *last_us = now;
}

static void s_on_test_event (s_probe_t *self)
{
    zc_doctor_facts_t *facts = self->facts;
    long ms = s_ms (self->word_us, zc_mono_us ());
    *self->word = 0;
    facts->least_ms = facts->arrived == 0 || ms < facts->least_ms ? ms : facts->least_ms;
    facts->most_ms = ms > facts->most_ms ? ms : facts->most_ms;
    facts->arrived++;
}

/*  An event of the stream that stays open. */
static void s_on_main_event (s_request_t *self, const zc_event_t *event)
{
    s_probe_t *probe = self->probe;
    zc_doctor_facts_t *facts = probe->facts;
    bool heartbeat = zc_slice_is (event->type, "zcast.heartbeat");
    if (self->events == 0)
        facts->foreign = !zc_slice_starts (event->type, "zcast.");
    if (*probe->word && zc_slice_is (event->data, probe->word))
        s_on_test_event (probe);
    facts->expired |= zc_slice_is (event->type, "zcast.end");
    if (zc_slice_is (event->type, "zcast.stale"))
        facts->stale = !memmem (event->data.at, event->data.len, "live", 4);
    if (heartbeat && self->after_beat && self->events > 1 &&
        zc_mono_us () - self->last_us < S_TOGETHER_US)
        facts->together++;
    self->after_beat = heartbeat;
    s_note_beats (&facts->watch, &self->last_us, heartbeat);
}

static void s_on_event (void *arg, const zc_event_t *event)
{
    s_request_t *self = arg;
    if (self->events == 0) {
        self->first_us = zc_mono_us ();
        zc_doctor_copy (self->first_type, sizeof self->first_type, event->type);
        size_t len = event->data.len < sizeof self->first_data ? event->data.len
                                                               : sizeof self->first_data - 1;
        memcpy (self->first_data, event->data.at, len);
        self->first_data[len] = 0;
    }
    if (self == &self->probe->main)
        s_on_main_event (self, event);
    self->events++;
}

/*  Requests ------------------------------------------------------------------------------------ */

/*  Begins a request; `fields` are `count` lines. False after saying that there is no token. */
static bool s_begin (s_request_t *self, zc_doctor_try_t *attempt, const zc_http_request_t *wish)
{
    zc_http_request_t request = *wish;
    zc_http_end (self->http);
    zc_eventstream_restart (self->stream);
    *attempt = (zc_doctor_try_t){.tried = true};
    self->attempt = attempt;
    self->head_bytes = self->bytes = self->events = 0;
    self->begun_us = zc_mono_us ();
    self->head_us = self->first_us = self->last_us = 0;
    self->over = self->after_beat = false;
    request.type = "text/event-stream";
    request.fn = request.body ? NULL : s_on_body;
    request.field_fn = request.raw ? NULL : s_on_field;
    request.arg = self;
    request.look = true;
    return zc_http_begin (self->http, &request) == 0;
}

/*  Takes over the result of a request that has ended. */
static void s_finish (s_request_t *self)
{
    zc_http_answer_t *answer = zc_http_answer (self->http);
    if (self->over)
        return;
    self->over = true;
    if (answer->text.len > 0 && (!self->attempt->head.status || self->bytes == 0))
        s_keep_text (self->probe, self->attempt, &answer->text);
}

/*  The WebSocket. */

static void s_close_socket (s_probe_t *self)
{
    zc_doctor_facts_t *facts = self->facts;
    if (self->socket_over)
        return;
    self->socket_over = true;
    facts->code = self->frames.code;
    snprintf (facts->reason, sizeof facts->reason, "%s", self->frames.reason);
    s_hide (self, facts->reason, strlen (facts->reason));
    facts->socket_watch.ended = facts->accepted;
    facts->socket_watch.silent_ms = s_ms (self->socket_us, zc_mono_us ());
    zc_http_also (self->main.http, -1);
}

static void s_take_frames (s_probe_t *self, const char *bytes, size_t len)
{
    zc_buf_t out = ZC_BUF_INIT;
    zc_doctor_socket_t *frames = &self->frames;
    int rc = zc_doctor_socket_read (frames, bytes, len, &out);
    s_note_beats (&self->facts->socket_watch, &self->socket_us, frames->pings - self->pings);
    self->pings = frames->pings;
    self->facts->malformed = rc != 0;
    if (rc != 0 || frames->closed || !zc_http_write (self->socket.http, out.data, out.len))
        s_close_socket (self);
    zc_buf_clear (&out);
}

/*  The answer to the handshake, and then frames. */
static void s_take_socket (s_probe_t *self, const char *bytes, size_t len)
{
    zc_doctor_try_t *attempt = &self->facts->socket;
    char accept[ZC_SOCKET_ACCEPT + 1];
    if (self->facts->accepted) {
        s_take_frames (self, bytes, len);
        return;
    }
    zc_buf_add (&self->opening, bytes, len);
    s_hide (self, (char *)self->opening.data, self->opening.len);
    zc_slice_t seen = {(char *)self->opening.data, self->opening.len};
    long head = zc_doctor_head_read (&attempt->head, seen);
    if (head == 0)
        return;
    zc_doctor_socket_accept (self->key, accept);
    self->facts->accepted =
        head > 0 && attempt->head.status == 101 && strcmp (attempt->head.accept, accept) == 0;
    if (self->facts->accepted) {
        self->socket_us = zc_mono_us ();
        s_take_frames (self, seen.at + head, seen.len - (size_t)head);
        return;
    }
    zc_buf_t body = ZC_BUF_INIT;
    if (head > 0)
        zc_buf_add (&body, seen.at + head, seen.len - (size_t)head);
    else
        zc_buf_adds (&body, "the answer is not HTTP");
    s_keep_text (self, attempt, &body);
    zc_buf_clear (&body);
    s_close_socket (self);
}

static void s_serve_socket (s_probe_t *self)
{
    char bytes[16384];
    for (unsigned turns = 0; self->socket_open && !self->socket_over && turns < 64; turns++) {
        long got = zc_http_read (self->socket.http, bytes, sizeof bytes);
        if (got == 0)
            return;
        if (got > 0)
            s_take_socket (self, bytes, (size_t)got);
        else
            s_close_socket (self);
    }
}

/*  One wait for the first event of any kind, at most until `end_us`. Returns false at that time,
 *  or after a signal. */
static bool s_turn (s_probe_t *self, uint64_t end_us)
{
    uint64_t now = zc_mono_us ();
    if (zc_tool_stopped || now >= end_us)
        return false;
    long ms = s_ms (now, end_us) + 1;
    if (!zc_http_turn (self->main.http, ms < 500 ? ms : 500, false) && !self->main.over) {
        s_finish (&self->main);
        self->facts->watch.ended = true;
        self->facts->watch.silent_ms =
            self->main.last_us ? s_ms (self->main.last_us, zc_mono_us ()) : 0;
        self->facts->watch.watched_ms = s_ms (self->main.begun_us, zc_mono_us ());
    }
    s_serve_socket (self);
    return true;
}

static uint64_t s_deadline (const s_probe_t *self)
{
    return zc_mono_us () + (uint64_t)self->wish->timeout_ms * 1000;
}

/*  Waits for a request beside the stream: for its first event if `event`, or else for the
 *  beginning of a stream; or for its end. */
static void s_wait_side (s_probe_t *self, bool event)
{
    s_request_t *side = &self->side;
    uint64_t end = s_deadline (self);
    while (!side->over && !(event ? side->first_us != 0 : side->bytes > 0) && s_turn (self, end))
        if (!zc_http_turn (side->http, 0, false))
            s_finish (side);
}

static bool s_ask_side (s_probe_t *self, zc_doctor_try_t *attempt, const zc_http_request_t *request,
                        bool event)
{
    if (zc_tool_stopped || !s_begin (&self->side, attempt, request))
        return false;
    s_wait_side (self, event);
    zc_http_end (self->side.http);
    return true;
}

static const char *const s_accept = "Accept: text/event-stream";

/*  The checks ---------------------------------------------------------------------------------- */

/*  The certificate that was refused. */
static void s_look_at_certificate (s_probe_t *self)
{
    zc_doctor_try_t unused;
    zc_http_look_t look;
    if (!s_ask_side (self, &unused,
                     &(zc_http_request_t){.path = "", .raw = true, .unverified = true}, true))
        return;
    zc_http_look (self->side.http, &look);
    self->facts->has_certificate = look.has_certificate;
    self->facts->certificate_end_s = look.certificate_end_s;
}

static void s_look_at_connection (s_probe_t *self)
{
    zc_doctor_facts_t *facts = self->facts;
    zc_http_look_t look;
    zc_http_look (self->main.http, &look);
    facts->connected = look.connected && !facts->untrusted;
    facts->connect_ms = look.connect_ms;
    facts->version = look.version;
    facts->has_certificate = look.has_certificate;
    facts->certificate_end_s = look.certificate_end_s;
    if (facts->stream.head.date_s) {
        uint64_t since_ms = (uint64_t)s_ms (self->main.head_us, zc_mono_us ());
        int64_t half = s_ms (self->main.begun_us, self->main.head_us) / 2;
        int64_t then = (int64_t)(zc_wall_ms () - since_ms) - half;
        facts->has_clock = true; /* Date is cut to seconds */
        facts->clock_ms = facts->stream.head.date_s * 1000 + 500 - then;
    }
}

/*  Opens the stream, and waits for its first event. False if the program has to end. */
static bool s_open_stream (s_probe_t *self)
{
    s_request_t *main = &self->main;
    zc_doctor_facts_t *facts = self->facts;
    const char *fields[] = {s_accept, "Cache-Control: no-cache"};
    zc_http_request_t request = {
        .path = zc_buf_str (&self->path), .fields = fields, .field_count = 2};
    if (!s_begin (main, &facts->stream, &request))
        return false;
    uint64_t end = s_deadline (self);
    while (!main->over && !main->first_us && s_turn (self, end))
        ;
    if (main->over) {
        const zc_http_answer_t *answer = zc_http_answer (main->http);
        facts->untrusted = facts->tls && answer->hopeless;
        if (!facts->stream.head.status)
            memcpy (facts->failure, facts->stream.text, sizeof facts->failure);
    }
    s_look_at_connection (self);
    facts->head_ms = main->head_us ? s_ms (main->begun_us, main->head_us) : ZC_DOCTOR_NEVER;
    facts->first_ms = main->first_us ? s_ms (main->begun_us, main->first_us) : ZC_DOCTOR_NEVER;
    facts->later = main->over && facts->stream.head.status == 200 && !main->first_us;
    facts->watch.ended &= !facts->later;
    if (facts->untrusted)
        s_look_at_certificate (self);
    return !zc_tool_stopped;
}

/*  Opens the WebSocket, and waits for the answer. */
static void s_open_socket (s_probe_t *self)
{
    uint8_t random[20];
    zc_doctor_facts_t *facts = self->facts;
    zc_buf_t ask = ZC_BUF_INIT;
    char own[ZC_DOCTOR_TEXT + 16];
    snprintf (own, sizeof own, "%s://%s", facts->tls ? "https" : "http", facts->host);
    const char *slash = strchr (facts->url + strlen (facts->tls ? "https://" : "http://"), '/');
    if (getrandom (random, sizeof random, 0) != sizeof random ||
        !s_begin (&self->socket, &facts->socket, &(zc_http_request_t){.path = "", .raw = true}))
        return;
    uint64_t end = s_deadline (self);
    while (zc_http_turn (self->socket.http, 0, false) && s_turn (self, end))
        ;
    if (!zc_http_answer (self->socket.http)->whole) {
        s_finish (&self->socket);
        return;
    }
    memcpy (self->frames.mask, random + 16, 4);
    zc_doctor_socket_key (random, self->key);
    zc_buf_addf (&self->opening, "%s/ws%s", slash ? slash : "",
                 strchr (zc_buf_str (&self->path), '?'));
    zc_doctor_socket_ask (&ask, zc_buf_str (&self->opening), facts->host,
                          *facts->origin ? facts->origin : own, self->key,
                          zc_buf_str (&self->token));
    self->opening.len = 0;
    self->socket_open = zc_http_write (self->socket.http, ask.data, ask.len);
    zc_buf_clear (&ask);
    zc_http_also (self->main.http, zc_http_fd (self->socket.http));
    while (self->socket_open && !self->socket_over && !facts->accepted && s_turn (self, end))
        ;
    if (!facts->accepted && !*facts->socket.text && !facts->socket.head.status)
        snprintf (facts->socket.text, sizeof facts->socket.text, "no answer");
}

/*  The verdict of a stream that came back. */
static zc_doctor_resume_t s_verdict (const s_request_t *side)
{
    if (!side->first_us)
        return side->attempt->head.status == 200 && !side->over ? ZC_RESUME_SILENT
                                                                : ZC_RESUME_REFUSED;
    if (strcmp (side->first_type, "zcast.continuity") != 0)
        return ZC_RESUME_IGNORED;
    json_t *object = json_loads (side->first_data, 0, NULL);
    const char *status = json_string_value (json_object_get (object, "status"));
    bool continued = status && strcmp (status, "continued") == 0;
    json_decref (object);
    return continued ? ZC_RESUME_CONTINUED : ZC_RESUME_GAP;
}

/*  Comes back with the last id: in the field and, if that has no effect, in the URL. */
static void s_try_resume (s_probe_t *self)
{
    char field[256];
    zc_id_t id;
    const char *last = zc_eventstream_last_id (self->main.stream);
    const char *fields[] = {s_accept, field};
    if (zc_id_parse (last, strlen (last), &id) != 0)
        return;
    snprintf (field, sizeof field, "Last-Event-ID: %s", last);
    zc_doctor_facts_t *facts = self->facts;
    zc_http_request_t request = {
        .path = zc_buf_str (&self->path), .fields = fields, .field_count = 2};
    if (!s_ask_side (self, &facts->resume, &request, true))
        return;
    facts->resumed = s_verdict (&self->side);
    if (facts->resumed != ZC_RESUME_IGNORED)
        return;
    zc_buf_t path = ZC_BUF_INIT;
    zc_buf_addf (&path, "%s&last-event-id=%s", zc_buf_str (&self->path), last);
    request.path = zc_buf_str (&path);
    request.field_count = 1;
    if (s_ask_side (self, &facts->resume, &request, true) &&
        s_verdict (&self->side) == ZC_RESUME_CONTINUED)
        facts->resumed = ZC_RESUME_LOST;
    zc_buf_clear (&path);
}

static void s_try_tokens (s_probe_t *self)
{
    const char *fields[] = {s_accept, "Authorization: Bearer zmq-doctor"};
    zc_http_request_t request = {
        .path = zc_buf_str (&self->path), .fields = fields, .field_count = 2, .anonymous = true};
    s_ask_side (self, &self->facts->wrong_token, &request, false);
    request.field_count = 1;
    if (self->facts->has_token)
        s_ask_side (self, &self->facts->anonymous, &request, false);
}

static void s_try_origin (s_probe_t *self)
{
    char origin[ZC_DOCTOR_TEXT + 16];
    const char *fields[] = {s_accept, origin, "Access-Control-Request-Method: GET",
                            "Access-Control-Request-Headers: authorization,last-event-id"};
    zc_doctor_facts_t *facts = self->facts;
    zc_http_request_t request = {
        .path = zc_buf_str (&self->path), .fields = fields, .field_count = 2};
    snprintf (origin, sizeof origin, "Origin: %s", facts->origin);
    s_ask_side (self, &facts->cross, &request, false);
    request.method = "OPTIONS";
    request.field_count = 4;
    request.anonymous = true;
    s_ask_side (self, &facts->preflight, &request, false);
}

/*  Test events --------------------------------------------------------------------------------- */

/*  False if it was refused. */
static bool s_send_by_http (s_probe_t *self, const char *path)
{
    const char *fields[] = {"Content-Type: text/plain"};
    zc_slice_t body = {self->word, strlen (self->word)};
    zc_http_request_t request = {.path = path, .fields = fields, .field_count = 1, .body = &body};
    zc_doctor_try_t attempt;
    self->word_us = zc_mono_us ();
    if (!s_ask_side (self, &attempt, &request, true))
        return false;
    if (attempt.head.status == 200)
        return true;
    self->facts->publish = attempt;
    return false;
}

static void s_ignore (void *arg, const zc_answer_t *answer)
{
    (void)arg;
    (void)answer;
}

static bool s_send_by_broker (s_probe_t *self, zc_tool_link_t *link)
{
    static const char headers[] = "ttl: 60\n";
    const char *topic = self->wish->topic;
    zc_ask_t ask = {
        .verb = ZC_PUBLISH,
        .message = {.topic = {topic, strlen (topic)}, .payload = {self->word, strlen (self->word)}},
        .headers = {headers, sizeof headers - 1}};
    self->word_us = zc_mono_us ();
    if (link && zc_tool_ask (link, &ask, s_ignore, NULL) == ZC_EXIT_OK)
        return true;
    self->facts->publish.tried = true;
    snprintf (self->facts->publish.text, sizeof self->facts->publish.text,
              "the broker didn't take it");
    return false;
}

/*  Events are published one after the other: the next one only once the last one is there, so
 *  that gathering on the way shows. */
static void s_try_events (s_probe_t *self)
{
    zc_doctor_facts_t *facts = self->facts;
    uint64_t random;
    zc_buf_t path = ZC_BUF_INIT;
    bool broker = self->wish->send == ZC_SEND_BROKER;
    zc_tool_link_t *link =
        broker ? zc_tool_link_new (self->wish->options, (unsigned)self->wish->timeout_ms) : NULL;
    if (getrandom (&random, sizeof random, 0) != sizeof random)
        abort ();
    zc_buf_addf (&path, "/publish%s&ttl=60", strchr (zc_buf_str (&self->path), '?'));
    for (unsigned i = 0; i < ZC_DOCTOR_EVENTS && !self->main.over; i++) {
        snprintf (self->word, sizeof self->word, "zmq doctor %016llx %u",
                  (unsigned long long)random, i);
        if (!(broker ? s_send_by_broker (self, link) : s_send_by_http (self, zc_buf_str (&path))))
            break;
        facts->sent++;
        uint64_t end = s_deadline (self);
        while (*self->word && !self->main.over && s_turn (self, end))
            ;
        if (*self->word)
            break; /* one that doesn't come is enough */
    }
    *self->word = 0;
    zc_buf_clear (&path);
    zc_tool_link_destroy (&link);
}

/*  The whole ----------------------------------------------------------------------------------- */

static bool s_seen_enough (const s_probe_t *self)
{
    const zc_doctor_facts_t *facts = self->facts;
    bool stream = self->main.over || facts->watch.beats >= 2;
    bool socket = !facts->accepted || self->socket_over || facts->socket_watch.beats >= 2;
    return stream && socket;
}

/*  Lets time pass, from the opening of the stream on. */
static void s_watch (s_probe_t *self)
{
    zc_doctor_facts_t *facts = self->facts;
    long ms = self->wish->watch_ms ? self->wish->watch_ms : S_WATCH_MS;
    uint64_t end = self->main.begun_us + (uint64_t)ms * 1000;
    while (!(self->main.over && (self->socket_over || !facts->accepted)) &&
           (self->wish->watch_ms || !s_seen_enough (self)) && s_turn (self, end))
        ;
    if (!facts->watch.ended)
        facts->watch.watched_ms = s_ms (self->main.begun_us, zc_mono_us ());
    facts->socket_watch.watched_ms = s_ms (self->main.begun_us, zc_mono_us ());
}

static void s_try_all (s_probe_t *self)
{
    zc_doctor_facts_t *facts = self->facts;
    bool stream =
        facts->stream.head.status == 200 && !facts->foreign && facts->first_ms != ZC_DOCTOR_NEVER;
    if (facts->connected)
        s_open_socket (self);
    if (stream)
        s_try_resume (self);
    if (stream || facts->stream.head.status == 401)
        s_try_tokens (self);
    if (stream && *facts->origin)
        s_try_origin (self);
    if (stream && self->wish->send != ZC_SEND_NONE)
        s_try_events (self);
    if (stream || facts->accepted)
        s_watch (self);
}

static void s_begin_request (s_probe_t *self, s_request_t *request, zc_http_client_t *http)
{
    request->probe = self;
    request->http = http;
    request->stream = zc_eventstream_new (S_EVENT_MAX, s_on_event, request);
    request->over = true;
}

static void s_clear_request (s_request_t *request)
{
    zc_http_destroy (&request->http);
    zc_eventstream_destroy (&request->stream);
}

static void s_set_facts (s_probe_t *self)
{
    const zc_doctor_wish_t *wish = self->wish;
    zc_doctor_facts_t *facts = self->facts;
    *facts = (zc_doctor_facts_t){.head_ms = ZC_DOCTOR_NEVER, .first_ms = ZC_DOCTOR_NEVER};
    snprintf (facts->url, sizeof facts->url, "%s", zc_http_url (self->main.http));
    facts->tls = strncasecmp (facts->url, "https", 5) == 0;
    const char *host = facts->url + strlen (facts->tls ? "https://" : "http://");
    snprintf (facts->host, sizeof facts->host, "%.*s", (int)strcspn (host, "/"), host);
    if (wish->origin)
        snprintf (facts->origin, sizeof facts->origin, "%s", wish->origin);
    facts->loopback = strncmp (host, "127.", 4) == 0 || strncmp (host, "[::1]", 5) == 0 ||
                      strncasecmp (host, "localhost", 9) == 0;
    facts->has_token = self->token.len > 0;
    facts->timeout_ms = wish->timeout_ms;
    facts->now_s = (int64_t)(zc_wall_ms () / 1000);
}

static void s_clear (s_probe_t *self)
{
    s_clear_request (&self->side);
    s_clear_request (&self->socket);
    s_clear_request (&self->main); /* last: the others use parts of it */
    if (self->token.len > 0)
        memset (self->token.data, 0, self->token.len);
    zc_buf_clear (&self->token);
    zc_buf_clear (&self->path);
    zc_buf_clear (&self->opening);
}

int zc_doctor_probe (const zc_doctor_wish_t *wish, zc_doctor_facts_t *facts)
{
    s_probe_t self = {.wish = wish, .facts = facts};
    zc_http_client_t *http = zc_http_new (wish->options, "URL", wish->url);
    if (!http)
        return ZC_EXIT_USAGE;
    s_begin_request (&self, &self.main, http);
    s_begin_request (&self, &self.side, zc_http_new_beside (http));
    s_begin_request (&self, &self.socket, zc_http_new_beside (http));
    zc_buf_adds (&self.path, "/events?topic=");
    zc_http_encode (http, &self.path, (zc_slice_t){wish->topic, strlen (wish->topic)});
    int status = zc_http_token (http, &self.token) == 0 ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
    s_set_facts (&self);
    if (status == ZC_EXIT_OK && !s_open_stream (&self))
        status = ZC_EXIT_FAILURE;
    if (status == ZC_EXIT_OK && !wish->glance)
        s_try_all (&self);
    s_clear (&self);
    return zc_tool_stopped ? ZC_EXIT_FAILURE : status;
}
