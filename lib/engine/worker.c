/*  worker.c - one process that serves clients. A service (fcgi, ws) brings the listener and the
 *  transport; this file has all that services share. */
#include "lib/engine/worker.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/listen.h"
#include "lib/base/log.h"
#include "lib/base/processes.h"
#include "lib/config/logging.h"
#include "lib/engine/report.h"
#include "lib/engine/taker.h"
#include "lib/peer/name.h"
#include "lib/peer/places.h"
#include "lib/wire/figures.h"
#include "lib/wire/message.h"
#include "lib/wire/sse.h"

#define S_TICK_MS 200
#define S_REPORT_MS 5000
#define S_DUTIES_MS 400
#define S_AWAIT_MS 2000
#define S_SIGNALS 4        /* the last of them starts an upgrade */
#define S_TRIM_CLIENTS 100 /* fewer clients than this hold too little memory to give back */

struct zc_worker {
    zc_options_t *options; /* borrowed */
    zc_report_name_t name;
    const zc_service_t *service; /* borrowed */
    uv_loop_t loop;
    zc_hub_t *hub;   /* owned */
    zc_pump_t *pump; /* owned */
    zc_link_t *link; /* owned */
    zc_registry_t registry;
    zc_duties_t duties;
    bool asks;         /* what it is to do: the answer hasn't come */
    uint64_t asked_ms; /* when that was last asked */
    bool awaits;       /* the service accepts once the answer is here, */
    uint64_t until_ms; /* or at this time */
    uv_signal_t signals[S_SIGNALS];
    uv_timer_t tick, drain;
    zc_giver_t *giver; /* owned; NULL while there is no successor */
    zc_taker_t *taker; /* owned; NULL where this process succeeds none */
    zc_heir_t heir;    /* the successor that this process has started; pid 0: none */
    bool by_reload;    /* SIGHUP asked for it */
    int next;          /* the signal that waits until the upgrade is over; 0: none */
    uv_poll_t channel; /* to the master, where there is one that says so */
    bool has_channel;
    bool handed_over; /* clients are the successor's */
    bool began;       /* this process has what it takes over, if anything */
    uint64_t reported_ms;
    uint64_t peak;     /* most clients since memory was given back */
    uint64_t relieved; /* the hub's count `relieved` at that time */
    unsigned retry_ms;
    bool draining;
    bool stale;  /* clients have been told that the broker doesn't answer */
    bool failed; /* the service could not start */
};

/*  Options. */

static zc_slow_t s_policy_of (const char *name)
{
    return strcmp (name, "skip") == 0     ? ZC_SLOW_SKIP
           : strcmp (name, "latest") == 0 ? ZC_SLOW_LATEST
                                          : ZC_SLOW_DISCONNECT;
}

/*  The longest prefix that matches decides. */
static zc_slow_t s_slow_policy (void *arg, zc_slice_t topic)
{
    zc_worker_t *self = arg;
    const char *prefix, *policy = zc_options_text (self->options, "slow"), *value;
    size_t longest = 0;
    for (size_t i = 0; zc_options_item (self->options, "slow-topics", i, &prefix, &value); i++) {
        size_t len = strlen (prefix);
        if (len >= longest && len <= topic.len && memcmp (prefix, topic.at, len) == 0) {
            longest = len;
            policy = value;
        }
    }
    return s_policy_of (policy);
}

static int s_check_policies (const zc_options_t *options)
{
    const char *prefix, *value;
    for (size_t i = 0; zc_options_item (options, "slow-topics", i, &prefix, &value); i++) {
        if (strcmp (value, "disconnect") && strcmp (value, "skip") && strcmp (value, "latest")) {
            zc_error (
                ZC_EVENT (
                    "policy.unknown topics policy",
                    "slow-topics: %s: '%s' is not a policy: expected disconnect, skip or latest"),
                prefix, value);
            return -1;
        }
    }
    return 0;
}

const char *zc_worker_verify (const zc_options_t *options, const char *listen, char *error,
                              size_t size)
{
    const char *address = zc_options_text (options, listen), *form = zc_listen_form (address);
    if (form) {
        snprintf (error, size, "%s, not \"%.200s\"", form, address);
        return listen;
    }
    if (zc_file_mode (zc_options_text (options, "socket-mode")) > 0777) {
        snprintf (error, size, "expected permissions in octal, such as 0660");
        return "socket-mode";
    }
    if (zc_places_verify (options, error, size))
        return "control";
    const char *name = zc_options_text (options, "name");
    if (name && !zc_name_valid (name)) {
        snprintf (error, size,
                  "expected up to 64 letters, digits, '-', '_' and '.', not \"%.100s\"", name);
        return "name";
    }
    const char *event = zc_options_text (options, "default-event");
    zc_slice_t type = {event ? event : "", event ? strlen (event) : 0};
    if (!zc_text_plain (type.at, type.len) || zc_event_reserved (type)) {
        snprintf (error, size,
                  "expected an event type without control characters that doesn't begin with "
                  "'zcast.', and isn't 'mercure', 'error' or 'open': those have a meaning of their "
                  "own");
        return "default-event";
    }
    return NULL;
}

static zc_hub_config_t s_hub_config (zc_worker_t *self)
{
    const zc_options_t *options = self->options;
    size_t max_lag = (size_t)zc_options_number (options, "max-lag");
    return (zc_hub_config_t){
        .max_held = (size_t)zc_options_number (options, "max-held"),
        .max_lag = max_lag,
        .retain = max_lag,
        .retain_ms = (unsigned)zc_options_number (options, "retain"),
        .linger_ms = (unsigned)zc_options_number (options, "linger"),
        .heartbeat_ms = (unsigned)zc_options_number (options, "heartbeat"),
        .max_topics = (unsigned)zc_options_number (options, "max-topics"),
        .slow_policy = s_slow_policy,
        .slow_arg = self,
        .wall_ms = zc_wall_ms,
    };
}

bool zc_worker_reload (zc_options_t *options)
{
    char error[512];
    int rc = zc_options_reload (options, error, sizeof error);
    if (rc < 0 || s_check_policies (options) != 0) {
        zc_error (ZC_EVENT ("reload.refused error", "reload: %s; nothing was changed"),
                  rc < 0 ? error : "a bad policy");
        return false;
    }
    if (rc > 0)
        zc_warn (ZC_EVENT ("reload.restart options", "reload: %s"), error);
    zc_logging_reload (options);
    return true;
}

/*  Processes. */

typedef struct {
    zc_options_t *options;
    int listener;
    zc_serve_t *serve;
} s_serving_t;

static int s_serve_one (void *arg, unsigned index)
{
    s_serving_t *self = arg;
    int listener = self->listener;
    self->listener = -1;
    int status = self->serve (self->options, listener, index);
    if (zc_processes_handed_over ())
        self->listener = listener; /* for a process that is started should the heir end */
    return status;
}

static bool s_reload_master (void *arg)
{
    return zc_worker_reload (((s_serving_t *)arg)->options);
}

/*  No process accepts any more: another server may use the address. */
static void s_release (void *arg)
{
    s_serving_t *self = arg;
    if (self->listener >= 0)
        close (self->listener);
    self->listener = -1;
}

int zc_worker_processes (zc_options_t *options, int listener, zc_serve_t *serve)
{
    s_serving_t self = {options, listener, serve};
    const zc_work_t work = {&self,     s_serve_one,   s_reload_master,
                            s_release, listener >= 0, listener};
    int status = zc_processes ((unsigned)zc_options_number (options, "processes"), &work);
    s_release (&self);
    return status;
}

/*  Reloading. */

static void s_reload (zc_worker_t *self)
{
    zc_notify ("RELOADING=1");
    if (zc_worker_reload (self->options)) {
        zc_hub_config_t config = s_hub_config (self);
        zc_hub_configure (self->hub, &config);
        zc_pump_configure (self->pump, (unsigned)zc_options_number (self->options, "max-delay"));
        self->retry_ms = (unsigned)zc_options_number (self->options, "retry");
        zc_sse_default_event (zc_options_text (self->options, "default-event"));
        if (self->service->reload)
            self->service->reload (self->service->arg);
        zc_info (ZC_EVENT ("reload.done", "configuration read again"));
    }
    zc_notify ("READY=1");
}

void zc_report_histogram (json_t *report, const char *name, const zc_histogram_t *histogram)
{
    json_t *all = json_object_get (report, "histograms"), *counts = json_array ();
    if (!all)
        json_object_set_new (report, "histograms", all = json_object ());
    for (size_t i = 0; i < ZC_HISTOGRAM_BUCKETS; i++)
        json_array_append_new (counts, json_integer ((json_int_t)histogram->counts[i]));
    json_object_set_new (
        all, name,
        json_pack ("{s:o,s:f}", "counts", counts, "sum", (double)histogram->sum_us / 1e6));
}

static void s_take_stock (zc_worker_t *self, zc_worker_figures_t *figures)
{
    const zc_hub_stats_t *hub = zc_hub_stats (self->hub);
    const zc_pump_stats_t *pump = zc_pump_stats (self->pump);
    *figures = (zc_worker_figures_t){
        .clients = hub->clients,
        .clients_total = hub->clients_total,
        .topics = hub->topics,
        .selectors = hub->selectors,
        .channels = hub->channels,
        .received = hub->received,
        .delivered = hub->delivered,
        .duplicates = hub->duplicates,
        .unmatched = hub->unmatched,
        .late = hub->late,
        .holes = hub->holes,
        .repaired = hub->repaired,
        .gaps = hub->gaps,
        .fetches = hub->fetches,
        .syncs = hub->syncs,
        .lists = hub->lists,
        .reconnects = hub->reconnects,
        .resumed_feed = hub->resumed_feed,
        .resumed_broker = hub->resumed_broker,
        .slow_dropped = hub->slow_dropped,
        .slow_skipped = hub->slow_skipped,
        .withheld = hub->withheld,
        .held_dropped = hub->held_dropped,
        .feed_bytes = hub->feed_bytes,
        .held_bytes = hub->held_bytes,
        .rounds = pump->rounds,
        .sends = pump->sends,
        .batches = pump->batches,
        .blocked = pump->blocked,
        .bytes = pump->bytes,
        .interval_us = pump->interval_us,
        .synced_ms = zc_link_synced_ms (self->link),
        .malformed = zc_link_malformed (self->link),
    };
}

static json_t *s_report_json (zc_worker_t *self)
{
    zc_worker_figures_t figures;
    json_t *report = json_object ();
    s_take_stock (self, &figures);
    zc_figures_write (zc_worker_figures, &figures, report);
    json_object_set_new (report, "pid", json_integer (getpid ()));
    json_object_set_new (report, "stale", json_boolean (self->stale));
    zc_report_lists (report, self->hub);
    zc_report_histogram (report, "publish_to_send", &zc_pump_stats (self->pump)->publish_to_send);
    zc_report_histogram (report, "connect_to_first_byte", zc_client_first_bytes ());
    if (self->service->stats)
        self->service->stats (self->service->arg, report);
    return report;
}

static void s_reported (void *arg, const zc_answer_t *answer)
{
    zc_worker_t *self = arg;
    if (zc_report_name_answer (&self->name, answer))
        self->reported_ms = 0;
}

static void s_report (zc_worker_t *self)
{
    if (!zc_link_connected (self->link) || self->handed_over || !self->began)
        return; /* two don't share a name */
    json_t *report = s_report_json (self);
    char *text = json_dumps (report, JSON_COMPACT);
    json_decref (report);
    if (!text)
        return;
    const char *name = self->name.text;
    zc_link_report (self->link, (zc_slice_t){name, strlen (name)},
                    (zc_slice_t){text, strlen (text)}, s_reported, self);
    free (text);
}

/*  Instructions. */

void zc_worker_await_duties (zc_worker_t *self)
{
    self->awaits = !self->duties.known;
    self->until_ms = zc_mono_ms () + S_AWAIT_MS;
}

static void s_stop_awaiting (zc_worker_t *self, uint64_t now)
{
    if (!self->awaits || (!self->duties.known && now < self->until_ms))
        return;
    self->awaits = false;
    if (self->began && !self->draining && !self->handed_over && self->service->begin)
        self->service->begin (self->service->arg);
}

static void s_told (void *arg, const zc_answer_t *answer)
{
    zc_worker_t *self = arg;
    self->asks = false;
    if (answer->kind == ZC_NO_ANSWER)
        return; /* perhaps the worker is ending */
    zc_duties_hear (&self->duties, answer);
    s_stop_awaiting (self, zc_mono_ms ());
    zc_pump_kick (self->pump);
}

static void s_ask_for_duties (zc_worker_t *self, uint64_t now)
{
    zc_ask_t ask;
    if (self->asks || now - self->asked_ms < S_DUTIES_MS)
        return;
    self->asked_ms = now;
    self->asks = true;
    zc_duties_ask (&self->duties, &ask);
    if (!zc_link_ask (self->link, &ask, s_told, self))
        self->asks = false;
}

static void s_drop (void *arg, const zc_instruction_t *instruction)
{
    zc_worker_t *self = arg;
    zc_client_t *client = zc_registry_find (&self->registry, instruction->client);
    char name[128] = "";
    if (!client)
        return; /* another worker's, or gone */
    client->transport->describe (client, name, sizeof name);
    zc_info (ZC_EVENT ("client.ended client", "%s: its connection ends: an operator wants it"),
             name);
    zc_hub_note_end (self->hub, client);
    client->transport->gone (client, ZC_GONE_DROPPED);
}

/*  The loop. */

/*  malloc keeps the memory of clients that have left, and of bytes that were dropped to make
 *  room. This returns it to the system. */
static void s_give_back (zc_worker_t *self)
{
    const zc_hub_stats_t *stats = zc_hub_stats (self->hub);
    if (stats->clients > self->peak)
        self->peak = stats->clients;
    bool left = self->peak >= S_TRIM_CLIENTS && stats->clients <= self->peak / 2;
    if (!left && stats->relieved == self->relieved)
        return;
    malloc_trim (0);
    self->peak = stats->clients;
    self->relieved = stats->relieved;
}

/*  Tells clients when the broker hasn't answered for too long, since the worker's heartbeats
 *  would hide that. */
static void s_look_for_broker (zc_worker_t *self)
{
    uint64_t after = (uint64_t)zc_options_number (self->options, "stale-after");
    uint64_t synced_ms = zc_link_synced_ms (self->link);
    bool stale = after && synced_ms >= after;
    if (stale == self->stale)
        return;
    self->stale = stale;
    if (stale)
        zc_warn (ZC_EVENT (
                     "broker.silent seconds",
                     "broker: no answer for %llu s; clients are told, and new ones sent elsewhere"),
                 (unsigned long long)synced_ms / 1000);
    else
        zc_info (ZC_EVENT ("broker.back", "broker: it answers again; clients are told"));
    zc_hub_set_stale (self->hub, stale);
    zc_pump_kick (self->pump);
}

/*  Upgrades. */

static bool s_is_alone (void)
{
    return zc_processes_channel () < 0;
}

static void s_give (void *arg, zc_giver_t *giver)
{
    zc_worker_t *self = arg;
    self->service->give (self->service->arg, giver);
}

static void s_given (void *arg, void *item)
{
    zc_worker_t *self = arg;
    self->service->given (self->service->arg, item);
}

static void s_committed (void *arg)
{
    zc_worker_t *self = arg;
    self->handed_over = true;
    if (s_is_alone ())
        zc_processes_hand_over (self->heir);
    self->service->committed (self->service->arg);
}

static size_t s_left (void *arg)
{
    zc_worker_t *self = arg;
    return self->service->left (self->service->arg);
}

static void s_drain (zc_worker_t *self);

static void s_given_over (void *arg, bool given)
{
    zc_worker_t *self = arg;
    zc_giver_destroy (&self->giver);
    if (given)
        s_drain (self);
}

/*  A successor that has failed is nobody's child else. */
static void s_reap_heir (zc_worker_t *self)
{
    if (!self->heir.pid || self->giver || self->handed_over ||
        waitpid (self->heir.pid, NULL, WNOHANG) == 0)
        return;
    if (self->heir.channel >= 0)
        close (self->heir.channel);
    self->heir = (zc_heir_t){0, -1};
    if (self->by_reload)
        s_reload (self);
    if (self->next)
        raise (self->next);
    self->next = 0;
    self->by_reload = false;
}

static void s_meet_successor (zc_worker_t *self, int fd, pid_t pid)
{
    const zc_giver_hooks_t hooks = {self, s_give, s_given, s_committed, s_left, s_given_over};
    if (self->draining || self->giver || self->handed_over || !self->began) {
        close (fd); /* which tells it to end */
        return;
    }
    self->giver = zc_giver_new (&self->loop, self->hub, &hooks, fd, pid,
                                (unsigned)zc_options_number (self->options, "upgrade-timeout"));
}

static void s_on_channel (uv_poll_t *poll, int status, int events)
{
    int fd;
    pid_t pid = zc_processes_successor (&fd);
    (void)events;
    if (pid > 0)
        s_meet_successor (poll->data, fd, pid);
    else if (status < 0 || pid == 0)
        uv_poll_stop (poll);
}

/*  `number` asked for it. */
static void s_upgrade (zc_worker_t *self, int number)
{
    int fd;
    if (self->heir.pid)
        self->next = self->next == SIGUSR2 ? SIGUSR2 : number;
    if (self->draining || self->heir.pid || !self->began)
        return;
    self->by_reload = number == SIGHUP;
    zc_info (ZC_EVENT ("upgrade.begun", "upgrade: starting the new binary"));
    pid_t pid = zc_succession_start (0, self->service->listener, &fd, &self->heir.channel);
    if (pid < 0) {
        zc_error (ZC_EVENT ("upgrade.failed error", "upgrade: %s"), strerror (errno));
        return;
    }
    self->heir.pid = pid;
    s_meet_successor (self, fd, pid);
}

static const zc_encoding_t *s_encoding (void *arg, zc_slice_t name)
{
    zc_worker_t *self = arg;
    return self->service->encoding (self->service->arg, name);
}

static bool s_can_take (void *arg, const zc_handover_t *client)
{
    zc_worker_t *self = arg;
    return self->service->can_take (self->service->arg, client);
}

static void s_take (void *arg, const zc_handover_t *client, int fd)
{
    zc_worker_t *self = arg;
    self->service->take (self->service->arg, client, fd);
}

static void s_begin (void *arg)
{
    zc_worker_t *self = arg;
    self->began = true;
    zc_duties_again (&self->duties);
    if (!self->awaits)
        self->service->begin (self->service->arg);
    zc_pump_kick (self->pump);
}

static void s_not_taken (void *arg)
{
    zc_worker_t *self = arg;
    self->failed = true;
    s_drain (self);
}

static bool s_succeeds (const zc_worker_t *self)
{
    return self->service->give && zc_succession_inherited ()->role == ZC_SUCCESSION_WORKER;
}

bool zc_worker_waits (const zc_worker_t *self)
{
    return s_succeeds (self) || self->awaits;
}

static void s_start_upgrades (zc_worker_t *self)
{
    const zc_taker_hooks_t hooks = {self, s_encoding, s_can_take, s_take, s_begin, s_not_taken};
    self->began = !s_succeeds (self);
    if (!self->began)
        self->taker =
            zc_taker_new (&self->loop, self->hub, &hooks, zc_succession_inherited ()->predecessor);
    self->has_channel = self->service->give && !s_is_alone () &&
                        uv_poll_init (&self->loop, &self->channel, zc_processes_channel ()) == 0;
    if (!self->has_channel)
        return;
    self->channel.data = self;
    uv_poll_start (&self->channel, UV_READABLE, s_on_channel);
}

static void s_tick (uv_timer_t *timer)
{
    zc_worker_t *self = timer->data;
    uint64_t now = zc_mono_ms ();
    zc_hub_tick (self->hub, zc_wall_ms ());
    zc_link_tick (self->link);
    s_ask_for_duties (self, now);
    s_stop_awaiting (self, now);
    s_look_for_broker (self);
    s_give_back (self);
    s_reap_heir (self);
    if (now - self->reported_ms >= S_REPORT_MS) {
        self->reported_ms = now;
        s_report (self);
    }
}

static void s_drain_over (uv_timer_t *timer)
{
    zc_worker_t *self = timer->data;
    zc_info (ZC_EVENT ("drain.over clients", "drain: time is over, closing %llu clients"),
             (unsigned long long)zc_hub_stats (self->hub)->clients);
    self->service->abort (self->service->arg);
    zc_worker_stop (self);
}

static void s_drain (zc_worker_t *self)
{
    if (self->draining)
        return;
    self->draining = true;
    uv_timer_start (&self->drain, s_drain_over,
                    (uint64_t)zc_options_number (self->options, "drain-timeout"), 0);
    self->service->drain (self->service->arg);
    zc_pump_kick (self->pump);
}

static void s_stop (zc_worker_t *self)
{
    if (self->handed_over && s_is_alone ())
        zc_processes_stop ();
    if (self->draining)
        return;
    if (!self->handed_over) {
        zc_notify ("STOPPING=1");
        zc_info (
            ZC_EVENT ("program.stopping clients", "stopping: %llu clients are told to come back"),
            (unsigned long long)zc_hub_stats (self->hub)->clients);
    }
    zc_giver_destroy (&self->giver);
    s_drain (self);
}

static void s_signal (uv_signal_t *signal, int number)
{
    zc_worker_t *self = signal->data;
    bool alone = self->service->give && s_is_alone ();
    if (number == SIGUSR2 ||
        (number == SIGHUP && alone && (self->heir.pid || zc_succession_changed ())))
        s_upgrade (self, number);
    else if (number == SIGHUP)
        s_reload (self);
    else
        s_stop (self);
}

void zc_worker_stop (zc_worker_t *self)
{
    uv_stop (&self->loop);
}

static void s_start_signals (zc_worker_t *self)
{
    static const int numbers[S_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
    bool upgrades = self->service->give && s_is_alone ();
    for (size_t i = 0; i < S_SIGNALS; i++) {
        uv_signal_init (&self->loop, &self->signals[i]);
        self->signals[i].data = self;
        if (upgrades || numbers[i] != SIGUSR2)
            uv_signal_start (&self->signals[i], s_signal, numbers[i]);
    }
    zc_release_signals ();
}

static int s_open (zc_worker_t *self)
{
    const zc_options_t *options = self->options;
    zc_link_config_t link = {
        .subscribe = zc_options_text (options, "subscribe"),
        .control = zc_options_text (options, "control"),
        .hwm = 10000,
    };
    self->link = zc_link_new (&self->loop, &link);
    if (!self->link) {
        zc_error (ZC_EVENT ("start.failed - - error",
                            "broker: can't connect to %s and %s: %s; check the endpoints"),
                  link.subscribe, link.control, strerror (errno));
        return -1;
    }
    zc_hub_config_t config = s_hub_config (self);
    self->hub = zc_hub_new (&config, zc_link_upstream (self->link));
    self->pump =
        zc_pump_new (&self->loop, self->hub, (unsigned)zc_options_number (options, "max-delay"));
    zc_link_attach (self->link, self->hub, self->pump);
    zc_table_init (&self->registry.clients);
    zc_duties_set (&self->duties, ZC_INSTRUCTION_DROP, s_drop, self);
    uv_timer_init (&self->loop, &self->tick);
    uv_timer_init (&self->loop, &self->drain);
    self->tick.data = self->drain.data = self;
    s_ask_for_duties (self, zc_mono_ms ()); /* it waits for the connection */
    s_start_signals (self);
    zc_hub_tick (self->hub, zc_wall_ms ());
    uv_timer_start (&self->tick, s_tick, S_TICK_MS, S_TICK_MS);
    return 0;
}

static void s_close (zc_worker_t *self)
{
    zc_hold_signals (); /* another signal would kill the process, once its handlers are gone */
    if (self->handed_over && self->next)
        raise (self->next); /* the new binary takes it */
    zc_link_destroy (&self->link);
    zc_pump_destroy (&self->pump);
    uv_close ((uv_handle_t *)&self->tick, NULL);
    uv_close ((uv_handle_t *)&self->drain, NULL);
    for (size_t i = 0; i < S_SIGNALS; i++)
        uv_close ((uv_handle_t *)&self->signals[i], NULL);
    if (self->has_channel)
        uv_close ((uv_handle_t *)&self->channel, NULL);
    zc_giver_destroy (&self->giver);
    zc_taker_destroy (&self->taker);
    uv_run (&self->loop, UV_RUN_DEFAULT); /* runs until the service's handles are closed, too */
    zc_hub_destroy (&self->hub);
    zc_table_clear (&self->registry.clients);
}

int zc_worker_run (zc_options_t *options, const char *name, const zc_service_t *service)
{
    zc_worker_t self = {.options = options, .service = service, .heir = {0, -1}};
    zc_report_name_init (&self.name, name, zc_options_text (options, "name"),
                         zc_options_text (options, "control"));
    self.retry_ms = (unsigned)zc_options_number (options, "retry");
    zc_sse_default_event (zc_options_text (options, "default-event"));
    char error[512];
    if (s_check_policies (options) != 0)
        return ZC_EXIT_USAGE;
    if (zc_curve_start (options, error, sizeof error) != 0) {
        zc_error (ZC_EVENT ("start.failed error", "%s"), error);
        return ZC_EXIT_FAILURE;
    }
    uv_loop_init (&self.loop);
    signal (SIGPIPE, SIG_IGN);
    if (s_open (&self) != 0) {
        uv_loop_close (&self.loop);
        return ZC_EXIT_FAILURE;
    }
    self.failed = service->start (service->arg, &self) != 0;
    if (!self.failed) {
        s_start_upgrades (&self);
        zc_notify ("READY=1"); /* one of several processes has no supervisor to notify */
        uv_run (&self.loop, UV_RUN_DEFAULT);
    }
    s_close (&self);
    if (uv_loop_close (&self.loop) != 0)
        zc_warn (ZC_EVENT ("handle.left", "stopping: a handle was left open"));
    return self.failed ? ZC_EXIT_FAILURE : ZC_EXIT_OK;
}

bool zc_worker_batch (zc_worker_t *self)
{
    if (!zc_options_bool (self->options, "io-uring"))
        return false;
    bool can = zc_pump_batch (self->pump);
    if (!can)
        zc_info (
            ZC_EVENT ("uring.failed error", "io_uring: %s; each send is a system call of its own"),
            strerror (errno));
    return can;
}

uv_loop_t *zc_worker_loop (zc_worker_t *self)
{
    return &self->loop;
}

zc_hub_t *zc_worker_hub (zc_worker_t *self)
{
    return self->hub;
}

zc_pump_t *zc_worker_pump (zc_worker_t *self)
{
    return self->pump;
}

zc_registry_t *zc_worker_registry (zc_worker_t *self)
{
    return &self->registry;
}

zc_duties_t *zc_worker_duties (zc_worker_t *self)
{
    return &self->duties;
}

zc_link_t *zc_worker_link (zc_worker_t *self)
{
    return self->link;
}

unsigned zc_worker_retry (const zc_worker_t *self)
{
    return zc_random_between (self->retry_ms / 2, self->retry_ms + self->retry_ms / 2);
}
