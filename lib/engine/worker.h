/*  worker.h - the frame of a process that serves clients: a loop, a hub, a pump, a link to the
 *  broker, signals, heartbeats, statistics, and a drain that ends within a set time. */
#ifndef ZC_WORKER_H
#define ZC_WORKER_H

#include <jansson.h>
#include <uv.h>
#include "lib/engine/hub.h"
#include "lib/engine/link.h"
#include "lib/config/options.h"
#include "lib/engine/pump.h"
#include "lib/peer/curve.h"

typedef struct zc_worker zc_worker_t;

/*  The options that zc_worker reads. A program that serves clients puts them into its table:
 *  subscribe, control, max-payload, max-lag, max-held, heartbeat, max-delay, max-topics, linger,
 *  retain, slow, slow-topics, retry, drain-timeout, io-uring, default-event. */
/* clang-format off */
#define ZC_WORKER_OPTIONS                                                                         \
    {"subscribe", 0, ZC_OPT_ENDPOINT, "tcp://127.0.0.1:5561", 0, 0, NULL, "ENDPOINT",             \
     "where the broker's subscribers connect", false},                                            \
    {"control", 0, ZC_OPT_ENDPOINT, "tcp://127.0.0.1:5562", 0, 0, NULL, "ENDPOINT",               \
     "the broker's control endpoint", false},                                                     \
    ZC_CURVE_KEY_OPTION, ZC_CURVE_SERVER_OPTION,                                                  \
    {"name", 0, ZC_OPT_TEXT, NULL, 1, 64, NULL, "NAME",                                           \
     "how zmq stat calls this instance, behind fcgi.0 and the like (default: the host's name, "   \
     "where the broker is on another machine)",                                                   \
     false},                                                                                      \
    {"stale-after", 0, ZC_OPT_SECONDS, "30s", 0, 86400000, NULL, "TIME",                          \
     "without an answer of the broker's for so long, clients are told, and new ones are sent "    \
     "elsewhere; 0: never",                                                                       \
     true},                                                                                       \
    {"max-payload", 0, ZC_OPT_SIZE, "1M", 1, 1 << 30, NULL, "SIZE",                               \
     "largest payload that a client may publish", false},                                         \
    {"max-lag", 0, ZC_OPT_SIZE, "1M", 4096, 1 << 30, NULL, "SIZE",                                \
     "how far a slow client may fall behind", true},                                              \
    {"max-held", 0, ZC_OPT_SIZE, "256M", 1 << 20, 1LL << 40, NULL, "SIZE",                        \
     "bytes that a process holds for all its clients; beyond, those that lag most go", true},     \
    {"retain", 0, ZC_OPT_SECONDS, "60s", 0, 86400000, NULL, "TIME",                               \
     "how long sent messages stay for clients that come back", true},                             \
    {"linger", 0, ZC_OPT_SECONDS, "5s", 0, 3600000, NULL, "TIME",                                 \
     "how long a topic stays subscribed after its last client", true},                            \
    {"heartbeat", 0, ZC_OPT_SECONDS, "15s", 100, 3600000, NULL, "TIME",                           \
     "a quiet client hears something this often", true},                                          \
    {"max-delay", 0, ZC_OPT_MS, "50ms", 0, 10000, NULL, "TIME",                                   \
     "longest wait for more messages before a flush under load", true},                           \
    {"io-uring", 0, ZC_OPT_BOOL, "yes", 0, 0, NULL, NULL,                                         \
     "send to many clients in one system call, where the system has io_uring", false},            \
    {"max-topics", 0, ZC_OPT_NUMBER, "100", 1, 10000, NULL, "N",                                  \
     "topics that one client may ask for", true},                                                 \
    {"slow", 0, ZC_OPT_CHOICE, "disconnect", 0, 0, "disconnect|skip|latest", "POLICY",            \
     "what happens to a client beyond max-lag: disconnect, skip or latest", true},                \
    {"slow-topics", 0, ZC_OPT_MAP, NULL, 0, 0, "disconnect|skip|latest", "PREFIX=POLICY",         \
     "the policy for topics that start with a prefix", true},                                     \
    {"retry", 0, ZC_OPT_MS, "2s", 100, 600000, NULL, "TIME",                                      \
     "clients reconnect after this, spread by half to one and a half", true},                     \
    {"drain-timeout", 0, ZC_OPT_SECONDS, "5s", 0, 600000, NULL, "TIME",                           \
     "how long clients have to take what is left when stopping", true},                           \
    {"default-event", 0, ZC_OPT_TEXT, "", 0, 256, NULL, "NAME",                                   \
     "event type of messages whose publisher gave none", true}
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
} zc_service_t;

/*  Runs until SIGTERM or SIGINT, and then until the drain is over. `name` distinguishes the
 *  processes in STATS ("fcgi.0"). Returns the exit status. */
int zc_worker_run (zc_options_t *options, const char *name, const zc_service_t *service);

/*  For a program's verify: checks the address in the option that `listen` names, and the option
 *  `socket-mode`. Returns NULL; or the option that is wrong, with the expected form in `error`. */
const char *zc_worker_verify (const zc_options_t *options, const char *listen, char *error,
                              size_t size);

/*  Reads the options again, and sets the log's level. False if the file is wrong, after saying why;
 *  nothing was changed then. For the master of several processes; in a worker, zc_worker_run does
 *  it. */
bool zc_worker_reload (zc_options_t *options);

/*  For a service's start: turns on sending to many clients in one system call, if the option
 *  io-uring and the system allow it. Returns whether they do. */
bool zc_worker_batch (zc_worker_t *self);

/*  For a service's stats: adds a histogram to the report. */
void zc_report_histogram (json_t *report, const char *name, const zc_histogram_t *histogram);

uv_loop_t *zc_worker_loop (zc_worker_t *self);
zc_hub_t *zc_worker_hub (zc_worker_t *self);
zc_pump_t *zc_worker_pump (zc_worker_t *self);
zc_link_t *zc_worker_link (zc_worker_t *self);
/*  A reconnect time for one client, in milliseconds, with its random spread. */
unsigned zc_worker_retry (const zc_worker_t *self);
void zc_worker_stop (zc_worker_t *self);

#endif
