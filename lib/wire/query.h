/*  query.h - the query of a URL: the topics that a client asks for, and the id from which it
 *  resumes.
 *
 *  The names are the same on every transport: `topic` (repeatable), and for the id any of
 *  lastEventID, lastEventId, last-event-id and last_event_id, because the polyfills of EventSource
 *  differ. Other names are ignored. No I/O. */
#ifndef ZC_QUERY_H
#define ZC_QUERY_H

#include "lib/base/text.h"

typedef struct {
    zc_slice_t *topics; /* owned; valid topics, in the order of the query */
    size_t count;
    zc_slice_t last_id; /* unchecked: zc_hub_join judges it; at is NULL if none was given */
    char *text;         /* owned: the bytes of the slices */
} zc_query_t;

enum {
    ZC_QUERY_ESCAPE = -1, /* a broken %XX */
    ZC_QUERY_TOPIC = -2,  /* not a valid topic */
    ZC_QUERY_MANY = -3,   /* more than max_topics */
};

/*  Fills *self. Returns 0; or a code above, and then *self is empty. A query without topics is no
 *  error here. If there are several ids, the last one counts. */
int zc_query_parse (zc_query_t *self, zc_slice_t query, size_t max_topics);
void zc_query_clear (zc_query_t *self);
/*  One sentence for a code above, without a full stop. */
const char *zc_query_strerror (int code);

#endif
