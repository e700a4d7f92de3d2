/*  zmq_sub.c - `zmq sub`: topics to standard output, without a hole (lib/peer/subscriber.h). */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/timestamp.h"
#include "lib/peer/context.h"
#include "lib/peer/subscriber.h"
#include "tools/locate.h"
#include "tools/tool.h"

#define S_CONNECT_MS 5000 /* how long to wait for the broker in the beginning */

static const zc_option_t s_options[] = {
    {"json", 'j', ZC_OPT_BOOL, "no", 0, 0, NULL, NULL, "one JSON object a line", false},
    {"count", 'n', ZC_OPT_NUMBER, "0", 0, INT64_MAX, NULL, "N", "end after N messages", false},
    {"timeout", 't', ZC_OPT_SECONDS, "0", 0, 86400000, NULL, "TIME",
     "end after this time; 0: never", false},
    {"since", 's', ZC_OPT_TEXT, NULL, 1, ZC_EVENT_ID_MAX + 3, NULL, "WHEN",
     "begin in history: so long ago (5m), at a time (2026-11-27T10:00:00Z), with the last N "
     "messages "
     "(last:N), after an id, with all there is (earliest), or after a publisher's own id (id:TEXT)",
     false},
    {"prefix", 'p', ZC_OPT_BOOL, "no", 0, 0, NULL, NULL,
     "TOPIC stands for all topics that begin with it; an empty one for all there are", false},
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq sub",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... TOPIC...",
    .words = 10000,
    .summary =
        "Prints the messages of the topics as they come: the payload, a line each; with several "
        "topics, or --prefix, the topic and a tab before it. What is missed on the way is "
        "fetched from history; what is gone from there is said on standard error.",
    .epilog =
        "Exit status: 0 when --count is reached, or, without it, when a signal ends it or at\n"
        "least one message came before --timeout; else 1; 2 for wrong use.\n\n"
        "Examples:\n"
        "  zmq sub news\n"
        "  zmq sub news weather --json --since earliest\n"
        "  zmq sub news --since 5m\n"
        "  zmq sub news --since last:10\n"
        "  zmq sub reply/42 --count 1 --timeout 10\n"
        "  zmq sub --prefix host/\n",
    .options = s_options,
};

typedef struct {
    const zc_options_t *options;
    zc_subscriber_t *subscriber;
    bool json, topics;      /* topics: print each message's topic */
    char since[ZC_ID_SIZE]; /* what --since came to; empty: none */
    uint64_t want, seen;
    bool ready; /* has been live */
    bool refused;
} s_sub_t;

static bool s_full (const s_sub_t *self)
{
    return self->want && self->seen >= self->want;
}

static void s_set_text (json_t *object, const char *key, zc_slice_t value)
{
    if (value.len)
        json_object_set_new (object, key, json_stringn (value.at, value.len));
}

/*  Adds a header: several of one name become a list. */
static void s_add_header (json_t *headers, zc_slice_t name, zc_slice_t value)
{
    char key[ZC_HEADERS_MAX + 1];
    json_t *text = json_stringn (value.at, value.len), *list;
    snprintf (key, sizeof key, "%.*s", (int)name.len, name.at);
    json_t *before = json_object_get (headers, key);
    if (!before) {
        json_object_set_new (headers, key, text);
        return;
    }
    if (json_is_array (before)) {
        json_array_append_new (before, text);
        return;
    }
    list = json_array ();
    json_array_append (list, before);
    json_array_append_new (list, text);
    json_object_set_new (headers, key, list);
}

/*  The publisher's headers, without those that have a name of their own. NULL where there are none.
 */
static json_t *s_headers (zc_slice_t meta)
{
    static const char *const others[] = {"id", "prev", "dropped", "event-id", "event"};
    json_t *headers = NULL;
    zc_slice_t name, value;
    while (zc_header_next (&meta, &name, &value)) {
        bool other = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            other = other || zc_slice_is (name, others[i]);
        if (other)
            continue;
        if (!headers)
            headers = json_object ();
        s_add_header (headers, name, value);
    }
    return headers;
}

static void s_print_json (const zc_message_t *message)
{
    json_t *object = json_object ();
    char id[ZC_ID_SIZE], time[ZC_TIMESTAMP_SIZE];
    zc_id_format (message->id, id);
    zc_timestamp_format (zc_id_ms (message->id), time);
    json_object_set_new (object, "id", json_string (id));
    json_object_set_new (object, "time", json_string (time));
    s_set_text (object, "event-id", message->event_id);
    s_set_text (object, "topic", message->topic);
    s_set_text (object, "event", message->event);
    json_t *headers = s_headers (message->meta);
    if (headers)
        json_object_set_new (object, "headers", headers);
    zc_slice_t payload = message->payload;
    if (zc_utf8_valid (payload.at, payload.len)) {
        json_object_set_new (object, "data", json_stringn (payload.at, payload.len));
    } else {
        zc_buf_t text = ZC_BUF_INIT;
        size_t len = 4 * ((payload.len + 2) / 3);
        zc_base64 (payload.at, payload.len, (char *)zc_buf_reserve (&text, len));
        json_object_set_new (object, "base64", json_stringn ((char *)text.data, len));
        zc_buf_clear (&text);
    }
    char *text = json_dumps (object, JSON_COMPACT);
    if (!text)
        abort ();
    zc_tool_put_json (text);
    free (text);
    json_decref (object);
}

static void s_message (void *arg, const zc_message_t *message)
{
    s_sub_t *self = arg;
    if (s_full (self))
        return;
    self->seen++;
    if (self->json) {
        s_print_json (message);
    } else {
        if (self->topics)
            printf ("%.*s\t", (int)message->topic.len, message->topic.at);
        zc_tool_put (message->payload);
    }
    putchar ('\n');
    if (s_full (self))
        zc_subscriber_pause (self->subscriber, true);
}

static void s_gap (void *arg, zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to)
{
    (void)arg;
    char since[ZC_ID_SIZE], floor[ZC_ID_SIZE];
    zc_id_format (from, since);
    zc_id_format (to, floor);
    fflush (stdout); /* where both go to one place, say it at the right one */
    const char *which = prefix ? "topics that begin with " : "";
    if (to < from)
        zc_tool_say ("gap: %s'%.*s': %s is after all that the broker has given out; going on after "
                     "%s, what was published before is missing",
                     which, (int)topic.len, topic.at, since, floor);
    else
        zc_tool_say ("gap: what was published on %s'%.*s' after %s, up to %s, is gone from history",
                     which, (int)topic.len, topic.at, since, floor);
}

static void s_live (void *arg, bool live)
{
    s_sub_t *self = arg;
    if (self->ready)
        zc_tool_say (live ? "the broker is back" : "lost the broker; waiting for it");
    self->ready = true;
}

static void s_refused (void *arg, zc_slice_t code, zc_slice_t text)
{
    s_sub_t *self = arg;
    if (!self->refused)
        zc_tool_say ("the broker refuses: %.*s: %.*s", (int)code.len, code.at, (int)text.len,
                     text.at);
    self->refused = true;
}

static int s_open (s_sub_t *self, void *context)
{
    bool prefix = zc_options_bool (self->options, "prefix");
    zc_subscriber_config_t config = {.subscribe = zc_options_text (self->options, "subscribe"),
                                     .control = zc_options_text (self->options, "control"),
                                     .since = *self->since ? self->since : NULL,
                                     .arg = self,
                                     .message = s_message,
                                     .gap = s_gap,
                                     .live = s_live,
                                     .refused = s_refused};
    self->subscriber = zc_subscriber_new (context, &config);
    if (!self->subscriber) {
        zc_tool_say ("%s or %s: %s", config.subscribe, config.control, zmq_strerror (errno));
        return ZC_EXIT_FAILURE;
    }
    const char *topic;
    for (size_t i = 0; (topic = zc_options_word (self->options, i)); i++)
        zc_subscriber_add (self->subscriber, (zc_slice_t){topic, strlen (topic)}, prefix);
    self->topics = prefix || zc_options_word (self->options, 1);
    return ZC_EXIT_OK;
}

/*  How it ended, when time is up or a signal came. */
static int s_verdict (const s_sub_t *self, bool timed_out)
{
    if (self->want ? s_full (self) : self->seen > 0 || !timed_out)
        return ZC_EXIT_OK;
    if (timed_out && self->want)
        zc_tool_say ("time is up: %llu of %llu messages came", (unsigned long long)self->seen,
                     (unsigned long long)self->want);
    else if (timed_out)
        zc_tool_say ("time is up: no message came");
    return ZC_EXIT_FAILURE;
}

/*  Milliseconds until `end_ms` (0: never), but no more than `wait` (-1: no limit). */
static long s_wait (uint64_t end_ms, long wait)
{
    if (!end_ms)
        return wait;
    uint64_t now = zc_mono_ms ();
    long left = end_ms > now ? (long)(end_ms - now) : 0;
    return wait < 0 || left < wait ? left : wait;
}

static int s_no_broker (const s_sub_t *self, uint64_t waited)
{
    const char *silent = zc_subscriber_is_connected (self->subscriber) ? "control" : "subscribe";
    return zc_tool_no_broker (silent, zc_options_text (self->options, silent), false,
                              (int64_t)waited);
}

static int s_run (s_sub_t *self)
{
    uint64_t begun = zc_mono_ms ();
    uint64_t timeout = (uint64_t)zc_options_number (self->options, "timeout");
    uint64_t end = timeout ? begun + timeout : 0;
    uint64_t patience = timeout && timeout < S_CONNECT_MS ? timeout : S_CONNECT_MS;
    uint64_t connect = begun + patience;
    while (!s_full (self) && !zc_tool_stopped) {
        zmq_pollitem_t items[4 + ZC_TOOL_ITEMS];
        size_t count = zc_subscriber_pollitems (self->subscriber, items);
        long wait = s_wait (end, zc_subscriber_timeout (self->subscriber));
        zc_tool_poll (items, count, self->ready ? wait : s_wait (connect, wait), true);
        zc_subscriber_run (self->subscriber);
        if (!zc_tool_flush ())
            return zc_tool_stopped ? s_verdict (self, false) : ZC_EXIT_FAILURE;
        if (self->refused)
            return ZC_EXIT_FAILURE;
        if (!self->ready && zc_mono_ms () >= connect)
            connect =
                zc_subscriber_moved_ms (self->subscriber) + patience; /* history may be long */
        if (!self->ready && zc_mono_ms () >= connect)
            return s_no_broker (self, patience);
        if (end && zc_mono_ms () >= end)
            return self->ready ? s_verdict (self, true) : s_no_broker (self, timeout);
    }
    return s_verdict (self, false);
}

static int s_check_words (const zc_options_t *options)
{
    if (!zc_options_word (options, 0))
        return zc_tool_misuse ("which topic?");
    const char *topic;
    bool prefix = zc_options_bool (options, "prefix");
    for (size_t i = 0; (topic = zc_options_word (options, i)); i++)
        if (!zc_topic_valid (topic, strlen (topic)) && !(prefix && !*topic))
            return zc_tool_misuse ("topic %zu: a topic is 1 to 1024 bytes of UTF-8 without control "
                                   "characters",
                                   i + 1);
    return ZC_EXIT_OK;
}

/*  --since: reads it, and asks the broker what only that knows. */
static int s_find_begin (s_sub_t *self)
{
    const char *text = zc_options_text (self->options, "since"), *topic;
    if (!text)
        return ZC_EXIT_OK;
    bool prefix = zc_options_bool (self->options, "prefix");
    zc_since_t since;
    const char *wrong = zc_since_parse (&since, text, zc_wall_ms ());
    if (wrong)
        return zc_tool_misuse ("--since %s: %s", text, wrong);
    if (prefix && since.from == ZC_FROM_OWN_ID)
        return zc_tool_misuse ("--since %s: a publisher's own id belongs to one topic, and not to "
                               "all of a --prefix (what it takes: " ZC_SINCE_FORMS ")",
                               text);
    size_t count = 0;
    while (zc_options_word (self->options, count))
        count++;
    zc_slice_t *topics = calloc (count, sizeof *topics);
    if (!topics)
        abort ();
    for (size_t i = 0; (topic = zc_options_word (self->options, i)); i++)
        topics[i] = (zc_slice_t){topic, strlen (topic)};
    uint64_t timeout = (uint64_t)zc_options_number (self->options, "timeout");
    unsigned patience = timeout && timeout < S_CONNECT_MS ? (unsigned)timeout : S_CONNECT_MS;
    int status = zc_locate (self->options, &since, topics, count, prefix, patience, self->since);
    free (topics);
    return status;
}

static int s_sub (const zc_options_t *options)
{
    int status = s_check_words (options);
    s_sub_t self = {.options = options,
                    .json = zc_options_bool (options, "json"),
                    .want = (uint64_t)zc_options_number (options, "count")};
    if (status == ZC_EXIT_OK)
        status = s_find_begin (&self);
    if (status != ZC_EXIT_OK)
        return status;
    void *context = zmq_ctx_new ();
    status = s_open (&self, context);
    if (status == ZC_EXIT_OK)
        status = s_run (&self);
    zc_subscriber_destroy (&self.subscriber);
    zc_context_end (&context, ZC_CONTEXT_END_MS);
    return status;
}

const zc_tool_command_t zc_tool_sub = {&s_program, s_sub};
