/*  database.h - for the tests of broker/history's parts: a database in a folder of its own, commits
 *  of a few messages, and what then lies in the tables. */
#ifndef ZC_UNIT_DATABASE_H
#define ZC_UNIT_DATABASE_H

#include "tests/unit/unit.h"

#include <unistd.h>
#include "broker/history/writer.h"

#define TOPICS 3
#define ITEMS_MAX 3000

typedef struct {
    char folder[64];
    MDB_env *env;
    MDB_dbi db[ZC_TABLES];
    zc_writer_t *writer;
    zc_topics_t *topics;
    zc_topic_t *topic[TOPICS]; /* with the numbers 1, 2, 3 */
    zc_store_totals_t totals;
    zc_item_t items[ITEMS_MAX];
    zc_store_batch_t batch; /* of the next commit */
} database_t;

static inline void database_evicted (void *arg, zc_topic_t *topic)
{
    (void)arg, (void)topic;
}

static inline zc_tables_t database_begin (const database_t *self, unsigned flags)
{
    zc_tables_t tables;
    memcpy (tables.db, self->db, sizeof tables.db);
    assert_int_equal (mdb_txn_begin (self->env, NULL, flags, &tables.txn), 0);
    return tables;
}

/*  The batch of the next commit begins: without limits, at time 0. */
static inline void database_batch (database_t *self)
{
    self->batch = (zc_store_batch_t){
        .items = self->items,
        .next_number = TOPICS + 1,
        .limits = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
}

static inline database_t *database_new (void)
{
    database_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    strcpy (self->folder, "/tmp/zcast-database-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    assert_int_equal (mdb_env_create (&self->env), 0);
    assert_int_equal (mdb_env_set_maxdbs (self->env, ZC_TABLES_MAX), 0);
    assert_int_equal (mdb_env_set_mapsize (self->env, 16 << 20), 0);
    assert_int_equal (mdb_env_open (self->env, self->folder, MDB_NOTLS | MDB_NOSYNC, 0640), 0);
    zc_tables_t tables = database_begin (self, 0);
    for (int i = 0; i < ZC_TABLES; i++)
        assert_int_equal (mdb_dbi_open (tables.txn, zc_layout_tables[i].name,
                                        zc_layout_tables[i].flags | MDB_CREATE, &self->db[i]),
                          0);
    assert_int_equal (mdb_txn_commit (tables.txn), 0);
    self->writer = zc_writer_new ();
    self->topics = zc_topics_new (TOPICS, ZC_ID_NONE, database_evicted, NULL);
    for (unsigned i = 0; i < TOPICS; i++) {
        self->topic[i] = zc_topics_use (self->topics, (zc_slice_t){&"abc"[i], 1});
        self->topic[i]->number = i + 1;
    }
    database_batch (self);
    return self;
}

static inline void database_destroy (database_t *self)
{
    char path[128];
    zc_writer_destroy (&self->writer);
    zc_topics_destroy (&self->topics);
    mdb_env_close (self->env);
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    for (size_t i = 0; i < LENGTH (files); i++) {
        snprintf (path, sizeof path, "%s/%s", self->folder, files[i]);
        unlink (path);
    }
    assert_int_equal (rmdir (self->folder), 0);
    free (self);
}

/*  Adds a message with a payload of `len` bytes; `name` is its own id or key, or NULL. */
static inline void database_add (database_t *self, unsigned topic, zc_id_t id, size_t len,
                                 const char *name, uint64_t expires_ms)
{
    assert_true (self->batch.count < ITEMS_MAX);
    zc_item_t *item = &self->items[self->batch.count++];
    size_t name_len = name ? strlen (name) : 0;
    *item = (zc_item_t){.where = self->topic[topic],
                        .id = id,
                        .expires_ms = expires_ms,
                        .event_at = 1,
                        .event_len = (uint16_t)name_len};
    zmq_msg_init_size (&item->meta, 1 + name_len);
    memcpy (zmq_msg_data (&item->meta), "m", 1);
    memcpy ((char *)zmq_msg_data (&item->meta) + 1, name ? name : "", name_len);
    zmq_msg_init_size (&item->payload, len);
    memset (zmq_msg_data (&item->payload), (char)id, len);
    self->batch.last = id;
}

/*  Commits the batch, and begins the next one with the same limits and time. */
static inline void database_commit (database_t *self)
{
    zc_commit_t commit = {
        .tables = database_begin (self, 0), .batch = &self->batch, .totals = self->totals};
    assert_int_equal (zc_writer_write (self->writer, &commit), 0);
    assert_int_equal (mdb_txn_commit (commit.tables.txn), 0);
    self->totals = commit.totals;
    for (size_t i = 0; i < self->batch.count; i++) {
        zmq_msg_close (&self->items[i].meta);
        zmq_msg_close (&self->items[i].payload);
    }
    zc_store_batch_t next = self->batch;
    database_batch (self);
    self->batch.limits = next.limits;
    self->batch.now_ms = next.now_ms;
    self->batch.last = next.last;
}

static inline size_t database_entries (const database_t *self, int table)
{
    MDB_stat stat;
    zc_tables_t tables = database_begin (self, MDB_RDONLY);
    assert_int_equal (mdb_stat (tables.txn, self->db[table], &stat), 0);
    mdb_txn_abort (tables.txn);
    return stat.ms_entries;
}

/*  The row of a topic; false: there is none. */
static inline bool database_row (const database_t *self, unsigned topic, zc_row_t *row)
{
    zc_stored_topic_t stored;
    zc_tables_t tables = database_begin (self, MDB_RDONLY);
    int rc = zc_tables_topic (&tables, topic + 1, &stored);
    mdb_txn_abort (tables.txn);
    *row = stored.row;
    return rc == 0;
}

/*  The positions that the chunks of a topic hold, from the one on in which `after` would lie; as
 *  text, with a bar after each chunk: "1 2|3|". */
static inline const char *database_chunks (const database_t *self, unsigned topic)
{
    static char text[4096];
    size_t len = 0;
    MDB_cursor *cursor;
    MDB_val key, value;
    zc_tables_t tables = database_begin (self, MDB_RDONLY);
    assert_int_equal (mdb_cursor_open (tables.txn, self->db[ZC_IN_CHUNKS], &cursor), 0);
    text[0] = 0;
    for (int rc = zc_tables_seek (cursor, topic + 1, 0, &key, &value);
         rc == 0 && zc_key_part (&key, 0) == topic + 1;
         rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) {
        const uint8_t *at = NULL;
        zc_chunk_record_t record;
        unsigned count = 0;
        while (zc_chunk_each (&value, &at, &record))
            len += (size_t)snprintf (text + len, sizeof text - len, count++ ? " %llu" : "%llu",
                                     (unsigned long long)record.id);
        len += (size_t)snprintf (text + len, sizeof text - len, "|");
        assert_int_equal (zc_chunk (&value).count, count);
    }
    mdb_cursor_close (cursor);
    mdb_txn_abort (tables.txn);
    return text;
}

#endif
