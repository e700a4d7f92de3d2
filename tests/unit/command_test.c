/*  Messages of zcast.v1 clients, and the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ws/command.h"

static int s_parse (zc_command_t *command, const char *text)
{
    return zc_command_parse (command, text, strlen (text), (zc_command_limits_t){3, 16});
}

static void s_assert_slice (zc_slice_t slice, const char *text, size_t len)
{
    assert_int_equal (slice.len, len);
    if (len > 0)
        assert_memory_equal (slice.at, text, len);
}

static void test_topics (void **state)
{
    (void)state;
    zc_command_t command;
    assert_int_equal (
        s_parse (&command, "{\"type\":\"subscribe\",\"topics\":[\"a\",\"caf\\u00e9\"],\"ref\":7}"),
        0);
    assert_int_equal (command.type, ZC_COMMAND_SUBSCRIBE);
    assert_int_equal (command.count, 2);
    s_assert_slice (command.topics[0], "a", 1);
    s_assert_slice (command.topics[1], "caf\xc3\xa9", 5);
    assert_string_equal (command.ref, "7");
    zc_command_clear (&command);
    assert_int_equal (s_parse (&command, " {\"topics\":[\"x\"],\"type\":\"unsubscribe\"} "), 0);
    assert_int_equal (command.type, ZC_COMMAND_UNSUBSCRIBE);
    assert_null (command.ref);
    zc_command_clear (&command);
    assert_int_equal (s_parse (&command, "{\"type\":\"subscribe\",\"pattern\":[\":a\"],"
                                         "\"topics\":[\"x\"],\"match\":[\"plain\"]}"),
                      0);
    assert_int_equal (command.count, 3);
    s_assert_slice (command.topics[0], "x", 1);
    s_assert_slice (command.topics[1], "plain", 5);
    s_assert_slice (command.topics[2], "\x01p:a", 4);
    zc_command_clear (&command);
    assert_int_equal (s_parse (&command, "{\"type\":\"ping\",\"ref\":\"\\\"\"}"), 0);
    assert_int_equal (command.type, ZC_COMMAND_PING);
    assert_string_equal (command.ref, "\"\\\"\"");
    zc_command_clear (&command);
    zc_command_clear (&command); /* twice is fine */
}

static const struct {
    const char *text, *payload;
    size_t len;
    const char *headers, *ref;
} publishes[] = {
    {"\"data\":\"hello\"", "hello", 5, "", NULL},
    {"\"data\":\"0123456789abcdef\"", "0123456789abcdef", 16, "", NULL},
    {"\"data\":\"\"", "", 0, "", NULL},
    {"\"data\":\"a\\u0000b\",\"event\":\"tick\",\"id\":\"own-1\"", "a\0b", 3,
     "event: tick\nid: own-1\n", "\"own-1\""},
    {"\"data\":\"x\",\"base64\":null,\"id\":\"i\",\"ref\":-3", "x", 1, "id: i\n", "-3"},
    {"\"data\":\"x\",\"key\":\"k 1\",\"ttl\":60,\"retry\":3000,\"private\":true,\"ref\":\"r\"", "x",
     1, "key: k 1\nttl: 60\nretry: 3000\nprivate: yes\n", "\"r\""},
    {"\"data\":\"x\",\"ttl\":\"60\",\"retry\":null,\"private\":false,\"event\":\"\"", "x", 1,
     "ttl: 60\n", NULL},
    {"\"base64\":\"\"", "", 0, "", NULL},
    {"\"base64\":\"/w==\"", "\xff", 1, "", NULL},
    {"\"base64\":\"AP8=\"", "\0\xff", 2, "", NULL},
    {"\"base64\":\"AP+/\"", "\0\xff\xbf", 3, "", NULL},
    {"\"base64\":\"AP+/AA==\"", "\0\xff\xbf\0", 4, "", NULL},
};

static void test_publish (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof publishes / sizeof *publishes; i++) {
        zc_command_t command;
        zc_buf_t text = ZC_BUF_INIT;
        zc_buf_addf (&text, "{\"type\":\"publish\",\"topic\":\"t\",%s}", publishes[i].text);
        assert_int_equal (s_parse (&command, zc_buf_str (&text)), 0);
        assert_int_equal (command.type, ZC_COMMAND_PUBLISH);
        zc_publication_t *publication = &command.publication;
        s_assert_slice (publication->items[ZC_ITEM_TOPIC], "t", 1);
        s_assert_slice (publication->items[ZC_ITEM_DATA], publishes[i].payload, publishes[i].len);
        assert_string_equal (zc_buf_str (&publication->headers), publishes[i].headers);
        if (publishes[i].ref)
            assert_string_equal (command.ref, publishes[i].ref);
        else
            assert_null (command.ref);
        zc_command_clear (&command);
        zc_buf_clear (&text);
    }
}

#define PUBLISH "{\"type\":\"publish\",\"topic\":\"t\","
static const struct {
    const char *code, *text;
} bad[] = {
    {"json", ""},
    {"json", "x"},
    {"json", "[]"},
    {"json", "null"},
    {"json", "\"ping\""},
    {"json", "{\"type\":\"ping\"}{}"},
    {"json", "{\"type\":\"ping\",\"type\":\"ping\"}"},
    {"json", "{\"type\":\"ping\""},
    {"json", "{\"a\":1e999,\"type\":\"ping\"}"},
    {"type", "{}"},
    {"type", "{\"type\":null}"},
    {"type", "{\"type\":1}"},
    {"type", "{\"type\":\"\"}"},
    {"type", "{\"type\":\"Ping\"}"},
    {"type", "{\"type\":\"message\"}"},
    {"topics", "{\"type\":\"subscribe\"}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":\"a\"}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":[]}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":[1]}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":[\"a\",null]}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":[\"\"]}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":[\"a\\n\"]}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":[\"a\\u0000\"]}"},
    {"topics", "{\"type\":\"unsubscribe\",\"topics\":[\"1\",\"2\",\"3\",\"4\"]}"},
    {"topics", "{\"type\":\"subscribe\",\"match\":\"a/#\"}"},
    {"topics", "{\"type\":\"subscribe\",\"match\":[],\"pattern\":[]}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":[\"1\",\"2\"],\"match\":[\"3\",\"4\"]}"},
    {"topics", "{\"type\":\"subscribe\",\"topics\":[\"\\u0001m#\"]}"},
    {"selector", "{\"type\":\"subscribe\",\"match\":[\"a/#\",1]}"},
    {"selector", "{\"type\":\"subscribe\",\"match\":[\"a#\"]}"},
    {"selector", "{\"type\":\"subscribe\",\"template\":[\"{\"]}"},
    {"selector", "{\"type\":\"subscribe\",\"pattern\":[\"(a)\"]}"},
    {"topic", "{\"type\":\"publish\",\"data\":\"\"}"},
    {"headers", "{\"type\":\"publish\",\"topic\":1,\"data\":\"\"}"},
    {"topic", "{\"type\":\"publish\",\"topic\":\"\\u0007\",\"data\":\"\"}"},
    {"payload", "{\"type\":\"publish\",\"topic\":\"t\"}"},
    {"payload", PUBLISH "\"data\":1}"},
    {"payload", PUBLISH "\"data\":\"\",\"base64\":\"\"}"},
    {"payload", PUBLISH "\"base64\":\"A\"}"},
    {"payload", PUBLISH "\"base64\":\"A===\"}"},
    {"payload", PUBLISH "\"base64\":\"AP+\"}"},
    {"payload", PUBLISH "\"base64\":\"AP-_\"}"},
    {"payload", PUBLISH "\"base64\":\"A=AA\"}"},
    {"payload", PUBLISH "\"data\":\"0123456789abcdefg\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"event\":\"a\\nid: b\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"event\":1}"},
    {"headers", PUBLISH "\"data\":\"\",\"id\":\"\\r\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"id\":2}"},
    {"headers", PUBLISH "\"data\":\"\",\"id\":\"5-0\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"id\":\"earliest\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"id\":\"a b\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"id\":\"caf\\u00e9\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"event\":\"zcast.continuity\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"event\":\"mercure\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"event\":\"error\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"event\":\"open\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"key\":\"\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"key\":\"a\\n\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"key\":1}"},
    {"headers", PUBLISH "\"data\":\"\",\"ttl\":-1}"},
    {"headers", PUBLISH "\"data\":\"\",\"ttl\":\"soon\"}"},
    {"headers", PUBLISH "\"data\":\"\",\"retry\":600001}"},
    {"headers", PUBLISH "\"data\":\"\",\"retry\":1.5}"},
    {"headers", PUBLISH "\"data\":\"\",\"private\":1}"},
    {"headers", PUBLISH "\"data\":\"\",\"private\":\"perhaps\"}"},
};

static void test_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_command_t command;
        assert_int_equal (s_parse (&command, bad[i].text), -1);
        assert_string_equal (command.code, bad[i].code);
        assert_non_null (command.error);
        zc_command_clear (&command);
    }
}

/*  A message as deeply nested as possible is refused before it is parsed. */
static void test_deep (void **state)
{
    (void)state;
    static char text[65536];
    zc_command_t command;
    memset (text, '[', sizeof text);
    assert_int_equal (zc_command_parse (&command, text, sizeof text, (zc_command_limits_t){3, 16}),
                      -1);
    assert_string_equal (command.code, "json");
    zc_command_clear (&command);
}

static void s_assert_text (zc_buf_t *out, const char *text)
{
    assert_string_equal (zc_buf_str (out), text);
    zc_buf_clear (out);
}

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void test_answers (void **state)
{
    (void)state;
    zc_buf_t out = ZC_BUF_INIT;
    zc_slice_t topics[] = {s_slice ("a"), s_slice ("\"b\"")};
    zc_answer_subscribed (&out, NULL, topics, 2);
    zc_answer_position (&out, zc_id_from_ms (17) + 2);
    s_assert_text (&out,
                   "{\"type\":\"subscribed\",\"topics\":[\"a\",\"\\\"b\\\"\"],\"id\":\"17-2\"}");
    zc_slice_t mixed[] = {s_slice ("\x01m"
                                   "a/#"),
                          s_slice ("b"), s_slice ("\x01p:c"), s_slice ("\x01m\"")};
    zc_answer_subscribed (&out, NULL, mixed, 4);
    zc_answer_position (&out, ZC_ID_NONE);
    s_assert_text (&out, "{\"type\":\"subscribed\",\"topics\":[\"b\"],\"match\":[\"a/#\","
                         "\"\\\"\"],\"pattern\":[\":c\"]}");
    zc_answer_subscribed (&out, "7", NULL, 0);
    zc_answer_position (&out, ZC_ID_NONE);
    s_assert_text (&out, "{\"type\":\"subscribed\",\"ref\":7,\"topics\":[]}");
    zc_answer_pong (&out, "\"x\"");
    s_assert_text (&out, "{\"type\":\"pong\",\"ref\":\"x\"}");
    zc_answer_published (&out, NULL, s_slice ("17-0"));
    s_assert_text (&out, "{\"type\":\"published\",\"id\":\"17-0\"}");
    zc_answer_error (&out, NULL, s_slice ("json"), s_slice ("no\n"));
    s_assert_text (&out, "{\"type\":\"error\",\"code\":\"json\",\"message\":\"no\\n\"}");
    zc_answer_error (&out, NULL, s_slice ("\xff"), s_slice ("no"));
    s_assert_text (&out, "{\"type\":\"error\",\"code\":\"\",\"message\":\"no\"}");
    zc_answer_reconnect (&out, 1500);
    s_assert_text (&out, "{\"type\":\"reconnect\",\"after\":1500}");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_topics),  cmocka_unit_test (test_publish),
        cmocka_unit_test (test_bad),     cmocka_unit_test (test_deep),
        cmocka_unit_test (test_answers),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
