/*  settings.h - the configuration of a hub, and its counters. */
#ifndef ZC_SETTINGS_H
#define ZC_SETTINGS_H

#include "lib/base/text.h"

typedef enum { ZC_SLOW_DISCONNECT, ZC_SLOW_SKIP, ZC_SLOW_LATEST } zc_slow_t;

/*  Whether messages on the topic are only for clients whose grants cover the topic. */
typedef bool (*zc_restricts_fn) (void *arg, zc_slice_t topic);

typedef struct {
    size_t max_held;       /* bytes held for clients, in all; 0: no bound; default 256 MiB */
    size_t max_lag;        /* bytes; default 1 MiB */
    size_t max_hold;       /* bytes a channel holds back; 0: four times max_lag, at least 1 MiB */
    size_t retain;         /* bytes that a feed keeps for clients that come back; default max_lag */
    unsigned retain_ms;    /* how long it keeps them; default 60 s */
    unsigned linger_ms;    /* how long a channel outlives its last client; default 5 s */
    unsigned heartbeat_ms; /* a quiet channel gets a heartbeat this often; default 15 s */
    unsigned max_topics;   /* topics a client may ask for; default 100 */
    /*  The policy of a topic. A set of topics has the strictest one of its topics: disconnect,
     *  then skip, then latest. */
    zc_slow_t (*slow_policy) (void *arg, zc_slice_t topic);
    void *slow_arg;
    /*  The wall clock, in ms since 1970; NULL: the time of the last tick is used. */
    uint64_t (*wall_ms) (void);
} zc_hub_config_t;

#define ZC_ENCODINGS_MAX 16 /* more than there are */

typedef struct {
    const char *encoding; /* its name, borrowed for good; NULL: the row isn't used */
    uint64_t clients;
} zc_clients_by_t;

typedef struct {
    zc_clients_by_t by_encoding[ZC_ENCODINGS_MAX];
    uint64_t received, duplicates, unmatched, delivered, late;
    uint64_t holes, repaired, gaps, fetches, syncs, lists, reconnects;
    uint64_t withheld; /* private messages that a channel didn't get */
    uint64_t wanted;   /* sends that flushing every message at once would have taken */
    uint64_t resumed_feed, resumed_broker, slow_dropped, slow_skipped, held_dropped;
    uint64_t relieved; /* times that bytes were freed because too many were held */
    uint64_t clients_total;
    uint64_t clients, channels, topics, selectors, feed_bytes, held_bytes;
} zc_hub_stats_t;

#endif
