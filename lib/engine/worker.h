/*  worker.h - the frame of a process that serves clients: a loop, a hub, a pump, a link to the
 *  broker, signals, heartbeats, statistics, and a drain that ends within a set time. */
#ifndef ZC_WORKER_H
#define ZC_WORKER_H

#include <jansson.h>
#include <uv.h>
#include "lib/engine/duties.h"
#include "lib/engine/giver.h"
#include "lib/engine/hub.h"
#include "lib/engine/link.h"
#include "lib/config/options.h"
#include "lib/engine/pump.h"
#include "lib/engine/registry.h"
#include "lib/peer/curve.h"

typedef struct zc_worker zc_worker_t;

/*  The options that zc_worker reads. A program that serves clients puts them into its table:
 *  subscribe, control, max-payload, max-lag, max-held, heartbeat, max-delay, max-topics, linger,
 *  retain, slow, slow-topics, retry, drain-timeout, io-uring, default-event. */
/* clang-format off */
#define ZC_WORKER_OPTIONS                                                                         \
    {.name = "subscribe", .type = ZC_OPT_ENDPOINTS, .preset = "tcp://127.0.0.1:5561",             \
     .argument = "ENDPOINT…",                                                                     \
     .help = "where the broker's subscribers connect; of several brokers on one log, with "       \
             "blanks between: if one is gone or behind, the next one is used"},                   \
    {.name = "control", .type = ZC_OPT_ENDPOINTS, .preset = "tcp://127.0.0.1:5562",               \
     .argument = "ENDPOINT…",                                                                     \
     .help = "the broker's control endpoint; of several brokers, in the same order"},             \
    ZC_CURVE_KEY_OPTION, ZC_CURVE_SERVER_OPTION,                                                  \
    {.name = "name", .type = ZC_OPT_TEXT, .min = 1, .max = 64, .argument = "NAME",                \
     .help = "the name of this instance in zmq stat, after fcgi.0 and the like (default: the "    \
             "host's name, if the broker is on another machine)"},                                \
    {.name = "stale-after", .type = ZC_OPT_SECONDS, .preset = "30s", .max = 86400000,             \
     .argument = "TIME",                                                                          \
     .help = "clients are told, and new ones sent elsewhere, when the broker hasn't answered "    \
             "for so long; 0: never", .reload = true},                                            \
    {.name = "upgrade-timeout", .type = ZC_OPT_SECONDS, .preset = "30s", .min = 100,              \
     .max = 60000, .argument = "TIME",                                                            \
     .help = "how long a new binary may take to start; then the old one goes on alone",           \
     .reload = true},                                                                             \
    {.name = "max-payload", .type = ZC_OPT_SIZE, .preset = "1M", .min = 1, .max = 1 << 30,        \
     .argument = "SIZE",                                                                          \
     .help = "largest payload that a client may publish"},                                        \
    {.name = "max-lag", .type = ZC_OPT_SIZE, .preset = "1M", .min = 4096, .max = 1 << 30,         \
     .argument = "SIZE",                                                                          \
     .help = "how far a slow client may fall behind", .reload = true},                            \
    {.name = "max-held", .type = ZC_OPT_SIZE, .preset = "256M", .min = 1 << 20, .max = 1LL << 40, \
     .argument = "SIZE",                                                                          \
     .help = "bytes that a process holds for all its clients; beyond that, the clients that "     \
             "lag most are disconnected", .reload = true},                                        \
    {.name = "retain", .type = ZC_OPT_SECONDS, .preset = "60s", .max = 86400000,                  \
     .argument = "TIME",                                                                          \
     .help = "how long sent messages stay for clients that come back", .reload = true},           \
    {.name = "linger", .type = ZC_OPT_SECONDS, .preset = "5s", .max = 3600000,                    \
     .argument = "TIME",                                                                          \
     .help = "how long a topic stays subscribed after its last client", .reload = true},          \
    {.name = "heartbeat", .type = ZC_OPT_SECONDS, .preset = "15s", .min = 100, .max = 3600000,    \
     .argument = "TIME",                                                                          \
     .help = "a quiet client hears something this often", .reload = true},                        \
    {.name = "max-delay", .type = ZC_OPT_MS, .preset = "50ms", .max = 10000, .argument = "TIME",  \
     .help = "longest wait for more messages before a flush under load", .reload = true},         \
    {.name = "io-uring", .type = ZC_OPT_BOOL, .preset = "yes",                                    \
     .help = "send to many clients in one system call, where the system has io_uring"},           \
    {.name = "max-topics", .type = ZC_OPT_NUMBER, .preset = "100", .min = 1, .max = 10000,        \
     .argument = "N",                                                                             \
     .help = "topics that one client may ask for", .reload = true},                               \
    {.name = "slow", .type = ZC_OPT_CHOICE, .preset = "disconnect",                               \
     .choices = "disconnect|skip|latest", .argument = "POLICY",                                   \
     .help = "what happens to a client beyond max-lag: disconnect, skip or latest",               \
     .reload = true},                                                                             \
    {.name = "slow-topics", .type = ZC_OPT_MAP, .choices = "disconnect|skip|latest",              \
     .argument = "PREFIX=POLICY",                                                                 \
     .help = "the policy for topics that start with a prefix", .reload = true},                   \
    {.name = "retry", .type = ZC_OPT_MS, .preset = "2s", .min = 100, .max = 600000,               \
     .argument = "TIME",                                                                          \
     .help = "clients reconnect after this, spread by half to one and a half", .reload = true},   \
    {.name = "drain-timeout", .type = ZC_OPT_SECONDS, .preset = "5s", .max = 600000,              \
     .argument = "TIME",                                                                          \
     .help = "when stopping: how long clients have to take their last messages", .reload = true}, \
    {.name = "default-event", .type = ZC_OPT_TEXT, .preset = "", .max = 256, .argument = "NAME",  \
     .help = "event type of messages whose publisher gave none", .reload = true}
/* clang-format on */

typedef struct {
    void *arg;
    /*  The loop exists: listen and accept. Returns 0; or -1 after logging why, and the program
     *  ends. */
    int (*start) (void *arg, zc_worker_t *worker);
    /*  Stop accepting, and tell every client to come back later. Call zc_worker_stop once the last
     *  client has left. */
    void (*drain) (void *arg);
    /*  The drain's time is over: close all clients now. */
    void (*abort) (void *arg);
    /*  Options were read again. */
    void (*reload) (void *arg);
    /*  Adds the transport's figures to a jansson object. May be NULL. */
    void (*stats) (void *arg, json_t *report);
    /*  Upgrades: how clients are handed over to a successor, and taken over (giver.h, taker.h).
     *  `give` is NULL where the service can't. */
    int listener; /* that a successor inherits */
    void (*give) (void *arg, zc_giver_t *giver);
    void (*given) (void *arg, void *item);
    /*  The listening socket stays open, as a master that becomes of this process needs it. */
    void (*committed) (void *arg);
    size_t (*left) (void *arg);
    const zc_encoding_t *(*encoding) (void *arg, zc_slice_t name);
    bool (*can_take) (void *arg, const zc_handover_t *client);
    void (*take) (void *arg, const zc_handover_t *client, int fd);
    void (*begin) (void *arg);
} zc_service_t;

/*  Runs until SIGTERM or SIGINT, and then until the drain is over. `name` distinguishes the
 *  processes in STATS ("fcgi.0"). Returns the exit status. */
int zc_worker_run (zc_options_t *options, const char *name, const zc_service_t *service);

/*  For a program's verify: checks the address in the option that `listen` names, and the option
 *  `socket-mode`. Returns NULL; or the option that is wrong, with the expected form in `error`. */
const char *zc_worker_verify (const zc_options_t *options, const char *listen, char *error,
                              size_t size);

/*  Reads the options again, and sets the log's level. False if the file is wrong, after saying why;
 *  nothing was changed then. */
bool zc_worker_reload (zc_options_t *options);

/*  The work of one process on its listening socket, which is its own to close. Returns its exit
 *  status. */
typedef int zc_serve_t (zc_options_t *options, int listener, unsigned index);

/*  Runs `serve` in as many processes as the option `processes` says, until all have ended, and
 *  closes `listener`. Returns the exit status. */
int zc_worker_processes (zc_options_t *options, int listener, zc_serve_t *serve);

/*  For a service's start: turns on sending to many clients in one system call, if the option
 *  io-uring and the system allow it. Returns whether they do. */
bool zc_worker_batch (zc_worker_t *self);

/*  For a service's stats: adds a histogram to the report. */
void zc_report_histogram (json_t *report, const char *name, const zc_histogram_t *histogram);

/*  Whether a service accepts only after `begin`: this process succeeds another one, or waits for
 *  instructions. */
bool zc_worker_waits (const zc_worker_t *self);
/*  To be called while the service starts: clients can't be served before the broker has told its
 *  instructions. Nor can they if it doesn't within two seconds, but then they are told so. */
void zc_worker_await_duties (zc_worker_t *self);

uv_loop_t *zc_worker_loop (zc_worker_t *self);
zc_hub_t *zc_worker_hub (zc_worker_t *self);
zc_pump_t *zc_worker_pump (zc_worker_t *self);
zc_registry_t *zc_worker_registry (zc_worker_t *self);
zc_duties_t *zc_worker_duties (zc_worker_t *self);
zc_link_t *zc_worker_link (zc_worker_t *self);
/*  A reconnect time for one client, in milliseconds, with its random spread. */
unsigned zc_worker_retry (const zc_worker_t *self);
void zc_worker_stop (zc_worker_t *self);

#endif
