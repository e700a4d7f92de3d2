/*  The bytes of keys, chunks and rows. */
#include "tests/unit/unit.h"

#include "broker/history/layout.h"

static int s_compare (MDB_val left, MDB_val right)
{
    size_t len = left.mv_size < right.mv_size ? left.mv_size : right.mv_size;
    int order = memcmp (left.mv_data, right.mv_data, len);
    return order ? order : (int)left.mv_size - (int)right.mv_size;
}

static void s_keys_sort_as_their_numbers_do (void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 1, 255, 256, 1u << 31, (uint64_t)1 << 40, UINT64_MAX};
    zc_table_key_t left, right;
    for (size_t i = 0; i + 1 < LENGTH (numbers); i++) {
        assert_true (s_compare (zc_key1 (&left, numbers[i]), zc_key1 (&right, numbers[i + 1])) < 0);
        assert_true (s_compare (zc_key2 (&left, numbers[i], UINT64_MAX),
                                zc_key2 (&right, numbers[i + 1], 0)) < 0);
        assert_true (s_compare (zc_key3 (&left, 7, numbers[i], UINT64_MAX),
                                zc_key3 (&right, 7, numbers[i + 1], 0)) < 0);
        assert_true (s_compare (zc_key_name (&left, numbers[i], "z", 1),
                                zc_key_name (&right, numbers[i + 1], "a", 1)) < 0);
    }
}

static void s_the_parts_of_a_key_come_back (void **state)
{
    (void)state;
    char longest[ZC_KEY_NAME_MAX];
    zc_table_key_t bytes;
    MDB_val key = zc_key3 (&bytes, 1, UINT64_MAX - 1, 0x0102030405060708);
    assert_int_equal (key.mv_size, 24);
    assert_int_equal (zc_key_part (&key, 0), 1);
    assert_true (zc_key_part (&key, 1) == UINT64_MAX - 1);
    assert_true (zc_key_part (&key, 2) == 0x0102030405060708);
    memset (longest, 'x', sizeof longest);
    key = zc_key_name (&bytes, 9, longest, sizeof longest);
    assert_int_equal (key.mv_size, 8 + sizeof longest);
    assert_int_equal (zc_key_part (&key, 0), 9);
    assert_memory_equal ((char *)key.mv_data + 8, longest, sizeof longest);
}

/*  Appends a record to a chunk. Returns its end. */
static uint8_t *s_append (uint8_t *at, zc_id_t id, uint32_t meta_len, uint32_t payload_len)
{
    zc_chunk_record_t record = {.id = id, .meta_len = meta_len, .payload_len = payload_len};
    memcpy (at, &record, sizeof record);
    memset (at + sizeof record, (int)id, meta_len + payload_len);
    return at + sizeof record + meta_len + payload_len;
}

/*  Three records of odd lengths, at an odd address: LMDB aligns nothing. */
static MDB_val s_chunk (uint8_t *bytes)
{
    zc_chunk_t chunk = {.seq = 41, .count = 3};
    uint8_t *begin = bytes + 1;
    memcpy (begin, &chunk, sizeof chunk);
    uint8_t *end = s_append (begin + sizeof chunk, 10, 1, 0);
    end = s_append (end, 20, 3, 4);
    end = s_append (end, 30, 1, 1);
    return (MDB_val){(size_t)(end - begin), begin};
}

static void s_a_chunk_is_walked (void **state)
{
    (void)state;
    uint8_t bytes[256];
    MDB_val value = s_chunk (bytes);
    const uint8_t *at = NULL;
    zc_chunk_record_t record;
    assert_int_equal (zc_chunk (&value).seq, 41);
    assert_int_equal (zc_chunk (&value).count, 3);
    for (zc_id_t id = 10; id <= 30; id += 10) {
        assert_true (zc_chunk_each (&value, &at, &record));
        assert_int_equal (record.id, id);
        assert_int_equal (at[sizeof record], id);
    }
    assert_int_equal (zc_chunk_record_size (&record), sizeof record + 2);
    assert_false (zc_chunk_each (&value, &at, &record));
}

static void s_the_first_record_after_a_position_is_found (void **state)
{
    (void)state;
    static const struct {
        zc_id_t after, found;
    } cases[] = {{0, 10}, {9, 10}, {10, 20}, {11, 20}, {29, 30}, {30, 0}, {UINT64_MAX, 0}};
    uint8_t bytes[256];
    MDB_val value = s_chunk (bytes);
    const uint8_t *at;
    zc_chunk_record_t record;
    for (size_t i = 0; i < LENGTH (cases); i++) {
        assert_int_equal (zc_chunk_find (&value, cases[i].after, &record, &at),
                          cases[i].found != 0);
        if (cases[i].found)
            assert_int_equal (record.id, cases[i].found);
    }
}

static void s_a_row_keeps_its_name (void **state)
{
    (void)state;
    zc_stored_topic_t first = {.row = {.last = 7, .count = 2}, .name = "topic", .len = 5}, second;
    MDB_val value = zc_stored_topic_value (&first);
    assert_int_equal (value.mv_size, sizeof (zc_row_t) + 5);
    zc_stored_topic_set (&second, 3, &value);
    assert_int_equal (second.number, 3);
    assert_int_equal (second.row.last, 7);
    assert_int_equal (second.row.count, 2);
    assert_int_equal (second.len, 5);
    assert_memory_equal (second.name, "topic", 5);
}

/*  A value longer than any row doesn't overflow. A hole that an earlier version counted reaches
 *  to the topic's last position. */
static void s_a_row_of_others_is_read_with_care (void **state)
{
    (void)state;
    static uint8_t bytes[sizeof (zc_row_t) + ZC_TOPIC_MAX + 100];
    zc_id_t last = zc_id_from_ms (1700000000000);
    zc_row_t row = {.last = last, .hole = 3};
    zc_stored_topic_t topic;
    memcpy (bytes, &row, sizeof row);
    zc_stored_topic_set (&topic, 1, &(MDB_val){sizeof bytes, bytes});
    assert_int_equal (topic.len, ZC_TOPIC_MAX);
    assert_int_equal (topic.number, 1);
    assert_true (topic.row.hole == last);
    row.hole = last - 5;
    memcpy (bytes, &row, sizeof row);
    zc_stored_topic_set (&topic, 1, &(MDB_val){sizeof row + 1, bytes});
    assert_true (topic.row.hole == last - 5);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_keys_sort_as_their_numbers_do),
        cmocka_unit_test (s_the_parts_of_a_key_come_back),
        cmocka_unit_test (s_a_chunk_is_walked),
        cmocka_unit_test (s_the_first_record_after_a_position_is_found),
        cmocka_unit_test (s_a_row_keeps_its_name),
        cmocka_unit_test (s_a_row_of_others_is_read_with_care),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
