/*  successor.h - this process as the successor of another broker process (doc/upgrade.md): takes
 *  over what that one has (bequest.h). It blocks: there is nobody to serve yet. */
#ifndef ZC_SUCCESSOR_H
#define ZC_SUCCESSOR_H

#include "broker/broker.h"

typedef struct zc_successor zc_successor_t;

typedef struct {
    const char *estate; /* as the predecessor's (predecessor.h) */
    bool in_memory;     /* history is */
    uint64_t dedup_window_ms;
    size_t dedup_max;
    /*  Opens history on disk, with the file of its last position, which is taken. NULL, after it
     *  has logged why. */
    zc_history_t *(*open) (void *arg, int position, zc_topics_t **topics);
    void *arg;
} zc_successor_config_t;

/*  `config` is borrowed for the call. */
zc_successor_t *zc_successor_new (int predecessor, const zc_successor_config_t *config);
void zc_successor_destroy (zc_successor_t **self_p);

/*  Takes over everything. Returns 0; or -1, after it has told the predecessor and logged why. */
int zc_successor_take (zc_successor_t *self);
/*  What was taken over: these, and `dedup` of the estate, are the caller's. The files of history
 *  are the predecessor's until zc_successor_begin returns 0. */
zc_history_t *zc_successor_history (zc_successor_t *self, zc_topics_t **topics, zc_id_t *last,
                                    zc_estate_t *estate);
/*  Says that the broker could serve, and waits until it is to. Then it binds the broker's sockets.
 *  Returns 0; or -1: the predecessor goes on. */
int zc_successor_begin (zc_successor_t *self, zc_broker_t *broker);

#endif
