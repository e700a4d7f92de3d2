/*  metrics.c - see metrics.h.
 *
 *  The metrics are the figures that the tables of lib/wire/figures.h name. None is labelled by
 *  topic, as there may be any number of topics. */
#include "lib/front/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/front/inquiry.h"
#include "lib/wire/field.h"
#include "lib/wire/figures.h"

/*  The figures of a worker or a bridge: those of these tables that its report has. */
static const zc_figure_t *const s_workers[] = {zc_worker_figures, zc_front_figures, zc_ws_figures,
                                               zc_fcgi_figures};
static const zc_figure_t *const s_bridges[] = {zc_bridge_figures, zc_relay_figures};

/*  Writing. */

typedef struct {
    zc_buf_t *out;
    bool openmetrics;
} s_writer_t;

/*  OpenMetrics names a counter's family without "_total", and the older format with it. */
static void s_family (const s_writer_t *self, const zc_figure_t *figure)
{
    bool total = figure->kind == ZC_COUNTER && !self->openmetrics;
    zc_buf_addf (self->out, "# HELP zcast_%s%s %s\n", figure->metric, total ? "_total" : "",
                 figure->help);
    zc_buf_addf (self->out, "# TYPE zcast_%s%s %s\n", figure->metric, total ? "_total" : "",
                 figure->kind == ZC_COUNTER ? "counter" : "gauge");
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

/*  Leaves the bracket open. */
static void s_labels (zc_buf_t *out, const char *program, const char *worker)
{
    zc_buf_adds (out, "{program=\"");
    s_label (out, program);
    zc_buf_adds (out, "\",worker=\"");
    s_label (out, worker);
    zc_buf_addc (out, '"');
}

/*  `program` and `worker` may be NULL. */
static void s_sample (const s_writer_t *self, const zc_figure_t *figure, const char *program,
                      const char *worker, double value)
{
    zc_buf_addf (self->out, "zcast_%s%s", figure->metric,
                 figure->kind == ZC_COUNTER ? "_total" : "");
    if (program) {
        s_labels (self->out, program, worker);
        zc_buf_addc (self->out, '}');
    }
    zc_buf_addf (self->out, " %.15g\n", value);
}

static void s_write_broker (const s_writer_t *self, const json_t *stats)
{
    double value;
    for (const zc_figure_t *row = zc_broker_figures; row->name; row++)
        if (row->metric && zc_figure_value (row, stats, &value)) {
            s_family (self, row);
            s_sample (self, row, NULL, NULL, value);
        }
}

/*  Makes "fcgi" of "fcgi.0". */
static void s_program_of (const char *worker, char *program, size_t size)
{
    size_t len = strcspn (worker, ".@");
    len = len < size ? len : zc_text_whole (worker, size - 1);
    snprintf (program, size, "%.*s", (int)len, worker);
}

/*  The report of a bridge has a member "redis". */
static bool s_is_bridge (const json_t *report)
{
    return json_object_get (report, "redis") != NULL;
}

/*  Writes one figure of all workers, or of all bridges. */
static void s_write_figure (const s_writer_t *self, const zc_figure_t *row, json_t *workers,
                            bool bridges)
{
    char program[64];
    const char *name;
    json_t *report;
    double value;
    bool begun = false;
    json_object_foreach (workers, name, report)
    {
        if (s_is_bridge (report) != bridges || !zc_figure_value (row, report, &value))
            continue;
        if (!begun)
            s_family (self, row);
        begun = true;
        s_program_of (name, program, sizeof program);
        s_sample (self, row, program, name, value);
    }
}

static void s_write_tables (const s_writer_t *self, const zc_figure_t *const *tables, size_t count,
                            json_t *workers, bool bridges)
{
    for (size_t i = 0; i < count; i++)
        for (const zc_figure_t *row = tables[i]; row->name; row++)
            if (row->metric)
                s_write_figure (self, row, workers, bridges);
}

/*  Whether each program is up: the broker has answered, and the others have reported lately. */
static void s_write_up (const s_writer_t *self, bool broker, json_t *workers)
{
    static const zc_figure_t up = {NULL,
                                   "up",
                                   ZC_GAUGE,
                                   ZC_ONE,
                                   "Whether the broker answers, and a worker has reported lately.",
                                   0};
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

/*  Requests by verb: the only figure with a label of its own. */
static void s_write_requests (const s_writer_t *self, json_t *requests)
{
    static const zc_figure_t figure = {
        NULL, "broker_requests", ZC_COUNTER, ZC_ONE, "Requests on the control endpoint, by verb.",
        0};
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

/*  The histograms of a worker; `path` is a member of "histograms" in its report. */
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

/*  Prometheus' buckets are cumulative. */
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

/*  Leaves out a worker of another version, whose buckets differ. */
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
    static const zc_figure_t figure = {
        NULL, "limit_reached", ZC_COUNTER, ZC_ONE, "Times that a client was refused for a limit.",
        0};
    char program[64];
    const char *worker, *limit;
    json_t *report, *value;
    bool begun = false;
    json_object_foreach (workers, worker, report)
    {
        s_program_of (worker, program, sizeof program);
        json_object_foreach (json_object_get (json_object_get (report, "http"), "limits"), limit,
                             value)
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
        s_write_tables (&self, s_workers, sizeof s_workers / sizeof *s_workers, workers, false);
        s_write_tables (&self, s_bridges, sizeof s_bridges / sizeof *s_bridges, workers, true);
        s_write_limits (&self, workers);
        s_write_histograms (&self, workers);
    }
    if (openmetrics)
        zc_buf_adds (out, "# EOF\n");
    json_decref (stats);
}

/*  The door. */

static void s_answer (zc_exchange_t *exchange, const zc_answer_t *answer)
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
    zc_metrics_write (&response.body, answer->kind == ZC_OK ? answer->text : (zc_slice_t){NULL, 0},
                      openmetrics);
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

static void s_open (zc_exchange_t *exchange)
{
    static const zc_ask_t ask = {.verb = ZC_STATS};
    const char *who = zc_options_text (exchange->front->options, "metrics");
    if (strcmp (who, "off") == 0) {
        zc_exchange_refuse (exchange, 404, "path", "no such path");
        return;
    }
    if (exchange->foreign) {
        const zc_denial_t refusal = zc_front_deny_host ();
        zc_exchange_refuse_by (exchange, &refusal);
        return;
    }
    if (exchange->address[0] && strcmp (who, "all") != 0) {
        zc_exchange_refuse (exchange, 403, "address",
                            "figures are for this machine: metrics = all shows them to others");
        return;
    }
    zc_inquiry_ask (exchange, &ask, s_answer);
}

const zc_door_t zc_door_metrics = {
    .name = "metrics",
    .methods = ZC_METHOD_GET | ZC_METHOD_HEAD,
    .open = s_open,
    .end = NULL,
    .gone = zc_inquiry_gone,
};
