/*  entries_test.c - what Redis answers about a Stream, as it comes over the wire, and what becomes
 *  of its entries. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include "bridge/entries.h"
#include "lib/wire/message.h"

static redisReply *s_read (const char *wire)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate ();
    zc_reply_bound (reader);
    assert_int_equal (redisReaderFeed (reader, wire, strlen (wire)), REDIS_OK);
    redisReaderGetReply (reader, &reply);
    redisReaderFree (reader);
    assert_non_null (reply);
    return reply;
}

static zc_slice_t s_text (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

/*  Places -------------------------------------------------------------------------------------- */

static void test_places (void **state)
{
    (void)state;
    static const char *const good[] = {"0-0", "1795478400123-7", "1-2 3",
                                       "18446744073709551615-18446744073709551615 1"};
    static const char *const bad[] = {"",
                                      "1",
                                      "1-",
                                      "-1",
                                      "1-2 ",
                                      "1-2 x",
                                      "1-2-3",
                                      "1 2",
                                      " 1-2",
                                      "1-2\n",
                                      "+1-2",
                                      "1-2 3 4",
                                      "18446744073709551616-0",
                                      "1-2  3"};
    for (size_t i = 0; i < LENGTH (good); i++) {
        zc_place_read_t place;
        char text[ZC_PLACE_READ_SIZE];
        assert_true (zc_place_read_parse (s_text (good[i]), &place));
        zc_place_read_format (&place, text);
        assert_string_equal (text, good[i]);
    }
    for (size_t i = 0; i < LENGTH (bad); i++) {
        zc_place_read_t place;
        if (zc_place_read_parse (s_text (bad[i]), &place))
            fail_msg ("'%s'", bad[i]);
    }
}

static void test_order (void **state)
{
    (void)state;
    static const zc_entry_id_t ids[] = {{0, 0}, {0, 1}, {1, 0}, {1, 9}, {10, 0}, {UINT64_MAX, 0}};
    for (size_t i = 0; i < LENGTH (ids); i++)
        for (size_t j = 0; j < LENGTH (ids); j++) {
            int order = zc_entry_id_compare (ids[i], ids[j]);
            assert_true (i < j ? order < 0 : i > j ? order > 0 : order == 0);
        }
}

/*  The place of a Stream is in the Stream's slot. */
static void test_keys (void **state)
{
    (void)state;
    static const struct {
        const char *stream, *key;
    } cases[] = {
        {"orders", "zcast:stream:north:{orders}"},
        {"shop:{7}:orders", "zcast:stream:north:shop:{7}:orders"},
        {"a{}b", "zcast:stream:north:{a{}b}"},
        {"a{b", "zcast:stream:north:{a{b}"},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_buf_t key = ZC_BUF_INIT;
        zc_place_key (&key, "north", cases[i].stream);
        assert_string_equal (zc_buf_str (&key), cases[i].key);
        zc_buf_clear (&key);
    }
}

/*  XINFO --------------------------------------------------------------------------------------- */

#define S_INFO "$6\r\nlength\r\n:2\r\n$17\r\nlast-generated-id\r\n$3\r\n9-1\r\n"

static void test_info (void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        bool good, there, counts;
        uint64_t length, added;
    } cases[] = {
        {"*4\r\n" S_INFO, true, true, false, 2, 0},
        {"*6\r\n" S_INFO "$13\r\nentries-added\r\n:5\r\n", true, true, true, 2, 5},
        {"*6\r\n$1\r\nx\r\n*1\r\n:1\r\n" S_INFO, true, true, false, 2, 0},
        {"-ERR no such key\r\n", true, false, false, 0, 0},
        {"-WRONGTYPE Operation against a key\r\n", false, false, false, 0, 0},
        {"*6\r\n" S_INFO "$13\r\nentries-added\r\n:-5\r\n", true, true, false, 2, 0},
        {"*5\r\n" S_INFO "$13\r\nentries-added\r\n", true, true, false, 2, 0},
        {"*2\r\n$6\r\nlength\r\n:2\r\n", false, false, false, 2, 0},
        {"*2\r\n$6\r\nlength\r\n$1\r\n2\r\n", false, false, false, 0, 0},
        {"+OK\r\n", false, false, false, 0, 0},
        {"$-1\r\n", false, false, false, 0, 0},
        {"*-1\r\n", false, false, false, 0, 0},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        redisReply *reply = s_read (cases[i].wire);
        zc_stream_info_t info;
        bool good = zc_stream_info_parse (reply, &info);
        if (good != cases[i].good || info.there != cases[i].there ||
            info.counts != cases[i].counts || info.length != cases[i].length ||
            info.added != cases[i].added)
            fail_msg ("[%zu]", i);
        if (info.there)
            assert_int_equal (info.last.ms, 9);
        freeReplyObject (reply);
    }
}

/*  What was removed before it was read. */
static void test_missed (void **state)
{
    (void)state;
    static const struct {
        const char *place;
        uint64_t last, length, added, missed;
        const char *after;
    } cases[] = {
        /*  Ours is the last one: all that were added were read, or missed. */
        {"9-0 5", 9, 5, 5, 0, "9-0 5"},
        {"9-0 5", 9, 1, 5, 0, "9-0 5"},
        {"9-0 5", 9, 1, 8, 3, "9-0 8"},
        {"9-0 50", 9, 1, 8, 0, "9-0 8"}, /* a new Stream of that name */
        /*  Others came after it. */
        {"9-0 5", 12, 8, 8, 0, "9-0 5"},
        {"9-0 5", 12, 3, 8, 0, "9-0 5"}, /* what was read is gone */
        {"9-0 5", 12, 2, 8, 1, "9-0 6"},
        {"9-0 5", 12, 0, 8, 3, "9-0 8"},
        /*  An older Redis had not counted. */
        {"9-0", 12, 2, 8, 0, "9-0"},
        {"9-0", 9, 2, 8, 0, "9-0 8"},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_place_read_t place;
        char text[ZC_PLACE_READ_SIZE];
        zc_stream_info_t info = {true, {cases[i].last, 0}, cases[i].length, true, cases[i].added};
        assert_true (zc_place_read_parse (s_text (cases[i].place), &place));
        uint64_t missed = zc_stream_missed (&place, &info);
        zc_place_read_format (&place, text);
        if (missed != cases[i].missed || strcmp (text, cases[i].after) != 0)
            fail_msg ("[%zu]: %d, %s", i, (int)missed, text);
    }
    zc_place_read_t place = {{9, 0}, true, 5};
    zc_stream_info_t uncounted = {true, {12, 0}, 1, false, 0}, none = {.there = false};
    assert_int_equal (zc_stream_missed (&place, &uncounted), 0);
    assert_int_equal (zc_stream_missed (&place, &none), 0);
    assert_int_equal (place.added, 5);
}

/*  XREAD --------------------------------------------------------------------------------------- */

#define S_STREAM(entries) "*1\r\n*2\r\n$1\r\ns\r\n" entries
#define S_ENTRY(id, fields) "*2\r\n$3\r\n" id "\r\n" fields

/*  The entries as text: "1-1 payload;", "?" where there is no payload, "!" for no entry. */
static void s_show (const redisReply *entries, zc_buf_t *out)
{
    const redisReply *fields;
    zc_entry_id_t id;
    for (size_t i = 0; entries && i < entries->elements; i++) {
        char text[ZC_ENTRY_ID_SIZE];
        zc_buf_t room = ZC_BUF_INIT;
        zc_slice_t payload;
        if (!zc_entry (entries, i, &id, &fields)) {
            zc_buf_adds (out, "!;");
            continue;
        }
        zc_entry_id_format (id, text);
        const char *wrong = zc_entry_payload (fields, "payload", &room, &payload);
        zc_buf_addf (out, "%s %.*s;", text, wrong ? 1 : (int)payload.len, wrong ? "?" : payload.at);
        zc_buf_clear (&room);
    }
}

static void test_entries (void **state)
{
    (void)state;
    static const struct {
        const char *wire, *shown; /* NULL: no reply to XREAD */
    } cases[] = {
        {"*-1\r\n", ""},
        {"$-1\r\n", ""},
        {S_STREAM ("*0\r\n"), ""},
        {S_STREAM ("*1\r\n" S_ENTRY ("1-1", "*2\r\n$7\r\npayload\r\n$2\r\nhi\r\n")), "1-1 hi;"},
        {S_STREAM ("*2\r\n" S_ENTRY ("1-1", "*2\r\n$1\r\na\r\n$1\r\n1\r\n")
                       S_ENTRY ("1-2", "*4\r\n$1\r\na\r\n$1\r\n\"\r\n$1\r\nb\r\n$0\r\n\r\n")),
         "1-1 {\"a\":\"1\"};1-2 {\"a\":\"\\\"\",\"b\":\"\"};"},
        {S_STREAM ("*1\r\n" S_ENTRY ("1-1", "*4\r\n$1\r\na\r\n$1\r\n\xff\r\n"
                                            "$7\r\npayload\r\n$1\r\n\xfe\r\n")),
         "1-1 \xfe;"}, /* any bytes */
        {S_STREAM ("*1\r\n" S_ENTRY ("1-1", "*2\r\n$1\r\na\r\n$1\r\n\xff\r\n")), "1-1 ?;"},
        {S_STREAM ("*1\r\n" S_ENTRY ("1-1", "*-1\r\n")), "1-1 ?;"}, /* deleted */
        {S_STREAM ("*1\r\n" S_ENTRY ("1-1", "*1\r\n$1\r\na\r\n")), "1-1 ?;"},
        {S_STREAM ("*1\r\n" S_ENTRY ("1-1", "*2\r\n:1\r\n:2\r\n")), "1-1 ?;"},
        {S_STREAM ("*2\r\n" S_ENTRY ("1_1", "*0\r\n") S_ENTRY ("1-1", "*0\r\n")), "!;1-1 {};"},
        {S_STREAM ("*1\r\n$1\r\nx\r\n"), "!;"},
        {"+OK\r\n", NULL},
        {":1\r\n", NULL},
        {"*0\r\n", NULL},
        {"*1\r\n$1\r\ns\r\n", NULL},
        {"*1\r\n*1\r\n$1\r\ns\r\n", NULL},
        {S_STREAM ("$1\r\nx\r\n"), NULL},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        redisReply *reply = s_read (cases[i].wire);
        const redisReply *entries;
        zc_buf_t shown = ZC_BUF_INIT;
        if (zc_entries (reply, &entries) != (cases[i].shown != NULL))
            fail_msg ("[%zu]", i);
        if (cases[i].shown) {
            s_show (entries, &shown);
            if (strcmp (zc_buf_str (&shown), cases[i].shown) != 0)
                fail_msg ("[%zu]: %s", i, zc_buf_str (&shown));
        }
        zc_buf_clear (&shown);
        freeReplyObject (reply);
    }
}

/*  The broker takes what is made of the longest name. */
static void test_headers (void **state)
{
    (void)state;
    char name[ZC_STREAM_NAME_MAX + 2];
    memset (name, 'n', sizeof name);
    name[ZC_STREAM_NAME_MAX + 1] = 0;
    assert_false (zc_stream_name_valid (name));
    name[ZC_STREAM_NAME_MAX] = 0;
    assert_true (zc_stream_name_valid (name));
    assert_false (zc_stream_name_valid (""));
    assert_false (zc_stream_name_valid ("a\nkey: b"));
    assert_false (zc_stream_name_valid ("\xff"));
    zc_buf_t headers = ZC_BUF_INIT;
    zc_message_t message;
    zc_entry_headers (&headers, name, (zc_entry_id_t){UINT64_MAX, UINT64_MAX});
    zc_slice_t lines = {zc_buf_str (&headers), headers.len}, topic = s_text ("t"), none = {"", 0};
    assert_int_equal (zc_publish_parse (&message, topic, none, lines, SIZE_MAX), 0);
    assert_int_equal (message.key.len, ZC_STREAM_NAME_MAX + 42);
    zc_buf_clear (&headers);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_places),  cmocka_unit_test (test_order),
        cmocka_unit_test (test_keys),    cmocka_unit_test (test_info),
        cmocka_unit_test (test_missed),  cmocka_unit_test (test_entries),
        cmocka_unit_test (test_headers),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
