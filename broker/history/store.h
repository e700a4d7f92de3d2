/*  store.h - history on disk: one LMDB environment. No threads of its own: one thread commits,
 *  another one reads, and both may at the same time. */
#ifndef ZC_STORE_H
#define ZC_STORE_H

#include "broker/history/history.h"

typedef struct zc_store zc_store_t;

/*  A position that a topic was published at, which history couldn't take. */
typedef struct {
    zc_topic_t *topic; /* pinned; its name, number and floor are read */
    zc_id_t lost;
} zc_store_lost_t;

/*  What one transaction commits. All borrowed. */
typedef struct {
    zc_item_t *items; /* in the order of their ids; where->number is set */
    size_t count;
    const uint64_t *gone; /* numbers of topics that have left the table */
    size_t gone_count;
    const zc_store_lost_t *lost;
    size_t lost_count;
    zc_id_t
        all_lost; /* nobody knows on which topics something was lost up to here; or ZC_ID_NONE */
    zc_id_t last, forgotten;
    uint64_t next_number;
    uint64_t now_ms;
    zc_history_limits_t limits;
} zc_store_batch_t;

typedef struct {
    zc_id_t last;      /* the last position given, as far as was committed */
    zc_id_t forgotten; /* of topics.h */
    zc_id_t floor;     /* the last position let go of */
    uint64_t next_number;
    uint64_t messages, bytes, trimmed;
    /*  Known after a commit: what is next to go. */
    zc_id_t oldest;      /* ZC_ID_MAX: nothing is kept */
    uint64_t expires_ms; /* UINT64_MAX: nothing has a ttl */
    bool over;           /* the limits aren't met yet: commit again */
} zc_store_totals_t;

/*  Opens or makes the database in the folder `path`. `durable`: every commit is on disk when it
 *  returns. It is checked first, by a process of its own: one that is damaged may crash whoever
 * reads it. One of an earlier format is brought to this one. NULL with a sentence in `error`. */
zc_store_t *zc_store_new (const char *path, uint64_t map_bytes, bool durable, char *error,
                          size_t size);
void zc_store_destroy (zc_store_t **self_p);
const zc_store_totals_t *zc_store_totals (const zc_store_t *self);
/*  Calls `fn` for every topic, in the order of their last positions. */
int zc_store_topics (zc_store_t *self,
                     void (*fn) (void *arg, zc_slice_t name, uint64_t number, zc_id_t last),
                     void *arg);

/*  All or nothing. Returns 0, or a code for zc_store_strerror. */
int zc_store_commit (zc_store_t *self, const zc_store_batch_t *batch);
/*  What was committed is on disk when it returns. From any thread. */
int zc_store_sync (zc_store_t *self);
const char *zc_store_strerror (int code);

/*  Reading. The first call takes a consistent view, which lasts until zc_store_release. Where
 *  zc_store_read can't take one, after a failure that LMDB hasn't got over, nothing is found. */
bool zc_store_read (zc_store_t *self);
zc_id_t zc_store_floor (zc_store_t *self, const zc_topic_t *topic);
bool zc_store_next (zc_store_t *self, const zc_topic_t *topic, zc_id_t after, zc_stored_t *stored);
uint64_t zc_store_count (zc_store_t *self, const zc_topic_t *topic, zc_id_t after, zc_id_t upto);
bool zc_store_find (zc_store_t *self, const zc_topic_t *topic, zc_slice_t name, zc_which_t which,
                    zc_id_t *id);
void zc_store_release (zc_store_t *self);

#endif
