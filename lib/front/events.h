/*  events.h - the door to streams: GET /events is answered with Server-Sent Events. */
#ifndef ZC_EVENTS_H
#define ZC_EVENTS_H

#include "lib/front/front.h"

extern const zc_door_t zc_door_events;

/*  Answers with a stream of these topics, which the client may have; `json`: as zcast.v1. Answers a
 *  HEAD, and refuses while there can be no stream. The exchange may be cleared afterwards. */
void zc_events_stream (zc_exchange_t *exchange, const zc_slice_t *topics, size_t count, bool json,
                       zc_slice_t last_id);

/*  Tells a stream's client to come back later, at the next boundary of its stream. */
void zc_events_retry (zc_client_t *client, zc_worker_t *worker, bool chunked);

/*  Tells a stream's client why the stream ends. */
void zc_events_end (zc_client_t *client, bool chunked, const zc_farewell_t *why);

#endif
