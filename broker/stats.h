/*  stats.h - the broker's counters, the workers' reports, and the JSON that STATS answers. */
#ifndef ZC_STATS_H
#define ZC_STATS_H

#include "lib/base/buf.h"
#include "lib/wire/figures.h"

typedef struct zc_stats zc_stats_t;

zc_stats_t *zc_stats_new (uint64_t now_ms);
void zc_stats_destroy (zc_stats_t **self_p);
/*  The counters, and the figures that the caller sets before zc_stats_json. */
zc_broker_figures_t *zc_stats_figures (zc_stats_t *self);

/*  Keeps the report of the worker `peer` (its connection's identity). Returns NULL; or the code of
 *  an error, with one sentence in *error: the report is no JSON object, there are too many reports,
 *  or two workers report by turns under this name. */
const char *zc_stats_report (zc_stats_t *self, zc_slice_t peer, zc_slice_t name, zc_slice_t json,
                             uint64_t now_ms, const char **error);
/*  To be called about once a second: computes rates, and drops old reports. `now_ms` doesn't go
 *  back. */
void zc_stats_tick (zc_stats_t *self, uint64_t now_ms);

/*  For each name that has reported within ten minutes: how many seconds ago it last did. */
json_t *zc_stats_reported (const zc_stats_t *self, uint64_t now_ms);
/*  Adds the reports of the last thirty seconds as the text of a JSON object. */
void zc_stats_workers (const zc_stats_t *self, zc_buf_t *out, uint64_t now_ms);
/*  A new object with figures, rates and requests. The caller owns it, and adds the rest. */
json_t *zc_stats_json (zc_stats_t *self, uint64_t now_ms);

#endif
