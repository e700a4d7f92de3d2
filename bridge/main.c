/*  main.c - zcast-redis: options, the loop, signals, the report to the broker. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "bridge/entries.h"
#include "bridge/envelope.h"
#include "bridge/incoming.h"
#include "bridge/lease.h"
#include "bridge/outgoing.h"
#include "lib/peer/curve.h"
#include "lib/peer/context.h"
#include "lib/peer/control.h"
#include "lib/peer/name.h"
#include "lib/peer/places.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/log.h"
#include "lib/config/logging.h"
#include "lib/config/options.h"
#include "lib/wire/figures.h"

#define S_REPORT_MS 5000
#define S_NEWS_MS 250 /* after a change */
/*  Signals, the publisher, subscriptions, reports; a Stream that isn't wanted any more may still
 * have an entry on its way. */
#define S_ITEMS (8 + ZC_LEASE_ITEMS + ZC_OUTGOING_ITEMS + 2 * ZC_STREAMS_MAX * ZC_STREAMS_ITEMS)

static const zc_option_t s_options[] = {
    {.name = "redis",
     .letter = 'r',
     .type = ZC_OPT_URL,
     .preset = "redis://127.0.0.1:6379",
     .min = 1,
     .max = 4096,
     .argument = "URL",
     .help = "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE] or unix:///PATH[?db=N]"},
    {.name = "user",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 256,
     .argument = "NAME",
     .help = "the ACL user; instead of the URL's"},
    {.name = "password",
     .type = ZC_OPT_SECRET,
     .min = 1,
     .max = ZC_PASSWORD_MAX,
     .argument = "TEXT",
     .help = "its password (password-file is safer: others may see a command line until it is "
             "wiped, and read zcast.conf)"},
    {.name = "password-file",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "PATH",
     .help = "a file whose first line is the password (default: the credential redis-password of "
             "systemd)"},
    {.name = "database",
     .type = ZC_OPT_NUMBER,
     .max = 65535,
     .argument = "N",
     .help = "instead of the URL's"},
    {.name = "subscribe-channel",
     .letter = 'C',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = 2048,
     .argument = "CHANNEL",
     .help = "a Redis channel, or 'CHANNEL -> TOPIC'; repeatable",
     .reload = true},
    {.name = "subscribe-pattern",
     .letter = 'P',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = 2048,
     .argument = "PATTERN",
     .help = "a pattern of channels, or 'PATTERN -> TOPIC', where {1} is what the first * stands "
             "for; repeatable (default: *, where no channels, streams or outgoing are given)",
     .reload = true},
    {.name = "subscribe-stream",
     .letter = 'S',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = 2048,
     .argument = "STREAM",
     .help = "a Redis Stream that is read, or 'STREAM -> TOPIC'; repeatable",
     .reload = true},
    {.name = "stream-field",
     .type = ZC_OPT_TEXT,
     .preset = "payload",
     .min = 1,
     .max = 256,
     .argument = "NAME",
     .help =
         "the field of an entry that is published; an entry without it becomes a JSON object of "
         "all its fields"},
    {.name = "stream-begin",
     .type = ZC_OPT_CHOICE,
     .preset = "now",
     .choices = "now|earliest",
     .argument = "WHERE",
     .help = "where a Stream begins that this site hasn't read yet"},
    {.name = "topic",
     .type = ZC_OPT_TEXT,
     .preset = "{channel}",
     .min = 1,
     .max = ZC_TOPIC_MAX,
     .argument = "TEMPLATE",
     .help = "the topic of a channel or stream that is given without one; {channel} stands for its "
             "name",
     .reload = true},
    {.name = "outgoing",
     .letter = 'o',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = ZC_TOPIC_MAX,
     .argument = "TOPIC",
     .help = "a topic that is relayed to Redis; with * at its end, all topics that begin with it; "
             "repeatable"},
    {.name = "outgoing-prefix",
     .type = ZC_OPT_TEXT,
     .preset = "zcast:",
     .max = 256,
     .argument = "TEXT",
     .help = "text that the channel's name has before the topic"},
    {.name = "outgoing-format",
     .type = ZC_OPT_CHOICE,
     .preset = "relay",
     .choices = "relay|payload",
     .argument = "FORMAT",
     .help = "relay: for the bridges of other sites, whose messages come in the same way; payload: "
             "the bare payload, for other programs"},
    {.name = "site",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_SITE_MAX,
     .argument = "NAME",
     .help =
         "this site's name among those that relay to one another, and for the places in Streams "
         "(default: the host's name)"},
    {.name = "standby",
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help =
         "several bridges have this site's name: one works, and the others stand by until it is "
         "gone"},
    {.name = "queue-bytes",
     .type = ZC_OPT_SIZE,
     .preset = "64M",
     .min = 4096,
     .max = 1LL << 40,
     .argument = "SIZE",
     .help = "bytes of messages that may wait for the broker (beyond that, the oldest is dropped), "
             "and for Redis"},
    {.name = "drain-timeout",
     .type = ZC_OPT_SECONDS,
     .preset = "5s",
     .max = 600000,
     .argument = "TIME",
     .help = "when stopping: how long to go on sending the messages that wait",
     .reload = true},
    {.name = "name",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 64,
     .argument = "NAME",
     .help = "the name of this bridge in zmq stat (default: redis, with the host's name if the "
             "broker is on another machine)"},
    {.name = "publish",
     .type = ZC_OPT_ENDPOINT,
     .preset = "tcp://127.0.0.1:5560",
     .argument = "ENDPOINT",
     .help = "not used: messages are published on control, with acknowledgement"},
    {.name = "subscribe",
     .type = ZC_OPT_ENDPOINTS,
     .preset = "tcp://127.0.0.1:5561",
     .argument = "ENDPOINT…",
     .help = "where the broker's subscribers connect; of several brokers on one log, those of all: "
             "where one is gone, the bridge goes on at the next"},
    ZC_CURVE_KEY_OPTION,
    ZC_CURVE_SERVER_OPTION,
    {.name = "control",
     .type = ZC_OPT_ENDPOINTS,
     .preset = "tcp://127.0.0.1:5562",
     .argument = "ENDPOINT…",
     .help = "the broker's control endpoint; of several, in the order of subscribe"},
    ZC_OPTION_END,
};

/*  The options, parsed. */
typedef struct {
    zc_address_t address;
    zc_mapping_t *mapping, *streams;
    zc_outlet_t *outlet; /* NULL: nothing is relayed to Redis */
    char site[ZC_SITE_MAX + 1];
} s_setup_t;

typedef struct {
    zc_options_t *options;
    s_setup_t setup;
    zc_incoming_t *incoming;
    zc_outgoing_t *outgoing; /* NULL: nothing is relayed to Redis */
    zc_lease_t *lease;       /* NULL: no other bridge has our site */
    bool works;              /* we have it */
    bool lapsed;             /* and had lost it before */
    void *context;
    zc_control_t *control; /* for reports */
    char *place;           /* its endpoint; owned */
    zc_report_name_t name;
    int signal_fd;
    uint64_t report_at; /* monotonic ms */
    char reported[160]; /* the connections' state in the last report */
    uint64_t end_at;    /* when draining ends; 0: it hasn't begun */
} s_bridge_t;

/*  Options ------------------------------------------------------------------------------------- */

static void s_setup_clear (s_setup_t *setup)
{
    zc_address_clear (&setup->address);
    zc_mapping_destroy (&setup->mapping);
    zc_mapping_destroy (&setup->streams);
    zc_outlet_destroy (&setup->outlet);
}

/*  The path of the credential that the unit's LoadCredential= names, in systemd's folder. NULL
 *  if there is none. */
static const char *s_credential (char *path, size_t size)
{
    const char *folder = getenv ("CREDENTIALS_DIRECTORY");
    if (!folder || snprintf (path, size, "%s/redis-password", folder) >= (int)size)
        return NULL;
    return access (path, F_OK) == 0 ? path : NULL;
}

static const char *s_setup_address (const zc_options_t *options, zc_address_t *address, char *error,
                                    size_t size)
{
    const char *path = zc_options_text (options, "password-file");
    char credential[PATH_MAX];
    if (zc_address_parse (zc_options_text (options, "redis"), address, error, size) != 0)
        return "redis";
    zc_address_set (&address->user, zc_options_text (options, "user"));
    zc_address_set (&address->password, zc_options_text (options, "password"));
    if (zc_options_text (options, "database"))
        address->database = (int)zc_options_number (options, "database");
    if (!path && !address->password)
        path = s_credential (credential, sizeof credential);
    if (path && zc_address_read_password (address, path, error, size) != 0)
        return "password-file";
    if (!address->user || address->password)
        return NULL;
    snprintf (error, size, "a user needs a password");
    return "user";
}

static const char *s_setup_mapping (const zc_options_t *options, zc_mapping_t **mapping_p,
                                    char *error, size_t size)
{
    static const char *const names[] = {"subscribe-channel", "subscribe-pattern"};
    zc_mapping_t *mapping = zc_mapping_new (zc_options_text (options, "topic"), error, size);
    const char *key, *value;
    *mapping_p = mapping;
    if (!mapping)
        return "topic";
    for (int pattern = 0; pattern < 2; pattern++)
        for (size_t i = 0; zc_options_item (options, names[pattern], i, &key, &value); i++)
            if (zc_mapping_add (mapping, value, pattern, error, size) != 0)
                return names[pattern];
    if (zc_mapping_count (mapping) == 0 &&
        !zc_options_item (options, "outgoing", 0, &key, &value) &&
        !zc_options_item (options, "subscribe-stream", 0, &key, &value))
        zc_mapping_add (mapping, "*", true, error, size);
    return NULL;
}

static const char *s_setup_streams (const zc_options_t *options, zc_mapping_t **mapping_p,
                                    char *error, size_t size)
{
    zc_mapping_t *mapping = zc_mapping_new (zc_options_text (options, "topic"), error, size);
    const char *key, *value;
    bool pattern;
    *mapping_p = mapping;
    if (!mapping)
        return "topic";
    for (size_t i = 0; zc_options_item (options, "subscribe-stream", i, &key, &value); i++) {
        if (i == ZC_STREAMS_MAX) {
            snprintf (error, size, "a bridge reads %d streams at most", ZC_STREAMS_MAX);
            return "subscribe-stream";
        }
        if (zc_mapping_add (mapping, value, false, error, size) != 0)
            return "subscribe-stream";
        if (zc_stream_name_valid (zc_mapping_name (mapping, i, &pattern)))
            continue;
        snprintf (error, size,
                  "'%s': a stream's name is up to %d bytes of UTF-8 without control characters",
                  value, ZC_STREAM_NAME_MAX);
        return "subscribe-stream";
    }
    return NULL;
}

static const char *s_setup_outlet (const zc_options_t *options, zc_outlet_t **outlet_p, char *error,
                                   size_t size)
{
    const char *key, *value;
    if (!zc_options_item (options, "outgoing", 0, &key, &value))
        return NULL;
    *outlet_p = zc_outlet_new (zc_options_text (options, "outgoing-prefix"));
    for (size_t i = 0; zc_options_item (options, "outgoing", i, &key, &value); i++)
        if (zc_outlet_add (*outlet_p, value, error, size) != 0)
            return "outgoing";
    return NULL;
}

static const char *s_setup_site (const zc_options_t *options, char *site, char *error, size_t size)
{
    const char *given = zc_options_text (options, "site");
    char host[ZC_SITE_MAX + 1] = "";
    if (!given && gethostname (host, sizeof host - 1) != 0)
        host[0] = 0;
    const char *name = given ? given : host;
    if (zc_site_valid (name, strlen (name))) {
        strcpy (site, name);
        return NULL;
    }
    snprintf (error, size, "'%s': expected up to 64 letters, digits, '-', '_' and '.'", name);
    return "site";
}

/*  Returns NULL, or the invalid option. The caller clears `setup` in either case. */
static const char *s_set_up (const zc_options_t *options, s_setup_t *setup, char *error,
                             size_t size)
{
    const char *wrong = s_setup_address (options, &setup->address, error, size);
    if (!wrong)
        wrong = s_setup_mapping (options, &setup->mapping, error, size);
    if (!wrong)
        wrong = s_setup_streams (options, &setup->streams, error, size);
    if (!wrong)
        wrong = s_setup_outlet (options, &setup->outlet, error, size);
    if (wrong)
        return wrong;
    /*  The site may be needed after a reload only. */
    wrong = s_setup_site (options, setup->site, error, size);
    bool named = setup->outlet || zc_options_bool (options, "standby") ||
                 zc_mapping_count (setup->streams) > 0;
    return named || zc_options_text (options, "site") ? wrong : NULL;
}

static const char *s_verify (const zc_options_t *options, char *error, size_t size)
{
    s_setup_t setup = {0};
    const char *wrong = s_set_up (options, &setup, error, size);
    s_setup_clear (&setup);
    return wrong ? wrong : zc_places_verify (options, error, size);
}

static const zc_program_t s_program = {
    .program = "zcast-redis",
    .section = "bridge",
    .usage = "[OPTION...]",
    .summary = "Publishes what comes on Redis channels, and, where asked, sends topics to Redis.",
    .epilog =
        "Examples:\n"
        "  zcast-redis --subscribe-pattern 'news.*' --topic 'redis/{channel}'\n"
        "  zcast-redis --subscribe-channel 'orders -> shop/orders'\n"
        "  zcast-redis --subscribe-stream 'orders -> shop/orders' --site north\n"
        "  zcast-redis --redis redis://redis.example:6379/0 --outgoing 'shared/*' --site north\n",
    .options = s_options,
    .verify = s_verify,
};

/*  The report ---------------------------------------------------------------------------------- */

/*  Text from outside may not be UTF-8, which JSON must be. */
static void s_set_text (json_t *object, const char *key, const char *text)
{
    json_t *value = json_string (text);
    json_object_set_new (object, key, value ? value : json_string ("(not UTF-8)"));
}

static void s_report_outgoing (const s_bridge_t *self, json_t *report)
{
    if (!self->outgoing)
        return;
    const zc_outgoing_stats_t *out = zc_outgoing_stats (self->outgoing);
    const char *wrong, *state = zc_outgoing_state (self->outgoing, &wrong);
    json_object_set_new (report, "site", json_string (self->setup.site));
    json_object_set_new (report, "relay", json_string (state));
    s_set_text (report, "relay_error", wrong);
    const zc_relay_figures_t figures = {
        .relayed = out->relayed,
        .skipped = out->skipped,
        .refused = out->refused,
        .gaps = out->gaps,
        .waiting = out->waiting,
        .held = out->held,
        .forbidden = out->forbidden,
        .unkept = out->unkept,
    };
    zc_figures_write (zc_relay_figures, &figures, report);
}

static json_t *s_report_json (const s_bridge_t *self)
{
    const zc_incoming_stats_t *in = zc_incoming_stats (self->incoming);
    const zc_publisher_t *publisher = zc_incoming_publisher (self->incoming);
    const zc_publisher_stats_t *out = zc_publisher_stats (publisher);
    const char *wrong;
    const char *redis = zc_incoming_state (self->incoming, &wrong);
    size_t confirmed, wanted = zc_incoming_subscriptions (self->incoming, &confirmed);
    const zc_streams_t *source = zc_incoming_streams (self->incoming);
    const zc_streams_stats_t *entries = zc_streams_stats (source);
    size_t streams_read, streams = zc_streams_count (source, &streams_read);
    json_t *report = json_object ();
    json_object_set_new (report, "pid", json_integer (getpid ()));
    bool waits = !self->works && strcmp (redis, "connected") == 0;
    json_object_set_new (report, "redis", json_string (waits ? "standby" : redis));
    s_set_text (report, "redis_error", wrong);
    const zc_bridge_figures_t figures = {
        .subscriptions = wanted,
        .subscribed = confirmed,
        .received = in->received + entries->entries,
        .invalid = in->invalid + entries->invalid,
        .echoes = in->echoes,
        .forbidden = in->forbidden + entries->refused,
        .redis_gaps = in->gaps,
        .published = out->published,
        .refused = out->refused,
        .dropped = out->dropped,
        .repeated = out->repeated,
        .waiting = out->waiting,
        .waiting_bytes = out->bytes,
        .broker_losses = out->losses,
        .streams = streams,
        .streams_read = streams_read,
        .entries = entries->entries,
        .entries_missed = entries->missed,
        .unkept = entries->unkept,
    };
    zc_figures_write (zc_bridge_figures, &figures, report);
    s_report_outgoing (self, report);
    return report;
}

static void s_reported (void *arg, const zc_answer_t *answer)
{
    s_bridge_t *self = arg;
    if (zc_report_name_answer (&self->name, answer))
        self->report_at = 0;
}

/*  Reports go to the broker that messages are published at. */
static void s_follow_publisher (s_bridge_t *self)
{
    const char *place = zc_publisher_place (zc_incoming_publisher (self->incoming));
    if (strcmp (place, self->place) == 0)
        return;
    free (self->place);
    self->place = strdup (place);
    zc_control_move (self->control, self->place);
    self->report_at = 0;
}

static void s_report (s_bridge_t *self)
{
    const char *name = self->name.text;
    json_t *report = s_report_json (self);
    char *text = json_dumps (report, JSON_COMPACT);
    json_decref (report);
    zc_ask_t ask = {
        .verb = ZC_REPORT, .name = {name, strlen (name)}, .json = {text, strlen (text)}};
    if (zc_control_pending (self->control) == 0)
        zc_control_request (self->control, &ask, S_REPORT_MS, s_reported, self);
    free (text);
    self->report_at = zc_mono_ms () + S_REPORT_MS;
}

/*  A change that concerns the operator doesn't wait until the next report is due. */
static void s_hurry_report (s_bridge_t *self)
{
    char now[sizeof self->reported];
    const char *in, *out = "", *relay = "";
    const char *redis = zc_incoming_state (self->incoming, &in);
    if (self->outgoing)
        relay = zc_outgoing_state (self->outgoing, &out);
    snprintf (now, sizeof now, "%s %d %s %d", redis, *in != 0, relay, *out != 0);
    if (strcmp (now, self->reported) == 0)
        return;
    strcpy (self->reported, now);
    uint64_t soon = zc_mono_ms () + S_NEWS_MS;
    if (self->report_at > soon)
        self->report_at = soon;
}

/*  Signals ------------------------------------------------------------------------------------- */

static void s_reload (s_bridge_t *self)
{
    char error[512];
    zc_notify ("RELOADING=1");
    int rc = zc_options_reload (self->options, error, sizeof error);
    if (rc < 0) {
        zc_error (ZC_EVENT ("reload.refused error", "not reloaded: %s"), error);
    } else {
        zc_mapping_t *mapping, *streams = NULL;
        char unused[512]; /* already verified */
        if (s_setup_mapping (self->options, &mapping, unused, sizeof unused) == NULL &&
            s_setup_streams (self->options, &streams, unused, sizeof unused) == NULL)
            zc_incoming_remap (self->incoming, &mapping, &streams);
        zc_mapping_destroy (&mapping);
        zc_mapping_destroy (&streams);
        zc_logging_reload (self->options);
        zc_info (ZC_EVENT ("reload.done", "reloaded"));
        if (rc > 0)
            zc_warn (ZC_EVENT ("reload.restart options", "takes effect with the next start: %s"),
                     error);
    }
    zc_want_restart (false);
    zc_notify ("READY=1");
}

static void s_drain (s_bridge_t *self)
{
    if (self->end_at) { /* this is the second signal */
        self->end_at = 1;
        return;
    }
    zc_info (ZC_EVENT ("program.stopping", "stopping"));
    zc_notify ("STOPPING=1");
    uint64_t timeout = (uint64_t)zc_options_number (self->options, "drain-timeout");
    self->end_at = zc_mono_ms () + timeout;
    zc_incoming_close (self->incoming);
    if (self->outgoing)
        zc_outgoing_close (self->outgoing);
}

static void s_signals (s_bridge_t *self)
{
    struct signalfd_siginfo info;
    while (read (self->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP)
            s_reload (self);
        else if (info.ssi_signo == SIGUSR2)
            zc_want_restart (true);
        else
            s_drain (self);
    }
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
    signal (SIGPIPE, SIG_IGN);
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/*  The loop ------------------------------------------------------------------------------------ */

static long s_until (uint64_t when_ms)
{
    uint64_t now = zc_mono_ms ();
    return when_ms > now ? (long)(when_ms - now) : 0;
}

static long s_least (long a, long b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static bool s_is_drained (const s_bridge_t *self)
{
    uint64_t waiting = zc_publisher_stats (zc_incoming_publisher (self->incoming))->waiting;
    uint64_t relay = self->outgoing ? zc_outgoing_stats (self->outgoing)->waiting : 0;
    bool idle = !self->outgoing || zc_outgoing_is_idle (self->outgoing);
    if (zc_incoming_is_idle (self->incoming) && idle)
        return true;
    if (zc_mono_ms () < self->end_at)
        return false;
    zc_warn (ZC_EVENT ("messages.left publishing relaying",
                       "time is up: %" PRIu64 " messages have not reached the broker, %" PRIu64
                       " not Redis"),
             waiting, relay);
    return true;
}

static void s_open_outgoing (s_bridge_t *self)
{
    bool relay = strcmp (zc_options_text (self->options, "outgoing-format"), "relay") == 0;
    zc_outgoing_config_t config = {.address = &self->setup.address,
                                   .subscribe = zc_options_text (self->options, "subscribe"),
                                   .control = zc_options_text (self->options, "control"),
                                   .site = self->setup.site,
                                   .outlet = self->setup.outlet,
                                   .envelope = relay,
                                   .queue_bytes =
                                       (size_t)zc_options_number (self->options, "queue-bytes")};
    if (self->setup.outlet)
        self->outgoing = zc_outgoing_new (self->context, &config);
}

/*  The relay of a bridge that stands by is gone: it begins again at the position that Redis has. */
static void s_look_at_lease (s_bridge_t *self)
{
    zc_lease_run (self->lease);
    bool held = zc_lease_is_held (self->lease), taken = zc_lease_was_taken (self->lease);
    if (held == self->works || self->end_at)
        return;
    self->works = held;
    if (held)
        zc_info (ZC_EVENT ("lease.held site", "site %s: this bridge works now"), self->setup.site);
    else
        zc_warn (
            ZC_EVENT ("lease.lost site", "site %s: this bridge has lost the lease: it stands by"),
            self->setup.site);
    zc_incoming_work (self->incoming, held, held && (taken || self->lapsed));
    self->lapsed |= !held;
    zc_outgoing_destroy (&self->outgoing);
    if (held)
        s_open_outgoing (self);
}

static void s_turn (s_bridge_t *self)
{
    zmq_pollitem_t items[S_ITEMS] = {{NULL, self->signal_fd, ZMQ_POLLIN, 0}};
    size_t count = 1;
    long wait = s_until (self->report_at);
    count += zc_incoming_pollitems (self->incoming, items + count);
    wait = s_least (zc_incoming_timeout (self->incoming), wait);
    if (self->outgoing) {
        count += zc_outgoing_pollitems (self->outgoing, items + count);
        wait = s_least (zc_outgoing_timeout (self->outgoing), wait);
    }
    count += zc_control_pollitems (self->control, items + count);
    if (self->lease) {
        count += zc_lease_pollitems (self->lease, items + count);
        wait = s_least (zc_lease_timeout (self->lease), wait);
    }
    if (self->end_at)
        wait = s_least (s_until (self->end_at), wait);
    zmq_poll (items, (int)count, wait);
    s_signals (self);
    if (self->lease)
        s_look_at_lease (self);
    zc_incoming_run (self->incoming);
    if (self->outgoing) {
        zc_outgoing_run (self->outgoing);
        zc_incoming_set_line (self->incoming, zc_outgoing_line (self->outgoing));
    }
    s_follow_publisher (self);
    zc_control_read (self->control, 100);
    s_hurry_report (self);
    if (zc_mono_ms () >= self->report_at)
        s_report (self);
}

static int s_open (s_bridge_t *self, void *context)
{
    const char *control = zc_options_text (self->options, "control");
    size_t queue = (size_t)zc_options_number (self->options, "queue-bytes");
    bool relay = strcmp (zc_options_text (self->options, "outgoing-format"), "relay") == 0;
    bool earliest = strcmp (zc_options_text (self->options, "stream-begin"), "earliest") == 0;
    s_setup_t *setup = &self->setup;
    const char *name = zc_options_text (self->options, "name");
    /*  A given name is the whole name, as on the broker's machine. */
    zc_report_name_init (&self->name, name ? name : "redis", NULL, name ? "inproc://" : control);
    zc_incoming_config_t incoming = {
        .address = &setup->address,
        .control = control,
        .site = setup->site,
        .relay = relay ? setup->outlet : NULL,
        .outlet = setup->outlet,
        .outgoing_prefix = zc_options_text (self->options, "outgoing-prefix"),
        .stream_field = zc_options_text (self->options, "stream-field"),
        .streams_earliest = earliest,
        .queue_bytes = queue};
    self->incoming = zc_incoming_new (context, &incoming, &setup->mapping, &setup->streams);
    if (self->incoming) {
        self->place = strdup (zc_publisher_place (zc_incoming_publisher (self->incoming)));
        self->control = zc_control_new (context, self->place);
    }
    if (!self->control) {
        zc_error (ZC_EVENT ("start.failed - error", "%s: %s"), control, zmq_strerror (errno));
        return -1;
    }
    self->context = context;
    self->works = !zc_options_bool (self->options, "standby");
    if (self->works)
        s_open_outgoing (self);
    else
        self->lease = zc_lease_new (&setup->address, setup->site);
    zc_incoming_work (self->incoming, self->works, false);
    return 0;
}

static int s_run (s_bridge_t *self)
{
    void *context = zmq_ctx_new ();
    int status = ZC_EXIT_FAILURE;
    if (s_open (self, context) == 0) {
        zc_info (ZC_EVENT ("program.ready redis broker - site", "from redis %s to broker %s%s%s"),
                 self->setup.address.shown, zc_options_text (self->options, "control"),
                 self->outgoing ? ", and back as site " : "",
                 self->outgoing ? self->setup.site : "");
        zc_notify ("READY=1");
        do
            s_turn (self);
        while (!self->end_at || !s_is_drained (self));
        status = ZC_EXIT_OK;
    }
    if (self->lease)
        zc_lease_release (self->lease);
    zc_lease_destroy (&self->lease);
    zc_outgoing_destroy (&self->outgoing);
    zc_incoming_destroy (&self->incoming);
    if (self->control)
        zc_control_reset (self->control);
    zc_control_destroy (&self->control);
    free (self->place);
    zc_context_end (&context, ZC_CONTEXT_END_MS);
    if (status == ZC_EXIT_OK)
        zc_info (ZC_EVENT ("program.stopped", "stopped"));
    return status;
}

/*  Warns about a password that every user of this machine can read. */
static void s_warn_exposed (const zc_options_t *options)
{
    const char *path, *name = zc_options_exposed (options, &path);
    const char *file = zc_options_text (options, "password-file");
    if (name)
        zc_warn (ZC_EVENT ("password.exposed path option",
                           "%s: %s: everyone on this machine can read this password: rather use "
                           "password-file, or the credential redis-password"),
                 path, name);
    if (file && zc_file_exposed (file))
        zc_warn (ZC_EVENT ("password.exposed",
                           "password-file: everyone on this machine can read it: chmod 600"));
}

int main (int argc, char **argv)
{
    int status;
    zc_hold_standard_descriptors ();
    zc_keep_memory_out_of_dumps ();
    s_bridge_t self = {.options = zc_options_new (&s_program, argc, argv, &status)};
    if (!self.options)
        return status;
    zc_logging_open (self.options);
    s_warn_exposed (self.options);
    char unused[512]; /* already verified */
    status = ZC_EXIT_USAGE;
    self.signal_fd = s_signal_fd ();
    if (zc_curve_start (self.options, unused, sizeof unused) != 0)
        zc_error (ZC_EVENT ("start.failed error", "%s"), unused);
    else if (!s_set_up (self.options, &self.setup, unused, sizeof unused))
        status = s_run (&self);
    close (self.signal_fd);
    s_setup_clear (&self.setup);
    zc_options_destroy (&self.options);
    return status;
}
