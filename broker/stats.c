#include "broker/stats.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define S_REPORT_KEEP_MS 30000
#define S_REPORTS_MAX 1000

typedef struct s_report {
    struct s_report *next;
    uint64_t at_ms;
    json_t *json;
    char *name;
} s_report_t;

struct zc_stats {
    zc_counters_t now, before; /* before: at the last tick */
    double received_rate, published_rate;
    uint64_t started_ms, tick_ms;
    s_report_t *reports;
    size_t report_count;
};

zc_stats_t *zc_stats_new (uint64_t now_ms)
{
    zc_stats_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->started_ms = self->tick_ms = now_ms;
    return self;
}

static void s_report_remove (zc_stats_t *self, s_report_t **at)
{
    s_report_t *report = *at;
    *at = report->next;
    json_decref (report->json);
    free (report->name);
    free (report);
    self->report_count--;
}

void zc_stats_destroy (zc_stats_t **self_p)
{
    zc_stats_t *self = *self_p;
    if (!self)
        return;
    while (self->reports)
        s_report_remove (self, &self->reports);
    free (self);
    *self_p = NULL;
}

zc_counters_t *zc_stats_counters (zc_stats_t *self)
{
    return &self->now;
}

static s_report_t *s_report (zc_stats_t *self, zc_slice_t name)
{
    for (s_report_t *report = self->reports; report; report = report->next)
        if (strlen (report->name) == name.len && memcmp (report->name, name.at, name.len) == 0)
            return report;
    if (self->report_count == S_REPORTS_MAX)
        return NULL;
    s_report_t *report = calloc (1, sizeof *report);
    if (!report || !(report->name = strndup (name.at, name.len)))
        abort ();
    report->next = self->reports;
    self->reports = report;
    self->report_count++;
    return report;
}

const char *zc_stats_report (zc_stats_t *self, zc_slice_t name, zc_slice_t text, uint64_t now_ms)
{
    json_t *json = json_loadb (text.at ? text.at : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object (json)) {
        json_decref (json);
        return "a report is a JSON object";
    }
    s_report_t *report = s_report (self, name);
    if (!report) {
        json_decref (json);
        return "too many reports";
    }
    json_decref (report->json);
    report->json = json;
    report->at_ms = now_ms;
    return NULL;
}

void zc_stats_tick (zc_stats_t *self, uint64_t now_ms)
{
    if (now_ms - self->tick_ms < 1000)
        return;
    double seconds = (double)(now_ms - self->tick_ms) / 1000;
    self->received_rate = (double)(self->now.received - self->before.received) / seconds;
    self->published_rate = (double)(self->now.published - self->before.published) / seconds;
    self->before = self->now;
    self->tick_ms = now_ms;
    for (s_report_t **at = &self->reports; *at;) {
        if (now_ms - (*at)->at_ms >= S_REPORT_KEEP_MS)
            s_report_remove (self, at);
        else
            at = &(*at)->next;
    }
}

static json_t *s_number (uint64_t value)
{
    return json_integer ((json_int_t)value);
}

static json_t *s_requests (const zc_stats_t *self)
{
    json_t *requests = json_object ();
    for (zc_verb_t verb = 0; verb < ZC_VERBS; verb++)
        json_object_set_new (requests, zc_verb_name (verb), s_number (self->now.requests[verb]));
    return requests;
}

static json_t *s_workers (const zc_stats_t *self, uint64_t now_ms)
{
    json_t *workers = json_object ();
    for (const s_report_t *report = self->reports; report; report = report->next)
        if (now_ms - report->at_ms < S_REPORT_KEEP_MS)
            json_object_set (workers, report->name, report->json);
    return workers;
}

void *zc_stats_json (const zc_stats_t *self, uint64_t now_ms)
{
    const zc_counters_t *now = &self->now;
    json_t *json = json_object ();
    json_object_set_new (json, "uptime", json_real ((double)(now_ms - self->started_ms) / 1000));
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"received", now->received},
        {"published", now->published},
        {"bytes", now->bytes},
        {"refused", now->refused},
        {"duplicates", now->duplicates},
        {"failed", now->failed},
        {"ignored", now->ignored},
        {"strangers", now->strangers},
        {"out_of_files", now->out_of_files},
        {"errors", now->errors},
        {"subscriptions", now->subscriptions},
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        json_object_set_new (json, counters[i].name, s_number (counters[i].value));
    json_object_set_new (json, "rates",
                         json_pack ("{s:f,s:f}", "received", self->received_rate, "published",
                                    self->published_rate));
    json_object_set_new (json, "requests", s_requests (self));
    json_object_set_new (json, "workers", s_workers (self, now_ms));
    return json;
}
