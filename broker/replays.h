/*  replays.h - answers REPLAY and FETCH in slices, so that a long answer holds up no other
 *  request. */
#ifndef ZC_REPLAYS_H
#define ZC_REPLAYS_H

#include "broker/history/history.h"
#include "broker/outbox.h"

typedef struct zc_replays zc_replays_t;

/*  All borrowed. */
zc_replays_t *zc_replays_new (zc_history_t *history, zc_topics_t *topics, zc_outbox_t *outbox);
void zc_replays_destroy (zc_replays_t **self_p);

/*  Begins to answer a REPLAY or FETCH, up to `head`, with its first slice. If the request's
 *  position is before `doubt`, and the request names no line, the position may be of another line;
 *  the answer then doesn't claim to be complete before `doubt`. History must be readable. False if
 *  there are too many replays already. */
bool zc_replays_start (zc_replays_t *self, const zc_route_t *route, const zc_ask_t *request,
                       zc_id_t head, zc_id_t doubt);
/*  Sends one slice of each of some replays; none while history is unreadable. */
void zc_replays_run (zc_replays_t *self);

typedef enum { ZC_REPLAYS_NONE, ZC_REPLAYS_BLOCKED, ZC_REPLAYS_READY } zc_replays_state_t;
/*  NONE: there is no replay; BLOCKED: all of them wait for their peers or for history; READY: some
 *  can run. */
zc_replays_state_t zc_replays_state (const zc_replays_t *self);
size_t zc_replays_size (const zc_replays_t *self);
/*  Messages sent so far. */
uint64_t zc_replays_messages (const zc_replays_t *self);

#endif
