/*  zmq_sub.c - `zmq sub`: topics to standard output, without a hole (lib/peer/subscriber.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/peer/context.h"
#include "lib/peer/subscriber.h"
#include "lib/wire/selector.h"
#include "tools/http.h"
#include "tools/http_sub.h"
#include "tools/locate.h"
#include "tools/printer.h"
#include "tools/tool.h"

#define S_CONNECT_MS 5000 /* how long to wait for the broker in the beginning */

static const zc_option_t s_options[] = {
    {.name = "json",
     .letter = 'j',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "one JSON object a line"},
    {.name = "count",
     .letter = 'n',
     .type = ZC_OPT_NUMBER,
     .preset = "0",
     .max = INT64_MAX,
     .argument = "N",
     .help = "end after N messages"},
    {.name = "timeout",
     .letter = 't',
     .type = ZC_OPT_SECONDS,
     .preset = "0",
     .max = 86400000,
     .argument = "TIME",
     .help = "end after this time; 0: never"},
    {.name = "since",
     .letter = 's',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_EVENT_ID_MAX + 3,
     .argument = "WHEN",
     .help = "begin in history: so long ago (5m), at a time (2026-11-27T10:00:00Z), with the last "
             "N messages (last:N), after an id, with all there is (earliest), or after a "
             "publisher's own id (id:TEXT)"},
    {.name = "prefix",
     .letter = 'p',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "TOPIC stands for all topics that begin with it; an empty one for all there are"},
    {.name = "match",
     .letter = 'm',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "TOPIC is a filter as in MQTT: + stands for one level between slashes, # at the end "
             "for all further ones"},
    ZC_FORMAT_OPTION,
    ZC_HTTP_OPTIONS,
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
        "topics, --prefix or --match, the topic and a tab before it. What is missed on the way is "
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
        "  zmq sub --prefix host/\n"
        "  zmq sub --match host/+/load\n"
        "  zmq sub news --format '%T %i %p\\n'\n"
        "  zmq sub news --http https://www.example.org --token-file ann.token\n",
    .options = s_options,
};

typedef struct {
    const zc_options_t *options;
    zc_subscriber_t *subscriber;
    zc_printer_t printer;
    char since[ZC_ID_SIZE];  /* the position of --since; empty: none */
    zc_selector_t **filters; /* owned, of --match: a filter for each TOPIC; or NULL */
    zc_slice_t *topics;      /* owned: each TOPIC, or the text that its filter begins with */
    size_t count;
    bool prefix; /* topics stand for all that begin with them */
    bool ready;  /* it has been live */
    bool refused;
} s_sub_t;

/*  The broker gives us all topics that begin as a filter does. */
static bool s_is_wanted (const s_sub_t *self, zc_slice_t topic)
{
    for (size_t i = 0; self->filters && i < self->count; i++)
        if (zc_selector_match (self->filters[i], topic))
            return true;
    return !self->filters;
}

static void s_message (void *arg, const zc_message_t *message)
{
    s_sub_t *self = arg;
    if (!s_is_wanted (self, message->topic))
        return;
    zc_printer_message (&self->printer, message);
    if (zc_printer_full (&self->printer))
        zc_subscriber_pause (self->subscriber, true);
}

static void s_gap (void *arg, zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to)
{
    (void)arg;
    zc_printer_gap (topic, prefix, from, to);
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
    for (size_t i = 0; i < self->count; i++)
        zc_subscriber_add (self->subscriber, self->topics[i], self->prefix);
    self->printer.topics = self->prefix || self->count > 1;
    return ZC_EXIT_OK;
}

/*  Milliseconds until `end_ms` (0: never), but at most `wait` (-1: no limit). */
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
    uint64_t connect_ms = timeout && timeout < S_CONNECT_MS ? timeout : S_CONNECT_MS;
    uint64_t connect = begun + connect_ms;
    while (!zc_printer_full (&self->printer) && !zc_tool_stopped) {
        zmq_pollitem_t items[4 + ZC_TOOL_ITEMS];
        size_t count = zc_subscriber_pollitems (self->subscriber, items);
        long wait = s_wait (end, zc_subscriber_timeout (self->subscriber));
        zc_tool_poll (items, count, self->ready ? wait : s_wait (connect, wait), true);
        zc_subscriber_run (self->subscriber);
        if (!zc_tool_flush ())
            return zc_tool_stopped ? zc_printer_verdict (&self->printer, false) : ZC_EXIT_FAILURE;
        if (self->refused)
            return ZC_EXIT_FAILURE;
        if (!self->ready && zc_mono_ms () >= connect)
            connect =
                zc_subscriber_moved_ms (self->subscriber) + connect_ms; /* history may be long */
        if (!self->ready && zc_mono_ms () >= connect)
            return s_no_broker (self, connect_ms);
        if (end && zc_mono_ms () >= end)
            return self->ready ? zc_printer_verdict (&self->printer, true)
                               : s_no_broker (self, timeout);
    }
    return zc_printer_verdict (&self->printer, false);
}

/*  Takes one TOPIC. Returns NULL, or what is wrong with it. */
static const char *s_take_word (s_sub_t *self, zc_slice_t topic)
{
    bool prefix = zc_options_bool (self->options, "prefix");
    const char *wrong = "a topic is 1 to 1024 bytes of UTF-8 without control characters";
    if (self->filters) {
        zc_selector_t *filter = zc_selector_new (ZC_SELECTOR_FILTER, topic, &wrong);
        if (!filter)
            return wrong;
        self->filters[self->count] = filter;
        topic = zc_selector_beginning (filter);
    } else if (!zc_topic_valid (topic.at, topic.len) && !(prefix && topic.len == 0)) {
        return wrong;
    }
    self->topics[self->count++] = topic;
    return NULL;
}

static int s_take_words (s_sub_t *self)
{
    bool match = zc_options_bool (self->options, "match");
    const char *word, *wrong;
    size_t count = 0;
    if (!zc_options_word (self->options, 0))
        return zc_tool_misuse ("which topic?");
    if (match && zc_options_bool (self->options, "prefix"))
        return zc_tool_misuse ("--prefix and --match don't go together");
    while (zc_options_word (self->options, count))
        count++;
    self->prefix = match || zc_options_bool (self->options, "prefix");
    self->topics = calloc (count, sizeof *self->topics);
    self->filters = match ? calloc (count, sizeof *self->filters) : NULL;
    if (!self->topics || (match && !self->filters))
        abort ();
    for (size_t i = 0; (word = zc_options_word (self->options, i)); i++)
        if ((wrong = s_take_word (self, (zc_slice_t){word, strlen (word)})))
            return zc_tool_misuse ("topic %zu: %s", i + 1, wrong);
    return ZC_EXIT_OK;
}

static void s_clear_words (s_sub_t *self)
{
    for (size_t i = 0; self->filters && i < self->count; i++)
        zc_selector_destroy (&self->filters[i]);
    free (self->filters);
    free (self->topics);
}

/*  --http: what a browser could see. */
static int s_sub_http (s_sub_t *self)
{
    const char *text = zc_options_text (self->options, "since"), *begin = NULL;
    zc_since_t since;
    if (zc_options_bool (self->options, "prefix"))
        return zc_tool_misuse ("--prefix: topics are asked for one by one over --http");
    const char *wrong = text ? zc_since_parse (&since, text, zc_wall_ms ()) : NULL;
    if (wrong)
        return zc_tool_misuse ("--since %s: %s", text, wrong);
    if (text && since.from == ZC_FROM_LAST)
        return zc_tool_misuse ("--since %s: only the broker knows that, and not --http", text);
    if (text && since.from == ZC_FROM_POSITION) {
        zc_id_format (since.position, self->since);
        begin = self->since;
    } else if (text) {
        begin = since.from == ZC_FROM_EARLIEST ? "earliest" : since.own_id;
    }
    self->printer.topics = self->prefix || self->count > 1;
    return zc_http_sub (self->options, &self->printer, begin);
}

/*  Reads --since, and asks the broker for the part that only the broker knows. */
static int s_find_begin (s_sub_t *self)
{
    const char *text = zc_options_text (self->options, "since");
    if (!text)
        return ZC_EXIT_OK;
    zc_since_t since;
    const char *wrong = zc_since_parse (&since, text, zc_wall_ms ());
    if (wrong)
        return zc_tool_misuse ("--since %s: %s", text, wrong);
    if (self->prefix && since.from == ZC_FROM_OWN_ID)
        return zc_tool_misuse ("--since %s: a publisher's own id belongs to one topic, and not to "
                               "all of a --prefix or --match (what it takes: " ZC_SINCE_FORMS ")",
                               text);
    if (self->filters && since.from == ZC_FROM_LAST)
        return zc_tool_misuse ("--since %s: the last messages can't be counted with --match", text);
    uint64_t timeout = (uint64_t)zc_options_number (self->options, "timeout");
    unsigned connect_ms = timeout && timeout < S_CONNECT_MS ? (unsigned)timeout : S_CONNECT_MS;
    return zc_locate (self->options, &since, self->topics, self->count, self->prefix, ZC_ID_MAX,
                      connect_ms, self->since);
}

static int s_sub_broker (s_sub_t *self)
{
    int status = s_find_begin (self);
    if (status != ZC_EXIT_OK)
        return status;
    void *context = zmq_ctx_new ();
    status = s_open (self, context);
    if (status == ZC_EXIT_OK)
        status = s_run (self);
    zc_subscriber_destroy (&self->subscriber);
    zc_context_end (&context, ZC_CONTEXT_END_MS);
    return status;
}

static int s_sub (const zc_options_t *options)
{
    s_sub_t self = {.options = options};
    int status = s_take_words (&self);
    if (status == ZC_EXIT_OK)
        status = zc_printer_init (&self.printer, options, zc_options_bool (options, "json"), NULL);
    self.printer.want = (uint64_t)zc_options_number (options, "count");
    if (status == ZC_EXIT_OK)
        status = zc_options_text (options, "http") ? s_sub_http (&self) : s_sub_broker (&self);
    zc_printer_clear (&self.printer);
    s_clear_words (&self);
    return status;
}

const zc_tool_command_t zc_tool_sub = {&s_program, s_sub};
