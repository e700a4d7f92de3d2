/*  upgrade.c - in format 1 a name led only to its newest message. The chunks have the names of
 *  all messages. */
#include "broker/history/upgrade.h"

#include <string.h>

/*  Stores the names of the messages that a chunk still has. Storing names doesn't touch the
 *  pages in which the chunk is. */
static int s_upgrade_chunk (const zc_tables_t *self, const MDB_val *key, const MDB_val *value)
{
    zc_stored_topic_t topic;
    zc_chunk_record_t record;
    const uint8_t *at = NULL;
    uint64_t number = zc_key_part (key, 0);
    int rc = zc_tables_topic (self, number, &topic);
    if (rc != 0)
        return zc_missing_is_fine (rc); /* a stray chunk: see trim.c */
    while (rc == 0 && zc_chunk_each (value, &at, &record))
        if (record.event_len && record.id > topic.row.cut)
            rc = zc_tables_put_name (self, number, at + sizeof record + record.event_at,
                                     record.event_len, record.id);
    return rc;
}

static int s_upgrade_chunks (const zc_tables_t *self)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open (self->txn, self->db[ZC_IN_CHUNKS], &cursor);
    if (rc != 0)
        return rc;
    while (rc == 0 && (rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0)
        rc = s_upgrade_chunk (self, &key, &value);
    mdb_cursor_close (cursor);
    return zc_missing_is_fine (rc);
}

static int s_upgrade_tables (const zc_tables_t *self, zc_stored_totals_t *totals)
{
    MDB_dbi events;
    totals->format = ZC_FORMAT;
    /*  `names` isn't empty if this version had the database before an earlier version did. */
    int rc = mdb_drop (self->txn, self->db[ZC_IN_NAMES], 0);
    if (rc == 0)
        rc = s_upgrade_chunks (self);
    if (rc == 0)
        rc = zc_tables_put_totals (self, totals);
    if (rc == 0)
        rc = mdb_dbi_open (self->txn, ZC_TABLE_OF_EVENTS, 0, &events);
    return rc == 0 ? mdb_drop (self->txn, events, 1) : zc_missing_is_fine (rc);
}

int zc_store_upgrade (MDB_env *env, const MDB_dbi db[ZC_TABLES], bool *done)
{
    zc_tables_t tables;
    zc_stored_totals_t totals;
    memcpy (tables.db, db, sizeof tables.db);
    int rc = mdb_txn_begin (env, NULL, 0, &tables.txn);
    if (rc != 0)
        return rc;
    rc = zc_tables_totals (&tables, &totals);
    *done = rc == 0 && totals.format == ZC_FORMAT_EVENTS;
    if (*done)
        rc = s_upgrade_tables (&tables, &totals);
    if (*done && rc == 0)
        return mdb_txn_commit (tables.txn);
    mdb_txn_abort (tables.txn);
    return zc_missing_is_fine (rc);
}
