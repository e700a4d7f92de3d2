/*  query.h - what a client asks for in a URL's query: topics, and the id it resumes from.
 *
 *  The same names on every transport: `topic` (repeatable), and for the id any of lastEventID,
 *  lastEventId, last-event-id, last_event_id, since the polyfills of EventSource differ. Other
 *  names are passed over. No I/O. */
#ifndef ZC_QUERY_H
#define ZC_QUERY_H

#include "lib/base/text.h"

typedef struct {
    zc_slice_t *topics; /* owned; valid topics, in the order asked */
    size_t count;
    zc_slice_t last_id; /* as it came, zc_hub_join judges it; at is NULL where none was given */
    char *text;         /* owned: what the slices point into */
} zc_query_t;

enum {
    ZC_QUERY_ESCAPE = -1, /* a broken %XX */
    ZC_QUERY_TOPIC = -2,  /* not a valid topic */
    ZC_QUERY_MANY = -3,   /* more than max_topics */
};

/*  Fills *self. Returns 0, or a code above, and then *self is empty. No topic at all is no error
 *  here. The last of several ids counts. */
int zc_query_parse (zc_query_t *self, zc_slice_t query, size_t max_topics);
void zc_query_clear (zc_query_t *self);
/*  One sentence for a code above, without a full stop. */
const char *zc_query_strerror (int code);

#endif
