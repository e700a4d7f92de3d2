/*  stats.h - the broker's counters, the workers' reports, and the JSON that STATS answers. */
#ifndef ZC_STATS_H
#define ZC_STATS_H

#include "lib/wire/ask.h"
#include "lib/base/buf.h"

typedef struct {
    uint64_t received;      /* messages from publishers, on PUB and control */
    uint64_t published;     /* given to subscribers */
    uint64_t bytes;         /* of their payloads */
    uint64_t refused;       /* what came on PUB, and was malformed or in conflict */
    uint64_t duplicates;    /* published before, by their own id or key */
    uint64_t conflicts;     /* their own id or key is another message's; on PUB and control */
    uint64_t failed;        /* refused since history couldn't take them */
    uint64_t dropped;       /* messages that some subscriber lost to its full queue */
    uint64_t ignored;       /* what came on the subscribe endpoint and was no subscription */
    uint64_t strangers;     /* connections that ended before they had spoken ZeroMQ */
    uint64_t cut;           /* connections that ended since they had sent more than they may */
    uint64_t out_of_files;  /* times that descriptors ran out */
    uint64_t errors;        /* requests answered with ERR */
    uint64_t subscriptions; /* now */
    uint64_t requests[ZC_VERBS];
} zc_counters_t;

typedef struct zc_stats zc_stats_t;

zc_stats_t *zc_stats_new (uint64_t now_ms);
void zc_stats_destroy (zc_stats_t **self_p);
zc_counters_t *zc_stats_counters (zc_stats_t *self);

/*  Keeps the report of a worker, which is `peer` (its connection's identity). Returns NULL, or the
 *  code of an error with one sentence in *error: not a JSON object, too many reports, or one of two
 *  that report by turns under this name. */
const char *zc_stats_report (zc_stats_t *self, zc_slice_t peer, zc_slice_t name, zc_slice_t json,
                             uint64_t now_ms, const char **error);
/*  About once a second: rates, and reports that have grown old. `now_ms` doesn't step back. */
void zc_stats_tick (zc_stats_t *self, uint64_t now_ms);

/*  A new jansson object: of each name that has reported within ten minutes, how many seconds ago
 *  that was. */
void *zc_stats_reported (const zc_stats_t *self, uint64_t now_ms);
/*  Adds the reports of the last thirty seconds as the text of a JSON object. */
void zc_stats_workers (const zc_stats_t *self, zc_buf_t *out, uint64_t now_ms);
/*  A new jansson object with counters, rates and requests; the caller adds the rest. */
void *zc_stats_json (const zc_stats_t *self, uint64_t now_ms);

#endif
