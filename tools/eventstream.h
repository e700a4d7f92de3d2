/*  eventstream.h - a stream of Server-Sent Events, as its clients read it (WHATWG HTML §9.2.6):
 *  bytes in, events out. No I/O. */
#ifndef ZC_EVENTSTREAM_H
#define ZC_EVENTSTREAM_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/text.h"

/*  One event. The slices are borrowed until the function returns. */
typedef struct {
    zc_slice_t type; /* empty: none was said, which is "message" */
    zc_slice_t data;
    zc_slice_t id; /* the stream's last one; empty: none yet */
} zc_event_t;
typedef void (*zc_event_fn) (void *arg, const zc_event_t *event);

typedef struct zc_eventstream zc_eventstream_t;

/*  `max`: bytes of an event, and of a line. `fn` must not call back. */
zc_eventstream_t *zc_eventstream_new (size_t max, zc_event_fn fn, void *arg);
void zc_eventstream_destroy (zc_eventstream_t **self_p);
/*  Returns 0, or -1 where an event is larger than `max`: nothing may follow but a restart. */
int zc_eventstream_read (zc_eventstream_t *self, const char *bytes, size_t len);
/*  For a new connection: an event that didn't come to its end is none. The id and the time to come
 *  back stay. */
void zc_eventstream_restart (zc_eventstream_t *self);
/*  With which to come back; "" where no event has had one. Borrowed until more is read. */
const char *zc_eventstream_last_id (zc_eventstream_t *self);
/*  Milliseconds to wait before that; `preset` where the stream hasn't said. */
uint64_t zc_eventstream_retry_ms (const zc_eventstream_t *self, uint64_t preset);

#endif
