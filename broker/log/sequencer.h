/*  sequencer.h - the log in Redis, which gives a broker's messages their positions: two
 * connections, one for requests to the script and one that reads. The owner polls; nothing blocks.
 * What follows from the replies is decided in state.h. */
#ifndef ZC_LOG_SEQUENCER_H
#define ZC_LOG_SEQUENCER_H

#include <jansson.h>
#include "broker/log/state.h"
#include "lib/redis/redis.h"

#define ZC_LOG_KEY_MAX 64 /* bytes of a log's name */

typedef struct zc_sequencer zc_sequencer_t;

typedef struct {
    const zc_address_t *address; /* borrowed for the sequencer's life */
    const char *name;            /* of the log: its keys begin with it */
    size_t max_payload;          /* bytes of the largest message */
    zc_log_state_config_t state; /* `broker` is set by the sequencer */
} zc_sequencer_config_t;

zc_sequencer_t *zc_sequencer_new (const zc_sequencer_config_t *config);
void zc_sequencer_destroy (zc_sequencer_t **self_p);
/*  The state, borrowed: messages are published there. */
zc_log_state_t *zc_sequencer_state (zc_sequencer_t *self);
/*  Sets the hooks of the state, once there is somebody who listens. Nothing is read before. */
void zc_sequencer_listen (zc_sequencer_t *self, const zc_log_state_config_t *hooks);

/*  All that the log had at this time (monotonic) has been read. */
uint64_t zc_sequencer_heard_ms (const zc_sequencer_t *self);
/*  Nothing is under way. */
bool zc_sequencer_idle (const zc_sequencer_t *self);
/*  Why nothing is appended, in a sentence; NULL if all is well. *final: it can't become better
 *  while the broker runs. Borrowed until the next call. */
const char *zc_sequencer_complaint (zc_sequencer_t *self, bool *final);
/*  Adds what STATS tells of the log. */
void zc_sequencer_json (zc_sequencer_t *self, json_t *into);

#define ZC_SEQUENCER_ITEMS (2 * ZC_REDIS_ITEMS)
/*  For the owner's zmq_poll: the items to poll (up to ZC_SEQUENCER_ITEMS), the timeout in ms, and
 *  the call after the poll. */
size_t zc_sequencer_pollitems (zc_sequencer_t *self, zmq_pollitem_t *items);
long zc_sequencer_timeout (const zc_sequencer_t *self);
void zc_sequencer_run (zc_sequencer_t *self);

#endif
