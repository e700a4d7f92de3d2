/*  predecessor.h - this process as one that a new binary succeeds (doc/upgrade.md): starts the
 *  successor, or is told of it by the master, and gives it what the broker has (bequest.h).
 *
 *  History in memory goes over while the broker serves. For the rest the broker pauses. */
#ifndef ZC_PREDECESSOR_H
#define ZC_PREDECESSOR_H

#include "broker/flow.h"

typedef struct zc_predecessor zc_predecessor_t;

/*  `estate` (borrowed) names files and addresses: a successor with another one is refused. */
zc_predecessor_t *zc_predecessor_new (zc_flow_t *flow, int signal_fd, const char *estate);
void zc_predecessor_destroy (zc_predecessor_t **self_p);

/*  Readable when there is something to do: signals, for the caller; the rest, for
 *  zc_predecessor_turn. */
int zc_predecessor_fd (const zc_predecessor_t *self);
/*  Starts the new binary; `reload`: if it fails, the configuration is to be read again. */
void zc_predecessor_start (zc_predecessor_t *self, bool reload);
/*  In a worker of a master: how long a successor of which the master tells may take to start. */
void zc_predecessor_allow (zc_predecessor_t *self, unsigned timeout_ms);
/*  Whether a successor is under way. */
bool zc_predecessor_busy (const zc_predecessor_t *self);
/*  Goes on with the handover. True once all is given that can be given while the broker serves:
 *  then it is to pause, and zc_predecessor_finish to be called. */
bool zc_predecessor_turn (zc_predecessor_t *self);
/*  Gives the rest. `paused`: whether the broker's work is done. Returns true if the successor
 *  serves: then this process must not touch files, listening sockets and messages any more. */
bool zc_predecessor_finish (zc_predecessor_t *self, bool paused);
/*  Whether the configuration is to be read again, since a successor has failed; once. */
bool zc_predecessor_reloads (zc_predecessor_t *self);

#endif
