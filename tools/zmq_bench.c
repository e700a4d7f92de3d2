/*  zmq_bench.c - `zmq bench`: how many messages a broker accepts and delivers, and how long that
 *  takes.
 *
 *  One publisher with acknowledgement, and a number of subscribers, are in this process. A
 *  message begins with the time when it was made, so that its acknowledgement and its delivery
 *  can be timed. So the measurement includes this process, which shares the machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/peer/context.h"
#include "lib/peer/publisher.h"
#include "lib/peer/subscriber.h"
#include "tools/human.h"
#include "tools/progress.h"
#include "tools/samples.h"
#include "tools/tool.h"

#define S_AHEAD 400             /* messages queued, acknowledged or not */
#define S_AHEAD_BYTES (4 << 20) /* and bytes in them */
#define S_START_MS 5000         /* for the broker to be there */
#define S_LATE_MS 5000          /* for messages that are under way when the time is over */
#define S_SUBSCRIBERS_MAX 100
#define S_STAMP sizeof (uint64_t) /* bytes at the beginning of a payload */

static const zc_option_t s_options[] = {
    {.name = "count",
     .letter = 'n',
     .type = ZC_OPT_NUMBER,
     .preset = "0",
     .max = 100000000,
     .argument = "N",
     .help = "messages; 0: 100000, and of latency 1000"},
    {.name = "seconds",
     .letter = 's',
     .type = ZC_OPT_SECONDS,
     .preset = "10s",
     .min = 1,
     .max = 3600000,
     .argument = "TIME",
     .help = "publish for no longer than this"},
    {.name = "size",
     .letter = 'b',
     .type = ZC_OPT_SIZE,
     .preset = "200",
     .min = S_STAMP,
     .max = 1 << 30,
     .argument = "SIZE",
     .help = "of a payload"},
    {.name = "subscribers",
     .letter = 'm',
     .type = ZC_OPT_NUMBER,
     .preset = "0",
     .max = S_SUBSCRIBERS_MAX,
     .argument = "N",
     .help = "of fanout (0: 10) and of latency (0: 1)"},
    {.name = "rate",
     .letter = 'r',
     .type = ZC_OPT_NUMBER,
     .preset = "0",
     .max = 10000000,
     .argument = "N",
     .help = "messages a second; 0: as many as the broker takes, and of latency 100"},
    {.name = "json",
     .letter = 'j',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "the result as a JSON object"},
    {.name = "remote",
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "also load a broker on another machine"},
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq bench",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... publish|fanout|latency",
    .words = 1,
    .summary =
        "Loads the broker, and prints what it took: publish with acknowledgement, fanout to a "
        "number of subscribers, or latency of a few messages. The messages go through history, "
        "and are removed from it at the end; if history is full, they push out others.",
    .epilog = "Examples:\n"
              "  zmq bench publish\n"
              "  zmq bench fanout --subscribers 20 --seconds 5\n"
              "  zmq bench latency --rate 1000 --json\n",
    .options = s_options,
};

typedef struct s_bench s_bench_t;

typedef struct {
    s_bench_t *bench;
    zc_subscriber_t *subscriber;
    bool live;
    uint64_t received;
} s_listener_t;

struct s_bench {
    const zc_options_t *options;
    const char *mode;
    uint64_t count, rate;
    size_t listener_count;
    uint64_t begun_us, ended_us; /* of publishing, acknowledgements included */
    uint64_t delivered_us;       /* the last delivery */
    char topic[64];
    zc_buf_t payload;
    zc_publisher_t *publisher;
    s_listener_t listeners[S_SUBSCRIBERS_MAX];
    uint64_t sent, acknowledged, refused, received;
    zc_samples_t acknowledgements, deliveries;
    zc_progress_t progress;
    bool failed;
};

/*  What arrives ---------------------------------------------------------------------------------
 */

static void s_take_time (zc_samples_t *samples, zc_slice_t payload)
{
    uint64_t made;
    if (payload.len < S_STAMP)
        return;
    memcpy (&made, payload.at, sizeof made);
    zc_samples_add (samples, zc_mono_us () - made);
}

static void s_published (void *arg, const zc_published_t *published)
{
    s_bench_t *self = arg;
    self->acknowledged++;
    self->ended_us = zc_mono_us ();
    if (zc_slice_is (published->code, "OK")) {
        s_take_time (&self->acknowledgements, published->payload);
        return;
    }
    if (!self->refused++)
        zc_tool_say ("refused: %.*s: %.*s", (int)published->code.len, published->code.at,
                     (int)published->text.len, published->text.at);
}

static void s_message (void *arg, const zc_message_t *message)
{
    s_listener_t *listener = arg;
    listener->received++;
    listener->bench->received++;
    listener->bench->delivered_us = zc_mono_us ();
    s_take_time (&listener->bench->deliveries, message->payload);
}

static void s_live (void *arg, bool live)
{
    s_listener_t *listener = arg;
    listener->live = live;
}

static void s_refused (void *arg, zc_slice_t code, zc_slice_t text)
{
    s_listener_t *listener = arg;
    if (!listener->bench->failed)
        zc_tool_say ("the broker refuses: %.*s: %.*s", (int)code.len, code.at, (int)text.len,
                     text.at);
    listener->bench->failed = true;
}

/*  The loop --------------------------------------------------------------------------------------
 */

/*  Milliseconds until the rate allows another message. */
static uint64_t s_rate_wait (const s_bench_t *self)
{
    uint64_t due = self->rate ? self->sent * 1000 / self->rate : 0;
    uint64_t passed = (zc_mono_us () - self->begun_us) / 1000;
    return due > passed ? due - passed : 0;
}

static bool s_has_room (const s_bench_t *self)
{
    const zc_publisher_stats_t *stats = zc_publisher_stats (self->publisher);
    return stats->waiting < S_AHEAD && stats->bytes < S_AHEAD_BYTES;
}

static void s_publish (s_bench_t *self)
{
    while (self->sent < self->count && s_has_room (self) && !s_rate_wait (self)) {
        uint64_t now = zc_mono_us ();
        memcpy (self->payload.data, &now, sizeof now);
        zc_publisher_add (self->publisher, (zc_slice_t){self->topic, strlen (self->topic)},
                          (zc_slice_t){(char *)self->payload.data, self->payload.len},
                          (zc_slice_t){"", 0});
        self->sent++;
    }
}

/*  Waits for at most `wait` ms, and handles what has arrived. */
static void s_turn (s_bench_t *self, long wait)
{
    zmq_pollitem_t items[2 + 4 * S_SUBSCRIBERS_MAX + ZC_TOOL_ITEMS];
    size_t count = zc_publisher_pollitems (self->publisher, items);
    long timeout = zc_publisher_timeout (self->publisher);
    wait = timeout >= 0 && timeout < wait ? timeout : wait;
    for (size_t i = 0; i < self->listener_count; i++) {
        count += zc_subscriber_pollitems (self->listeners[i].subscriber, items + count);
        timeout = zc_subscriber_timeout (self->listeners[i].subscriber);
        wait = timeout >= 0 && timeout < wait ? timeout : wait;
    }
    zc_tool_poll (items, count, wait, true);
    zc_publisher_run (self->publisher);
    for (size_t i = 0; i < self->listener_count; i++)
        zc_subscriber_run (self->listeners[i].subscriber);
    if (zc_progress_due (&self->progress))
        zc_progress_show (&self->progress, "%" PRIu64 " published, %" PRIu64 " delivered",
                          self->acknowledged, self->received);
}

static bool s_is_ready (const s_bench_t *self)
{
    bool ready = self->listener_count || zc_publisher_is_connected (self->publisher);
    for (size_t i = 0; i < self->listener_count; i++)
        ready = ready && self->listeners[i].live;
    return ready;
}

static bool s_is_complete (const s_bench_t *self)
{
    return self->acknowledged == self->sent &&
           self->received >= (self->sent - self->refused) * self->listener_count;
}

static int s_start (s_bench_t *self)
{
    uint64_t end = zc_mono_ms () + S_START_MS, now;
    while (!s_is_ready (self) && !self->failed && !zc_tool_stopped && (now = zc_mono_ms ()) < end)
        s_turn (self, (long)(end - now));
    if (s_is_ready (self) || zc_tool_stopped || self->failed)
        return self->failed || zc_tool_stopped ? ZC_EXIT_FAILURE : ZC_EXIT_OK;
    return zc_tool_no_broker ("control", zc_options_text (self->options, "control"), false,
                              S_START_MS);
}

static int s_measure (s_bench_t *self)
{
    uint64_t end, now;
    self->begun_us = self->ended_us = self->delivered_us = zc_mono_us ();
    end = zc_mono_ms () + (uint64_t)zc_options_number (self->options, "seconds");
    while (self->sent < self->count && !self->failed && !zc_tool_stopped &&
           (now = zc_mono_ms ()) < end) {
        s_publish (self);
        uint64_t pause = s_rate_wait (self), left = end - now;
        s_turn (self, (long)(pause && pause < left ? pause : left));
    }
    end = zc_mono_ms () + S_LATE_MS;
    while (!s_is_complete (self) && !self->failed && !zc_tool_stopped &&
           (now = zc_mono_ms ()) < end)
        s_turn (self, (long)(end - now));
    return self->failed || self->refused ? ZC_EXIT_FAILURE : ZC_EXIT_OK;
}

/*  The result ------------------------------------------------------------------------------------
 */

static double s_per_second (uint64_t count, uint64_t us)
{
    return us ? (double)count * 1e6 / (double)us : 0;
}

static uint64_t s_missing (const s_bench_t *self)
{
    uint64_t wanted = (self->acknowledged - self->refused) * self->listener_count;
    return wanted > self->received ? wanted - self->received : 0;
}

static void s_print_text (const s_bench_t *self)
{
    char count[ZC_HUMAN_SIZE], rate[ZC_HUMAN_SIZE], text[ZC_SAMPLES_TEXT], bytes[ZC_HUMAN_SIZE];
    uint64_t us = self->ended_us - self->begun_us;
    double per_second = s_per_second (self->acknowledged, us);
    printf ("published  %s messages of %s in %.2f s: %s/s\n",
            zc_human_count ((double)self->acknowledged, count),
            zc_human_bytes ((double)self->payload.len, bytes), (double)us / 1e6,
            zc_human_count (per_second, rate));
    printf ("answered   after %s\n", zc_samples_text (&self->acknowledgements, text));
    if (!self->listener_count)
        return;
    us = self->delivered_us - self->begun_us;
    printf ("delivered  %s messages to %zu subscriber%s: %s/s\n",
            zc_human_count ((double)self->received, count), self->listener_count,
            self->listener_count == 1 ? "" : "s",
            zc_human_count (s_per_second (self->received, us), rate));
    printf ("latency    %s\n", zc_samples_text (&self->deliveries, text));
    if (s_missing (self))
        printf ("missing    %s deliveries, when the time was up\n",
                zc_human_count ((double)s_missing (self), count));
}

static void s_print_json (const s_bench_t *self)
{
    double seconds = (double)(self->ended_us - self->begun_us) / 1e6;
    json_t *object = json_pack ("{s:s, s:I, s:I, s:f, s:f, s:o}", "bench", self->mode, "published",
                                (json_int_t)self->acknowledged, "size",
                                (json_int_t)self->payload.len, "seconds", seconds, "per_second",
                                s_per_second (self->acknowledged, self->ended_us - self->begun_us),
                                "answered_ms", zc_samples_json (&self->acknowledgements));
    if (self->listener_count) {
        json_object_set_new (object, "subscribers",
                             json_integer ((json_int_t)self->listener_count));
        json_object_set_new (object, "delivered", json_integer ((json_int_t)self->received));
        json_object_set_new (object, "missing", json_integer ((json_int_t)s_missing (self)));
        json_object_set_new (
            object, "delivered_per_second",
            json_real (s_per_second (self->received, self->delivered_us - self->begun_us)));
        json_object_set_new (object, "latency_ms", zc_samples_json (&self->deliveries));
    }
    char *line = json_dumps (object, JSON_COMPACT | JSON_REAL_PRECISION (6));
    if (!line)
        abort ();
    puts (line);
    free (line);
    json_decref (object);
}

/*  Beginning and end -----------------------------------------------------------------------------
 */

static int s_open (s_bench_t *self, void *context)
{
    const zc_options_t *options = self->options;
    zc_publisher_config_t publisher = {
        .control = zc_options_text (options, "control"), .arg = self, .published = s_published};
    self->publisher = zc_publisher_new (context, &publisher);
    if (!self->publisher)
        return ZC_EXIT_FAILURE;
    for (size_t i = 0; i < self->listener_count; i++) {
        s_listener_t *listener = &self->listeners[i];
        zc_subscriber_config_t config = {.subscribe = zc_options_text (options, "subscribe"),
                                         .control = zc_options_text (options, "control"),
                                         .arg = listener,
                                         .message = s_message,
                                         .live = s_live,
                                         .refused = s_refused};
        listener->bench = self;
        listener->subscriber = zc_subscriber_new (context, &config);
        if (!listener->subscriber)
            return ZC_EXIT_FAILURE;
        zc_subscriber_add (listener->subscriber, (zc_slice_t){self->topic, strlen (self->topic)},
                           false);
    }
    return ZC_EXIT_OK;
}

static void s_close (s_bench_t *self, void *context)
{
    zc_progress_clear (&self->progress);
    zc_publisher_destroy (&self->publisher);
    for (size_t i = 0; i < self->listener_count; i++)
        zc_subscriber_destroy (&self->listeners[i].subscriber);
    zc_context_end (&context, ZC_CONTEXT_END_MS);
}

static void s_purged (void *arg, const zc_answer_t *answer)
{
    (void)arg, (void)answer;
}

/*  Removes the messages from history, also when a signal has ended the bench; another signal
 *  ends the program at once. */
static void s_clean_up (const s_bench_t *self)
{
    zc_ask_t ask = {.verb = ZC_PURGE, .list = {self->topic, strlen (self->topic)}};
    zc_tool_link_t *link = zc_tool_link_new (self->options, S_LATE_MS);
    zc_tool_stopped = false;
    if (link)
        zc_tool_ask (link, &ask, s_purged, NULL);
    zc_tool_link_destroy (&link);
}

static int s_check (const zc_options_t *options)
{
    static const char *const endpoints[] = {"control", "subscribe"};
    const char *mode = zc_options_word (options, 0);
    if (!mode)
        return zc_tool_misuse ("which bench? publish, fanout or latency");
    if (strcmp (mode, "publish") != 0 && strcmp (mode, "fanout") != 0 &&
        strcmp (mode, "latency") != 0)
        return zc_tool_misuse ("'%s' is no bench: publish, fanout or latency", mode);
    for (size_t i = 0; i < 2; i++) {
        const char *endpoint = zc_options_text (options, endpoints[i]);
        if (zc_endpoint_exposed (endpoint) && !zc_options_bool (options, "remote"))
            return zc_tool_misuse ("%s is not on this machine: --remote loads it all the same",
                                   endpoint);
    }
    return ZC_EXIT_OK;
}

static void s_set_mode (s_bench_t *self, const zc_options_t *options)
{
    bool latency = strcmp (self->mode, "latency") == 0, fanout = strcmp (self->mode, "fanout") == 0;
    self->count = (uint64_t)zc_options_number (options, "count");
    self->rate = (uint64_t)zc_options_number (options, "rate");
    self->listener_count = (size_t)zc_options_number (options, "subscribers");
    if (!self->count)
        self->count = latency ? 1000 : 100000;
    if (!self->rate && latency)
        self->rate = 100;
    if (!latency && !fanout)
        self->listener_count = 0;
    else if (!self->listener_count)
        self->listener_count = fanout ? 10 : 1;
}

static int s_bench (s_bench_t *self)
{
    void *context = zmq_ctx_new ();
    zmq_ctx_set (context, ZMQ_MAX_SOCKETS, 4 * S_SUBSCRIBERS_MAX + 100);
    int status = s_open (self, context);
    if (status != ZC_EXIT_OK)
        zc_tool_say ("no socket: %s", zmq_strerror (zmq_errno ()));
    if (status == ZC_EXIT_OK)
        status = s_start (self);
    if (status == ZC_EXIT_OK)
        status = s_measure (self);
    s_close (self, context);
    if (self->sent)
        s_clean_up (self);
    return status;
}

static int s_run (const zc_options_t *options)
{
    s_bench_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->options = options;
    self->mode = zc_options_word (options, 0);
    int status = s_check (options);
    if (status == ZC_EXIT_OK) {
        size_t size = (size_t)zc_options_number (options, "size");
        s_set_mode (self, options);
        snprintf (self->topic, sizeof self->topic, "zmq-bench/%ld", (long)getpid ());
        memset (zc_buf_reserve (&self->payload, size), 'x', size);
        self->payload.len = size;
        zc_progress_init (&self->progress, true);
        status = s_bench (self);
        if (self->acknowledged)
            (zc_options_bool (options, "json") ? s_print_json : s_print_text) (self);
    }
    zc_buf_clear (&self->payload);
    free (self);
    return status;
}

const zc_tool_command_t zc_tool_bench = {&s_program, s_run};
