/*  eventstream.h - parses a stream of Server-Sent Events (WHATWG HTML §9.2.6): bytes in, events
 *  out. No I/O. */
#ifndef ZC_EVENTSTREAM_H
#define ZC_EVENTSTREAM_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/text.h"

/*  One event. The slices are borrowed until the function returns. */
typedef struct {
    zc_slice_t type; /* empty: the event has none, and is a "message" */
    zc_slice_t data;
    zc_slice_t id; /* the last id of the stream; empty: none yet */
} zc_event_t;
typedef void (*zc_event_fn) (void *arg, const zc_event_t *event);

typedef struct zc_eventstream zc_eventstream_t;

/*  `max`: bytes that an event may have, and a line. `fn` must not call these functions. */
zc_eventstream_t *zc_eventstream_new (size_t max, zc_event_fn fn, void *arg);
void zc_eventstream_destroy (zc_eventstream_t **self_p);
/*  Reads bytes of the stream. Returns 0; or -1 if an event is larger than `max`, and then only a
 *  restart may follow. */
int zc_eventstream_read (zc_eventstream_t *self, const char *bytes, size_t len);
/*  Begins a new connection. An event that didn't come to its end is dropped. The last id and the
 *  reconnection time stay. */
void zc_eventstream_restart (zc_eventstream_t *self);
/*  The last id, with which to reconnect; "" if no event has had one. Borrowed until more is
 *  read. */
const char *zc_eventstream_last_id (zc_eventstream_t *self);
/*  Milliseconds to wait before reconnecting; `preset` if the stream hasn't said. */
uint64_t zc_eventstream_retry_ms (const zc_eventstream_t *self, uint64_t preset);

#endif
