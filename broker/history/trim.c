/*  trim.c - removing messages. They go from the front of their topic on; only messages that
 *  expire are also taken out between others. */
#include "broker/history/trim.h"

#include <stdlib.h>
#include <string.h>

/*  A message is removed: removes its name and its expiry, and corrects the sums. */
static int s_let_go (zc_commit_t *self, zc_stored_topic_t *topic, const zc_chunk_record_t *record,
                     const uint8_t *at)
{
    int rc = 0;
    if (record->event_len)
        rc = zc_tables_delete_name (&self->tables, topic->number,
                                    at + sizeof *record + record->event_at, record->event_len,
                                    record->id);
    if (rc == 0 && record->expires_ms) {
        zc_table_key_t bytes;
        MDB_val key = zc_key3 (&bytes, record->expires_ms, topic->number, record->id);
        rc = zc_missing_is_fine (
            mdb_del (self->tables.txn, self->tables.db[ZC_IN_EXPIRY], &key, NULL));
    }
    size_t size = zc_chunk_record_size (record);
    topic->row.count--;
    topic->row.bytes -= size;
    if (topic->row.floor < record->id)
        topic->row.floor = record->id;
    if (self->totals.floor < record->id)
        self->totals.floor = record->id;
    self->totals.messages--;
    self->totals.bytes -= size;
    self->totals.trimmed++;
    if (self->budget)
        self->budget--;
    return rc;
}

/*  Whether a message, the topic's first one, exceeds the limits. */
typedef bool (*s_over_t) (const zc_commit_t *self, const zc_stored_topic_t *topic,
                          const zc_chunk_record_t *record);

static bool s_topic_over (const zc_commit_t *self, const zc_stored_topic_t *topic,
                          const zc_chunk_record_t *record)
{
    (void)self, (void)record;
    return topic->row.count > self->batch->limits.topic_messages ||
           topic->row.bytes > self->batch->limits.topic_bytes;
}

static bool s_purge_over (const zc_commit_t *self, const zc_stored_topic_t *topic,
                          const zc_chunk_record_t *record)
{
    (void)topic;
    return record->id <= self->purge_upto;
}

/*  Messages before this position are older than the limits allow. */
static zc_id_t s_too_old (const zc_store_batch_t *batch)
{
    const zc_history_limits_t *limits = &batch->limits;
    uint64_t age = limits->age_ms < limits->topic_age_ms ? limits->age_ms : limits->topic_age_ms;
    return zc_id_from_ms (batch->now_ms > age ? batch->now_ms - age : 0);
}

static bool s_all_over (const zc_commit_t *self, const zc_stored_topic_t *topic,
                        const zc_chunk_record_t *record)
{
    (void)topic;
    return self->totals.messages > self->batch->limits.messages ||
           self->totals.bytes > self->batch->limits.bytes || record->id < s_too_old (self->batch);
}

/*  Removes a chunk's messages from the front on, as long as `over` returns true. *whole: none is
 *  left, and the chunk is deleted. `value` is copied first, because LMDB keeps it only until the
 *  transaction writes. */
static int s_trim_chunk (zc_commit_t *self, zc_stored_topic_t *topic, uint64_t last,
                         const MDB_val *value, s_over_t over, bool *whole)
{
    MDB_val copy = {value->mv_size, malloc (value->mv_size)};
    if (!copy.mv_data)
        abort ();
    memcpy (copy.mv_data, value->mv_data, copy.mv_size);
    const uint8_t *at = NULL;
    zc_chunk_record_t record;
    int rc = 0;
    *whole = true;
    while (rc == 0 && zc_chunk_each (&copy, &at, &record)) {
        if (record.id <= topic->row.cut)
            continue;
        if (!over (self, topic, &record) || !self->budget) {
            *whole = false;
            break;
        }
        rc = s_let_go (self, topic, &record, at);
        topic->row.cut = record.id;
    }
    free (copy.mv_data);
    if (rc == 0 && *whole) {
        topic->row.cut = topic->row.cut < last ? last : topic->row.cut;
        rc = zc_tables_delete_chunk (&self->tables, topic->number, last);
    }
    return rc;
}

static int s_first_chunk (zc_commit_t *self, const zc_stored_topic_t *topic, uint64_t *last,
                          MDB_val *value)
{
    MDB_cursor *cursor;
    MDB_val key;
    int rc = mdb_cursor_open (self->tables.txn, self->tables.db[ZC_IN_CHUNKS], &cursor);
    if (rc != 0)
        return rc;
    rc = zc_tables_seek (cursor, topic->number, topic->row.cut, &key, value);
    if (rc == 0)
        *last = zc_key_part (&key, 1);
    mdb_cursor_close (cursor);
    return rc;
}

int zc_trim_topic (zc_commit_t *self, uint64_t number)
{
    zc_stored_topic_t topic;
    int rc = zc_tables_topic (&self->tables, number, &topic);
    if (rc != 0 || !s_topic_over (self, &topic, NULL))
        return rc;
    while (rc == 0 && self->budget && s_topic_over (self, &topic, NULL)) {
        MDB_val value;
        uint64_t last;
        bool whole;
        rc = s_first_chunk (self, &topic, &last, &value);
        if (rc == 0)
            rc = s_trim_chunk (self, &topic, last, &value, s_topic_over, &whole);
    }
    return rc == 0 ? zc_tables_put_topic (&self->tables, &topic) : rc;
}

int zc_trim_purge (zc_commit_t *self, zc_store_purge_t *purge)
{
    zc_stored_topic_t topic;
    bool whole = true;
    int rc = zc_tables_topic (&self->tables, purge->number, &topic);
    purge->count = 0;
    purge->done = rc == MDB_NOTFOUND;
    self->budget--; /* a topic without messages costs a look, too */
    if (rc != 0)
        return zc_missing_is_fine (rc);
    uint64_t before = topic.row.count;
    self->purge_upto = purge->upto;
    while (rc == 0 && whole && self->budget) {
        MDB_val value;
        uint64_t last;
        rc = s_first_chunk (self, &topic, &last, &value);
        if (rc == 0)
            rc = s_trim_chunk (self, &topic, last, &value, s_purge_over, &whole);
    }
    purge->count = before - topic.row.count;
    purge->done = rc == MDB_NOTFOUND || (rc == 0 && !whole && self->budget);
    rc = zc_missing_is_fine (rc);
    return rc == 0 ? zc_tables_put_topic (&self->tables, &topic) : rc;
}

/*  Deletes a chunk whose topic is missing, or an entry of `order` whose chunk is missing: it
 *  would keep all newer chunks from being trimmed. Earlier versions wrote such databases. */
static int s_drop_stray (zc_commit_t *self, uint64_t number, uint64_t last)
{
    self->budget--;
    return zc_tables_delete_chunk (&self->tables, number, last);
}

static int s_trim_oldest (zc_commit_t *self, bool *more)
{
    uint64_t order[3];
    zc_stored_topic_t topic;
    zc_table_key_t bytes;
    MDB_val key, value;
    int rc = zc_tables_first (&self->tables, ZC_IN_ORDER, order, 2);
    *more = rc == 0;
    if (rc == MDB_NOTFOUND)
        return 0;
    key = zc_key2 (&bytes, order[1], order[0]);
    if (rc == 0)
        rc = mdb_get (self->tables.txn, self->tables.db[ZC_IN_CHUNKS], &key, &value);
    if (rc == 0)
        rc = zc_tables_topic (&self->tables, order[1], &topic);
    if (rc == MDB_NOTFOUND)
        return s_drop_stray (self, order[1], order[0]);
    if (rc == 0)
        rc = s_trim_chunk (self, &topic, order[0], &value, s_all_over, more);
    return rc == 0 ? zc_tables_put_topic (&self->tables, &topic) : rc;
}

/*  Takes an expired message out of its chunk, whose key stays. If all other messages of the
 *  chunk have been removed already, the chunk is deleted, as nothing else would delete it. */
static int s_cut_out (zc_commit_t *self, zc_stored_topic_t *topic, uint64_t last,
                      const MDB_val *value, uint64_t id)
{
    uint8_t *copy = malloc (value->mv_size);
    if (!copy)
        abort ();
    memcpy (copy, value->mv_data, value->mv_size);
    MDB_val left = {value->mv_size, copy};
    const uint8_t *at = NULL;
    zc_chunk_record_t record;
    zc_chunk_t chunk = zc_chunk (&left);
    int rc = MDB_NOTFOUND;
    while (zc_chunk_each (&left, &at, &record) && record.id < id)
        ;
    if (at < copy + left.mv_size && record.id == id) {
        rc = s_let_go (self, topic, &record, at);
        size_t size = zc_chunk_record_size (&record), offset = (size_t)(at - copy);
        topic->row.hole = topic->row.hole < last ? last : topic->row.hole;
        chunk.count--;
        memcpy (copy, &chunk, sizeof chunk);
        memmove (copy + offset, copy + offset + size, left.mv_size - offset - size);
        left.mv_size -= size;
        zc_table_key_t bytes;
        MDB_val key = zc_key2 (&bytes, topic->number, last);
        if (rc == 0)
            rc = zc_chunk_find (&left, topic->row.cut, &record, &at)
                     ? mdb_put (self->tables.txn, self->tables.db[ZC_IN_CHUNKS], &key, &left, 0)
                     : zc_tables_delete_chunk (&self->tables, topic->number, last);
    }
    free (copy);
    return rc;
}

static int s_expire_one (zc_commit_t *self, const uint64_t due[3])
{
    zc_stored_topic_t topic;
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = zc_tables_topic (&self->tables, due[1], &topic);
    if (rc == 0)
        rc = mdb_cursor_open (self->tables.txn, self->tables.db[ZC_IN_CHUNKS], &cursor);
    if (rc != 0)
        return rc;
    rc = zc_tables_seek (cursor, due[1], due[2] - 1, &key, &value);
    uint64_t last = rc == 0 ? zc_key_part (&key, 1) : 0;
    mdb_cursor_close (cursor);
    if (rc == 0)
        rc = s_cut_out (self, &topic, last, &value, due[2]);
    return rc == 0 ? zc_tables_put_topic (&self->tables, &topic) : rc;
}

/*  The message of an entry of `expiry` isn't there: deletes only the entry. */
static int s_expire_nothing (zc_commit_t *self, const uint64_t due[3])
{
    zc_table_key_t bytes;
    MDB_val key = zc_key3 (&bytes, due[0], due[1], due[2]);
    return mdb_del (self->tables.txn, self->tables.db[ZC_IN_EXPIRY], &key, NULL);
}

int zc_trim (zc_commit_t *self)
{
    uint64_t due[3];
    int rc = 0;
    while (rc == 0 && self->budget &&
           (rc = zc_tables_first (&self->tables, ZC_IN_EXPIRY, due, 3)) == 0 &&
           due[0] <= self->batch->now_ms) {
        rc = s_expire_one (self, due);
        if (rc == MDB_NOTFOUND)
            rc = s_expire_nothing (self, due);
        if (self->budget)
            self->budget--;
    }
    rc = zc_missing_is_fine (rc);
    for (bool more = true; rc == 0 && more && self->budget;)
        rc = s_trim_oldest (self, &more);
    return rc;
}

int zc_trim_look_ahead (zc_commit_t *self)
{
    uint64_t parts[3];
    int rc = zc_tables_first (&self->tables, ZC_IN_ORDER, parts, 1);
    self->totals.oldest = rc == 0 ? parts[0] : ZC_ID_MAX;
    if (zc_missing_is_fine (rc) == 0)
        rc = zc_tables_first (&self->tables, ZC_IN_EXPIRY, parts, 1);
    self->totals.expires_ms = rc == 0 ? parts[0] : UINT64_MAX;
    self->totals.over = self->budget == 0;
    return zc_missing_is_fine (rc);
}
