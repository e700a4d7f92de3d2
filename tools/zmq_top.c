/*  zmq_top.c - `zmq top`: the activity of the broker and its workers, live on a terminal. */
#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/wire/figures.h"
#include "tools/columns.h"
#include "tools/human.h"
#include "tools/listing.h"
#include "tools/tool.h"

#define S_TOPICS 50        /* shown at most */
#define S_SNAPSHOT_ROWS 40 /* without a terminal */
#define S_ANSWER_MS 2000   /* live: keys wait for so long while the broker is away */
#define S_PATIENCE_MS 5000 /* for a snapshot */
#define S_ROWS_MIN 8

static const zc_option_t s_options[] = {
    {.name = "interval",
     .letter = 'i',
     .type = ZC_OPT_SECONDS,
     .preset = "1s",
     .min = 100,
     .max = 3600000,
     .argument = "TIME",
     .help = "how often the figures are read again"},
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq top",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]...",
    .summary = "Shows the broker's rates, its workers with their clients, and the topics that were "
               "published on last, again and again, until q or Ctrl-C. Where the output is no "
               "terminal, it prints them once.",
    .epilog = "Examples:\n"
              "  zmq top\n"
              "  zmq top --interval 5\n",
    .options = s_options,
};

typedef struct {
    char *name;
    uint64_t delivered, at_us; /* by its last report */
    double per_second;
} s_worker_t;

typedef struct {
    const zc_options_t *options;
    zc_tool_link_t *link;
    bool live; /* on a terminal */
    json_t *stats;
    zc_listing_t topics;
    s_worker_t *workers;
    size_t worker_count;
    int rows, columns;
} s_top_t;

/*  The terminal ----------------------------------------------------------------------------------
 */

static struct termios s_before;
static bool s_raw;

static void s_restore (void)
{
    if (!s_raw)
        return;
    s_raw = false;
    static const char leave[] = "\x1b[?25h\x1b[?1049l"; /* the cursor, and the screen of before */
    ssize_t rc = write (STDOUT_FILENO, leave, sizeof leave - 1);
    (void)rc;
    tcsetattr (STDIN_FILENO, TCSANOW, &s_before);
}

/*  Keys come one by one, and aren't echoed. Ctrl-C remains a signal. Ctrl-Z does nothing, since
 *  it would leave the terminal in this state. */
static void s_prepare (void)
{
    struct termios raw;
    if (tcgetattr (STDIN_FILENO, &s_before) != 0)
        return;
    raw = s_before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    raw.c_cc[VQUIT] = _POSIX_VDISABLE;
    s_raw = true;
    atexit (s_restore);
    tcsetattr (STDIN_FILENO, TCSANOW, &raw);
    fputs ("\x1b[?1049h\x1b[?25l", stdout);
}

static void s_measure_terminal (s_top_t *self)
{
    struct winsize size;
    self->rows = S_SNAPSHOT_ROWS;
    self->columns = 0;
    if (!self->live)
        return;
    bool known = ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col;
    self->rows = known ? size.ws_row : 24;
    self->columns = known ? size.ws_col : 80;
    self->rows = self->rows < S_ROWS_MIN ? S_ROWS_MIN : self->rows;
}

/*  The length of the part of a line that fits into so many columns; 0 columns: all of it. */
static size_t s_fitting (const char *line, size_t len, int columns)
{
    size_t at = 0;
    for (int used = 0; at < len; at++) {
        used += ((unsigned char)line[at] & 0xc0) != 0x80;
        if (columns && used > columns)
            break;
    }
    return at;
}

static bool s_has_colours (void)
{
    const char *no = getenv ("NO_COLOR"), *terminal = getenv ("TERM");
    return !(no && *no) && !(terminal && strcmp (terminal, "dumb") == 0);
}

/*  Titles of tables are in capitals. */
static bool s_is_title (const char *line, size_t len)
{
    return len > 6 && (strncmp (line, "WORKER", 6) == 0 || strncmp (line, "BRIDGE", 6) == 0 ||
                       memmem (line, len, "  TOPIC", 7));
}

/*  Shows as much of the frame as fits on the terminal. */
static void s_show (const s_top_t *self, const char *frame)
{
    bool colours = self->live && s_has_colours ();
    int row = 0;
    if (self->live)
        fputs ("\x1b[H", stdout);
    for (const char *line = frame; *line && row < self->rows; row++) {
        size_t len = strcspn (line, "\n"), shown = s_fitting (line, len, self->columns);
        bool bold = colours && (row == 0 || s_is_title (line, len));
        printf ("%s%.*s%s%s", bold ? "\x1b[1m" : "", (int)shown, line, bold ? "\x1b[0m" : "",
                self->live ? "\x1b[K" : "");
        line += len + (line[len] == '\n');
        if (*line && row + 1 < self->rows)
            putchar ('\n');
    }
    fputs (self->live ? "\x1b[J" : "\n", stdout);
}

/*  Figures ---------------------------------------------------------------------------------------
 */

static const char *s_string (const json_t *object, const char *key)
{
    const char *text = json_string_value (json_object_get (object, key));
    return text ? text : "";
}

static double s_number (const json_t *object, const char *key)
{
    return json_number_value (json_object_get (object, key));
}

static s_worker_t *s_worker (s_top_t *self, const char *name)
{
    for (size_t i = 0; i < self->worker_count; i++)
        if (strcmp (self->workers[i].name, name) == 0)
            return &self->workers[i];
    self->workers = realloc (self->workers, (self->worker_count + 1) * sizeof *self->workers);
    char *copy = strdup (name);
    if (!self->workers || !copy)
        abort ();
    self->workers[self->worker_count] = (s_worker_t){.name = copy};
    return &self->workers[self->worker_count++];
}

/*  Workers report every few seconds: this is the rate between the last two reports. */
static double s_delivered_per_second (s_top_t *self, const char *name, uint64_t delivered)
{
    s_worker_t *worker = s_worker (self, name);
    uint64_t now = zc_mono_us ();
    if (worker->at_us && delivered == worker->delivered && now - worker->at_us < 10000000)
        return worker->per_second;
    if (worker->at_us && delivered >= worker->delivered)
        worker->per_second =
            (double)(delivered - worker->delivered) * 1e6 / (double)(now - worker->at_us);
    worker->delivered = delivered;
    worker->at_us = now;
    return worker->per_second;
}

static double s_worst_lag (const json_t *report)
{
    double worst = 0;
    size_t i;
    json_t *row;
    json_array_foreach (json_object_get (report, "slow"), i, row)
    {
        double lag = s_number (row, "lag");
        worst = lag > worst ? lag : worst;
    }
    return worst;
}

static void s_put (FILE *out, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
static void s_put (FILE *out, const char *format, ...)
{
    zc_buf_t text = ZC_BUF_INIT;
    va_list args;
    va_start (args, format);
    zc_buf_vaddf (&text, format, args);
    va_end (args);
    char *shown = zc_human_shown (zc_buf_str (&text));
    fprintf (out, "%s\n", shown);
    free (shown);
    zc_buf_clear (&text);
}

static void s_write_broker (const s_top_t *self, FILE *out)
{
    char a[ZC_HUMAN_SIZE], b[ZC_HUMAN_SIZE], c[ZC_HUMAN_SIZE], now[16];
    const json_t *rates = json_object_get (self->stats, "rates");
    const json_t *history = json_object_get (self->stats, "history");
    zc_broker_figures_t of;
    zc_figures_read (zc_broker_figures, &of, self->stats);
    time_t seconds = time (NULL);
    struct tm local;
    strftime (now, sizeof now, "%H:%M:%S", localtime_r (&seconds, &local));
    s_put (out, "%s  zcast-broker %s, up %s, %s", now, s_string (self->stats, "version"),
           zc_human_duration ((double)of.uptime_ms / 1000, a), zc_tool_link_place (self->link));
    s_put (out, "published %.0f/s, %s in all; %s refused; %s full queues",
           s_number (rates, "published"), zc_human_count ((double)of.published, a),
           zc_human_count ((double)(of.refused + of.conflicts), b),
           zc_human_count ((double)of.dropped, c));
    s_put (out, "history   %s, %s: %s messages, %s", s_string (history, "kind"),
           s_string (history, "state"), zc_human_count ((double)of.history_messages, a),
           zc_human_bytes ((double)of.history_bytes, b));
    s_put (out, "topics    %s; %s subscriptions of %s connections, %" PRIu64 " behind",
           zc_human_count ((double)of.topics, a), zc_human_count ((double)of.subscriptions, b),
           zc_human_count ((double)of.subscribers, c), of.subscribers_behind);
}

static void s_write_workers (s_top_t *self, FILE *out)
{
    static const zc_column_t columns[] = {
        {"WORKER", true}, {"CLIENTS", false},  {"DELIVERED", false}, {"PER S", false},
        {"GAPS", false},  {"TOO SLOW", false}, {"LAG", false}};
    zc_columns_t table;
    const char *name;
    json_t *report;
    char text[ZC_HUMAN_SIZE];
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    json_object_foreach (json_object_get (self->stats, "workers"), name, report)
    {
        if (json_object_get (report, "redis"))
            continue;
        zc_worker_figures_t of;
        zc_figures_read (zc_worker_figures, &of, report);
        zc_columns_cell (&table, name);
        zc_columns_numbers (&table, &of.clients, 1);
        zc_columns_numbers (&table, &of.delivered, 1);
        zc_columns_cell (&table,
                         zc_human_count (s_delivered_per_second (self, name, of.delivered), text));
        zc_columns_numbers (&table, &of.gaps, 1);
        zc_columns_numbers (&table,
                            &(uint64_t){of.slow_dropped + of.slow_skipped + of.held_dropped}, 1);
        zc_columns_cell (&table, zc_human_bytes (s_worst_lag (report), text));
    }
    zc_columns_end (&table, "\n", out);
}

static void s_write_bridges (const s_top_t *self, FILE *out)
{
    static const zc_column_t columns[] = {{"BRIDGE", true},    {"REDIS", true},
                                          {"RECEIVED", false}, {"PUBLISHED", false},
                                          {"WAITING", false},  {"DROPPED", false}};
    zc_columns_t table;
    const char *name;
    json_t *report;
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    json_object_foreach (json_object_get (self->stats, "workers"), name, report)
    {
        if (!json_object_get (report, "redis"))
            continue;
        zc_bridge_figures_t of;
        zc_figures_read (zc_bridge_figures, &of, report);
        const uint64_t numbers[] = {of.received, of.published, of.waiting, of.dropped};
        zc_columns_cell (&table, name);
        zc_columns_cell (&table, s_string (report, "redis"));
        zc_columns_numbers (&table, numbers, sizeof numbers / sizeof *numbers);
    }
    zc_columns_end (&table, "\n", out);
}

static void s_write_topics (const s_top_t *self, FILE *out)
{
    static const zc_column_t columns[] = {
        {"MESSAGES", false}, {"SIZE", false}, {"LAST", false}, {"TOPIC", true}};
    zc_columns_t table;
    char text[ZC_HUMAN_SIZE], ago[ZC_HUMAN_SIZE + 8];
    uint64_t now = zc_wall_ms ();
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < self->topics.count && i < S_TOPICS; i++) {
        const zc_listed_t *topic = &self->topics.at[i];
        uint64_t ms = zc_id_ms (topic->last);
        zc_columns_cell (&table, zc_human_count ((double)topic->messages, text));
        zc_columns_cell (&table, zc_human_bytes ((double)topic->bytes, text));
        snprintf (ago, sizeof ago, "%s ago",
                  zc_human_duration (now > ms ? (double)(now - ms) / 1000 : 0, text));
        zc_columns_cell (&table, ago);
        zc_columns_cell (&table, topic->topic);
    }
    zc_columns_end (&table, "\n", out);
}

static char *s_frame (s_top_t *self)
{
    char *frame = NULL;
    size_t size;
    FILE *out = open_memstream (&frame, &size);
    if (!out)
        abort ();
    if (self->stats) {
        s_write_broker (self, out);
        s_write_workers (self, out);
        s_write_bridges (self, out);
        s_write_topics (self, out);
    } else {
        s_put (out, "the broker at %s doesn't answer: trying again",
               zc_tool_link_place (self->link));
    }
    fclose (out);
    return frame;
}

/*  The loop --------------------------------------------------------------------------------------
 */

static void s_take_stats (void *arg, const zc_answer_t *answer)
{
    s_top_t *self = arg;
    json_error_t error;
    json_t *stats = json_loadb (answer->text.at, answer->text.len, 0, &error);
    char *sorted = stats ? json_dumps (stats, JSON_SORT_KEYS) : NULL;
    json_decref (stats);
    self->stats = sorted ? json_loads (sorted, 0, &error) : NULL;
    free (sorted);
}

static int s_read (s_top_t *self)
{
    static const zc_ask_t ask = {.verb = ZC_STATS};
    json_decref (self->stats);
    self->stats = NULL;
    zc_listing_clear (&self->topics);
    int status = zc_tool_ask (self->link, &ask, s_take_stats, self);
    if (status == ZC_EXIT_OK)
        status = zc_listing_read (&self->topics, self->link, (zc_slice_t){"", 0}, S_TOPICS);
    return status;
}

/*  Waits for the next turn; a change of the window's size ends the wait, too. Returns false
 *  after q. */
static bool s_wait (const s_top_t *self, uint64_t until)
{
    uint64_t now;
    while (!zc_tool_stopped && (now = zc_mono_ms ()) < until) {
        s_top_t size = *self;
        zmq_pollitem_t items[1 + ZC_TOOL_ITEMS] = {{NULL, STDIN_FILENO, ZMQ_POLLIN, 0}};
        long left = (long)(until - now);
        zc_tool_poll (items, 1, left < 250 ? left : 250, true);
        char key = 0;
        if (items[0].revents && (read (STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q'))
            return false;
        s_measure_terminal (&size);
        if (key || size.rows != self->rows || size.columns != self->columns)
            return true;
    }
    return !zc_tool_stopped;
}

static int s_live (s_top_t *self)
{
    uint64_t interval = (uint64_t)zc_options_number (self->options, "interval");
    s_prepare ();
    zc_tool_link_hush (self->link);
    do {
        s_read (self);
        s_measure_terminal (self);
        char *frame = s_frame (self);
        s_show (self, frame);
        free (frame);
        if (!zc_tool_flush ())
            return ZC_EXIT_FAILURE;
    } while (!zc_tool_stopped && s_wait (self, zc_mono_ms () + interval));
    s_restore ();
    return ZC_EXIT_OK;
}

static int s_snapshot (s_top_t *self)
{
    int status = s_read (self);
    if (status != ZC_EXIT_OK)
        return status;
    s_measure_terminal (self);
    char *frame = s_frame (self);
    s_show (self, frame);
    free (frame);
    return ZC_EXIT_OK;
}

static int s_run (const zc_options_t *options)
{
    bool live = zc_tool_on_terminal () && isatty (STDIN_FILENO);
    s_top_t self = {.options = options,
                    .live = live,
                    .link = zc_tool_link_new (options, live ? S_ANSWER_MS : S_PATIENCE_MS)};
    int status = !self.link ? ZC_EXIT_FAILURE : self.live ? s_live (&self) : s_snapshot (&self);
    for (size_t i = 0; i < self.worker_count; i++)
        free (self.workers[i].name);
    free (self.workers);
    json_decref (self.stats);
    zc_listing_clear (&self.topics);
    zc_tool_link_destroy (&self.link);
    return status;
}

const zc_tool_command_t zc_tool_top = {&s_program, s_run};
