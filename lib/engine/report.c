/*  report.c - see report.h.
 *
 *  A report has at most 64 KiB (ZC_REPORT_MAX), and a topic may take 2 KiB in JSON. So the list of
 *  topics ends where its names take too much; those of slow clients are few; and incidents have the
 *  beginnings of names only. */
#include "lib/engine/report.h"

#include "lib/engine/registry.h"
#include "lib/wire/instruction.h"
#include "lib/wire/selector.h"

#define S_SLOW_MAX 10    /* slow clients */
#define S_POPULAR_MAX 20 /* topics */
#define S_NAMES_MAX 6144 /* bytes of their names */

static json_t *s_integer (uint64_t number)
{
    return json_integer ((json_int_t)number);
}

static void s_add_encodings (json_t *report, const zc_hub_stats_t *stats)
{
    json_t *all = json_object ();
    for (size_t i = 0; i < ZC_ENCODINGS_MAX && stats->by_encoding[i].encoding; i++)
        json_object_set_new (all, stats->by_encoding[i].encoding,
                             s_integer (stats->by_encoding[i].clients));
    json_object_set_new (report, "encodings", all);
}

static void s_add_popular (json_t *report, const zc_hub_t *hub)
{
    zc_popular_t popular[S_POPULAR_MAX];
    size_t count = zc_hub_popular (hub, popular, S_POPULAR_MAX), bytes = 0;
    json_t *list = json_array ();
    for (size_t i = 0; i < count && bytes + popular[i].name.len <= S_NAMES_MAX; i++) {
        zc_slice_t text = zc_selector_shown (popular[i].name);
        bytes += popular[i].name.len;
        json_t *row = json_object ();
        json_object_set_new (row, "topic", json_stringn (text.at, text.len));
        json_object_set_new (row, "clients", s_integer (popular[i].clients));
        if (zc_names_selector (popular[i].name))
            json_object_set_new (row, "selector", json_true ());
        json_array_append_new (list, row);
    }
    json_object_set_new (report, "popular", list);
}

static void s_add_slow (json_t *report, zc_hub_t *hub)
{
    zc_client_t *clients[S_SLOW_MAX];
    size_t count = zc_hub_slowest (hub, clients, S_SLOW_MAX);
    json_t *list = json_array ();
    for (size_t i = 0; i < count; i++) {
        char name[128] = "", id[ZC_CLIENT_ID_SIZE];
        const zc_slice_t *topics;
        size_t topic_count = zc_hub_topics (clients[i], &topics);
        clients[i]->transport->describe (clients[i], name, sizeof name);
        json_t *row = json_object ();
        zc_client_id_format (zc_client_id (clients[i]), id);
        json_object_set_new (row, "id", json_string (id));
        json_object_set_new (row, "client", json_string (name));
        json_object_set_new (row, "transport", json_string (clients[i]->transport->name));
        json_object_set_new (row, "lag", s_integer (zc_client_lag (clients[i])));
        json_object_set_new (row, "blocked", json_boolean (clients[i]->blocked));
        json_object_set_new (row, "topics", s_integer (topic_count));
        zc_slice_t topic = topic_count ? zc_selector_shown (topics[0]) : (zc_slice_t){0};
        json_object_set_new (row, "topic",
                             topic.at ? json_stringn (topic.at, topic.len) : json_null ());
        json_array_append_new (list, row);
    }
    json_object_set_new (report, "slow", list);
}

static void s_add_losses (json_t *report, const zc_incidents_t *incidents)
{
    json_t *counts = json_object (), *list = json_array ();
    for (zc_loss_t kind = 0; kind < ZC_LOSS_KINDS; kind++)
        json_object_set_new (counts, zc_loss_name (kind), s_integer (incidents->counts[kind]));
    const zc_incident_t *one;
    for (size_t i = 0; (one = zc_incidents_last (incidents, i)); i++) {
        json_t *row = json_object ();
        json_object_set_new (row, "at", s_integer (one->at_ms));
        json_object_set_new (row, "reason", json_string (zc_loss_name (one->kind)));
        json_object_set_new (row, "count", s_integer (one->count));
        json_object_set_new (row, "topic", json_string (one->topic));
        json_object_set_new (row, "client", json_string (one->client));
        json_array_append_new (list, row);
    }
    json_object_set_new (report, "losses", counts);
    json_object_set_new (report, "incidents", list);
}

void zc_report_lists (json_t *report, zc_hub_t *hub)
{
    s_add_encodings (report, zc_hub_stats (hub));
    s_add_popular (report, hub);
    s_add_slow (report, hub);
    s_add_losses (report, zc_hub_incidents (hub));
}
