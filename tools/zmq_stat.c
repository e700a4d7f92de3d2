/*  zmq_stat.c - `zmq stat`: the broker's STATS as text, or unchanged with --json. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/wire/figures.h"
#include "tools/columns.h"
#include "tools/human.h"
#include "tools/tool.h"

#define S_SLOW_MAX 20 /* clients that --slow lists */

static const zc_option_t s_options[] = {
    {.name = "json",
     .letter = 'j',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "the broker's JSON as it is"},
    {.name = "slow",
     .letter = 's',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "list the clients that lag most"},
    {.name = "watch",
     .letter = 'w',
     .type = ZC_OPT_SECONDS,
     .preset = "0",
     .max = 3600000,
     .argument = "TIME",
     .help = "again and again, this often"},
    ZC_TOOL_TIMEOUT ("5s", "how long to wait for the broker"),
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq stat",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]...",
    .summary = "Shows what the broker, its history, the workers and the bridges are doing.",
    .epilog =
        "Workers and bridges report every few seconds; one that has not for 30 s is not shown.\n\n"
        "Examples:\n"
        "  zmq stat\n"
        "  zmq stat --slow --watch 2\n"
        "  zmq stat --json | jq .history\n",
    .options = s_options,
};

/*  Reading JSON: a missing member is 0 or empty.
 *  -------------------------------------------------- */

static double s_number (const json_t *object, const char *key)
{
    return json_number_value (json_object_get (object, key));
}

static const char *s_string (const json_t *object, const char *key)
{
    const char *text = json_string_value (json_object_get (object, key));
    return text ? text : "";
}

static void s_line (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
static void s_line (const char *format, ...)
{
    zc_buf_t text = ZC_BUF_INIT;
    va_list args;
    va_start (args, format);
    zc_buf_vaddf (&text, format, args);
    va_end (args);
    char *shown = zc_human_shown (zc_buf_str (&text));
    puts (shown);
    free (shown);
    zc_buf_clear (&text);
}

/*  Workers and bridges report under names; a bridge's report has "redis". */
static bool s_is_bridge (const json_t *report)
{
    return json_object_get (report, "redis") != NULL;
}

static double s_worst_lag (const json_t *report)
{
    double worst = 0;
    size_t i;
    json_t *row;
    json_array_foreach (json_object_get (report, "slow"), i, row)
    {
        double lag = s_number (row, "lag");
        if (lag > worst)
            worst = lag;
    }
    return worst;
}

/*  When the broker last answered the worker: the time in the report, plus the report's age. */
static const char *s_synced (uint64_t synced_ms, double reported, char *text)
{
    char ago[ZC_HUMAN_SIZE - 8];
    snprintf (text, ZC_HUMAN_SIZE, "%s ago",
              zc_human_duration ((double)synced_ms / 1000 + reported, ago));
    return text;
}

static void s_print_workers (const json_t *workers, const json_t *reported)
{
    static const zc_column_t columns[] = {
        {"WORKER", true},    {"CLIENTS", false}, {"TOPICS", false},    {"DELIVERED", false},
        {"HOLES", false},    {"FETCHED", false}, {"GAPS", false},      {"RESUMED", false},
        {"TOO SLOW", false}, {"SYNCED", false},  {"WORST LAG", false},
    };
    zc_columns_t table;
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    const char *name;
    json_t *report;
    char text[ZC_HUMAN_SIZE];
    json_object_foreach ((json_t *)workers, name, report)
    {
        if (s_is_bridge (report))
            continue;
        zc_worker_figures_t of;
        zc_figures_read (zc_worker_figures, &of, report);
        const uint64_t numbers[] = {of.clients,
                                    of.topics,
                                    of.delivered,
                                    of.holes,
                                    of.repaired,
                                    of.gaps,
                                    of.resumed_feed + of.resumed_broker,
                                    of.slow_dropped + of.slow_skipped + of.held_dropped};
        zc_columns_cell (&table, name);
        zc_columns_numbers (&table, numbers, sizeof numbers / sizeof *numbers);
        bool tells = json_object_get (report, "synced") != NULL;
        zc_columns_cell (&table,
                         tells ? s_synced (of.synced_ms, s_number (reported, name), text) : "");
        zc_columns_cell (&table, zc_human_bytes (s_worst_lag (report), text));
    }
    zc_columns_end (&table, "\n", stdout);
}

/*  Names that have reported and don't any more: they are stopped, or cut off. */
static void s_print_silent (const json_t *workers, const json_t *reported)
{
    static const zc_column_t columns[] = {{"SILENT", true}, {"LAST HEARD", false}};
    zc_columns_t table;
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    const char *name;
    json_t *seconds;
    char text[ZC_HUMAN_SIZE], ago[ZC_HUMAN_SIZE - 8];
    json_object_foreach ((json_t *)reported, name, seconds)
    {
        if (json_object_get (workers, name))
            continue;
        snprintf (text, sizeof text, "%s ago",
                  zc_human_duration (json_number_value (seconds), ago));
        zc_columns_cell (&table, name);
        zc_columns_cell (&table, text);
    }
    zc_columns_end (&table, "\n", stdout);
}

static void s_print_bridges (const json_t *workers)
{
    static const zc_column_t columns[] = {
        {"BRIDGE", true},     {"REDIS", true},    {"RECEIVED", false},
        {"PUBLISHED", false}, {"WAITING", false}, {"DROPPED", false},
        {"REFUSED", false},   {"RELAYED", false}, {"GAPS", false},
    };
    zc_columns_t table;
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    const char *name;
    json_t *report;
    json_object_foreach ((json_t *)workers, name, report)
    {
        if (!s_is_bridge (report))
            continue;
        zc_bridge_figures_t of;
        zc_relay_figures_t relay;
        zc_figures_read (zc_bridge_figures, &of, report);
        zc_figures_read (zc_relay_figures, &relay, report);
        const uint64_t numbers[] = {of.received, of.published,  of.waiting,   of.dropped,
                                    of.refused,  relay.relayed, of.redis_gaps};
        zc_columns_cell (&table, name);
        zc_columns_cell (&table, s_string (report, "redis"));
        zc_columns_numbers (&table, numbers, sizeof numbers / sizeof *numbers);
    }
    zc_columns_end (&table, "\n", stdout);
}

/*  The faults that a bridge reports about itself, and their consequences. */
static void s_print_troubles (const json_t *workers)
{
    const char *name;
    json_t *report;
    char a[ZC_HUMAN_SIZE], b[ZC_HUMAN_SIZE];
    json_object_foreach ((json_t *)workers, name, report)
    {
        const char *in = s_string (report, "redis_error"), *out = s_string (report, "relay_error");
        zc_bridge_figures_t of;
        zc_relay_figures_t relay;
        if (!s_is_bridge (report))
            continue;
        zc_figures_read (zc_bridge_figures, &of, report);
        zc_figures_read (zc_relay_figures, &relay, report);
        if (*in)
            s_line ("  %s, from Redis: %s (has %s of %s subscriptions)", name, in,
                    zc_human_count ((double)of.subscribed, a),
                    zc_human_count ((double)of.subscriptions, b));
        if (*out)
            s_line ("  %s, to Redis, %s: %s (%s messages wait)", name, s_string (report, "relay"),
                    out, zc_human_count ((double)relay.waiting, a));
    }
}

static void s_print_broker (const json_t *stats, const char *endpoint)
{
    char a[ZC_HUMAN_SIZE], b[ZC_HUMAN_SIZE], c[ZC_HUMAN_SIZE];
    const json_t *rates = json_object_get (stats, "rates");
    const json_t *history = json_object_get (stats, "history");
    zc_broker_figures_t of;
    zc_figures_read (zc_broker_figures, &of, stats);
    s_line ("zcast-broker %s at %s, up %s", s_string (stats, "version"), endpoint,
            zc_human_duration ((double)of.uptime_ms / 1000, a));
    putchar ('\n');
    s_line ("  published      %s (%.0f/s)", zc_human_count ((double)of.published, a),
            s_number (rates, "published"));
    s_line ("  subscriptions  %s", zc_human_count ((double)of.subscriptions, a));
    s_line ("  last id        %s", s_string (stats, "head"));
    s_line ("  history        %s, %s: %s messages, %s", s_string (history, "kind"),
            s_string (history, "state"), zc_human_count ((double)of.history_messages, a),
            zc_human_bytes ((double)of.history_bytes, b));
    if (*s_string (history, "error"))
        s_line ("                 %s", s_string (history, "error"));
    const json_t *log = json_object_get (stats, "log");
    if (log)
        s_line ("  log            %s: entry %.0f, %.0f messages wait%s%s", s_string (log, "state"),
                s_number (log, "number"), s_number (log, "waiting"),
                *s_string (log, "error") ? "; " : "", s_string (log, "error"));
    s_line ("  refused        %s on PUB, %s in conflict; %s repeated",
            zc_human_count ((double)of.refused, a), zc_human_count ((double)of.conflicts, b),
            zc_human_count ((double)of.duplicates, c));
    s_line ("  full queues    %s, of subscribers that didn't keep up%s%s",
            zc_human_count ((double)of.dropped, a),
            of.dropped ? "; something was last dropped at " : "",
            of.dropped ? s_string (json_object_get (stats, "dropped"), "position") : "");
    s_line ("  subscribers    %s connected; %s of them take nothing now, and up to %s may wait; "
            "%" PRIu64 " disconnected for that",
            zc_human_count ((double)of.subscribers, a),
            zc_human_count ((double)of.subscribers_behind, b),
            zc_human_bytes ((double)of.subscribers_bytes, c), of.subscribers_disconnected);
}

/*  The clients of all workers that lag most
 *  --------------------------------------------------------- */

typedef struct {
    const char *worker;
    const json_t *row;
    double lag;
} s_slow_t;

static int s_by_lag (const void *a, const void *b)
{
    double left = ((const s_slow_t *)a)->lag, right = ((const s_slow_t *)b)->lag;
    return (left < right) - (left > right);
}

static size_t s_gather_slow (const json_t *workers, s_slow_t **list)
{
    size_t count = 0, i;
    const char *name;
    json_t *report, *row;
    *list = NULL;
    json_object_foreach ((json_t *)workers, name, report)
    {
        json_array_foreach (json_object_get (report, "slow"), i, row)
        {
            if (s_number (row, "lag") <= 0)
                continue;
            *list = realloc (*list, (count + 1) * sizeof **list);
            if (!*list)
                abort ();
            (*list)[count++] = (s_slow_t){name, row, s_number (row, "lag")};
        }
    }
    if (count)
        qsort (*list, count, sizeof **list, s_by_lag);
    return count;
}

static void s_print_slow (const json_t *workers)
{
    static const zc_column_t columns[] = {
        {"LAG", false},   {"CLIENT", true},  {"TRANSPORT", true},
        {"WORKER", true}, {"TOPICS", false}, {"FIRST TOPIC", true},
    };
    s_slow_t *list;
    size_t count = s_gather_slow (workers, &list);
    if (count == 0)
        puts ("No client lags behind.");
    zc_columns_t table;
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    char text[ZC_HUMAN_SIZE];
    for (size_t i = 0; i < count && i < S_SLOW_MAX; i++) {
        zc_columns_cell (&table, zc_human_bytes (list[i].lag, text));
        zc_columns_cell (&table, s_string (list[i].row, "client"));
        zc_columns_cell (&table, s_string (list[i].row, "transport"));
        zc_columns_cell (&table, list[i].worker);
        zc_columns_cell (&table, zc_human_count (s_number (list[i].row, "topics"), text));
        zc_columns_cell (&table, s_string (list[i].row, "topic"));
    }
    zc_columns_end (&table, "", stdout);
    free (list);
}

/*  Sorts names, so that the processes of a machine stand together. */
static json_t *s_load (const char *text, json_error_t *error)
{
    json_t *stats = json_loads (text, 0, error);
    char *sorted = stats ? json_dumps (stats, JSON_SORT_KEYS) : NULL;
    json_decref (stats);
    stats = sorted ? json_loads (sorted, 0, error) : NULL;
    free (sorted);
    return stats;
}

static int s_print (const zc_options_t *options, const char *text, const char *place)
{
    json_error_t error;
    json_t *stats = s_load (text, &error);
    if (!stats) {
        zc_tool_say ("the broker's answer is no JSON: %s", error.text);
        return ZC_EXIT_FAILURE;
    }
    if (zc_options_bool (options, "json")) {
        zc_tool_put_json (text);
        putchar ('\n');
        json_decref (stats);
        return ZC_EXIT_OK;
    }
    const json_t *workers = json_object_get (stats, "workers");
    const json_t *reported = json_object_get (stats, "reported");
    if (zc_options_bool (options, "slow")) {
        s_print_slow (workers);
    } else {
        s_print_broker (stats, place);
        s_print_workers (workers, reported);
        s_print_bridges (workers);
        s_print_silent (workers, reported);
        s_print_troubles (workers);
    }
    json_decref (stats);
    return ZC_EXIT_OK;
}

static int s_run (const zc_options_t *options)
{
    long watch = (long)zc_options_number (options, "watch");
    while (true) {
        char *text, *place;
        int status = zc_tool_request (options, ZC_STATS, &text, &place);
        if (watch && isatty (STDOUT_FILENO) && !zc_tool_stopped)
            fputs ("\x1b[H\x1b[2J", stdout); /* home, clear */
        if (status == ZC_EXIT_OK)
            status = s_print (options, text, place);
        free (text);
        free (place);
        if (!zc_tool_flush ())
            return zc_tool_stopped ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
        if (!watch)
            return status;
        uint64_t until = zc_mono_ms () + (uint64_t)watch, now;
        while (!zc_tool_stopped && (now = zc_mono_ms ()) < until) {
            zmq_pollitem_t items[ZC_TOOL_ITEMS];
            zc_tool_poll (items, 0, (long)(until - now), true);
        }
        if (zc_tool_stopped)
            return ZC_EXIT_OK;
    }
}

const zc_tool_command_t zc_tool_stat = {&s_program, s_run};
