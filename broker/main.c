/*  main.c - zcast-broker: options, history, signals. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "broker/broker.h"
#include "broker/gate.h"
#include "broker/history/lmdb.h"
#include "broker/history/layout.h"
#include "broker/history/memory.h"
#include "broker/predecessor.h"
#include "broker/successor.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/log.h"
#include "lib/base/processes.h"
#include "lib/config/logging.h"
#include "lib/config/options.h"
#include "lib/peer/curve.h"

static const zc_option_t s_options[] = {
    {.name = "publish",
     .type = ZC_OPT_ENDPOINT,
     .preset = "tcp://127.0.0.1:5560",
     .argument = "ENDPOINT",
     .help = "where publishers connect"},
    {.name = "subscribe",
     .type = ZC_OPT_ENDPOINT,
     .preset = "tcp://127.0.0.1:5561",
     .argument = "ENDPOINT",
     .help = "where subscribers connect"},
    {.name = "control",
     .type = ZC_OPT_ENDPOINT,
     .preset = "tcp://127.0.0.1:5562",
     .argument = "ENDPOINT",
     .help = "where requests are answered"},
    {.name = "insecure",
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "allow endpoints that other machines can reach, though nothing encrypts them or asks "
             "for a key"},
    ZC_CURVE_KEY_OPTION,
    {.name = "curve-clients",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "FOLDER",
     .help =
         "public certificates of the peers that may connect, each with its rights in its metadata"},
    {.name = "access",
     .type = ZC_OPT_MAP,
     .argument = "PREFIX=RULE",
     .help = "topics that are public or private, and publish=anyone|token|zeromq|redis|nobody",
     .reload = true},
    {.name = "max-payload",
     .type = ZC_OPT_SIZE,
     .preset = "1M",
     .min = 1,
     .max = 1 << 30,
     .argument = "SIZE",
     .help = "largest payload of a message"},
    {.name = "max-topics",
     .type = ZC_OPT_NUMBER,
     .preset = "100000",
     .min = 1,
     .max = 100000000,
     .argument = "N",
     .help = "topics remembered, besides those with subscribers; the least recently used one makes "
             "room, or one of a publisher that has many",
     .reload = true},
    {.name = "max-subscriptions",
     .type = ZC_OPT_NUMBER,
     .preset = "250000",
     .min = 1,
     .max = 100000000,
     .argument = "N",
     .help = "subscriptions of one peer; beyond, its connection is cut",
     .reload = true},
    {.name = "upgrade-timeout",
     .type = ZC_OPT_SECONDS,
     .preset = "30s",
     .min = 100,
     .max = 60000,
     .argument = "TIME",
     .help = "how long a new binary may take to start; then the old one goes on alone",
     .reload = true},
    {.name = "publish-hwm",
     .type = ZC_OPT_NUMBER,
     .preset = "10000",
     .min = 1,
     .max = 100000000,
     .argument = "N",
     .help = "messages queued from each publisher"},
    {.name = "subscribe-hwm",
     .type = ZC_OPT_NUMBER,
     .preset = "10000",
     .min = 1,
     .max = 100000000,
     .argument = "N",
     .help = "messages queued for each subscriber; beyond that the subscriber loses messages, and "
             "is told"},
    {.name = "subscribe-bytes",
     .type = ZC_OPT_SIZE,
     .preset = "128M",
     .max = INT64_MAX,
     .argument = "SIZE",
     .help = "bytes that may wait for a subscriber that doesn't take them; beyond that it is "
             "disconnected, and gets the messages from history when it is back; 0: any number",
     .reload = true},
    {.name = "control-hwm",
     .type = ZC_OPT_NUMBER,
     .preset = "200",
     .min = 1,
     .max = 100000000,
     .argument = "N",
     .help = "answers queued for each peer, and requests from it (at least 1000)"},
    {.name = "io-threads",
     .type = ZC_OPT_NUMBER,
     .preset = "1",
     .min = 1,
     .max = 64,
     .argument = "N",
     .help = "ZeroMQ's threads"},
    {.name = "dedup-window",
     .type = ZC_OPT_SECONDS,
     .preset = "10m",
     .max = 86400000,
     .argument = "TIME",
     .help = "how long a publisher's own id or key is remembered: a repeat isn't published twice, "
             "and another message under it is refused; 0: not at all",
     .reload = true},
    {.name = "dedup-max",
     .type = ZC_OPT_NUMBER,
     .preset = "100000",
     .max = 100000000,
     .argument = "N",
     .help = "how many of them are remembered",
     .reload = true},
    {.name = "log",
     .type = ZC_OPT_URL,
     .preset = "none",
     .min = 1,
     .max = 4096,
     .argument = "none|URL",
     .help = "the Redis or Valkey whose Stream orders messages: redis://[USER:PASSWORD@]HOST[:PORT]"
             "[/DATABASE] or unix:///PATH[?db=N]; redis+sentinel://HOST,HOST/NAME: the one that "
             "Sentinels call so; none: the broker orders them"},
    {.name = "log-name",
     .type = ZC_OPT_TEXT,
     .preset = "zcast",
     .min = 1,
     .max = ZC_LOG_KEY_MAX,
     .argument = "NAME",
     .help = "the log's name: its keys in Redis begin with {NAME}:"},
    {.name = "log-password-file",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "FILE",
     .help = "a file whose first line is the password for the log's Redis"},
    {.name = "log-timeout",
     .type = ZC_OPT_MS,
     .preset = "5s",
     .min = 100,
     .max = 3600000,
     .argument = "TIME",
     .help = "how long a publish waits for the log before it is answered with an error"},
    {.name = "log-bytes",
     .type = ZC_OPT_SIZE,
     .preset = "64M",
     .min = 1 << 16,
     .max = INT64_MAX,
     .argument = "SIZE",
     .help = "what may wait for the log; beyond that, publishes are refused"},
    {.name = "log-kept",
     .type = ZC_OPT_SIZE,
     .preset = "64M",
     .max = INT64_MAX,
     .argument = "SIZE",
     .help =
         "the newest messages, kept so that they can be put back into a log that has lost them"},
    {.name = "history",
     .type = ZC_OPT_TEXT,
     .preset = "memory",
     .min = 1,
     .max = 4096,
     .argument = "memory|lmdb:PATH",
     .help = "where history is kept"},
    {.name = "position-file",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "FILE",
     .help = "where the last position is kept with history = memory, so that positions go on after "
             "a restart, whatever the clock says; with lmdb it is kept beside history"},
    {.name = "revocations",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "FILE",
     .help = "the file that keeps revoked tokens (default: revocations, beside history on disk)"},
    {.name = "sync",
     .type = ZC_OPT_CHOICE,
     .preset = "interval",
     .choices = "always|interval|never",
     .argument = "WHEN",
     .help = "when history is written to disk: before a publish is acknowledged, at intervals, or "
             "when the kernel likes"},
    {.name = "sync-interval",
     .type = ZC_OPT_MS,
     .preset = "100ms",
     .min = 1,
     .max = 3600000,
     .argument = "TIME",
     .help = "how often, with sync = interval"},
    {.name = "history-map",
     .type = ZC_OPT_SIZE,
     .preset = "4G",
     .min = 1 << 20,
     .max = INT64_MAX,
     .argument = "SIZE",
     .help = "address space for history on disk; grows as needed"},
    {.name = "history-messages",
     .type = ZC_OPT_NUMBER,
     .preset = "1000000",
     .max = INT64_MAX,
     .argument = "N",
     .help = "messages kept in all",
     .reload = true},
    {.name = "history-bytes",
     .type = ZC_OPT_SIZE,
     .preset = "256M",
     .max = INT64_MAX,
     .argument = "SIZE",
     .help = "bytes kept in all",
     .reload = true},
    {.name = "history-age",
     .type = ZC_OPT_SECONDS,
     .preset = "24h",
     .max = INT64_MAX,
     .argument = "TIME",
     .help = "how long they are kept",
     .reload = true},
    {.name = "topic-messages",
     .type = ZC_OPT_NUMBER,
     .preset = "10000",
     .max = INT64_MAX,
     .argument = "N",
     .help = "messages kept of each topic",
     .reload = true},
    {.name = "topic-bytes",
     .type = ZC_OPT_SIZE,
     .preset = "16M",
     .max = INT64_MAX,
     .argument = "SIZE",
     .help = "bytes kept of each topic",
     .reload = true},
    {.name = "topic-age",
     .type = ZC_OPT_SECONDS,
     .preset = "24h",
     .max = INT64_MAX,
     .argument = "TIME",
     .help = "how long a topic's messages are kept",
     .reload = true},
    ZC_OPTION_END,
};

static const char *s_lmdb_path (const zc_options_t *options)
{
    const char *history = zc_options_text (options, "history");
    return strncmp (history, "lmdb:", 5) == 0 && history[5] ? history + 5 : NULL;
}

/*  Whether there is a log. Returns 1, 0, or -1 with a sentence in `error`. */
static int s_log_address (const zc_options_t *options, zc_address_t *address, char *error,
                          size_t size)
{
    const char *url = zc_options_text (options, "log");
    const char *path = zc_options_text (options, "log-password-file");
    if (strcmp (url, "none") == 0)
        return 0;
    if (zc_address_parse (url, address, error, size) != 0)
        return -1;
    if (path && zc_address_read_password (address, path, error, size) != 0) {
        zc_address_clear (address);
        return -1;
    }
    return 1;
}

/*  Checks that the table of options can't express. */
static const char *s_verify (const zc_options_t *options, char *error, size_t size)
{
    static const char *const names[] = {"publish", "subscribe", "control"};
    for (size_t i = 0; i < 3; i++) {
        const char *endpoint = zc_options_text (options, names[i]);
        if (!zc_options_bool (options, "insecure") && !zc_options_text (options, "curve-key") &&
            zc_endpoint_exposed (endpoint)) {
            snprintf (error, size,
                      "%s can be reached from other machines, and has no CURVE: name curve-key and "
                      "curve-clients, use a loopback address, or say insecure",
                      endpoint);
            return names[i];
        }
    }
    zc_address_t address;
    int log = s_log_address (options, &address, error, size);
    if (log < 0)
        return "log";
    if (log)
        zc_address_clear (&address);
    const char *history = zc_options_text (options, "history");
    if (strcmp (history, "memory") == 0 || s_lmdb_path (options))
        return zc_gate_verify (options, error, size);
    snprintf (error, size, "expected memory or lmdb:PATH, not \"%.200s\"", history);
    return "history";
}

static const zc_program_t s_program = {
    .program = "zcast-broker",
    .section = "broker",
    .usage = "[OPTION...]",
    .summary = "Orders what is published, keeps its history, and gives it to subscribers.",
    .epilog = "Examples:\n"
              "  zcast-broker\n"
              "  zcast-broker --history lmdb:/var/lib/zcast\n"
              "  zcast-broker --publish ipc:///run/zcast/publish --config /etc/zcast.conf\n",
    .options = s_options,
    .verify = s_verify,
};

typedef struct {
    zc_options_t *options;
    zc_broker_t *broker;
    zc_address_t log;
    bool has_log;
    bool stopped;     /* it is time to stop */
    int next;         /* a signal that waits until an upgrade is over; 0: none */
    bool handed_over; /* a successor serves */
    zc_predecessor_t *predecessor;
    char estate[2048];           /* names files and addresses (predecessor.h) */
    zc_broker_config_t config;   /* as the broker began */
    char settings[512];          /* of the log */
    char revocations[4096 + 16]; /* path of their file, beside history */
    int signal_fd;
} s_main_t;

static void s_configure (zc_broker_config_t *config, const zc_options_t *options)
{
    *config = (zc_broker_config_t){
        .options = options,
        .publish = zc_options_text (options, "publish"),
        .subscribe = zc_options_text (options, "subscribe"),
        .control = zc_options_text (options, "control"),
        .publish_hwm = (int)zc_options_number (options, "publish-hwm"),
        .subscribe_hwm = (int)zc_options_number (options, "subscribe-hwm"),
        .subscribe_bytes = (uint64_t)zc_options_number (options, "subscribe-bytes"),
        .control_hwm = (int)zc_options_number (options, "control-hwm"),
        .io_threads = (int)zc_options_number (options, "io-threads"),
        .max_payload = (size_t)zc_options_number (options, "max-payload"),
        .max_topics = (size_t)zc_options_number (options, "max-topics"),
        .max_subscriptions = (uint32_t)zc_options_number (options, "max-subscriptions"),
        .dedup_window_ms = (uint64_t)zc_options_number (options, "dedup-window"),
        .dedup_max = (size_t)zc_options_number (options, "dedup-max"),
        .limits = {
            .messages = (uint64_t)zc_options_number (options, "history-messages"),
            .bytes = (uint64_t)zc_options_number (options, "history-bytes"),
            .age_ms = (uint64_t)zc_options_number (options, "history-age"),
            .topic_messages = (uint64_t)zc_options_number (options, "topic-messages"),
            .topic_bytes = (uint64_t)zc_options_number (options, "topic-bytes"),
            .topic_age_ms = (uint64_t)zc_options_number (options, "topic-age"),
        }};
}

/*  What all brokers of a log have in common. */
static void s_log_settings (char *text, size_t size, const zc_broker_config_t *config)
{
    const zc_history_limits_t *limits = &config->limits;
    snprintf (text, size,
              "max-payload %zu, dedup-window %" PRIu64
              " ms, dedup-max %zu, history-messages %" PRIu64 ", history-bytes %" PRIu64
              ", history-age %" PRIu64 " ms, topic-messages %" PRIu64 ", topic-bytes %" PRIu64
              ", topic-age %" PRIu64 " ms",
              config->max_payload, config->dedup_window_ms, config->dedup_max, limits->messages,
              limits->bytes, limits->age_ms, limits->topic_messages, limits->topic_bytes,
              limits->topic_age_ms);
}

/*  They can't change while the broker runs. */
static void s_keep_log_settings (s_main_t *self, zc_broker_config_t *config)
{
    char settings[sizeof self->settings];
    s_log_settings (settings, sizeof settings, config);
    if (strcmp (settings, self->settings) != 0)
        zc_warn (ZC_EVENT ("log.limits",
                           "the limits of the log's messages take effect with the next start"));
    config->dedup_window_ms = self->config.dedup_window_ms;
    config->dedup_max = self->config.dedup_max;
    config->limits = self->config.limits;
}

static void s_reload (s_main_t *self)
{
    char error[512];
    zc_notify ("RELOADING=1");
    int rc = zc_options_reload (self->options, error, sizeof error);
    if (rc < 0) {
        zc_error (ZC_EVENT ("reload.refused error", "not reloaded: %s"), error);
    } else {
        zc_broker_config_t config;
        s_configure (&config, self->options);
        if (self->has_log)
            s_keep_log_settings (self, &config);
        zc_broker_configure (self->broker, &config);
        zc_logging_reload (self->options);
        zc_info (ZC_EVENT ("reload.done", "reloaded"));
        if (rc > 0)
            zc_warn (ZC_EVENT ("reload.restart options", "takes effect with the next start: %s"),
                     error);
    }
    zc_predecessor_allow (self->predecessor,
                          (unsigned)zc_options_number (self->options, "upgrade-timeout"));
    zc_notify ("READY=1");
}

/*  A process that has a master is told by it of a successor. */
static void s_upgrade (s_main_t *self, int number)
{
    bool alone = zc_processes_channel () < 0;
    if (alone && zc_predecessor_busy (self->predecessor))
        self->next = self->next == SIGUSR2 ? SIGUSR2 : number;
    else if (alone && (number == SIGUSR2 || zc_succession_changed ()))
        zc_predecessor_start (self->predecessor, number == SIGHUP);
    else if (number == SIGHUP)
        s_reload (self);
}

/*  Handles pending signals. Returns true when it is time to stop. */
static bool s_signals (s_main_t *self)
{
    struct signalfd_siginfo info;
    bool stop = false;
    while (read (self->signal_fd, &info, sizeof info) == sizeof info) {
        int number = (int)info.ssi_signo;
        if (number != SIGHUP && number != SIGUSR2)
            stop = true;
        else if (self->predecessor)
            s_upgrade (self, number);
    }
    if (stop) {
        self->stopped = true;
        zc_info (ZC_EVENT ("program.stopping", "stopping"));
        zc_notify ("STOPPING=1");
    }
    return stop;
}

static int s_signal_fd (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    sigaddset (&set, SIGUSR2);
    sigprocmask (SIG_BLOCK, &set, NULL);
    signal (SIGUSR2, SIG_DFL);
    signal (SIGPIPE, SIG_IGN);
    signal (SIGXFSZ, SIG_IGN); /* writing beyond the limit on a file's size fails instead */
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void s_evict (void *history, zc_topic_t *topic)
{
    zc_history_evict (history, topic);
}

/*  What a log has of the time before is read from there. */
static zc_history_t *s_memory (const zc_options_t *options, size_t max_topics, zc_topics_t **topics,
                               zc_id_t *last)
{
    char error[512];
    const char *file = zc_options_text (options, "position-file");
    bool log = strcmp (zc_options_text (options, "log"), "none") != 0;
    zc_history_t *history = zc_history_memory_new (file, last, error, sizeof error);
    if (history)
        *topics = zc_topics_new (max_topics, log ? ZC_ID_NONE : *last, s_evict, history);
    else
        zc_error (ZC_EVENT ("start.failed error", "%s"), error);
    return history;
}

/*  `position`: the file that a predecessor leaves; -1: there is no predecessor. */
static zc_history_t *s_lmdb (const zc_options_t *options, int position, zc_topics_t **topics,
                             zc_id_t *last)
{
    const char *sync = zc_options_text (options, "sync");
    zc_history_lmdb_config_t config = {
        .path = s_lmdb_path (options),
        .sync = *sync == 'a'   ? ZC_SYNC_ALWAYS
                : *sync == 'i' ? ZC_SYNC_INTERVAL
                               : ZC_SYNC_NEVER,
        .sync_ms = (unsigned)zc_options_number (options, "sync-interval"),
        .map_bytes = (uint64_t)zc_options_number (options, "history-map"),
        .max_topics = position < 0 ? (size_t)zc_options_number (options, "max-topics") : SIZE_MAX,
        .succeeds = position >= 0,
        .position = position};
    char error[512];
    zc_history_t *history = zc_history_lmdb_new (&config, topics, last, error, sizeof error);
    if (!history)
        zc_error (ZC_EVENT ("start.failed error", "%s"), error);
    return history;
}

static zc_history_t *s_history (const zc_options_t *options, zc_topics_t **topics, zc_id_t *last)
{
    size_t max_topics = (size_t)zc_options_number (options, "max-topics");
    return s_lmdb_path (options) ? s_lmdb (options, -1, topics, last)
                                 : s_memory (options, max_topics, topics, last);
}

/*  The log. */

/*  The last position up to which history has everything: that of its newest message. */
static zc_id_t s_complete (const zc_topics_t *topics)
{
    zc_id_t newest = ZC_ID_NONE;
    for (zc_topic_t *topic = NULL; (topic = zc_topics_next (topics, topic));)
        if (topic->last > newest)
            newest = topic->last;
    return newest;
}

/*  Waits until the log is joined. False where it can't be, or it is time to stop. */
static bool s_join_log (s_main_t *self, zc_sequencer_t *log)
{
    while (!zc_log_state_joined (zc_sequencer_state (log))) {
        zmq_pollitem_t items[1 + ZC_SEQUENCER_ITEMS] = {{NULL, self->signal_fd, ZMQ_POLLIN, 0}};
        size_t count = 1 + zc_sequencer_pollitems (log, items + 1);
        zmq_poll (items, (int)count, zc_sequencer_timeout (log));
        zc_sequencer_run (log);
        bool final;
        const char *complaint = zc_sequencer_complaint (log, &final);
        if (complaint && final) {
            zc_error (ZC_EVENT ("start.failed error", "log: %s"), complaint);
            return false;
        }
        zc_notify ("EXTEND_TIMEOUT_USEC=60000000");
        if (items[0].revents && s_signals (self))
            return false;
    }
    return true;
}

/*  History and log must be of one line. A history that is empty takes over the log's. */
static bool s_same_line (zc_sequencer_t *log, zc_history_t *history, const zc_topics_t *topics)
{
    zc_line_t line;
    zc_slice_t text = zc_log_state_line (zc_sequencer_state (log));
    if (zc_line_parse (&line, text) == 0 && zc_line_same (&line, &history->line))
        return true;
    if (zc_line_known (&line) && zc_topics_size (topics) == 0 &&
        zc_history_adopt (history, &line) == 0)
        return true;
    zc_error (
        ZC_EVENT ("log.foreign",
                  "log: its positions are of another order than those of the broker's history: it "
                  "is another installation's log (see log-name), or history is to be emptied"));
    return false;
}

static zc_sequencer_t *s_log (s_main_t *self, zc_history_t *history, const zc_topics_t *topics,
                              zc_id_t last)
{
    const zc_broker_config_t *config = &self->config;
    s_log_settings (self->settings, sizeof self->settings, config);
    zc_sequencer_config_t setup = {
        .address = &self->log,
        .name = zc_options_text (self->options, "log-name"),
        .max_payload = config->max_payload,
        .state = {.settings = self->settings,
                  .dedup_window_ms = config->dedup_window_ms,
                  .dedup_max = config->dedup_max,
                  .messages = config->limits.messages,
                  .age_ms = config->limits.age_ms,
                  .bytes = config->limits.bytes,
                  .waiting_max = (size_t)zc_options_number (self->options, "log-bytes"),
                  .kept_max = (size_t)zc_options_number (self->options, "log-kept"),
                  .timeout_ms = (uint64_t)zc_options_number (self->options, "log-timeout")}};
    zc_sequencer_t *log = zc_sequencer_new (&setup);
    zc_log_state_begin (zc_sequencer_state (log), zc_line_slice (&history->line),
                        s_complete (topics), last);
    if (!s_join_log (self, log) || !s_same_line (log, history, topics))
        zc_sequencer_destroy (&log);
    return log;
}

static void s_ready (void *arg)
{
    (void)arg;
    zc_info (ZC_EVENT ("program.ready", "ready"));
    zc_notify ("READY=1");
}

/*  The file of revocations; NULL: none. */
static const char *s_revocations (s_main_t *self)
{
    const char *file = zc_options_text (self->options, "revocations");
    const char *history = s_lmdb_path (self->options);
    if (file || !history)
        return file;
    snprintf (self->revocations, sizeof self->revocations, "%s/revocations", history);
    return self->revocations;
}

/*  Succeeding another process. */

/*  What a successor can't change, since it takes over files, history and listening sockets. */
static void s_name_estate (s_main_t *self)
{
    const zc_options_t *options = self->options;
    const char *file = zc_options_text (options, "position-file");
    snprintf (self->estate, sizeof self->estate,
              "history %s of format %d, position-file %s, log %s, publish %s, subscribe %s, "
              "control %s",
              zc_options_text (options, "history"), ZC_FORMAT, file ? file : "none",
              self->has_log ? zc_options_text (options, "log-name") : "none, by this broker",
              self->config.publish, self->config.subscribe, self->config.control);
}

static zc_history_t *s_open_lmdb (void *arg, int position, zc_topics_t **topics)
{
    s_main_t *self = arg;
    zc_id_t last;
    return s_lmdb (self->options, position, topics, &last);
}

static zc_successor_t *s_succeed (s_main_t *self)
{
    const zc_successor_config_t config = {.estate = self->estate,
                                          .in_memory = !s_lmdb_path (self->options),
                                          .dedup_window_ms = self->config.dedup_window_ms,
                                          .dedup_max = self->config.dedup_max,
                                          .open = s_open_lmdb,
                                          .arg = self};
    zc_successor_t *successor = zc_successor_new (zc_succession_inherited ()->predecessor, &config);
    if (zc_successor_take (successor) != 0)
        zc_successor_destroy (&successor);
    return successor;
}

/*  Events of the loop. Returns true if the broker is to stop or pause. */
static bool s_events (void *arg)
{
    s_main_t *self = arg;
    bool stop = s_signals (self), pause = zc_predecessor_turn (self->predecessor);
    if (zc_predecessor_reloads (self->predecessor))
        s_reload (self);
    if (self->next && !zc_predecessor_busy (self->predecessor)) {
        raise (self->next);
        self->next = 0;
    }
    return stop || pause;
}

/*  The broker pauses. Returns true if the successor serves from now on. */
static bool s_hand_over (s_main_t *self)
{
    bool paused = zc_broker_pause (self->broker);
    self->handed_over = zc_predecessor_finish (self->predecessor, paused);
    if (!self->handed_over) {
        zc_broker_resume (self->broker);
        return false;
    }
    zc_broker_leave (self->broker);
    if (self->next)
        raise (self->next); /* it is held, and the new binary takes it */
    return true;
}

static void s_serve (s_main_t *self)
{
    self->predecessor =
        zc_predecessor_new (zc_broker_flow (self->broker), self->signal_fd, self->estate);
    zc_predecessor_allow (self->predecessor,
                          (unsigned)zc_options_number (self->options, "upgrade-timeout"));
    do
        zc_broker_run (self->broker, zc_predecessor_fd (self->predecessor), s_events, s_ready,
                       self);
    while (!self->stopped && !s_hand_over (self));
    if (!self->handed_over)
        zc_broker_drain (self->broker);
    zc_predecessor_destroy (&self->predecessor);
}

/*  Beginning and end. */

/*  Takes history and topics. */
static int s_open_broker (s_main_t *self, zc_history_t *history, zc_topics_t *topics, zc_id_t last,
                          const zc_estate_t *estate)
{
    char error[512];
    zc_broker_config_t config = self->config;
    config.estate = estate;
    if (self->has_log && !(config.log = s_log (self, history, topics, last))) {
        zc_history_destroy (&history);
        zc_topics_destroy (&topics);
        return self->stopped ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
    }
    if (self->has_log)
        last = s_complete (topics);
    self->broker = zc_broker_new (&config, &history, &topics, last, error, sizeof error);
    if (!self->broker)
        zc_error (ZC_EVENT ("start.failed error", "%s"), error);
    return self->broker ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
}

/*  Where there is no broker afterwards, it returns the exit status. */
static int s_open (s_main_t *self)
{
    zc_topics_t *topics;
    zc_id_t last;
    zc_estate_t estate;
    bool succeeds = zc_succession_inherited ()->role == ZC_SUCCESSION_WORKER;
    zc_successor_t *successor = succeeds ? s_succeed (self) : NULL;
    if (succeeds && !successor)
        return ZC_EXIT_FAILURE;
    zc_history_t *history = successor ? zc_successor_history (successor, &topics, &last, &estate)
                                      : s_history (self->options, &topics, &last);
    if (!history)
        return ZC_EXIT_FAILURE;
    int status = s_open_broker (self, history, topics, last, successor ? &estate : NULL);
    if (successor && self->broker && zc_successor_begin (successor, self->broker) != 0) {
        zc_broker_destroy (&self->broker);
        status = ZC_EXIT_FAILURE;
    }
    zc_successor_destroy (&successor);
    return status;
}

static int s_work (void *arg, unsigned index)
{
    s_main_t *self = arg;
    (void)index;
    zc_raise_descriptor_limit ();
    self->signal_fd = s_signal_fd ();
    s_configure (&self->config, self->options);
    self->config.revocations = s_revocations (self);
    s_name_estate (self);
    int status = s_open (self);
    if (self->broker) {
        if (zc_broker_ready (self->broker))
            s_ready (self);
        s_serve (self);
        zc_broker_destroy (&self->broker);
        if (!self->handed_over)
            zc_info (ZC_EVENT ("program.stopped", "stopped"));
    }
    close (self->signal_fd);
    return status;
}

/*  For a process that is started again later. */
static bool s_reload_master (void *arg)
{
    s_main_t *self = arg;
    char error[512];
    if (zc_options_reload (self->options, error, sizeof error) < 0) {
        zc_error (ZC_EVENT ("reload.refused error", "not reloaded: %s"), error);
        return false;
    }
    zc_logging_reload (self->options);
    return true;
}

int main (int argc, char **argv)
{
    int status;
    zc_succession_init (argv);
    zc_hold_standard_descriptors ();
    zc_keep_memory_out_of_dumps ();
    s_main_t self = {.options = zc_options_new (&s_program, argc, argv, &status)};
    if (!self.options)
        return status;
    zc_logging_open (self.options);
    char error[512];
    int log = s_log_address (self.options, &self.log, error, sizeof error);
    self.has_log = log > 0;
    if (log < 0)
        zc_error (ZC_EVENT ("start.failed error", "log: %s"), error);
    const zc_work_t work = {&self, s_work, s_reload_master, NULL, true, -1};
    status = log < 0 ? ZC_EXIT_FAILURE : zc_processes (1, &work);
    if (self.has_log)
        zc_address_clear (&self.log);
    zc_options_destroy (&self.options);
    return status;
}
