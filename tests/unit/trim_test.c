/*  Which messages are trimmed, in which order, and what the tables then have. */
#include "tests/unit/database.h"

#define RECORD (sizeof (zc_chunk_record_t) + 1) /* bytes of a record without a payload */

static void s_add_each (database_t *self, unsigned topic, zc_id_t first, zc_id_t last)
{
    for (zc_id_t id = first; id <= last; id++)
        database_add (self, topic, id, 0, NULL, 0);
}

static void s_a_topic_meets_its_limits (void **state)
{
    (void)state;
    database_t *self = database_new ();
    zc_row_t row;
    self->batch.limits.topic_messages = 3;
    s_add_each (self, 0, 1, 5);
    s_add_each (self, 1, 6, 7);
    database_commit (self);
    assert_true (database_row (self, 0, &row));
    assert_true (row.cut == 2 && row.floor == 2 && row.count == 3);
    assert_string_equal (database_chunks (self, 0), "1 2 3 4 5|"); /* only the row knows */
    assert_true (database_row (self, 1, &row) && row.floor == 0 && row.count == 2);
    s_add_each (self, 0, 8, 10);
    database_commit (self);
    assert_string_equal (database_chunks (self, 0), "8 9 10|");
    assert_int_equal (self->totals.messages, 5);
    assert_int_equal (self->totals.trimmed, 5);
    assert_int_equal (self->totals.floor, 5);
    self->batch.limits.topic_messages = UINT64_MAX;
    self->batch.limits.topic_bytes = 2 * RECORD;
    s_add_each (self, 0, 11, 11);
    database_commit (self);
    assert_true (database_row (self, 0, &row) && row.floor == 9 && row.bytes == 2 * RECORD);
    database_destroy (self);
}

static void s_the_oldest_of_all_topics_go_first (void **state)
{
    (void)state;
    database_t *self = database_new ();
    zc_row_t row;
    s_add_each (self, 0, 1, 1);
    database_commit (self);
    s_add_each (self, 1, 2, 4);
    database_commit (self);
    s_add_each (self, 0, 5, 6);
    database_commit (self);
    self->batch.limits.messages = 3;
    database_commit (self);
    assert_string_equal (database_chunks (self, 0), "5 6|");
    assert_true (database_row (self, 0, &row) && row.floor == 1 && row.count == 2);
    assert_true (database_row (self, 1, &row) && row.floor == 3 && row.count == 1);
    assert_int_equal (self->totals.oldest, 4);
    self->batch.limits.bytes = RECORD;
    database_commit (self);
    assert_int_equal (self->totals.messages, 1);
    assert_int_equal (self->totals.floor, 5);
    database_destroy (self);
}

static void s_the_old_go_by_age (void **state)
{
    (void)state;
    database_t *self = database_new ();
    database_add (self, 0, zc_id_from_ms (1000), 0, NULL, 0);
    database_add (self, 0, zc_id_from_ms (2000), 0, NULL, 0);
    self->batch.limits.age_ms = 5000;
    self->batch.now_ms = 6000;
    database_commit (self);
    assert_int_equal (self->totals.messages, 2);
    self->batch.now_ms = 6001;
    database_commit (self);
    assert_int_equal (self->totals.messages, 1);
    self->batch.limits.topic_age_ms = 1000; /* the shorter one counts */
    database_commit (self);
    assert_int_equal (self->totals.messages, 0);
    assert_true (self->totals.oldest == ZC_ID_MAX);
    assert_int_equal (database_entries (self, ZC_IN_CHUNKS), 0);
    assert_int_equal (database_entries (self, ZC_IN_ORDER), 0);
    database_destroy (self);
}

static void s_one_expires_between_others (void **state)
{
    (void)state;
    database_t *self = database_new ();
    zc_row_t row;
    database_add (self, 0, 1, 0, "a", 0);
    database_add (self, 0, 2, 0, "b", 1000);
    database_add (self, 0, 3, 0, "b", 0);
    self->batch.now_ms = 999;
    database_commit (self);
    assert_string_equal (database_chunks (self, 0), "1 2 3|");
    self->batch.now_ms = 1000;
    database_commit (self);
    assert_string_equal (database_chunks (self, 0), "1 3|");
    assert_true (database_row (self, 0, &row));
    assert_true (row.count == 2 && row.floor == 2 && row.hole == 3 && row.cut == 0);
    assert_int_equal (database_entries (self, ZC_IN_NAMES), 2);
    assert_int_equal (database_entries (self, ZC_IN_EXPIRY), 0);
    assert_true (self->totals.expires_ms == UINT64_MAX);
    database_destroy (self);
}

/*  The last message of a chunk expires after the earlier ones were trimmed. */
static void s_an_emptied_chunk_is_deleted (void **state)
{
    (void)state;
    database_t *self = database_new ();
    database_add (self, 0, 1, 0, NULL, 0);
    database_add (self, 0, 2, 0, NULL, 1000);
    database_commit (self);
    self->batch.limits.messages = 1;
    database_commit (self);
    assert_string_equal (database_chunks (self, 0), "1 2|");
    self->batch.now_ms = 1000;
    database_commit (self);
    assert_string_equal (database_chunks (self, 0), "");
    assert_int_equal (database_entries (self, ZC_IN_ORDER), 0);
    database_destroy (self);
}

static void s_a_commit_lets_go_of_a_bounded_number (void **state)
{
    (void)state;
    database_t *self = database_new ();
    s_add_each (self, 0, 1, ITEMS_MAX);
    database_commit (self);
    self->batch.limits.messages = 10;
    database_commit (self);
    assert_int_equal (self->totals.trimmed, ZC_TRIM_MAX);
    assert_true (self->totals.over);
    s_add_each (self, 1, ITEMS_MAX + 1, ITEMS_MAX + 1); /* two more for each new message */
    self->batch.limits.messages = 0;
    database_commit (self);
    assert_int_equal (self->totals.messages, 0);
    assert_false (self->totals.over);
    database_destroy (self);
}

static void s_put (const database_t *self, int table, MDB_val key, MDB_val value)
{
    zc_tables_t tables = database_begin (self, 0);
    assert_int_equal (mdb_put (tables.txn, tables.db[table], &key, &value, 0), 0);
    assert_int_equal (mdb_txn_commit (tables.txn), 0);
}

/*  Entries without a message don't keep newer messages from being trimmed. */
static void s_strays_are_deleted (void **state)
{
    (void)state;
    database_t *self = database_new ();
    zc_table_key_t bytes;
    s_add_each (self, 0, 10, 12);
    database_commit (self);
    s_put (self, ZC_IN_ORDER, zc_key2 (&bytes, 5, 1), (MDB_val){0, NULL});      /* no chunk */
    s_put (self, ZC_IN_ORDER, zc_key2 (&bytes, 6, 99), (MDB_val){0, NULL});     /* no topic */
    s_put (self, ZC_IN_EXPIRY, zc_key3 (&bytes, 7, 1, 3), (MDB_val){0, NULL});  /* no message */
    s_put (self, ZC_IN_EXPIRY, zc_key3 (&bytes, 7, 99, 3), (MDB_val){0, NULL}); /* no topic */
    self->batch.limits.messages = 1;
    self->batch.now_ms = 7;
    database_commit (self);
    assert_int_equal (self->totals.messages, 1);
    assert_int_equal (self->totals.oldest, 12);
    assert_int_equal (database_entries (self, ZC_IN_ORDER), 1);
    assert_int_equal (database_entries (self, ZC_IN_EXPIRY), 0);
    database_destroy (self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_a_topic_meets_its_limits),
        cmocka_unit_test (s_the_oldest_of_all_topics_go_first),
        cmocka_unit_test (s_the_old_go_by_age),
        cmocka_unit_test (s_one_expires_between_others),
        cmocka_unit_test (s_an_emptied_chunk_is_deleted),
        cmocka_unit_test (s_a_commit_lets_go_of_a_bounded_number),
        cmocka_unit_test (s_strays_are_deleted),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
