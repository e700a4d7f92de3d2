/*  jobs.h - replays: REPLAY and FETCH, cut in slices so that a long one holds nobody up. */
#ifndef ZC_JOBS_H
#define ZC_JOBS_H

#include "broker/history/history.h"
#include "broker/outbox.h"

typedef struct zc_jobs zc_jobs_t;

/*  All borrowed. */
zc_jobs_t *zc_jobs_new (zc_history_t *history, zc_topics_t *topics, zc_outbox_t *outbox);
void zc_jobs_destroy (zc_jobs_t **self_p);

/*  Begins to answer a REPLAY or FETCH, up to `head`, with its first slice. History is readable.
 *  False where there are too many already. */
bool zc_jobs_start (zc_jobs_t *self, const zc_route_t *route, const zc_ask_t *request,
                    zc_id_t head);
/*  One slice of each of some jobs; none while history is unreadable. */
void zc_jobs_run (zc_jobs_t *self);

typedef enum { ZC_JOBS_NONE, ZC_JOBS_BLOCKED, ZC_JOBS_READY } zc_jobs_state_t;
/*  Whether there is something to run: nothing; all wait for their peers, or for history; yes. */
zc_jobs_state_t zc_jobs_state (const zc_jobs_t *self);
size_t zc_jobs_size (const zc_jobs_t *self);
/*  Messages sent so far. */
uint64_t zc_jobs_messages (const zc_jobs_t *self);

#endif
