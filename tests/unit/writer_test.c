/*  Batches in the tables: chunks, their order, names, expiry, rows and totals. */
#include "tests/unit/database.h"

static void s_messages_of_a_commit_share_a_chunk (void **state)
{
    (void)state;
    database_t *self = database_new ();
    for (zc_id_t id = 1; id <= 6; id++) /* the topics take turns */
        database_add (self, id % 2, id, 10, NULL, 0);
    database_commit (self);
    database_add (self, 0, 7, 10, NULL, 0);
    database_commit (self);
    assert_string_equal (database_chunks (self, 0), "2 4 6|7|");
    assert_string_equal (database_chunks (self, 1), "1 3 5|");
    assert_int_equal (database_entries (self, ZC_IN_ORDER), 3);
    zc_row_t row;
    assert_true (database_row (self, 0, &row));
    assert_int_equal (row.last, 7);
    assert_int_equal (row.count, 4);
    assert_int_equal (row.next_seq, 4);
    assert_int_equal (row.bytes, 4 * (sizeof (zc_chunk_record_t) + 1 + 10));
    assert_false (database_row (self, 2, &row));
    database_destroy (self);
}

static void s_a_chunk_is_not_longer_than_four_pages (void **state)
{
    (void)state;
    database_t *self = database_new ();
    database_add (self, 0, 1, 7000, NULL, 0);
    database_add (self, 0, 2, 7000, NULL, 0);
    database_add (self, 0, 3, 7000, NULL, 0);
    database_add (self, 0, 4, 50000, NULL, 0); /* has one of its own */
    database_add (self, 0, 5, 0, NULL, 0);
    database_commit (self);
    assert_string_equal (database_chunks (self, 0), "1 2|3|4|5|");
    database_destroy (self);
}

static void s_names_and_expiry_are_indexed (void **state)
{
    (void)state;
    database_t *self = database_new ();
    database_add (self, 0, 1, 1, "name", 0);
    database_add (self, 0, 2, 1, "name", 5000);
    database_add (self, 1, 3, 1, "name", 0);
    database_add (self, 1, 4, 1, NULL, 4000);
    database_commit (self);
    assert_int_equal (database_entries (self, ZC_IN_NAMES), 3);
    assert_int_equal (database_entries (self, ZC_IN_EXPIRY), 2);
    assert_int_equal (self->totals.expires_ms, 4000);
    database_destroy (self);
}

static void s_totals_are_stored (void **state)
{
    (void)state;
    database_t *self = database_new ();
    zc_stored_totals_t stored;
    zc_tables_t tables = database_begin (self, MDB_RDONLY);
    assert_int_equal (zc_tables_totals (&tables, &stored), MDB_NOTFOUND);
    mdb_txn_abort (tables.txn);
    database_add (self, 0, 1, 10, NULL, 0);
    database_add (self, 1, 2, 20, NULL, 0);
    self->batch.forgotten = 77;
    self->batch.next_number = 88;
    database_commit (self);
    tables = database_begin (self, MDB_RDONLY);
    assert_int_equal (zc_tables_totals (&tables, &stored), 0);
    mdb_txn_abort (tables.txn);
    assert_int_equal (stored.format, ZC_FORMAT);
    assert_int_equal (stored.last, 2);
    assert_int_equal (stored.forgotten, 77);
    assert_int_equal (stored.next_number, 88);
    assert_int_equal (stored.messages, 2);
    assert_int_equal (stored.bytes, 2 * (sizeof (zc_chunk_record_t) + 1) + 30);
    assert_int_equal (self->totals.oldest, 1);
    assert_true (self->totals.expires_ms == UINT64_MAX);
    assert_false (self->totals.over);
    database_destroy (self);
}

/*  The row of a topic that has left the table of topics goes with its last message. */
static void s_a_topic_that_has_left_is_marked_or_deleted (void **state)
{
    (void)state;
    database_t *self = database_new ();
    database_add (self, 0, 1, 1, NULL, 0);
    database_add (self, 1, 2, 1, NULL, 1000);
    database_commit (self);
    self->batch.gone = (const uint64_t[]){1, 2, 99}; /* 99: nothing was ever committed on it */
    self->batch.gone_count = 3;
    database_commit (self);
    zc_row_t row;
    assert_true (database_row (self, 0, &row));
    assert_int_equal (row.gone, 1);
    assert_true (database_row (self, 1, &row));
    self->batch.now_ms = 1000;
    database_commit (self);
    assert_true (database_row (self, 0, &row));
    assert_false (database_row (self, 1, &row));
    database_destroy (self);
}

static void s_losses_raise_the_floor (void **state)
{
    (void)state;
    database_t *self = database_new ();
    zc_row_t row;
    database_add (self, 0, 1, 1, NULL, 0);
    database_add (self, 1, 2, 1, NULL, 0);
    database_commit (self);
    zc_store_lost_t lost[] = {{self->topic[1], 5}, {self->topic[2], 6}};
    self->batch.lost = lost;
    self->batch.lost_count = 2;
    database_commit (self);
    assert_true (database_row (self, 0, &row) && row.floor == 0 && row.last == 1);
    assert_true (database_row (self, 1, &row) && row.floor == 5 && row.last == 5);
    assert_true (database_row (self, 2, &row) && row.floor == 6 && row.last == 6);
    self->batch.all_lost = 6;
    database_commit (self);
    for (unsigned topic = 0; topic < TOPICS; topic++)
        assert_true (database_row (self, topic, &row) && row.floor == 6 && row.last == 6);
    assert_string_equal (database_chunks (self, 0), "1|");
    database_destroy (self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_messages_of_a_commit_share_a_chunk),
        cmocka_unit_test (s_a_chunk_is_not_longer_than_four_pages),
        cmocka_unit_test (s_names_and_expiry_are_indexed),
        cmocka_unit_test (s_totals_are_stored),
        cmocka_unit_test (s_a_topic_that_has_left_is_marked_or_deleted),
        cmocka_unit_test (s_losses_raise_the_floor),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
