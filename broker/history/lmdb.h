/*  lmdb.h - history on disk (history.h), in LMDB.
 *
 *  A message is delivered, and its publisher answered, once it is committed. What that is worth:
 *    always    it is on the disk: it survives a loss of power;
 *    interval  it is with the kernel: it survives the broker's death; written to disk every
 *              sync_ms, so that a loss of power takes that much;
 *    never     the same, written when the kernel likes. */
#ifndef ZC_HISTORY_LMDB_H
#define ZC_HISTORY_LMDB_H

#include "broker/history/history.h"

typedef enum { ZC_SYNC_ALWAYS, ZC_SYNC_INTERVAL, ZC_SYNC_NEVER } zc_sync_t;

typedef struct {
    const char *path; /* a folder */
    zc_sync_t sync;
    unsigned sync_ms;
    uint64_t map_bytes;
    size_t max_topics;
} zc_history_lmdb_config_t;

/*  Opens what is there, or begins anew. *topics: what is known of the topics; *last: the last
 *  position that may have been given. NULL with a sentence in `error`. The limits are set by the
 *  owner before the first call. */
zc_history_t *zc_history_lmdb_new (const zc_history_lmdb_config_t *config, zc_topics_t **topics,
                                   zc_id_t *last, char *error, size_t size);

#endif
