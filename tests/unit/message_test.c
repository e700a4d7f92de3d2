/*  The envelope: what publishers may send, the meta that the broker makes of it, what workers
 *  accept. */
#include "tests/unit/unit.h"

#include "lib/wire/message.h"

#define MAX 16 /* max_payload in these tests */

static zc_slice_t s_text (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void test_split (void **state)
{
    (void)state;
    zc_slice_t topic, payload;
    assert_int_equal (zc_publish_split ("room hello all", 14, &topic, &payload), 0);
    assert_slice (topic, "room");
    assert_slice (payload, "hello all");
    assert_int_equal (zc_publish_split ("room ", 5, &topic, &payload), 0);
    assert_slice (payload, "");
    assert_int_equal (zc_publish_split (" x", 2, &topic, &payload), 0);
    assert_slice (topic, "");
    assert_int_equal (zc_publish_split ("room", 4, &topic, &payload), ZC_ETOPIC);
    assert_int_equal (zc_publish_split ("", 0, &topic, &payload), ZC_ETOPIC);
    assert_int_equal (zc_publish_split (NULL, 0, &topic, &payload), ZC_ETOPIC);
}

static const struct {
    const char *headers, *event, *event_id, *retry;
    bool is_private;
} s_headers_good[] = {
    {"", "", "", "", false},
    {"event: tick\n", "tick", "", "", false},
    {"event:tick", "tick", "", "", false},
    {"event:  tick\n", " tick", "", "", false},
    {"id: order/7\nretry: 3000\nprivate:\n", "", "order/7", "3000", true},
    {"x-unknown: \xc3\xa9\tz\nttl: 60\ncontent-type: text/plain\n", "", "", "", false},
    {"event: a\nevent: b\n", "b", "", "", false},
    {"id: 1-0-\nprev: 99\n", "", "1-0-", "", false},
    {"Event: x\n", "", "", "", false},
    {"a: b: c\nempty:\n", "", "", "", false},
};

static const zc_slice_t s_headers_bad[] = {
    SLICE ("event"),           SLICE (": x\n"),
    SLICE ("event: x\n\n"),    SLICE ("\n"),
    SLICE ("event: \n"),       SLICE ("event: a\rb\n"),
    SLICE ("event: a\0b\n"),   SLICE ("event: \x1b\n"),
    SLICE ("key: \xc2\x85\n"), SLICE ("x: \xff\n"),
    SLICE ("retry: soon\n"),   SLICE ("retry: -1\n"),
    SLICE ("retry:\n"),        SLICE ("ttl: 1.5\n"),
    SLICE ("ttl: 4294967296"), SLICE ("two words: x\n"),
    SLICE ("a\tb: x\n"),       SLICE ("x: 1\r\ny: 2\r\n"),
    SLICE ("id: a\nid: b\n"),  SLICE ("key: a\nx: y\nkey: a\n"),
};

static void test_headers_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_headers_good); i++) {
        zc_message_t message;
        int rc = zc_publish_parse (&message, s_text ("t"), s_text ("p"),
                                   s_text (s_headers_good[i].headers), MAX);
        if (rc != 0)
            fail_msg ("good[%zu]: %s", i, zc_message_strerror (rc));
        assert_slice (message.event, s_headers_good[i].event);
        assert_slice (message.event_id, s_headers_good[i].event_id);
        assert_slice (message.retry, s_headers_good[i].retry);
        assert_int_equal (message.private_, s_headers_good[i].is_private);
    }
}

/*  Own ids: texts that any client can send back in a header. */
static const char *const s_ids_good[] = {
    "1",       "-",          "-1",
    "1-",      "1-2-3",      "a-1",
    "1-a",     "Earliest",   "~",
    "!",       "earliest1",  "urn:uuid:f81d4fae-7dec-11d0-a765",
    "1.5-0",   "2026-11-27", "https://example.org/things/7?a=b&c#d",
    "zcast.x", "mercure",    "\"{}\"",
};
static const char *const s_ids_bad[] = {
    "5-0",
    "0-0",
    "01-2",
    "1795478400123-0",
    "1-99999999999",
    "99999999999999999999999-1",
    "earliest",
    " a",
    "a ",
    "a b",
    "a\tb",
    "caf\xc3\xa9",
    "\xe2\x80\xa8",
    "a\x7f",
};

static void test_own_ids (void **state)
{
    (void)state;
    char headers[300];
    zc_message_t message;
    for (size_t i = 0; i < LENGTH (s_ids_good) + LENGTH (s_ids_bad); i++) {
        bool good = i < LENGTH (s_ids_good);
        const char *id = good ? s_ids_good[i] : s_ids_bad[i - LENGTH (s_ids_good)];
        snprintf (headers, sizeof headers, "id: %s\n", id);
        int rc = zc_publish_parse (&message, s_text ("t"), s_text ("p"), s_text (headers), MAX);
        if (rc != (good ? 0 : ZC_EEVENTID))
            fail_msg ("own id '%s': %d", id, rc);
        assert_int_equal (zc_event_id_valid (s_text (id)), good);
        /*  A key is no client's cursor, so it may be any plain text. */
        snprintf (headers, sizeof headers, "key: %s\n", id);
        rc = zc_publish_parse (&message, s_text ("t"), s_text ("p"), s_text (headers), MAX);
        bool control = strpbrk (id, "\t\x7f") != NULL;
        assert_int_equal (rc, control ? ZC_EHEADER : 0);
    }
}

/*  Publishers can't send the events with which the broker and its workers speak to clients, and
 *  workers drop them if an old broker passes them on. */
static void test_reserved_events (void **state)
{
    static const struct {
        const char *event;
        bool reserved;
    } cases[] = {
        {"zcast.continuity", true},
        {"zcast.heartbeat", true},
        {"zcast.", true},
        {"zcast.anything else", true},
        {"mercure", true},
        {"zcast", false},
        {"error", true},
        {"open", true},
        {"errors", false},
        {"Open", false},
        {"opened", false},
        {"erro", false},
        {"zcastle", false},
        {"Zcast.x", false},
        {" zcast.x", false},
        {"my.zcast.x", false},
        {"mercure2", false},
        {"message", false},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH (cases); i++) {
        static const char *const forms[][2] = {{"event: ", "\n"},
                                               {"event:", ""},
                                               {"event: x\nevent: ", "\n"},
                                               {"a: b\nevent: ", "\nevent: x\n"}};
        for (size_t k = 0; k < LENGTH (forms); k++) {
            char headers[200], meta[300];
            zc_message_t message;
            snprintf (headers, sizeof headers, "%s%s%s", forms[k][0], cases[i].event, forms[k][1]);
            if (k == 1 && cases[i].event[0] == ' ')
                continue; /* the blank is the form's */
            int rc = zc_publish_parse (&message, s_text ("t"), s_text (""), s_text (headers), MAX);
            assert_int_equal (rc, cases[i].reserved ? ZC_ERESERVED : 0);
            snprintf (meta, sizeof meta, "id: 5-1\nprev: 5-0\n%s", headers);
            rc = zc_delivery_parse (&message, s_text ("t"), s_text (""), s_text (meta));
            assert_int_equal (rc, 0);
            assert_slice (message.event, k == 3 ? "x" : cases[i].reserved ? "" : cases[i].event);
        }
    }
}

/*  A repeat is recognised by the publisher's own id, or else by its key, which isn't an id. */
static void test_key (void **state)
{
    static const struct {
        const char *headers, *event_id, *key;
    } cases[] = {
        {"key: k\n", "", "k"},         {"id: i\n", "i", "i"},  {"id: i\nkey: k\n", "i", "i"},
        {"key: k\nid: i\n", "i", "i"}, {"event: e\n", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_message_t message;
        zc_slice_t headers = s_text (cases[i].headers);
        assert_int_equal (zc_publish_parse (&message, s_text ("t"), s_text ("p"), headers, MAX), 0);
        assert_slice (message.event_id, cases[i].event_id);
        assert_slice (message.key, cases[i].key);
    }
    zc_message_t message;
    assert_int_equal (
        zc_publish_parse (&message, s_text ("t"), s_text ("p"), s_text ("key: a\tb\n"), MAX),
        ZC_EHEADER);
}

static void test_headers_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_headers_bad); i++) {
        zc_message_t message;
        if (zc_publish_parse (&message, s_text ("t"), s_text ("p"), s_headers_bad[i], MAX) !=
            ZC_EHEADER)
            fail_msg ("bad[%zu] was taken", i);
    }
}

static void test_retry (void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int rc;
    } rows[] = {
        {"retry: 0\n", 0},
        {"retry: 600000\n", 0},
        {"retry: 600001\n", ZC_ERETRY},
        {"retry: 4294967295\n", ZC_ERETRY},
        {"retry: 600001\nretry: 1\n", ZC_ERETRY},
        {"retry: 99999999999999999999999\n", ZC_ERETRY},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        zc_message_t message;
        assert_int_equal (
            zc_publish_parse (&message, s_text ("t"), s_text ("p"), s_text (rows[i].headers), MAX),
            rows[i].rc);
    }
    zc_message_t message; /* messages that old brokers accepted are still delivered */
    assert_int_equal (zc_delivery_parse (&message, s_text ("t"), s_text ("p"),
                                         s_text ("id: 5-1\nprev: 0-0\nretry: 4294967295\n")),
                      0);
}

static int s_publish (zc_slice_t topic, zc_slice_t payload, zc_slice_t headers)
{
    zc_message_t message;
    return zc_publish_parse (&message, topic, payload, headers, MAX);
}

static void test_limits (void **state)
{
    (void)state;
    zc_slice_t none = {NULL, 0};
    char big[ZC_HEADERS_MAX + 1];
    memset (big, 'x', sizeof big);
    big[1] = ':';
    assert_int_equal (s_publish (s_text (""), none, none), ZC_ETOPIC);
    assert_int_equal (s_publish (s_text ("a\n"), none, none), ZC_ETOPIC);
    assert_int_equal (s_publish (s_text ("\xff"), none, none), ZC_ETOPIC);
    assert_int_equal (s_publish (s_text ("t"), none, none), 0);
    assert_int_equal (s_publish (s_text ("t"), (zc_slice_t){big, MAX}, none), 0);
    assert_int_equal (s_publish (s_text ("t"), (zc_slice_t){big, MAX + 1}, none), ZC_ESIZE);
    assert_int_equal (s_publish (s_text ("t"), none, (zc_slice_t){big, ZC_HEADERS_MAX}), 0);
    assert_int_equal (s_publish (s_text ("t"), none, (zc_slice_t){big, sizeof big}), ZC_ESIZE);
    memcpy (big, "event:", 6);
    assert_int_equal (s_publish (s_text ("t"), none, (zc_slice_t){big, 6 + ZC_EVENT_MAX}), 0);
    assert_int_equal (s_publish (s_text ("t"), none, (zc_slice_t){big, 7 + ZC_EVENT_MAX}),
                      ZC_EHEADER);
    memcpy (big, "id:", 3);
    big[3] = big[4] = big[5] = 'x';
    assert_int_equal (s_publish (s_text ("t"), none, (zc_slice_t){big, 3 + ZC_EVENT_ID_MAX}), 0);
    assert_int_equal (s_publish (s_text ("t"), none, (zc_slice_t){big, 4 + ZC_EVENT_ID_MAX}),
                      ZC_EEVENTID);
}

static void test_meta (void **state)
{
    (void)state;
    static const struct {
        zc_id_t dropped;
        const char *headers, *meta;
    } cases[] = {
        {0, "", "id: 5-1\nprev: 5-0\n"},
        {1, "", "id: 5-1\nprev: 5-0\ndropped: 0-1\n"},
        {0, "event: x\nid: mine", "id: 5-1\nprev: 5-0\nevent: x\nevent-id: mine\n"},
        {0, "prev: 9-9\ndropped: 9-9\nevent-id: forged\nx: y\n", "id: 5-1\nprev: 5-0\nx: y\n"},
        {0, "id:tight\n", "id: 5-1\nprev: 5-0\nevent-id:tight\n"},
    };
    zc_id_t id = zc_id_from_ms (5) + 1;
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_buf_t out = ZC_BUF_INIT;
        zc_meta_write (&out, id, id - 1, cases[i].dropped, s_text (cases[i].headers));
        assert_string_equal (zc_buf_str (&out), cases[i].meta);
        zc_message_t message;
        zc_slice_t meta = {(const char *)out.data, out.len};
        assert_int_equal (zc_delivery_parse (&message, s_text ("t"), s_text ("p"), meta), 0);
        assert_int_equal (message.id, id);
        assert_int_equal (message.prev, id - 1);
        assert_int_equal (message.dropped, cases[i].dropped);
        zc_buf_t later = ZC_BUF_INIT, expected = ZC_BUF_INIT;
        zc_meta_set_dropped (&later, meta, 3);
        zc_meta_write (&expected, id, id - 1, 3, s_text (cases[i].headers));
        assert_string_equal (zc_buf_str (&later), zc_buf_str (&expected));
        zc_buf_clear (&later);
        zc_buf_clear (&expected);
        zc_buf_clear (&out);
    }
}

static const char *const s_meta_bad[] = {
    "",
    "id: 5-1\n",
    "prev: 5-0\n",
    "id: 5-1\nprev: 5-1\n",
    "id: 5-1\nprev: 6-0\n",
    "id: 5\nprev: 4-0\n",
    "id: 5-1\nprev: x\n",
    "id: 5-1\nprev: 5-0\ndropped: x\n",
    "id: 5-1\nprev: 5-0\nnothing\n",
    "id: 5-1\nprev: 5-0\n\n",
    "id: 5-1\nprev: 5-0\nevent: \n",
    "id: 5-1\nprev: 5-0\nevent-id: \x01\n",
    "id: 5-1\nprev: 5-0\nretry: x\n",
};

static void test_delivery (void **state)
{
    (void)state;
    zc_message_t message;
    zc_slice_t meta = SLICE ("id: 5-1\nprev: 0-0\nevent: e\nretry: 7\nprivate: \nlater: new\n");
    assert_int_equal (zc_delivery_parse (&message, s_text ("t"), s_text ("p"), meta), 0);
    assert_slice (message.topic, "t");
    assert_slice (message.payload, "p");
    assert_slice (message.event, "e");
    assert_slice (message.retry, "7");
    assert_true (message.private_);
    assert_int_equal (message.meta.len, meta.len);
    assert_int_equal (zc_delivery_parse (&message, s_text (""), s_text ("p"), meta), ZC_ETOPIC);
    for (size_t i = 0; i < LENGTH (s_meta_bad); i++)
        if (zc_delivery_parse (&message, s_text ("t"), s_text ("p"), s_text (s_meta_bad[i])) !=
            ZC_EMETA)
            fail_msg ("bad[%zu] was taken", i);
}

static void test_find (void **state)
{
    (void)state;
    zc_slice_t value, headers = SLICE ("a: 1\nab: 2\na: 3");
    assert_true (zc_header_find (headers, "a", &value));
    assert_slice (value, "1");
    assert_true (zc_header_find (headers, "ab", &value));
    assert_slice (value, "2");
    assert_false (zc_header_find (headers, "b", &value));
    assert_false (zc_header_find (headers, "A", &value));
    assert_false (zc_header_find ((zc_slice_t){NULL, 0}, "a", &value));
}

static void test_copy_stands_alone (void **state)
{
    (void)state;
    char topic[] = "topic", payload[] = "pay",
         meta[] = "id: 5-1\nprev: 0-0\nevent: e\nevent-id: i\n";
    zc_message_t message;
    assert_int_equal (zc_delivery_parse (&message, s_text (topic), s_text (payload), s_text (meta)),
                      0);
    zc_message_t *copy = zc_message_copy (&message);
    memset (topic, '#', sizeof topic - 1);
    memset (payload, '#', sizeof payload - 1);
    memset (meta, '#', sizeof meta - 1);
    assert_slice (copy->topic, "topic");
    assert_slice (copy->payload, "pay");
    assert_slice (copy->event, "e");
    assert_slice (copy->event_id, "i");
    assert_int_equal (copy->retry.len, 0);
    assert_int_equal (copy->id, zc_id_from_ms (5) + 1);
    free (copy);
}

static void test_sentences (void **state)
{
    (void)state;
    for (int code = ZC_ERETRY; code <= ZC_EFRAMES; code++) {
        assert_true (strlen (zc_message_strerror (code)) > 10);
        assert_true (strlen (zc_message_refusal (code)->code) > 3);
        assert_string_not_equal (zc_message_strerror (code), zc_message_strerror (0));
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_split),       cmocka_unit_test (test_headers_good),
        cmocka_unit_test (test_headers_bad), cmocka_unit_test (test_retry),
        cmocka_unit_test (test_own_ids),     cmocka_unit_test (test_reserved_events),
        cmocka_unit_test (test_key),         cmocka_unit_test (test_limits),
        cmocka_unit_test (test_meta),        cmocka_unit_test (test_delivery),
        cmocka_unit_test (test_find),        cmocka_unit_test (test_copy_stands_alone),
        cmocka_unit_test (test_sentences),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
