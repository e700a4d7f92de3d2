/*  batch.h - the content of one transaction of history on disk, and the totals after it. */
#ifndef ZC_STORE_BATCH_H
#define ZC_STORE_BATCH_H

#include "broker/history/history.h"

/*  A topic on which a message was delivered that history couldn't take. */
typedef struct {
    zc_topic_t *topic; /* pinned; its name, number and floor are read */
    zc_id_t lost;      /* the position of the last such message */
} zc_store_lost_t;

/*  Messages that somebody wants let go of. */
typedef struct {
    uint64_t number; /* the topic's */
    zc_id_t upto;    /* with this one */
    uint64_t count;  /* set by the commit: messages let go of */
    bool done;       /* set by the commit: none is left */
} zc_store_purge_t;

/*  All pointers are borrowed until zc_store_commit returns. */
typedef struct {
    zc_item_t *items; /* in the order of their ids; where->number is set */
    size_t count;
    const uint64_t *gone; /* numbers of topics that have left the table of topics */
    size_t gone_count;
    const zc_store_lost_t *lost;
    size_t lost_count;
    zc_store_purge_t *purges;
    size_t purge_count;
    /*  Any topic may have lost messages up to here; ZC_ID_NONE: only those in `lost` have. */
    zc_id_t all_lost;
    zc_id_t last, forgotten;
    uint64_t next_number;
    uint64_t now_ms; /* wall clock */
    zc_history_limits_t limits;
} zc_store_batch_t;

typedef struct {
    zc_id_t last;      /* the last position given, as far as was committed */
    zc_id_t forgotten; /* see broker/topics.h */
    zc_id_t floor;     /* the last position that was trimmed */
    uint64_t next_number;
    uint64_t messages, bytes, trimmed;
    /*  The following are known after a commit only. */
    zc_id_t oldest;      /* of the messages that are kept; ZC_ID_MAX: there are none */
    uint64_t expires_ms; /* when the next message expires; UINT64_MAX: none has a ttl */
    bool over;           /* more messages exceed the limits: another commit is needed */
} zc_store_totals_t;

#endif
