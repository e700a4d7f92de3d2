/*  tables.c - operations on the tables that writing, reading, trimming and checking share. */
#include "broker/history/tables.h"

#include <stdlib.h>
#include <string.h>

int zc_tables_totals (const zc_tables_t *self, zc_stored_totals_t *totals)
{
    MDB_val key = {6, "totals"}, value;
    int rc = mdb_get (self->txn, self->db[ZC_IN_STATE], &key, &value);
    if (rc == 0 && value.mv_size != sizeof *totals)
        rc = MDB_CORRUPTED;
    if (rc == 0)
        memcpy (totals, value.mv_data, sizeof *totals);
    if (rc == 0 && totals->format != ZC_FORMAT && totals->format != ZC_FORMAT_EVENTS)
        rc = MDB_VERSION_MISMATCH;
    return rc;
}

int zc_tables_put_totals (const zc_tables_t *self, const zc_stored_totals_t *totals)
{
    MDB_val key = {6, "totals"}, value = {sizeof *totals, (void *)totals};
    return mdb_put (self->txn, self->db[ZC_IN_STATE], &key, &value, 0);
}

int zc_tables_topic (const zc_tables_t *self, uint64_t number, zc_stored_topic_t *topic)
{
    zc_table_key_t bytes;
    MDB_val key = zc_key1 (&bytes, number), value;
    int rc = mdb_get (self->txn, self->db[ZC_IN_TOPICS], &key, &value);
    topic->number = number;
    if (rc == 0)
        zc_stored_topic_set (topic, number, &value);
    return rc;
}

int zc_tables_put_topic (const zc_tables_t *self, zc_stored_topic_t *topic)
{
    zc_table_key_t bytes;
    MDB_val key = zc_key1 (&bytes, topic->number), value = zc_stored_topic_value (topic);
    if (topic->row.gone && topic->row.count == 0)
        return mdb_del (self->txn, self->db[ZC_IN_TOPICS], &key, NULL);
    return mdb_put (self->txn, self->db[ZC_IN_TOPICS], &key, &value, 0);
}

static int s_by_last (const void *left, const void *right)
{
    const zc_stored_topic_t *const *a = left, *const *b = right;
    return ((*a)->row.last > (*b)->row.last) - ((*a)->row.last < (*b)->row.last);
}

static size_t s_collect (MDB_cursor *cursor, zc_stored_topic_t **topics, size_t max)
{
    MDB_val key, value;
    size_t count = 0;
    while (count < max && mdb_cursor_get (cursor, &key, &value, MDB_NEXT) == 0) {
        zc_stored_topic_t *topic = malloc (sizeof *topic);
        if (!topic)
            abort ();
        topics[count++] = zc_stored_topic_set (topic, zc_key_part (&key, 0), &value);
    }
    return count;
}

int zc_tables_each_topic (const zc_tables_t *self,
                          void (*fn) (void *arg, zc_slice_t name, uint64_t number, zc_id_t last),
                          void *arg)
{
    MDB_cursor *cursor;
    MDB_stat stat;
    int rc = mdb_cursor_open (self->txn, self->db[ZC_IN_TOPICS], &cursor);
    if (rc != 0)
        return rc;
    mdb_stat (self->txn, self->db[ZC_IN_TOPICS], &stat);
    zc_stored_topic_t **topics = calloc (stat.ms_entries + 1, sizeof *topics);
    if (!topics)
        abort ();
    size_t count = s_collect (cursor, topics, stat.ms_entries);
    mdb_cursor_close (cursor);
    qsort (topics, count, sizeof *topics, s_by_last);
    for (size_t i = 0; i < count; i++) {
        if (!topics[i]->row.gone)
            fn (arg, (zc_slice_t){topics[i]->name, topics[i]->len}, topics[i]->number,
                topics[i]->row.last);
        free (topics[i]);
    }
    free (topics);
    return 0;
}

int zc_tables_put_name (const zc_tables_t *self, uint64_t number, const void *name, size_t len,
                        zc_id_t id)
{
    zc_table_key_t bytes, position;
    MDB_val key = zc_key_name (&bytes, number, name, len), value = zc_key1 (&position, id);
    return mdb_put (self->txn, self->db[ZC_IN_NAMES], &key, &value, 0);
}

int zc_tables_delete_name (const zc_tables_t *self, uint64_t number, const void *name, size_t len,
                           zc_id_t id)
{
    zc_table_key_t bytes, position;
    MDB_val key = zc_key_name (&bytes, number, name, len), value = zc_key1 (&position, id);
    return zc_missing_is_fine (mdb_del (self->txn, self->db[ZC_IN_NAMES], &key, &value));
}

int zc_tables_delete_chunk (const zc_tables_t *self, uint64_t number, zc_id_t last)
{
    zc_table_key_t bytes;
    MDB_val key = zc_key2 (&bytes, number, last);
    int rc = zc_missing_is_fine (mdb_del (self->txn, self->db[ZC_IN_CHUNKS], &key, NULL));
    if (rc != 0)
        return rc;
    key = zc_key2 (&bytes, last, number);
    return mdb_del (self->txn, self->db[ZC_IN_ORDER], &key, NULL);
}

int zc_tables_seek (MDB_cursor *cursor, uint64_t number, zc_id_t after, MDB_val *key,
                    MDB_val *value)
{
    zc_table_key_t bytes;
    if (after == UINT64_MAX)
        return MDB_NOTFOUND;
    *key = zc_key2 (&bytes, number, after + 1);
    int rc = mdb_cursor_get (cursor, key, value, MDB_SET_RANGE);
    return rc == 0 && zc_key_part (key, 0) != number ? MDB_NOTFOUND : rc;
}

int zc_tables_first (const zc_tables_t *self, int table, uint64_t *parts, int count)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open (self->txn, self->db[table], &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get (cursor, &key, &value, MDB_FIRST);
    for (int i = 0; rc == 0 && i < count; i++)
        parts[i] = zc_key_part (&key, i);
    mdb_cursor_close (cursor);
    return rc;
}
