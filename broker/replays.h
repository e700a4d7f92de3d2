/*  replays.h - replays: REPLAY and FETCH, cut in slices so that a long one holds nobody up. */
#ifndef ZC_REPLAYS_H
#define ZC_REPLAYS_H

#include "broker/history/history.h"
#include "broker/outbox.h"

typedef struct zc_replays zc_replays_t;

/*  All borrowed. */
zc_replays_t *zc_replays_new (zc_history_t *history, zc_topics_t *topics, zc_outbox_t *outbox);
void zc_replays_destroy (zc_replays_t **self_p);

/*  Begins to answer a REPLAY or FETCH, up to `head`, with its first slice. Before
 *  `doubt` a position whose line the request doesn't name may be another's: what is after such a
 * one isn't known to be complete. History is readable. False where there are too many already. */
bool zc_replays_start (zc_replays_t *self, const zc_route_t *route, const zc_ask_t *request,
                       zc_id_t head, zc_id_t doubt);
/*  One slice of each of some jobs; none while history is unreadable. */
void zc_replays_run (zc_replays_t *self);

typedef enum { ZC_REPLAYS_NONE, ZC_REPLAYS_BLOCKED, ZC_REPLAYS_READY } zc_replays_state_t;
/*  Whether there is something to run: nothing; all wait for their peers, or for history; yes. */
zc_replays_state_t zc_replays_state (const zc_replays_t *self);
size_t zc_replays_size (const zc_replays_t *self);
/*  Messages sent so far. */
uint64_t zc_replays_messages (const zc_replays_t *self);

#endif
