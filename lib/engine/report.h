/*  report.h - the lists in a worker's report: clients by encoding, the topics that most clients
 * have, slow clients, and what clients didn't get. All are bounded, so that the report is. No I/O.
 */
#ifndef ZC_ENGINE_REPORT_H
#define ZC_ENGINE_REPORT_H

#include <jansson.h>
#include "lib/engine/hub.h"

/*  Adds the members "encodings", "popular", "slow", "losses" and "incidents". */
void zc_report_lists (json_t *report, zc_hub_t *hub);

#endif
