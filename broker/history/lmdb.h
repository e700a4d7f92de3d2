/*  lmdb.h - history on disk (history.h), in LMDB.
 *
 *  A message is delivered, and its publisher answered, once the message is committed. `sync`
 *  decides what a commit survives:
 *    always    the message is on the disk: it survives a loss of power;
 *    interval  the message is with the kernel: it survives the broker's death. It is written to
 *              disk every sync_ms, so a loss of power costs the messages of that time;
 *    never     the same, but the kernel decides when to write. */
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
    /*  Another process has this history open, and doesn't use it any more. `position`, which is
     *  taken, is its file of the last position. */
    bool succeeds;
    int position;
} zc_history_lmdb_config_t;

/*  Opens the history in the folder, or begins a new one. *topics: the topics that it knows; *last:
 *  the last position that may have been given. NULL with a sentence in `error`. The owner sets the
 *  limits before the first call. */
zc_history_t *zc_history_lmdb_new (const zc_history_lmdb_config_t *config, zc_topics_t **topics,
                                   zc_id_t *last, char *error, size_t size);

#endif
