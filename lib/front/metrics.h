/*  metrics.h - the door to figures: GET /metrics is answered in Prometheus' text format, or in
 *  OpenMetrics' if the client asks for it. The figures are those of the whole installation: the
 *  broker's own, and those that its workers and bridges have reported to it. The door answers even
 *  if the broker doesn't. */
#ifndef ZC_METRICS_H
#define ZC_METRICS_H

#include "lib/front/front.h"

extern const zc_door_t zc_door_metrics;

/*  Appends the figures. `stats` is the JSON of STATS (not NUL-terminated); empty: the broker
 *  doesn't answer, and the only figure says that the broker is down. No I/O. */
void zc_metrics_write (zc_buf_t *out, zc_slice_t stats, bool openmetrics);

#endif
