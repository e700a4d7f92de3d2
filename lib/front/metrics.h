/*  metrics.h - the door to figures: GET /metrics is answered in Prometheus' text format, or in
 *  OpenMetrics' where that is asked for, for the whole installation: what the broker knows of
 * itself and what its workers and bridges have reported to it. It answers also where the broker
 * doesn't. */
#ifndef ZC_METRICS_H
#define ZC_METRICS_H

#include "lib/front/front.h"

extern const zc_door_t zc_door_metrics;

/*  Appends the figures. `stats` is the JSON of STATS (not NUL-terminated); empty: the broker
 * doesn't answer, and then all that is said is that it is down. No I/O. */
void zc_metrics_write (zc_buf_t *out, zc_slice_t stats, bool openmetrics);

#endif
