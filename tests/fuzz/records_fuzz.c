/*  An entry of history's database: a byte that picks the table, a byte with the length of the
 *  key, the key, and the value. An entry that passes the check can be read without checking any
 *  length. */
#include <stdlib.h>
#include <string.h>

#include "broker/history/layout.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_chunk (const MDB_val *key, const MDB_val *value)
{
    const uint8_t *at = NULL, *found, *end = (const uint8_t *)value->mv_data + value->mv_size;
    zc_chunk_record_t record, again;
    uint32_t count = 0;
    zc_id_t last = ZC_ID_NONE;
    while (zc_chunk_each (value, &at, &record)) {
        if (record.id <= last || at + zc_chunk_record_size (&record) > end)
            abort ();
        if (record.event_len && record.event_at + record.event_len > record.meta_len)
            abort ();
        if (!zc_chunk_find (value, last, &again, &found) || found != at || again.id != record.id)
            abort ();
        last = record.id;
        count++;
    }
    if (at != end || count != zc_chunk (value).count || last > zc_key_part (key, 1) ||
        zc_chunk_find (value, last, &again, &found))
        abort ();
}

static void s_topic (const MDB_val *key, const MDB_val *value)
{
    zc_stored_topic_t topic;
    zc_stored_topic_set (&topic, zc_key_part (key, 0), value);
    MDB_val again = zc_stored_topic_value (&topic);
    if (again.mv_size != value->mv_size || !zc_topic_valid (topic.name, topic.len))
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_layout_sums_t sums = {0};
    if (size < 2)
        return 0;
    int table = data[0] % ZC_IN_STATE;
    size_t len = data[1] < size - 2 ? data[1] : size - 2;
    MDB_val key = {len, (void *)(data + 2)};
    MDB_val value = {size - 2 - len, (void *)(data + 2 + len)};
    if (!zc_layout_check (table, &key, &value, &sums))
        return 0;
    if (key.mv_size < 8)
        abort (); /* every record begins with a number */
    if (table == ZC_IN_CHUNKS)
        s_chunk (&key, &value);
    if (table == ZC_IN_TOPICS)
        s_topic (&key, &value);
    return 0;
}
