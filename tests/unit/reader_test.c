/*  Reading committed messages, in views that don't change. */
#include "tests/unit/database.h"

#include "broker/history/reader.h"

static zc_reader_t *s_open (const database_t *self)
{
    zc_reader_t *reader = zc_reader_new ();
    assert_int_equal (zc_reader_open (reader, self->env, self->db), 0);
    return reader;
}

static void s_close (zc_reader_t *reader)
{
    zc_reader_release (reader);
    zc_reader_close (reader);
    zc_reader_destroy (&reader);
    assert_null (reader);
}

/*  All positions of a topic after one, as text: "3 4 ". */
static const char *s_read (zc_reader_t *reader, const zc_topic_t *topic, zc_id_t after)
{
    static char text[1024];
    size_t len = 0;
    zc_stored_t stored;
    text[0] = 0;
    for (; zc_reader_next (reader, topic, after, &stored); after = stored.id)
        len += (size_t)snprintf (text + len, sizeof text - len, "%llu ",
                                 (unsigned long long)stored.id);
    return text;
}

static void s_messages_are_read_over_chunks (void **state)
{
    (void)state;
    database_t *self = database_new ();
    for (zc_id_t id = 1; id <= 9; id++) {
        database_add (self, id % 3 == 0, id, 2, "name", 0);
        if (id % 4 == 0)
            database_commit (self);
    }
    database_commit (self);
    zc_reader_t *reader = s_open (self);
    assert_string_equal (s_read (reader, self->topic[0], 0), "1 2 4 5 7 8 ");
    assert_string_equal (s_read (reader, self->topic[0], 4), "5 7 8 ");
    assert_string_equal (s_read (reader, self->topic[0], 8), "");
    assert_string_equal (s_read (reader, self->topic[0], UINT64_MAX), "");
    assert_string_equal (s_read (reader, self->topic[1], 0), "3 6 9 ");
    assert_string_equal (s_read (reader, self->topic[2], 0), "");
    zc_stored_t stored;
    assert_true (zc_reader_next (reader, self->topic[1], 3, &stored));
    assert_slice (stored.meta, "mname");
    assert_slice (stored.payload, "\6\6");
    s_close (reader);
    database_destroy (self);
}

static void s_what_was_let_go_of_is_not_read (void **state)
{
    (void)state;
    database_t *self = database_new ();
    for (zc_id_t id = 1; id <= 6; id++)
        database_add (self, 0, id, 0, NULL, id == 5 ? 1000 : 0);
    self->batch.limits.topic_messages = 4;
    database_commit (self);
    zc_reader_t *reader = s_open (self);
    assert_string_equal (s_read (reader, self->topic[0], 0), "3 4 5 6 ");
    assert_int_equal (zc_reader_floor (reader, self->topic[0]), 2);
    zc_reader_release (reader);
    self->batch.now_ms = 1000;
    database_commit (self);
    assert_string_equal (s_read (reader, self->topic[0], 0), "3 4 6 ");
    assert_int_equal (zc_reader_floor (reader, self->topic[0]), 5);
    s_close (reader);
    database_destroy (self);
}

static void s_messages_are_counted (void **state)
{
    (void)state;
    database_t *self = database_new ();
    for (zc_id_t id = 1; id <= 9; id++) {
        database_add (self, 0, id, 0, NULL, id == 5 ? 1000 : 0);
        if (id % 3 == 0)
            database_commit (self); /* 1 2 3|4 5 6|7 8 9| */
    }
    for (unsigned expired = 0; expired < 2; expired++) {
        zc_reader_t *reader = s_open (self);
        for (zc_id_t after = 0; after <= 10; after++)
            for (zc_id_t upto = 0; upto <= 10; upto++) {
                uint64_t count = 0;
                for (zc_id_t id = 1; id <= 9; id++)
                    count += id > after && id <= upto && !(expired && id == 5);
                assert_int_equal (zc_reader_count (reader, self->topic[0], after, upto), count);
            }
        assert_int_equal (zc_reader_count (reader, self->topic[0], 0, ZC_ID_MAX), 9 - expired);
        assert_int_equal (zc_reader_count (reader, self->topic[2], 0, ZC_ID_MAX), 0);
        s_close (reader);
        self->batch.now_ms = 1000;
        database_commit (self);
    }
    database_destroy (self);
}

static void s_a_name_has_two_ends (void **state)
{
    (void)state;
    database_t *self = database_new ();
    zc_slice_t name = SLICE ("name");
    zc_id_t id;
    database_add (self, 0, 3, 0, "name", 0);
    database_add (self, 0, 300, 0, "name", 0); /* sorted as a number, not as a text */
    database_add (self, 1, 301, 0, "name", 0);
    database_add (self, 0, 302, 0, "namely", 0);
    database_commit (self);
    zc_reader_t *reader = s_open (self);
    assert_true (zc_reader_find (reader, self->topic[0], name, ZC_EARLIEST, &id) && id == 3);
    assert_true (zc_reader_find (reader, self->topic[0], name, ZC_NEWEST, &id) && id == 300);
    assert_true (zc_reader_find (reader, self->topic[1], name, ZC_NEWEST, &id) && id == 301);
    assert_false (zc_reader_find (reader, self->topic[2], name, ZC_NEWEST, &id));
    assert_false (zc_reader_find (reader, self->topic[0], SLICE ("nam"), ZC_NEWEST, &id));
    char longer[ZC_KEY_NAME_MAX + 1];
    memset (longer, 'x', sizeof longer);
    assert_false (zc_reader_find (reader, self->topic[0], (zc_slice_t){longer, sizeof longer},
                                  ZC_NEWEST, &id));
    s_close (reader);
    database_destroy (self);
}

static void s_a_view_stays_as_it_is (void **state)
{
    (void)state;
    database_t *self = database_new ();
    database_add (self, 0, 1, 0, NULL, 0);
    database_commit (self);
    zc_reader_t *reader = s_open (self);
    assert_true (zc_reader_begin (reader));
    database_add (self, 0, 2, 0, NULL, 0);
    self->batch.limits.topic_messages = 1;
    database_commit (self);
    assert_string_equal (s_read (reader, self->topic[0], 0), "1 ");
    assert_int_equal (zc_reader_floor (reader, self->topic[0]), 0);
    zc_reader_release (reader);
    assert_string_equal (s_read (reader, self->topic[0], 0), "2 ");
    s_close (reader);
    database_destroy (self);
}

static void s_nothing_is_found_while_it_is_closed (void **state)
{
    (void)state;
    database_t *self = database_new ();
    zc_stored_t stored;
    zc_id_t id;
    database_add (self, 0, 1, 0, "name", 0);
    database_commit (self);
    self->topic[0]->floor = 42; /* then the floor of the table of topics is told */
    zc_reader_t *reader = s_open (self);
    zc_reader_lock (reader);
    zc_reader_close (reader);
    zc_reader_unlock (reader);
    assert_false (zc_reader_begin (reader));
    assert_false (zc_reader_next (reader, self->topic[0], 0, &stored));
    assert_false (zc_reader_find (reader, self->topic[0], SLICE ("name"), ZC_NEWEST, &id));
    assert_int_equal (zc_reader_count (reader, self->topic[0], 0, ZC_ID_MAX), 0);
    assert_int_equal (zc_reader_floor (reader, self->topic[0]), 42);
    assert_int_equal (zc_reader_open (reader, self->env, self->db), 0);
    assert_true (zc_reader_next (reader, self->topic[0], 0, &stored));
    s_close (reader);
    database_destroy (self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_messages_are_read_over_chunks),
        cmocka_unit_test (s_what_was_let_go_of_is_not_read),
        cmocka_unit_test (s_messages_are_counted),
        cmocka_unit_test (s_a_name_has_two_ends),
        cmocka_unit_test (s_a_view_stays_as_it_is),
        cmocka_unit_test (s_nothing_is_found_while_it_is_closed),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
