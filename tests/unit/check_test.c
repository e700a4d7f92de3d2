/*  A sound database, and every kind of entry that makes it unsound. */
#include "tests/unit/database.h"

#include <fcntl.h>
#include "broker/history/check.h"

/*  Two topics, names, a ttl; and at position 3 one message alone in its chunk. */
static database_t *s_database (void)
{
    database_t *self = database_new ();
    database_add (self, 0, 1, 5, "name", 0);
    database_add (self, 0, 2, 5, NULL, 5000);
    database_commit (self);
    database_add (self, 1, 3, 5, "name", 0);
    database_commit (self);
    return self;
}

static void s_put (const database_t *self, int table, MDB_val key, MDB_val value)
{
    zc_tables_t tables = database_begin (self, 0);
    assert_int_equal (mdb_put (tables.txn, tables.db[table], &key, &value, 0), 0);
    assert_int_equal (mdb_txn_commit (tables.txn), 0);
}

static void s_delete (const database_t *self, int table, MDB_val key)
{
    zc_tables_t tables = database_begin (self, 0);
    assert_int_equal (mdb_del (tables.txn, tables.db[table], &key, NULL), 0);
    assert_int_equal (mdb_txn_commit (tables.txn), 0);
}

static void s_a_sound_one_is_told (void **state)
{
    (void)state;
    database_t *self = s_database ();
    assert_int_equal (zc_store_check (self->folder), 0);
    database_destroy (self);
    self = database_new (); /* nothing was committed */
    assert_int_equal (zc_store_check (self->folder), 0);
    database_destroy (self);
}

static void s_a_new_one_is_sound (void **state)
{
    (void)state;
    char folder[] = "/tmp/zcast-check-XXXXXX", path[64];
    assert_non_null (mkdtemp (folder));
    assert_int_equal (zc_store_check (folder), 0);
    snprintf (path, sizeof path, "%s/data.mdb", folder);
    int fd = open (path, O_CREAT | O_WRONLY, 0640);
    assert_true (fd >= 0);
    assert_int_equal (zc_store_check (folder), 0); /* the file is empty */
    assert_int_equal (write (fd, "no database", 11), 11);
    close (fd);
    assert_int_not_equal (zc_store_check (folder), 0);
    unlink (path);
    snprintf (path, sizeof path, "%s/lock.mdb", folder);
    unlink (path); /* made by the check */
    assert_int_equal (rmdir (folder), 0);
}

static void s_check_put (int table, MDB_val key, MDB_val value, int verdict)
{
    database_t *self = s_database ();
    s_put (self, table, key, value);
    assert_int_equal (zc_store_check (self->folder), verdict);
    database_destroy (self);
}

static void s_check_damage (int table, MDB_val key, MDB_val value)
{
    s_check_put (table, key, value, MDB_CORRUPTED);
}

static void s_an_entry_of_another_form_is_damage (void **state)
{
    (void)state;
    static uint8_t zeros[sizeof (zc_row_t) + ZC_TOPIC_MAX + 1];
    char name[ZC_KEY_NAME_MAX + 1] = "";
    zc_table_key_t bytes;
    uint8_t longer[8 + sizeof name] = {0};
    MDB_val row = {sizeof (zc_row_t) + 1, zeros}, none = {0, NULL};
    s_check_damage (ZC_IN_TOPICS, zc_key2 (&bytes, 1, 1), row);
    s_check_damage (ZC_IN_TOPICS, zc_key1 (&bytes, 9), (MDB_val){sizeof (zc_row_t), zeros});
    s_check_damage (ZC_IN_TOPICS, zc_key1 (&bytes, 9), (MDB_val){sizeof zeros, zeros});
    s_check_damage (ZC_IN_ORDER, zc_key1 (&bytes, 9), none);
    s_check_damage (ZC_IN_ORDER, zc_key2 (&bytes, 9, 9), (MDB_val){1, zeros});
    s_check_damage (ZC_IN_ORDER, zc_key2 (&bytes, 9, 9), none); /* no chunk belongs to it */
    s_check_damage (ZC_IN_NAMES, zc_key1 (&bytes, 1), (MDB_val){8, zeros});
    s_check_damage (ZC_IN_NAMES, (MDB_val){sizeof longer, longer}, (MDB_val){8, zeros});
    s_check_damage (ZC_IN_EXPIRY, zc_key2 (&bytes, 1, 1), none);
    s_check_damage (ZC_IN_EXPIRY, zc_key3 (&bytes, 1, 1, 1), (MDB_val){1, zeros});
}

/*  The chunk of position 3 once more, with another record. */
static void s_check_record (zc_chunk_record_t record, uint32_t count, int more, int verdict)
{
    uint8_t value[sizeof (zc_chunk_t) + sizeof record + 64] = {0};
    zc_chunk_t chunk = {.count = count};
    zc_table_key_t bytes;
    size_t size = sizeof chunk + sizeof record + 5 + 5;
    memcpy (value, &chunk, sizeof chunk);
    memcpy (value + sizeof chunk, &record, sizeof record);
    s_check_put (ZC_IN_CHUNKS, zc_key2 (&bytes, 2, 3),
                 (MDB_val){(size_t)((long)size + more), value}, verdict);
}

static void s_a_record_of_another_form_is_damage (void **state)
{
    (void)state;
    zc_chunk_record_t good = {
        .id = 3, .meta_len = 5, .payload_len = 5, .event_at = 1, .event_len = 4};
    zc_chunk_record_t bad = good;
    s_check_record (good, 1, 0, 0);
    s_check_record (good, 2, 0, MDB_CORRUPTED);  /* another count */
    s_check_record (good, 1, 1, MDB_CORRUPTED);  /* bytes behind it */
    s_check_record (good, 1, -1, MDB_CORRUPTED); /* bytes are missing */
    bad.id = 4;                                  /* behind the chunk's last position */
    s_check_record (bad, 1, 0, MDB_CORRUPTED);
    bad.id = 0;
    s_check_record (bad, 1, 0, MDB_CORRUPTED);
    bad = good;
    bad.meta_len = UINT32_MAX;
    s_check_record (bad, 1, 0, MDB_CORRUPTED);
    bad = good;
    bad.payload_len = 6;
    s_check_record (bad, 1, 0, MDB_CORRUPTED);
    bad = good;
    bad.event_at = 2; /* the name would end behind meta */
    s_check_record (bad, 1, 0, MDB_CORRUPTED);
    bad.event_at = UINT16_MAX;
    s_check_record (bad, 1, 0, MDB_CORRUPTED);
}

static void s_counts_that_differ_are_damage (void **state)
{
    (void)state;
    zc_table_key_t bytes;
    database_t *self = s_database ();
    s_delete (self, ZC_IN_ORDER, zc_key2 (&bytes, 3, 2));
    assert_int_equal (zc_store_check (self->folder), MDB_CORRUPTED);
    database_destroy (self);
    self = s_database ();
    s_delete (self, ZC_IN_TOPICS, zc_key1 (&bytes, 2)); /* a message less than the totals say */
    assert_int_equal (zc_store_check (self->folder), MDB_CORRUPTED);
    database_destroy (self);
}

static void s_totals_of_others_are_told_apart (void **state)
{
    (void)state;
    zc_stored_totals_t totals = {.format = ZC_FORMAT + 1};
    database_t *self = s_database ();
    s_put (self, ZC_IN_STATE, (MDB_val){6, "totals"}, (MDB_val){sizeof totals, &totals});
    assert_int_equal (zc_store_check (self->folder), MDB_VERSION_MISMATCH);
    s_put (self, ZC_IN_STATE, (MDB_val){6, "totals"}, (MDB_val){sizeof totals - 1, &totals});
    assert_int_equal (zc_store_check (self->folder), MDB_CORRUPTED);
    database_destroy (self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_a_sound_one_is_told),
        cmocka_unit_test (s_a_new_one_is_sound),
        cmocka_unit_test (s_an_entry_of_another_form_is_damage),
        cmocka_unit_test (s_a_record_of_another_form_is_damage),
        cmocka_unit_test (s_counts_that_differ_are_damage),
        cmocka_unit_test (s_totals_of_others_are_told_apart),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
