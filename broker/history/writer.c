/*  writer.c - a batch is first sorted by topic and cut into chunks. `order` is written at the
 *  end and sorted, so that LMDB only appends to it. */
#include "config.h"

#include "broker/history/writer.h"

#include <stdlib.h>
#include <string.h>

#define S_CHUNK_MAX 16000 /* bytes of records: four pages, with LMDB's headers */

typedef struct {
    uint64_t last, number;
} s_order_t;

struct zc_writer {
    zc_commit_t *commit;
    uint32_t *sorted; /* indexes of the batch's items, sorted by topic */
    size_t sorted_cap;
    s_order_t *order; /* entries of the chunks written */
    size_t order_len, order_cap;
};

static void s_record_write (uint8_t *to, zc_item_t *item)
{
    zc_chunk_record_t record = {.id = item->id,
                                .expires_ms = item->expires_ms,
                                .meta_len = (uint32_t)zmq_msg_size (&item->meta),
                                .payload_len = (uint32_t)zmq_msg_size (&item->payload),
                                .event_at = item->event_at,
                                .event_len = item->event_len};
    memcpy (to, &record, sizeof record);
    memcpy (to + sizeof record, zmq_msg_data (&item->meta), record.meta_len);
    if (record.payload_len)
        memcpy (to + sizeof record + record.meta_len, zmq_msg_data (&item->payload),
                record.payload_len);
}

static size_t s_item_size (zc_item_t *item)
{
    return sizeof (zc_chunk_record_t) + zmq_msg_size (&item->meta) + zmq_msg_size (&item->payload);
}

static int s_index_item (const zc_tables_t *tables, const zc_stored_topic_t *topic, zc_item_t *item)
{
    int rc = 0;
    if (item->event_len)
        rc = zc_tables_put_name (tables, topic->number,
                                 (char *)zmq_msg_data (&item->meta) + item->event_at,
                                 item->event_len, item->id);
    if (rc == 0 && item->expires_ms) {
        zc_table_key_t bytes;
        MDB_val key = zc_key3 (&bytes, item->expires_ms, topic->number, item->id);
        MDB_val value = {0, NULL};
        rc = mdb_put (tables->txn, tables->db[ZC_IN_EXPIRY], &key, &value, 0);
    }
    return rc;
}

static void s_note_order (zc_writer_t *self, uint64_t last, uint64_t number)
{
    if (self->order_len == self->order_cap) {
        self->order_cap = self->order_cap ? self->order_cap * 2 : 64;
        self->order = realloc (self->order, self->order_cap * sizeof *self->order);
        if (!self->order)
            abort ();
    }
    self->order[self->order_len++] = (s_order_t){last, number};
}

/*  Writes one chunk: the items sorted[0..count), all of one topic, of `size` bytes together. */
static int s_write_chunk (zc_writer_t *self, zc_stored_topic_t *topic, zc_item_t *items,
                          const uint32_t *sorted, size_t count, size_t size)
{
    zc_chunk_t chunk = {.seq = topic->row.next_seq, .count = (uint32_t)count};
    uint64_t last = items[sorted[count - 1]].id;
    zc_table_key_t bytes;
    MDB_val key = zc_key2 (&bytes, topic->number, last), value = {sizeof chunk + size, NULL};
    const zc_tables_t *tables = &self->commit->tables;
    int rc = mdb_put (tables->txn, tables->db[ZC_IN_CHUNKS], &key, &value, MDB_RESERVE);
    if (rc != 0)
        return rc;
    uint8_t *to = value.mv_data;
    memcpy (to, &chunk, sizeof chunk);
    to += sizeof chunk;
    for (size_t i = 0; i < count; i++) {
        s_record_write (to, &items[sorted[i]]);
        to += s_item_size (&items[sorted[i]]);
    }
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = s_index_item (tables, topic, &items[sorted[i]]);
    s_note_order (self, last, topic->number);
    topic->row.next_seq += count;
    topic->row.count += count;
    topic->row.bytes += size;
    topic->row.last = last;
    self->commit->totals.messages += count;
    self->commit->totals.bytes += size;
    return rc;
}

/*  Gets the row of a topic, or starts one as the table of topics says. */
static int s_topic_use (zc_writer_t *self, const zc_topic_t *from, zc_stored_topic_t *topic)
{
    int rc = zc_tables_topic (&self->commit->tables, from->number, topic);
    if (rc != MDB_NOTFOUND)
        return rc;
    topic->row = (zc_row_t){.last = from->floor, .floor = from->floor};
    topic->len = from->len;
    memcpy (topic->name, from->name, from->len);
    return 0;
}

/*  Writes all items of one topic. */
static int s_write_topic (zc_writer_t *self, const uint32_t *sorted, size_t count)
{
    zc_item_t *items = self->commit->batch->items;
    zc_stored_topic_t topic;
    int rc = s_topic_use (self, items[sorted[0]].where, &topic);
    while (rc == 0 && count > 0) {
        size_t take = 1, size = s_item_size (&items[sorted[0]]);
        for (size_t next; take < count; take++, size += next) {
            next = s_item_size (&items[sorted[take]]);
            if (size + next > S_CHUNK_MAX)
                break;
        }
        rc = s_write_chunk (self, &topic, items, sorted, take, size);
        sorted += take;
        count -= take;
    }
    return rc == 0 ? zc_tables_put_topic (&self->commit->tables, &topic) : rc;
}

static int s_by_topic (const void *left, const void *right, void *arg)
{
    const zc_item_t *items = arg;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    uint64_t m = items[a].where->number, n = items[b].where->number;
    return m != n ? (m > n) - (m < n) : (a > b) - (a < b);
}

static void s_sort (zc_writer_t *self)
{
    const zc_store_batch_t *batch = self->commit->batch;
    if (batch->count > self->sorted_cap) {
        self->sorted_cap = batch->count;
        self->sorted = realloc (self->sorted, batch->count * sizeof *self->sorted);
        if (!self->sorted)
            abort ();
    }
    for (size_t i = 0; i < batch->count; i++)
        self->sorted[i] = (uint32_t)i;
    if (batch->count > 1)
        qsort_r (self->sorted, batch->count, sizeof *self->sorted, s_by_topic, batch->items);
}

static int s_order_by_last (const void *left, const void *right)
{
    const s_order_t *a = left, *b = right;
    return (a->last > b->last) - (a->last < b->last);
}

static int s_write_order (zc_writer_t *self)
{
    const zc_tables_t *tables = &self->commit->tables;
    if (self->order_len)
        qsort (self->order, self->order_len, sizeof *self->order, s_order_by_last);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->order_len; i++) {
        zc_table_key_t bytes;
        MDB_val key = zc_key2 (&bytes, self->order[i].last, self->order[i].number);
        MDB_val value = {0, NULL};
        rc = mdb_put (tables->txn, tables->db[ZC_IN_ORDER], &key, &value, MDB_APPEND);
    }
    return rc;
}

/*  The end of the run of items that have the topic of the one at `begin`. */
static size_t s_run_end (const zc_writer_t *self, size_t begin)
{
    const zc_item_t *items = self->commit->batch->items;
    uint64_t number = items[self->sorted[begin]].where->number;
    size_t end = begin + 1;
    while (end < self->commit->batch->count && items[self->sorted[end]].where->number == number)
        end++;
    return end;
}

static int s_write_gone (const zc_commit_t *commit)
{
    zc_stored_topic_t topic;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < commit->batch->gone_count; i++) {
        rc = zc_tables_topic (&commit->tables, commit->batch->gone[i], &topic);
        topic.row.gone = 1;
        rc = rc == 0 ? zc_tables_put_topic (&commit->tables, &topic) : zc_missing_is_fine (rc);
    }
    return rc;
}

static void s_raise (zc_row_t *row, zc_id_t lost)
{
    row->last = row->last < lost ? lost : row->last;
    row->floor = row->floor < lost ? lost : row->floor;
}

static int s_write_lost (zc_writer_t *self)
{
    const zc_store_batch_t *batch = self->commit->batch;
    zc_stored_topic_t topic;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < batch->lost_count; i++) {
        rc = s_topic_use (self, batch->lost[i].topic, &topic);
        s_raise (&topic.row, batch->lost[i].lost);
        if (rc == 0)
            rc = zc_tables_put_topic (&self->commit->tables, &topic);
    }
    return rc;
}

static int s_write_all_lost (const zc_commit_t *commit)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    zc_stored_topic_t topic;
    if (commit->batch->all_lost == ZC_ID_NONE)
        return 0;
    int rc = mdb_cursor_open (commit->tables.txn, commit->tables.db[ZC_IN_TOPICS], &cursor);
    if (rc != 0)
        return rc;
    while (rc == 0 && (rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0) {
        zc_stored_topic_set (&topic, zc_key_part (&key, 0), &value);
        s_raise (&topic.row, commit->batch->all_lost);
        value = zc_stored_topic_value (&topic);
        rc = mdb_cursor_put (cursor, &key, &value, MDB_CURRENT);
    }
    mdb_cursor_close (cursor);
    return zc_missing_is_fine (rc);
}

static int s_write_totals (const zc_commit_t *commit)
{
    const zc_store_totals_t *totals = &commit->totals;
    zc_stored_totals_t stored = {.format = ZC_FORMAT,
                                 .last = totals->last,
                                 .forgotten = totals->forgotten,
                                 .floor = totals->floor,
                                 .next_number = totals->next_number,
                                 .messages = totals->messages,
                                 .bytes = totals->bytes,
                                 .trimmed = totals->trimmed};
    return zc_tables_put_totals (&commit->tables, &stored);
}

static int s_write_items (zc_writer_t *self)
{
    const zc_store_batch_t *batch = self->commit->batch;
    int rc = 0;
    s_sort (self);
    self->order_len = 0;
    for (size_t begin = 0, end; rc == 0 && begin < batch->count; begin = end) {
        end = s_run_end (self, begin);
        rc = s_write_topic (self, self->sorted + begin, end - begin);
    }
    if (rc == 0)
        rc = s_write_order (self);
    for (size_t at = 0; rc == 0 && at < batch->count; at = s_run_end (self, at))
        rc = zc_trim_topic (self->commit, batch->items[self->sorted[at]].where->number);
    return rc;
}

static int s_write_purges (zc_commit_t *commit)
{
    const zc_store_batch_t *batch = commit->batch;
    int rc = 0;
    for (size_t i = 0; rc == 0 && commit->budget && i < batch->purge_count; i++)
        rc = zc_trim_purge (commit, &batch->purges[i]);
    return rc;
}

int zc_writer_write (zc_writer_t *self, zc_commit_t *commit)
{
    self->commit = commit;
    commit->totals.last = commit->batch->last;
    commit->totals.forgotten = commit->batch->forgotten;
    commit->totals.next_number = commit->batch->next_number;
    commit->budget = ZC_TRIM_MAX + 2 * commit->batch->count;
    int rc = s_write_items (self);
    if (rc == 0)
        rc = s_write_gone (commit);
    if (rc == 0)
        rc = s_write_lost (self);
    if (rc == 0)
        rc = s_write_all_lost (commit);
    if (rc == 0)
        rc = s_write_purges (commit);
    if (rc == 0)
        rc = zc_trim (commit);
    if (rc == 0)
        rc = zc_trim_look_ahead (commit);
    return rc == 0 ? s_write_totals (commit) : rc;
}

zc_writer_t *zc_writer_new (void)
{
    zc_writer_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void zc_writer_destroy (zc_writer_t **self_p)
{
    if (*self_p) {
        free ((*self_p)->sorted);
        free ((*self_p)->order);
        free (*self_p);
        *self_p = NULL;
    }
}
