/*  tables.h - the tables of history in one transaction (layout.h): opens them, and gets, puts
 *  and seeks in them. Functions that return an int return 0, or a code of LMDB or the system. */
#ifndef ZC_STORE_TABLES_H
#define ZC_STORE_TABLES_H

#include "broker/history/layout.h"
#include "lib/base/text.h"

typedef struct {
    MDB_txn *txn;
    MDB_dbi db[ZC_TABLES];
} zc_tables_t;

/*  For an entry that may have been deleted before: MDB_NOTFOUND becomes 0. */
static inline int zc_missing_is_fine (int rc)
{
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/*  MDB_NOTFOUND: nothing was committed yet; MDB_VERSION_MISMATCH: the format is unknown. */
int zc_tables_totals (const zc_tables_t *self, zc_stored_totals_t *totals);
int zc_tables_put_totals (const zc_tables_t *self, const zc_stored_totals_t *totals);

int zc_tables_topic (const zc_tables_t *self, uint64_t number, zc_stored_topic_t *topic);
/*  The row of a topic that has left the table of topics is deleted with its last message. */
int zc_tables_put_topic (const zc_tables_t *self, zc_stored_topic_t *topic);
/*  Calls `fn` for every topic of the table of topics, in the order of their last positions. */
int zc_tables_each_topic (const zc_tables_t *self,
                          void (*fn) (void *arg, zc_slice_t name, uint64_t number, zc_id_t last),
                          void *arg);

/*  Adds the position of a message with this own id or key, or removes it. */
int zc_tables_put_name (const zc_tables_t *self, uint64_t number, const void *name, size_t len,
                        zc_id_t id);
int zc_tables_delete_name (const zc_tables_t *self, uint64_t number, const void *name, size_t len,
                           zc_id_t id);

int zc_tables_delete_chunk (const zc_tables_t *self, uint64_t number, zc_id_t last);
/*  Finds the first chunk of a topic that has positions above `after`, with a cursor of `chunks`. */
int zc_tables_seek (MDB_cursor *cursor, uint64_t number, zc_id_t after, MDB_val *key,
                    MDB_val *value);
/*  The first `count` numbers of a table's first key. */
int zc_tables_first (const zc_tables_t *self, int table, uint64_t *parts, int count);

#endif
