/*  metrics.c - see metrics.h.
 *
 *  One table says of each figure in STATS what it is called, of which kind it is, and what it
 * means. A figure that no table names is not shown: what it means is not known here. There are no
 * labels of topics, since there may be any number of them. */
#include "lib/front/metrics.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/field.h"

#define S_TIMEOUT_MS 3000 /* for the broker's answer: less than a scraper waits */

typedef enum { S_COUNTER, S_GAUGE } s_kind_t;

typedef struct {
    const char *path;   /* members of the JSON, '.' between them */
    const char *metric; /* without "zcast_", and without a counter's "_total" */
    s_kind_t kind;
    double scale; /* what the figure is multiplied by, to come to the base unit */
    const char *help;
} s_figure_t;

/*  Of the broker. */
static const s_figure_t s_broker[] = {
    {"uptime", "broker_uptime_seconds", S_GAUGE, 1, "Time since the broker started."},
    {"received", "broker_received", S_COUNTER, 1, "Messages that publishers sent."},
    {"published", "broker_published", S_COUNTER, 1, "Messages that were ordered and delivered."},
    {"bytes", "broker_payload_bytes", S_COUNTER, 1, "Bytes of their payloads."},
    {"refused", "broker_refused", S_COUNTER, 1,
     "Messages on the publish endpoint that were malformed, in conflict or not allowed."},
    {"duplicates", "broker_duplicates", S_COUNTER, 1, "Messages that were published before."},
    {"conflicts", "broker_conflicts", S_COUNTER, 1,
     "Messages whose id or key is another message's."},
    {"failed", "broker_failed", S_COUNTER, 1, "Messages that history could not take."},
    {"replayed", "broker_replayed", S_COUNTER, 1, "Messages read from history for replays."},
    {"errors", "broker_errors", S_COUNTER, 1, "Requests that were answered with an error."},
    {"strangers", "broker_strangers", S_COUNTER, 1,
     "Connections that ended before they had spoken ZeroMQ."},
    {"unauthorized", "broker_unauthorized", S_COUNTER, 1,
     "Connections that were refused for their certificate."},
    {"unanswered", "broker_unanswered", S_COUNTER, 1, "Answers that nobody read."},
    {"out_of_files", "broker_out_of_files", S_COUNTER, 1, "Times that descriptors ran out."},
    {"dropped.count", "broker_dropped", S_COUNTER, 1,
     "Times that a slow subscriber's queue was full."},
    {"subscriptions", "broker_subscriptions", S_GAUGE, 1, "Subscriptions of all subscribers."},
    {"topics", "broker_topics", S_GAUGE, 1, "Topics that the broker knows."},
    {"jobs", "broker_replays", S_GAUGE, 1, "Replays under way."},
    {"syncs", "broker_barriers", S_GAUGE, 1, "SYNCs that wait for their subscription."},
    {"unread", "broker_unread", S_GAUGE, 1, "Answers that wait to be read."},
    {"remembered", "broker_remembered", S_GAUGE, 1, "Ids and keys that are known for repeats."},
    {"history.messages", "broker_history_messages", S_GAUGE, 1, "Messages in history."},
    {"history.bytes", "broker_history_bytes", S_GAUGE, 1, "Bytes of history."},
    {"history.trimmed", "broker_history_trimmed", S_COUNTER, 1,
     "Messages that history let go of by its limits."},
    {"history.lost", "broker_history_lost", S_COUNTER, 1,
     "Messages that were delivered and never kept."},
    {"history.commits", "broker_history_commits", S_COUNTER, 1, "Commits of history on disk."},
};

/*  Of a worker that serves clients; zcast-fcgi and zcast-ws alike. */
static const s_figure_t s_worker[] = {
    {"clients", "clients", S_GAUGE, 1, "Clients that are connected."},
    {"clients_total", "clients_joined", S_COUNTER, 1, "Clients that have joined."},
    {"topics", "topics", S_GAUGE, 1, "Topics that some client follows."},
    {"channels", "channels", S_GAUGE, 1, "Sets of topics that some client follows."},
    {"received", "received", S_COUNTER, 1, "Messages that came from the broker."},
    {"delivered", "delivered", S_COUNTER, 1, "Messages times the clients that they are for."},
    {"holes", "holes", S_COUNTER, 1, "Losses on the way from the broker that were seen."},
    {"repaired", "repaired", S_COUNTER, 1, "Messages fetched from history to mend them."},
    {"gaps", "gaps", S_COUNTER, 1, "Gaps that clients were told of."},
    {"reconnects", "reconnects", S_COUNTER, 1, "Connections to the broker that were made."},
    {"resumed_feed", "resumed_from_feed", S_COUNTER, 1, "Clients that resumed within the feed."},
    {"resumed_broker", "resumed_from_history", S_COUNTER, 1, "Clients that resumed from history."},
    {"slow_dropped", "slow_dropped", S_COUNTER, 1, "Slow clients that were disconnected."},
    {"slow_skipped", "slow_skipped", S_COUNTER, 1, "Slow clients that were led to the newest."},
    {"feed_bytes", "feed_bytes", S_GAUGE, 1, "Memory of the feeds."},
    {"sends", "sends", S_COUNTER, 1, "Sends to clients."},
    {"bytes", "sent_bytes", S_COUNTER, 1, "Bytes sent to clients."},
    {"blocked", "blocked", S_COUNTER, 1, "Sends that a client's full socket held up."},
    {"interval_us", "flush_interval_seconds", S_GAUGE, 1e-6, "Time between two rounds of sends."},
    {"malformed", "malformed", S_COUNTER, 1, "Messages from the broker that made no sense."},
    {"http.requests", "http_requests", S_COUNTER, 1, "Requests that were begun."},
    {"http.errors", "http_errors", S_COUNTER, 1, "Requests answered with 400 to 499."},
    {"http.refused", "http_refused", S_COUNTER, 1, "Requests told to come back, for want of room."},
    {"http.limited", "http_limited", S_COUNTER, 1, "Requests over the limit of who asked."},
    {"http.published", "http_published", S_COUNTER, 1, "Messages published over HTTP."},
    {"http.conflicts", "http_conflicts", S_COUNTER, 1, "Publishes refused as conflicts."},
    {"http.proxies", "http_proxies_refused", S_COUNTER, 1,
     "Requests refused for what was said of the client's address, or wasn't."},
    {"ws.published", "ws_published", S_COUNTER, 1, "Messages published over WebSocket."},
    {"ws.violations", "ws_violations", S_COUNTER, 1,
     "WebSockets closed for breaking the protocol."},
    {"ws.silent", "ws_silent", S_COUNTER, 1, "WebSockets closed for giving no sign of life."},
};

/*  Values by member. */

static const json_t *s_find (const json_t *json, const char *path)
{
    char name[64];
    while (json && *path) {
        size_t len = strcspn (path, ".");
        snprintf (name, sizeof name, "%.*s", (int)len, path);
        json = json_object_get (json, name);
        path += len + (path[len] == '.');
    }
    return json;
}

/*  Writing. */

typedef struct {
    zc_buf_t *out;
    bool openmetrics;
} s_writer_t;

/*  In OpenMetrics a counter's family is named without "_total", in the older format with it. */
static void s_family (const s_writer_t *self, const s_figure_t *figure)
{
    bool total = figure->kind == S_COUNTER && !self->openmetrics;
    zc_buf_addf (self->out, "# HELP zcast_%s%s %s\n", figure->metric, total ? "_total" : "",
                 figure->help);
    zc_buf_addf (self->out, "# TYPE zcast_%s%s %s\n", figure->metric, total ? "_total" : "",
                 figure->kind == S_COUNTER ? "counter" : "gauge");
}

/*  A label's value: backslash, quote and line feed are escaped. */
static void s_label (zc_buf_t *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            zc_buf_addc (out, '\\');
        if (*value == '\n')
            zc_buf_adds (out, "\\n");
        else
            zc_buf_addc (out, *value);
    }
}

/*  Without the bracket at the end. */
static void s_labels (zc_buf_t *out, const char *program, const char *worker)
{
    zc_buf_adds (out, "{program=\"");
    s_label (out, program);
    zc_buf_adds (out, "\",worker=\"");
    s_label (out, worker);
    zc_buf_addc (out, '"');
}

/*  `program` and `worker` may be NULL. */
static void s_sample (const s_writer_t *self, const s_figure_t *figure, const char *program,
                      const char *worker, double value)
{
    zc_buf_addf (self->out, "zcast_%s%s", figure->metric,
                 figure->kind == S_COUNTER ? "_total" : "");
    if (program) {
        s_labels (self->out, program, worker);
        zc_buf_addc (self->out, '}');
    }
    zc_buf_addf (self->out, " %.15g\n", value * figure->scale);
}

static void s_write_broker (const s_writer_t *self, const json_t *stats)
{
    for (size_t i = 0; i < sizeof s_broker / sizeof *s_broker; i++) {
        const json_t *value = s_find (stats, s_broker[i].path);
        if (!json_is_number (value))
            continue;
        s_family (self, &s_broker[i]);
        s_sample (self, &s_broker[i], NULL, NULL, json_number_value (value));
    }
}

/*  "fcgi" of "fcgi.0". */
static void s_program_of (const char *worker, char *program, size_t size)
{
    size_t len = strcspn (worker, ".@");
    len = len < size ? len : zc_text_whole (worker, size - 1);
    snprintf (program, size, "%.*s", (int)len, worker);
}

static void s_write_workers (const s_writer_t *self, json_t *workers)
{
    char program[64];
    const char *name;
    json_t *report;
    for (size_t i = 0; i < sizeof s_worker / sizeof *s_worker; i++) {
        bool begun = false;
        json_object_foreach (workers, name, report)
        {
            const json_t *value = s_find (report, s_worker[i].path);
            if (!json_is_number (value))
                continue;
            if (!begun)
                s_family (self, &s_worker[i]);
            begun = true;
            s_program_of (name, program, sizeof program);
            s_sample (self, &s_worker[i], program, name, json_number_value (value));
        }
    }
}

/*  Whether each program is there: the broker answers, the others have reported lately. */
static void s_write_up (const s_writer_t *self, bool broker, json_t *workers)
{
    static const s_figure_t up = {"", "up", S_GAUGE, 1,
                                  "Whether the broker answers, and a worker has reported lately."};
    char program[64];
    const char *name;
    json_t *report;
    s_family (self, &up);
    s_sample (self, &up, "broker", "broker", broker);
    json_object_foreach (workers, name, report)
    {
        s_program_of (name, program, sizeof program);
        s_sample (self, &up, program, name, 1);
    }
}

/*  Requests by verb: the one figure with a label of its own. */
static void s_write_requests (const s_writer_t *self, json_t *requests)
{
    static const s_figure_t figure = {"", "broker_requests", S_COUNTER, 1,
                                      "Requests on the control endpoint, by verb."};
    const char *verb;
    json_t *value;
    if (!requests)
        return;
    s_family (self, &figure);
    json_object_foreach (requests, verb, value)
    {
        zc_buf_adds (self->out, "zcast_broker_requests_total{verb=\"");
        s_label (self->out, verb);
        zc_buf_addf (self->out, "\"} %.15g\n", json_number_value (value));
    }
}

/*  ---------------------------------------------------------------- histograms */

/*  Of a worker; `path` is a member of its "histograms". */
static const struct {
    const char *path, *metric, *help;
} s_histograms[] = {
    {"publish_to_send", "publish_to_send_seconds",
     "From the broker's stamp of a message to the end of the round that sends it to all clients, "
     "for each of them; by two machines' clocks where the broker is on another one."},
    {"publish_acknowledged", "publish_acknowledged_seconds",
     "From a publish by HTTP or WebSocket to the broker's answer that it has it."},
    {"connect_to_first_byte", "connect_to_first_byte_seconds",
     "From the request for a stream or a WebSocket to the first byte that is sent."},
};

/*  Buckets are cumulative there. */
static void s_histogram (const s_writer_t *self, const char *metric, const char *program,
                         const char *worker, const json_t *histogram)
{
    const json_t *counts = json_object_get (histogram, "counts");
    double sum = json_number_value (json_object_get (histogram, "sum"));
    json_int_t total = 0;
    for (size_t i = 0; i < ZC_HISTOGRAM_BUCKETS; i++) {
        total += json_integer_value (json_array_get (counts, i));
        zc_buf_addf (self->out, "zcast_%s_bucket", metric);
        s_labels (self->out, program, worker);
        zc_buf_addf (self->out, ",le=\"%s\"} %lld\n", zc_histogram_bound (i), (long long)total);
    }
    zc_buf_addf (self->out, "zcast_%s_sum", metric);
    s_labels (self->out, program, worker);
    zc_buf_addf (self->out, "} %.15g\nzcast_%s_count", sum, metric);
    s_labels (self->out, program, worker);
    zc_buf_addf (self->out, "} %lld\n", (long long)total);
}

/*  One of another version, with other buckets, isn't shown. */
static void s_write_histograms (const s_writer_t *self, json_t *workers)
{
    char program[64];
    const char *worker;
    json_t *report;
    for (size_t i = 0; i < sizeof s_histograms / sizeof *s_histograms; i++) {
        const char *metric = s_histograms[i].metric;
        bool begun = false;
        json_object_foreach (workers, worker, report)
        {
            const json_t *all = json_object_get (report, "histograms"),
                         *one = json_object_get (all, s_histograms[i].path);
            if (json_array_size (json_object_get (one, "counts")) != ZC_HISTOGRAM_BUCKETS)
                continue;
            if (!begun)
                zc_buf_addf (self->out, "# HELP zcast_%s %s\n# TYPE zcast_%s histogram\n", metric,
                             s_histograms[i].help, metric);
            begun = true;
            s_program_of (worker, program, sizeof program);
            s_histogram (self, metric, program, worker, one);
        }
    }
}

/*  Limits by name, of each worker. */
static void s_write_limits (const s_writer_t *self, json_t *workers)
{
    static const s_figure_t figure = {"", "limit_reached", S_COUNTER, 1,
                                      "Times that a client was refused for a limit."};
    char program[64];
    const char *worker, *limit;
    json_t *report, *value;
    bool begun = false;
    json_object_foreach (workers, worker, report)
    {
        s_program_of (worker, program, sizeof program);
        json_object_foreach ((json_t *)(uintptr_t)s_find (report, "http.limits"), limit, value)
        {
            if (!begun)
                s_family (self, &figure);
            begun = true;
            zc_buf_adds (self->out, "zcast_limit_reached_total");
            s_labels (self->out, program, worker);
            zc_buf_adds (self->out, ",limit=\"");
            s_label (self->out, limit);
            zc_buf_addf (self->out, "\"} %.15g\n", json_number_value (value));
        }
    }
}

static void s_write_version (const s_writer_t *self, const json_t *stats)
{
    const char *version = json_string_value (json_object_get (stats, "version"));
    if (!version)
        return;
    zc_buf_adds (self->out, "# HELP zcast_build_info The broker's version.\n"
                            "# TYPE zcast_build_info gauge\nzcast_build_info{version=\"");
    s_label (self->out, version);
    zc_buf_adds (self->out, "\"} 1\n");
}

void zc_metrics_write (zc_buf_t *out, zc_slice_t text, bool openmetrics)
{
    const s_writer_t self = {out, openmetrics};
    json_t *stats = text.len ? json_loadb (text.at, text.len, 0, NULL) : NULL;
    json_t *workers = json_object_get (stats, "workers");
    s_write_up (&self, json_is_object (stats), workers);
    if (json_is_object (stats)) {
        s_write_version (&self, stats);
        s_write_broker (&self, stats);
        s_write_requests (&self, json_object_get (stats, "requests"));
        s_write_workers (&self, workers);
        s_write_limits (&self, workers);
        s_write_histograms (&self, workers);
    }
    if (openmetrics)
        zc_buf_adds (out, "# EOF\n");
    json_decref (stats);
}

/*  The door. */

typedef struct {
    zc_exchange_t *exchange; /* borrowed; NULL once it is gone */
} s_scrape_t;

static void s_answer (zc_exchange_t *exchange, zc_slice_t stats)
{
    zc_response_t response;
    zc_slice_t accept = exchange->request.fields[ZC_FIELD_ACCEPT];
    int open = zc_accept_weight (accept, "application/openmetrics-text");
    bool openmetrics = open > 0 && open >= zc_accept_weight (accept, "text/plain");
    zc_response_init (&response, 200);
    zc_response_say (&response, "Content-Type",
                     openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                 : "text/plain; version=0.0.4; charset=utf-8");
    zc_response_say (&response, "Cache-Control", "no-cache");
    zc_metrics_write (&response.body, stats, openmetrics);
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

static void s_on_stats (void *arg, const zc_answer_t *answer)
{
    s_scrape_t *self = arg;
    zc_exchange_t *exchange = self->exchange;
    if (answer->more)
        return;
    free (self);
    if (!exchange)
        return;
    exchange->state = NULL;
    s_answer (exchange, answer->kind == ZC_OK ? answer->text : (zc_slice_t){NULL, 0});
}

static void s_open (zc_exchange_t *exchange)
{
    zc_link_t *link = zc_worker_link (exchange->front->worker);
    const char *who = zc_options_text (exchange->front->options, "metrics");
    if (strcmp (who, "off") == 0) {
        zc_exchange_refuse (exchange, 404, "path", "no such path");
        return;
    }
    if (exchange->address[0] && strcmp (who, "all") != 0) {
        zc_exchange_refuse (exchange, 403, "address",
                            "figures are for this machine: metrics = all shows them to others");
        return;
    }
    static const zc_ask_t ask = {.verb = ZC_STATS};
    s_scrape_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->exchange = exchange;
    exchange->state = self;
    if (zc_link_connected (link) && zc_link_publish (link, &ask, S_TIMEOUT_MS, s_on_stats, self))
        return;
    exchange->state = NULL;
    free (self);
    s_answer (exchange, (zc_slice_t){NULL, 0});
}

/*  The answer still comes, and frees it. */
static void s_gone (zc_exchange_t *exchange)
{
    ((s_scrape_t *)exchange->state)->exchange = NULL;
}

const zc_door_t zc_door_metrics = {
    .name = "metrics",
    .methods = ZC_METHOD_GET | ZC_METHOD_HEAD,
    .open = s_open,
    .end = NULL,
    .gone = s_gone,
};
