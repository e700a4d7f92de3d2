/*  query.h - the query of a URL: the topics that a client asks for, and the id from which it
 *  resumes.
 *
 *  The names are the same on every transport: `topic`; the selectors `match` (a filter), `template`
 * and `pattern` (all repeatable); and for the id any of lastEventID, lastEventId, last-event-id and
 * last_event_id, because the polyfills of EventSource differ. Other names are ignored. No I/O. */
#ifndef ZC_QUERY_H
#define ZC_QUERY_H

#include "lib/base/text.h"

typedef struct {
    zc_slice_t *topics; /* owned; topics and names of selectors, in the order of the query */
    size_t count;
    size_t steps;       /* of all selectors */
    const char *wrong;  /* with ZC_QUERY_SELECTOR: one sentence about it */
    zc_slice_t last_id; /* unchecked: zc_hub_join judges it; at is NULL if none was given */
    char *text;         /* owned: the bytes of the slices */
} zc_query_t;

enum {
    ZC_QUERY_ESCAPE = -1,   /* a broken %XX */
    ZC_QUERY_TOPIC = -2,    /* not a valid topic */
    ZC_QUERY_MANY = -3,     /* more than max_topics */
    ZC_QUERY_SELECTOR = -4, /* not a valid selector */
};

/*  Fills *self. Returns 0; or a code above, and then *self is empty but for `wrong`. A query
 * without topics is no error here. If there are several ids, the last one counts. */
int zc_query_parse (zc_query_t *self, zc_slice_t query, size_t max_topics);
void zc_query_clear (zc_query_t *self);
/*  One sentence for a code above, without a full stop. */
const char *zc_query_strerror (const zc_query_t *self, int code);
/*  The name of the thing that is wrong, for programs. */
const char *zc_query_code (int code);

#endif
