#include "broker/stats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "lib/base/table.h"

#define S_REPORT_KEEP_MS 30000
#define S_NAME_KEEP_MS 600000 /* how long the name of a silent reporter is kept */
#define S_REPORTS_MAX 1000
#define S_REPORTS_BYTES (4u << 20) /* of all reports */
#define S_DEPTH_MAX 32

typedef struct s_report {
    LIST_ENTRY (s_report) entry;
    uint64_t at_ms;
    uint64_t peer, peer_before; /* hashes: the last reporter, and the one before it; 0: none */
    uint64_t before_ms;         /* when the earlier one last reported */
    char *name;
    char *text; /* as received: parsed, it takes up to fifty times as much; NULL: too old */
    size_t len;
} s_report_t;

struct zc_stats {
    zc_broker_figures_t now, before; /* before: at the last tick */
    double received_rate, published_rate;
    uint64_t started_ms, tick_ms;
    LIST_HEAD (, s_report) reports;
    size_t report_count, report_bytes;
};

zc_stats_t *zc_stats_new (uint64_t now_ms)
{
    zc_stats_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->started_ms = self->tick_ms = now_ms;
    return self;
}

static void s_report_remove (zc_stats_t *self, s_report_t *report)
{
    LIST_REMOVE (report, entry);
    self->report_count--;
    self->report_bytes -= report->len;
    free (report->text);
    free (report->name);
    free (report);
}

void zc_stats_destroy (zc_stats_t **self_p)
{
    zc_stats_t *self = *self_p;
    if (!self)
        return;
    while (!LIST_EMPTY (&self->reports))
        s_report_remove (self, LIST_FIRST (&self->reports));
    free (self);
    *self_p = NULL;
}

zc_broker_figures_t *zc_stats_figures (zc_stats_t *self)
{
    return &self->now;
}

static uint64_t s_peer (zc_slice_t identity)
{
    uint64_t hash = zc_hash (identity.at, identity.len, 4);
    return hash ? hash : 1;
}

static s_report_t *s_find (zc_stats_t *self, zc_slice_t name)
{
    s_report_t *report;
    LIST_FOREACH (report, &self->reports, entry)
    if (strlen (report->name) == name.len && memcmp (report->name, name.at, name.len) == 0)
        break;
    return report;
}

static s_report_t *s_add (zc_stats_t *self, zc_slice_t name)
{
    s_report_t *report = calloc (1, sizeof *report);
    if (!report || !(report->name = strndup (name.at, name.len)))
        abort ();
    LIST_INSERT_HEAD (&self->reports, report, entry);
    self->report_count++;
    return report;
}

static void s_drop_text (zc_stats_t *self, s_report_t *report)
{
    free (report->text);
    report->text = NULL;
    self->report_bytes -= report->len;
    report->len = 0;
}

static void s_set (zc_stats_t *self, s_report_t *report, zc_slice_t text, uint64_t now_ms)
{
    s_drop_text (self, report);
    if (!(report->text = malloc (text.len)))
        abort ();
    memcpy (report->text, text.at, text.len);
    self->report_bytes += text.len;
    report->len = text.len;
    report->at_ms = now_ms;
}

/*  Whether a report comes from the owner of its name. A worker that starts or connects again is
 *  a new peer, and takes the name over. A peer that comes back after another one has taken over
 *  shares the name with that one: false. */
static bool s_is_its_name (s_report_t *report, uint64_t peer, uint64_t now_ms)
{
    if (report->peer == peer)
        return true;
    if (report->peer_before == peer && now_ms - report->before_ms < S_REPORT_KEEP_MS)
        return false;
    report->peer_before = report->peer;
    report->before_ms = report->at_ms;
    report->peer = peer;
    return true;
}

/*  Removes, of the entries that have only a name left, the one that has been silent for longest. */
static void s_make_room (zc_stats_t *self)
{
    s_report_t *report, *oldest = NULL;
    LIST_FOREACH (report, &self->reports, entry)
    if (!report->text && (!oldest || report->at_ms < oldest->at_ms))
        oldest = report;
    if (oldest)
        s_report_remove (self, oldest);
}

static bool s_deeper (json_t *json, int most)
{
    const char *name;
    json_t *value;
    size_t i;
    if (most == 0)
        return json_is_object (json) || json_is_array (json);
    json_object_foreach (json, name, value) if (s_deeper (value, most - 1)) return true;
    json_array_foreach (json, i, value) if (s_deeper (value, most - 1)) return true;
    return false;
}

/*  The report becomes part of the answer to STATS, so it must be valid JSON, and not so deep
 *  that readers reject the whole answer. */
static bool s_valid (zc_slice_t text)
{
    json_t *json = json_loadb (text.at ? text.at : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    bool valid = json_is_object (json) && !s_deeper (json, S_DEPTH_MAX);
    json_decref (json);
    return valid;
}

const char *zc_stats_report (zc_stats_t *self, zc_slice_t peer, zc_slice_t name, zc_slice_t text,
                             uint64_t now_ms, const char **error)
{
    if (!s_valid (text)) {
        *error = "a report is a JSON object, nested at most 32 deep";
        return "arguments";
    }
    s_report_t *report = s_find (self, name);
    if (report && !s_is_its_name (report, s_peer (peer), now_ms)) {
        *error = "another reports by this name: take one of your own";
        return "name";
    }
    if (!report && self->report_count == S_REPORTS_MAX)
        s_make_room (self);
    if ((!report && self->report_count == S_REPORTS_MAX) ||
        self->report_bytes - (report ? report->len : 0) + text.len > S_REPORTS_BYTES) {
        *error = "too many reports: try again";
        return "busy";
    }
    if (!report) {
        report = s_add (self, name);
        report->peer = s_peer (peer);
    }
    s_set (self, report, text, now_ms);
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
    for (s_report_t *report = LIST_FIRST (&self->reports), *next; report; report = next) {
        next = LIST_NEXT (report, entry);
        if (now_ms - report->at_ms >= S_REPORT_KEEP_MS)
            s_drop_text (self, report);
        if (now_ms - report->at_ms >= S_NAME_KEEP_MS)
            s_report_remove (self, report);
    }
}

static json_t *s_requests (const zc_stats_t *self)
{
    json_t *requests = json_object ();
    for (zc_verb_t verb = 0; verb < ZC_VERBS; verb++)
        json_object_set_new (requests, zc_verb_name (verb),
                             json_integer ((json_int_t)self->now.requests[verb]));
    return requests;
}

json_t *zc_stats_reported (const zc_stats_t *self, uint64_t now_ms)
{
    json_t *json = json_object ();
    const s_report_t *report;
    LIST_FOREACH (report, &self->reports, entry)
    json_object_set_new (json, report->name, json_real ((double)(now_ms - report->at_ms) / 1000));
    return json;
}

void zc_stats_workers (const zc_stats_t *self, zc_buf_t *out, uint64_t now_ms)
{
    char before = '{';
    const s_report_t *report;
    LIST_FOREACH (report, &self->reports, entry)
    {
        if (!report->text || now_ms - report->at_ms >= S_REPORT_KEEP_MS)
            continue;
        json_t *json = json_string (report->name);
        char *name = json_dumps (json, JSON_ENCODE_ANY);
        zc_buf_addc (out, before);
        zc_buf_adds (out, name);
        zc_buf_addc (out, ':');
        zc_buf_add (out, report->text, report->len);
        free (name);
        json_decref (json);
        before = ',';
    }
    zc_buf_adds (out, before == '{' ? "{}" : "}");
}

json_t *zc_stats_json (zc_stats_t *self, uint64_t now_ms)
{
    json_t *json = json_object ();
    self->now.uptime_ms = now_ms - self->started_ms;
    zc_figures_write (zc_broker_figures, &self->now, json);
    json_object_set_new (json, "rates",
                         json_pack ("{s:f,s:f}", "received", self->received_rate, "published",
                                    self->published_rate));
    json_object_set_new (json, "requests", s_requests (self));
    return json;
}
