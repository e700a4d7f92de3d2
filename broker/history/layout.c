/*  layout.c - chunks and rows are copied out of the database before they are read, as LMDB
 *  doesn't align values. */
#include "broker/history/layout.h"

#include <string.h>

/*  Values below this were written to zc_row_t.hole by a version that counted messages there. */
#define S_HOLES_MAX ((uint64_t)1 << 40)

const zc_layout_table_t zc_layout_tables[ZC_TABLES] = {
    [ZC_IN_TOPICS] = {"topics", 0}, [ZC_IN_CHUNKS] = {"chunks", 0},
    [ZC_IN_ORDER] = {"order", 0},   [ZC_IN_NAMES] = {"names", MDB_DUPSORT | MDB_DUPFIXED},
    [ZC_IN_EXPIRY] = {"expiry", 0}, [ZC_IN_STATE] = {"state", 0}};

static void s_big_endian (uint8_t *to, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

static uint64_t s_from_big_endian (const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

MDB_val zc_key1 (zc_table_key_t *key, uint64_t first)
{
    s_big_endian (key->bytes, first);
    return (MDB_val){8, key->bytes};
}

MDB_val zc_key2 (zc_table_key_t *key, uint64_t first, uint64_t second)
{
    s_big_endian (key->bytes, first);
    s_big_endian (key->bytes + 8, second);
    return (MDB_val){16, key->bytes};
}

MDB_val zc_key3 (zc_table_key_t *key, uint64_t first, uint64_t second, uint64_t third)
{
    zc_key2 (key, first, second);
    s_big_endian (key->bytes + 16, third);
    return (MDB_val){24, key->bytes};
}

uint64_t zc_key_part (const MDB_val *key, int part)
{
    return s_from_big_endian ((const uint8_t *)key->mv_data + part * 8);
}

MDB_val zc_key_name (zc_table_key_t *key, uint64_t number, const void *name, size_t len)
{
    s_big_endian (key->bytes, number);
    memcpy (key->bytes + 8, name, len);
    return (MDB_val){8 + len, key->bytes};
}

size_t zc_chunk_record_size (const zc_chunk_record_t *record)
{
    return sizeof *record + record->meta_len + record->payload_len;
}

zc_chunk_t zc_chunk (const MDB_val *value)
{
    zc_chunk_t chunk;
    memcpy (&chunk, value->mv_data, sizeof chunk);
    return chunk;
}

bool zc_chunk_each (const MDB_val *value, const uint8_t **at, zc_chunk_record_t *record)
{
    const uint8_t *begin = value->mv_data, *end = begin + value->mv_size;
    *at = *at ? *at + zc_chunk_record_size (record) : begin + sizeof (zc_chunk_t);
    if (*at >= end)
        return false;
    memcpy (record, *at, sizeof *record);
    return true;
}

bool zc_chunk_find (const MDB_val *value, zc_id_t after, zc_chunk_record_t *record,
                    const uint8_t **at)
{
    *at = NULL;
    while (zc_chunk_each (value, at, record))
        if (record->id > after)
            return true;
    return false;
}

zc_stored_topic_t *zc_stored_topic_set (zc_stored_topic_t *self, uint64_t number,
                                        const MDB_val *value)
{
    size_t size = sizeof self->row + ZC_TOPIC_MAX;
    size = value->mv_size < size ? value->mv_size : size;
    memcpy (self, value->mv_data, size);
    self->len = size - sizeof self->row;
    self->number = number;
    if (self->row.hole && self->row.hole < S_HOLES_MAX)
        self->row.hole = self->row.last;
    return self;
}

MDB_val zc_stored_topic_value (zc_stored_topic_t *self)
{
    return (MDB_val){sizeof self->row + self->len, self};
}

/*  Checks. */

static bool s_is_row (const MDB_val *key, const MDB_val *value, zc_layout_sums_t *sums)
{
    zc_row_t row;
    if (key->mv_size != 8 || value->mv_size <= sizeof row ||
        value->mv_size > sizeof row + ZC_TOPIC_MAX)
        return false;
    memcpy (&row, value->mv_data, sizeof row);
    sums->messages += row.count;
    return zc_topic_valid ((const char *)value->mv_data + sizeof row, value->mv_size - sizeof row);
}

/*  Whether all parts of a record lie within `size` bytes. */
static bool s_record_fits (const zc_chunk_record_t *record, size_t size)
{
    return zc_chunk_record_size (record) <= size && record->event_len <= ZC_KEY_NAME_MAX &&
           (!record->event_len || record->event_at + record->event_len <= record->meta_len);
}

static bool s_is_chunk (const MDB_val *key, const MDB_val *value, zc_layout_sums_t *sums)
{
    if (key->mv_size != 16 || value->mv_size <= sizeof (zc_chunk_t) + sizeof (zc_chunk_record_t))
        return false;
    uint64_t count = 0, before = 0, last = zc_key_part (key, 1);
    const uint8_t *at = (const uint8_t *)value->mv_data + sizeof (zc_chunk_t);
    size_t left = value->mv_size - sizeof (zc_chunk_t);
    while (left >= sizeof (zc_chunk_record_t)) {
        zc_chunk_record_t record;
        memcpy (&record, at, sizeof record);
        if (!s_record_fits (&record, left) || record.id <= before || record.id > last)
            return false;
        at += zc_chunk_record_size (&record);
        left -= zc_chunk_record_size (&record);
        before = record.id;
        count++;
    }
    sums->chunks++;
    return left == 0 && count == zc_chunk (value).count;
}

static bool s_is_order (const MDB_val *key, const MDB_val *value, zc_layout_sums_t *sums)
{
    sums->chunks--;
    return key->mv_size == 16 && value->mv_size == 0;
}

static bool s_is_name (const MDB_val *key, const MDB_val *value, zc_layout_sums_t *sums)
{
    (void)sums;
    return key->mv_size > 8 && key->mv_size <= 8 + ZC_KEY_NAME_MAX && value->mv_size == 8;
}

static bool s_is_expiry (const MDB_val *key, const MDB_val *value, zc_layout_sums_t *sums)
{
    (void)sums;
    return key->mv_size == 24 && value->mv_size == 0;
}

bool zc_layout_check (int table, const MDB_val *key, const MDB_val *value, zc_layout_sums_t *sums)
{
    static bool (*const checks[ZC_TABLES]) (const MDB_val *, const MDB_val *,
                                            zc_layout_sums_t *) = {[ZC_IN_TOPICS] = s_is_row,
                                                                   [ZC_IN_CHUNKS] = s_is_chunk,
                                                                   [ZC_IN_ORDER] = s_is_order,
                                                                   [ZC_IN_NAMES] = s_is_name,
                                                                   [ZC_IN_EXPIRY] = s_is_expiry};
    return checks[table](key, value, sums);
}
