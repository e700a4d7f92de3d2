/*  dialogue.h - the dialogue on the broker's ROUTER socket: requests, and the answers that they
 * wait for (doc/protocol.md). */
#ifndef ZC_DIALOGUE_H
#define ZC_DIALOGUE_H

#include "broker/flow.h"

typedef struct zc_dialogue zc_dialogue_t;

/*  `flow` and `router` are borrowed. */
zc_dialogue_t *zc_dialogue_new (zc_flow_t *flow, void *router);
/*  To be called after the history has settled all messages. */
void zc_dialogue_destroy (zc_dialogue_t **self_p);

/*  Handles requests, a bounded number. True where more may wait. */
bool zc_dialogue_serve (zc_dialogue_t *self);
/*  To be called in each turn of the loop: goes on with replays, answers that wait, and SYNCs. */
void zc_dialogue_turn (zc_dialogue_t *self);
/*  For how many milliseconds the loop may sleep. */
int zc_dialogue_wait_ms (const zc_dialogue_t *self);
/*  Replays or answers are under way. */
bool zc_dialogue_busy (const zc_dialogue_t *self);

/*  A subscription to a nonce has come. */
void zc_dialogue_nonce (zc_dialogue_t *self, zc_slice_t nonce);
/*  History is done with a message: answers the requests that wait for it. */
void zc_dialogue_settled (zc_dialogue_t *self, zc_item_t *item, bool kept);
/*  History is done with a purge, or, if `done` is false, ends before that. */
void zc_dialogue_purged (zc_dialogue_t *self, void *origin, uint64_t count, bool done);
/*  With a log, for the `origin` of a PUBLISH. Takes the origin. */
/*  It was read back, and is about to go into history at this position. */
void zc_dialogue_read_back (zc_dialogue_t *self, void *origin, zc_id_t id);
/*  It, or (conflict) another message of its name, was published before, at this position. */
void zc_dialogue_told (zc_dialogue_t *self, void *origin, zc_id_t id, bool conflict);
/*  It has waited too long for the log. */
void zc_dialogue_failed (zc_dialogue_t *self, void *origin);
/*  An instruction was read back, under this number. */
void zc_dialogue_instructed (zc_dialogue_t *self, void *origin, zc_id_t number);
/*  Whether requests wait for messages of others. */
bool zc_dialogue_awaits (const zc_dialogue_t *self);

#endif
