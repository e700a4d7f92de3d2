/*  since.h - parses the beginning in history that a user types: the argument of `zmq sub --since`.
 *  No I/O. */
#ifndef ZC_SINCE_H
#define ZC_SINCE_H

#include "lib/wire/id.h"

typedef enum {
    ZC_FROM_EARLIEST, /* "earliest" */
    ZC_FROM_POSITION, /* "1795478400123-0"; or a time, or a duration until now: then `position` is
                         the one before the first id of that time */
    ZC_FROM_LAST,     /* "last:10" */
    ZC_FROM_OWN_ID,   /* "id:TEXT", or any other text: history has to know it */
} zc_from_t;

typedef struct {
    zc_from_t from;
    zc_id_t position;   /* begin with the messages after it */
    uint64_t count;     /* ZC_FROM_LAST: at least 1 */
    const char *own_id; /* borrowed from the text */
} zc_since_t;

#define ZC_SINCE_FORMS "5m, 2026-11-27T10:00:00Z, 1795478400123-0, earliest, last:10 or id:TEXT"

/*  A duration is counted back from `now_ms`. Returns NULL, or a sentence that says what is
 *  wrong. */
const char *zc_since_parse (zc_since_t *self, const char *text, uint64_t now_ms);

#endif
