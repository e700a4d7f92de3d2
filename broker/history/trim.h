/*  trim.h - a commit under way, and what it lets go of: messages that have expired, and the oldest
 *  ones beyond the limits. */
#ifndef ZC_STORE_TRIM_H
#define ZC_STORE_TRIM_H

#include "broker/history/batch.h"
#include "broker/history/tables.h"

#define ZC_TRIM_MAX 2000 /* messages let go of in one commit, besides two for each new message */

typedef struct {
    zc_tables_t tables; /* in a transaction that writes */
    const zc_store_batch_t *batch;
    zc_store_totals_t totals; /* as they are once the transaction is committed */
    uint64_t budget;          /* how many messages it may still let go of */
    zc_id_t purge_upto;       /* of the purge that goes on now */
} zc_commit_t;

/*  Each returns 0, or a code of LMDB. */

/*  Meets the limits of one topic. */
int zc_trim_topic (zc_commit_t *self, uint64_t number);
/*  Goes on with a purge, and sets in it what came of that. */
int zc_trim_purge (zc_commit_t *self, zc_store_purge_t *purge);
/*  Lets go of what has expired, and meets the limits for all topics together. */
int zc_trim (zc_commit_t *self);
/*  Sets in the totals which message goes next, and when. */
int zc_trim_look_ahead (zc_commit_t *self);

#endif
