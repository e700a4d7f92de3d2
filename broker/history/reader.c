/*  reader.c - one read transaction, renewed for every view. LMDB's map must not move during a
 *  view, so a view also holds a lock. */
#include "broker/history/reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct zc_reader {
    pthread_mutex_t lock;
    zc_tables_t tables; /* txn is NULL while the environment is closed */
    MDB_cursor *chunks;
    bool reading; /* there is a view, and it holds the lock */
};

zc_reader_t *zc_reader_new (void)
{
    zc_reader_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    pthread_mutex_init (&self->lock, NULL);
    return self;
}

void zc_reader_destroy (zc_reader_t **self_p)
{
    if (*self_p) {
        pthread_mutex_destroy (&(*self_p)->lock);
        free (*self_p);
        *self_p = NULL;
    }
}

void zc_reader_lock (zc_reader_t *self)
{
    pthread_mutex_lock (&self->lock);
}

void zc_reader_unlock (zc_reader_t *self)
{
    pthread_mutex_unlock (&self->lock);
}

int zc_reader_open (zc_reader_t *self, MDB_env *env, const MDB_dbi db[ZC_TABLES])
{
    int rc = mdb_txn_begin (env, NULL, MDB_RDONLY, &self->tables.txn);
    if (rc != 0) {
        self->tables.txn = NULL;
        return rc;
    }
    memcpy (self->tables.db, db, sizeof self->tables.db);
    rc = mdb_cursor_open (self->tables.txn, db[ZC_IN_CHUNKS], &self->chunks);
    if (rc == 0)
        mdb_txn_reset (self->tables.txn);
    else
        zc_reader_close (self);
    return rc;
}

void zc_reader_close (zc_reader_t *self)
{
    if (self->chunks)
        mdb_cursor_close (self->chunks);
    if (self->tables.txn)
        mdb_txn_abort (self->tables.txn);
    self->chunks = NULL;
    self->tables.txn = NULL;
}

bool zc_reader_begin (zc_reader_t *self)
{
    if (self->reading)
        return true;
    pthread_mutex_lock (&self->lock);
    if (self->tables.txn && mdb_txn_renew (self->tables.txn) == 0) {
        if (mdb_cursor_renew (self->tables.txn, self->chunks) == 0)
            return self->reading = true;
        mdb_txn_reset (self->tables.txn);
    }
    pthread_mutex_unlock (&self->lock);
    return false;
}

void zc_reader_release (zc_reader_t *self)
{
    if (!self->reading)
        return;
    mdb_txn_reset (self->tables.txn);
    self->reading = false;
    pthread_mutex_unlock (&self->lock);
}

static bool s_read_topic (zc_reader_t *self, const zc_topic_t *from, zc_stored_topic_t *topic)
{
    return from->number && zc_reader_begin (self) &&
           zc_tables_topic (&self->tables, from->number, topic) == 0;
}

zc_id_t zc_reader_floor (zc_reader_t *self, const zc_topic_t *from)
{
    zc_stored_topic_t topic;
    return s_read_topic (self, from, &topic) ? topic.row.floor : from->floor;
}

bool zc_reader_next (zc_reader_t *self, const zc_topic_t *from, zc_id_t after, zc_stored_t *stored)
{
    zc_stored_topic_t topic;
    MDB_val key, value;
    if (!s_read_topic (self, from, &topic))
        return false;
    after = after < topic.row.cut ? topic.row.cut : after;
    int rc = zc_tables_seek (self->chunks, from->number, after, &key, &value);
    while (rc == 0 && zc_key_part (&key, 0) == from->number) {
        zc_chunk_record_t record;
        const uint8_t *at;
        if (zc_chunk_find (&value, after, &record, &at)) {
            const char *meta = (const char *)at + sizeof record;
            stored->id = record.id;
            stored->meta = (zc_slice_t){meta, record.meta_len};
            stored->payload = (zc_slice_t){meta + record.meta_len, record.payload_len};
            stored->shared = NULL;
            return true;
        }
        /*  the chunk's last messages have expired */
        rc = mdb_cursor_get (self->chunks, &key, &value, MDB_NEXT);
    }
    return false;
}

/*  The number of messages that the topic ever had up to a position. */
static uint64_t s_seq_after (zc_reader_t *self, const zc_stored_topic_t *topic, zc_id_t position)
{
    MDB_val key, value;
    if (zc_tables_seek (self->chunks, topic->number, position, &key, &value) != 0)
        return topic->row.next_seq;
    uint64_t seq = zc_chunk (&value).seq;
    const uint8_t *at = NULL;
    zc_chunk_record_t record;
    while (zc_chunk_each (&value, &at, &record) && record.id <= position)
        seq++;
    return seq;
}

/*  Counts the messages after one position up to another, chunk by chunk: if messages between
 *  others have expired, zc_chunk_t.seq doesn't tell. */
static uint64_t s_count_each (zc_reader_t *self, const zc_stored_topic_t *topic, zc_id_t after,
                              zc_id_t upto)
{
    MDB_val key, value;
    uint64_t count = 0;
    bool whole = false; /* from the second chunk on, all messages are after `after` */
    int rc = zc_tables_seek (self->chunks, topic->number, after, &key, &value);
    while (rc == 0 && zc_key_part (&key, 0) == topic->number) {
        const uint8_t *at = NULL;
        zc_chunk_record_t record;
        if (whole && zc_key_part (&key, 1) <= upto)
            count += zc_chunk (&value).count;
        else
            while (zc_chunk_each (&value, &at, &record)) {
                if (record.id > upto)
                    return count;
                count += record.id > after;
            }
        whole = true;
        rc = mdb_cursor_get (self->chunks, &key, &value, MDB_NEXT);
    }
    return count;
}

uint64_t zc_reader_count (zc_reader_t *self, const zc_topic_t *from, zc_id_t after, zc_id_t upto)
{
    zc_stored_topic_t topic;
    if (!s_read_topic (self, from, &topic))
        return 0;
    after = after < topic.row.cut ? topic.row.cut : after;
    if (upto <= after)
        return 0;
    uint64_t count = 0;
    if (after < topic.row.hole) {
        count = s_count_each (self, &topic, after, upto < topic.row.hole ? upto : topic.row.hole);
        after = topic.row.hole;
    }
    if (after < upto)
        count += s_seq_after (self, &topic, upto) - s_seq_after (self, &topic, after);
    return count;
}

uint64_t zc_reader_size (zc_reader_t *self, const zc_topic_t *from, uint64_t *bytes)
{
    zc_stored_topic_t topic;
    bool any = s_read_topic (self, from, &topic);
    *bytes = any ? topic.row.bytes : 0;
    return any ? topic.row.count : 0;
}

/*  Finds the first or the last of a name's positions. */
static int s_find_name (MDB_cursor *cursor, MDB_val *key, zc_which_t which, MDB_val *value)
{
    int rc = mdb_cursor_get (cursor, key, value, MDB_SET);
    return rc == 0 && which == ZC_NEWEST ? mdb_cursor_get (cursor, key, value, MDB_LAST_DUP) : rc;
}

bool zc_reader_find (zc_reader_t *self, const zc_topic_t *from, zc_slice_t name, zc_which_t which,
                     zc_id_t *id)
{
    zc_table_key_t bytes;
    MDB_val value;
    MDB_cursor *cursor;
    if (!from->number || name.len > ZC_KEY_NAME_MAX || !zc_reader_begin (self) ||
        mdb_cursor_open (self->tables.txn, self->tables.db[ZC_IN_NAMES], &cursor) != 0)
        return false;
    MDB_val key = zc_key_name (&bytes, from->number, name.at, name.len);
    int rc = s_find_name (cursor, &key, which, &value);
    if (rc == 0)
        *id = zc_key_part (&value, 0);
    mdb_cursor_close (cursor);
    return rc == 0;
}
