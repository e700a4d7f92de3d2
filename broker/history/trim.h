/*  trim.h - a commit under way, and the messages that it removes: expired ones, and the oldest
 *  ones beyond the limits. */
#ifndef ZC_STORE_TRIM_H
#define ZC_STORE_TRIM_H

#include "broker/history/batch.h"
#include "broker/history/tables.h"

#define ZC_TRIM_MAX 2000 /* messages removed in one commit, besides two for each new message */

typedef struct {
    zc_tables_t tables; /* in a transaction that writes */
    const zc_store_batch_t *batch;
    zc_store_totals_t totals; /* as they will be after the commit */
    uint64_t budget;          /* how many messages it may still remove */
    zc_id_t purge_upto;       /* of the purge under way */
} zc_commit_t;

/*  Each returns 0, or a code of LMDB. */

/*  Meets the limits of one topic. */
int zc_trim_topic (zc_commit_t *self, uint64_t number);
/*  Continues a purge, and sets its results in it. */
int zc_trim_purge (zc_commit_t *self, zc_store_purge_t *purge);
/*  Removes expired messages, and meets the limits for all topics together. */
int zc_trim (zc_commit_t *self);
/*  Sets in the totals which message goes next, and when. */
int zc_trim_look_ahead (zc_commit_t *self);

#endif
