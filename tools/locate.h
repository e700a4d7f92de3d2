/*  locate.h - finds the position in history at which a `since` begins. If only the broker knows it,
 *  the broker is asked. */
#ifndef ZC_LOCATE_H
#define ZC_LOCATE_H

#include "lib/wire/id.h"
#include "tools/since.h"
#include "tools/tool.h"

/*  Locates `since` for these topics; or, with `prefix`, for all topics that begin with one of them.
 *  The last messages are counted back from the position `until` (ZC_ID_MAX: the end of history).
 *  Writes the beginning for a subscriber, which is a position or "earliest", and a NUL into `text`,
 *  which holds ZC_ID_SIZE bytes. Returns ZC_EXIT_OK; or the exit status, after saying the reason:
 *  no broker within `timeout_ms`, or an own id that history doesn't know. */
int zc_locate (const zc_options_t *options, const zc_since_t *since, const zc_slice_t *topics,
               size_t count, bool prefix, zc_id_t until, unsigned timeout_ms, char *text);
/*  Says that history knows no message with this own id on `where` ("this topic"); returns
 *  ZC_EXIT_FAILURE. */
int zc_locate_unknown (const char *own_id, const char *where);

#endif
