/*  locate.h - where in the broker's history a `since` begins: what only the broker can say is asked
 *  of it. */
#ifndef ZC_LOCATE_H
#define ZC_LOCATE_H

#include "lib/wire/id.h"
#include "tools/since.h"
#include "tools/tool.h"

/*  For these topics, or with `prefix` for all that begin with one of them. Writes what a subscriber
 *  begins with, a position or "earliest", and a NUL into `text`, which holds ZC_ID_SIZE bytes.
 *  Returns ZC_EXIT_OK, or the exit status after it said why not: no broker within `timeout_ms`, an
 *  own id that history doesn't know. */
int zc_locate (const zc_options_t *options, const zc_since_t *since, const zc_slice_t *topics,
               size_t count, bool prefix, unsigned timeout_ms, char *text);

#endif
