/*  bridge_test.c - parts of the Redis bridge, without Redis: addresses, the mapping of channels
 *  to topics, the topics that go out, and the envelope between sites. */
#include "unit.h"
#include "lib/redis/address.h"
#include "bridge/envelope.h"
#include "bridge/glob.h"
#include "bridge/mapping.h"
#include "bridge/outlet.h"

static zc_slice_t s_text (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

/*  Addresses ----------------------------------------------------------------------------------- */

static const char *s_or_none (const char *text)
{
    return text ? text : "-";
}

static void test_addresses_good (void **state)
{
    (void)state;
    static const struct {
        const char *url, *path, *host;
        int port;
        const char *user, *password;
        int database;
        const char *shown;
    } good[] = {
        {"redis://localhost", "-", "localhost", 6379, "-", "-", 0, "localhost:6379"},
        {"redis://", "-", "127.0.0.1", 6379, "-", "-", 0, "127.0.0.1:6379"},
        {"redis://:7000", "-", "127.0.0.1", 7000, "-", "-", 0, "127.0.0.1:7000"},
        {"redis://h:1/15", "-", "h", 1, "-", "-", 15, "h:1"},
        {"redis://h/?db=3", "-", "h", 6379, "-", "-", 3, "h:6379"},
        {"redis://[::1]:6380/2", "-", "::1", 6380, "-", "-", 2, "[::1]:6380"},
        {"redis://[::1]", "-", "::1", 6379, "-", "-", 0, "[::1]:6379"},
        {"redis://:secret@h", "-", "h", 6379, "-", "secret", 0, "h:6379"},
        {"redis://me:p%40ss%3a@h:9", "-", "h", 9, "me", "p@ss:", 0, "h:9"},
        {"redis://me:a@b@h", "-", "h", 6379, "me", "a@b", 0, "h:6379"},
        {"unix:///run/redis.sock", "/run/redis.sock", "-", 0, "-", "-", 0,
         "unix:///run/redis.sock"},
        {"unix:///a%20b?db=7", "/a b", "-", 0, "-", "-", 7, "unix:///a b"},
        {"redis+socket://u:p@/s", "/s", "-", 0, "u", "p", 0, "unix:///s"},
        /*  In a URL '+' is a plus; only in a form it is a blank. */
        {"redis://:a+b+@h", "-", "h", 6379, "-", "a+b+", 0, "h:6379"},
        {"redis://:a%2Bb%20c@h", "-", "h", 6379, "-", "a+b c", 0, "h:6379"},
        {"redis://a+b:c+d@h+i:7/1", "-", "h+i", 7, "a+b", "c+d", 1, "h+i:7"},
        {"unix:///a+b", "/a+b", "-", 0, "-", "-", 0, "unix:///a+b"},
        {"redis+socket://u+v:p+q@/s+t?db=1", "/s+t", "-", 0, "u+v", "p+q", 1, "unix:///s+t"},
        {"redis://h?db=%31", "-", "h", 6379, "-", "-", 1, "h:6379"},
        /*  As `openssl rand -base64` and others make them. */
        {"redis://:Zm9+/b==@h/2", "-", "h", 6379, "-", "Zm9+/b==", 2, "h:6379"},
        {"redis://u:/@?#[]:x@h:1", "-", "h", 1, "u", "/@?#[]:x", 0, "h:1"},
        {"redis://u:%2F%40%3F%23@h", "-", "h", 6379, "u", "/@?#", 0, "h:6379"},
        {"redis://me@h", "-", "h", 6379, "me", "-", 0, "h:6379"},
        {"redis://me:@h", "-", "h", 6379, "me", "", 0, "h:6379"},
        {"REDIS://h", "-", "h", 6379, "-", "-", 0, "h:6379"},
        {"redis://u:p@[2001:db8::1]:7/3", "-", "2001:db8::1", 7, "u", "p", 3, "[2001:db8::1]:7"},
        {"redis://[fe80::1%25eth0]:7", "-", "fe80::1%eth0", 7, "-", "-", 0, "[fe80::1%eth0]:7"},
        {"redis://[fe80::1%eth0]", "-", "fe80::1%eth0", 6379, "-", "-", 0, "[fe80::1%eth0]:6379"},
        {"redis://@h", "-", "h", 6379, "-", "-", 0, "h:6379"},
        {"redis+socket://:a%2Fb@/run/a@b", "/run/a@b", "-", 0, "-", "a/b", 0, "unix:///run/a@b"},
        {"redis+sentinel://h/m", "-", "-", 0, "-", "-", 0, "m of the Sentinels at h:26379"},
        {"redis+sentinel://u:p%2c@h:1,[::1]:2,[fe80::1],i/m%20n?db=3", "-", "-", 0, "u", "p,", 3,
         "m n of the Sentinels at h:1,[::1]:2,[fe80::1]:26379,i:26379"},
    };
    for (size_t i = 0; i < LENGTH (good); i++) {
        zc_address_t address;
        char error[256];
        if (zc_address_parse (good[i].url, &address, error, sizeof error) != 0)
            fail_msg ("%s: %s", good[i].url, error);
        assert_string_equal (s_or_none (address.path), good[i].path);
        assert_string_equal (s_or_none (address.host), good[i].host);
        assert_int_equal (address.port, good[i].port);
        assert_string_equal (s_or_none (address.user), good[i].user);
        assert_string_equal (s_or_none (address.password), good[i].password);
        assert_int_equal (address.database, good[i].database);
        assert_string_equal (address.shown, good[i].shown);
        zc_address_clear (&address);
    }
}

static void test_addresses_bad (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "localhost",
        "http://h",
        "redis:/h",
        "redis://h:0",
        "redis://h:",
        "redis://h:x",
        "redis://h:65536",
        "redis://h/x",
        "redis://h?db=x",
        "redis://h?",
        "redis://h?x=1",
        "redis://h/65536",
        "redis://h/1/2",
        "unix://",
        "unix:///",
        "unix://h/path",
        "redis://%zz@h",
        "redis://u:%0@h",
        "redis://[::1",
        "redis://h%00",
        "redis://[::1]x",
        "redis+socket://u@",
        "rediss://h",
        "redis://::1",
        "redis://::1:6379",
        "redis://h?db=1&db=x",
        "redis://h/1?db=",
        "redis://:a%@h",
        "redis://:a%00@h",
        "redis://h:+1",
        "redis://h/+1",
        "unix:///a%00b",
        "redis+sentinel://h",
        "redis+sentinel://h/",
        "redis+sentinel:///m",
        "redis+sentinel://h,/m",
        "redis+sentinel://,h/m",
        "redis+sentinel://h,,i/m",
        "redis+sentinel://h:0/m",
        "redis+sentinel://h,i:x/m",
        "redis+sentinel://h/m%00",
        "redis+sentinel://h/m?x=1",
    };
    for (size_t i = 0; i < LENGTH (bad); i++) {
        zc_address_t address;
        char error[256] = "";
        bool empty_query = strcmp (bad[i], "redis://h?") == 0; /* an empty query is fine */
        int rc = zc_address_parse (bad[i], &address, error, sizeof error);
        if ((rc == 0) != empty_query)
            fail_msg ("%s: %d", bad[i], rc);
        assert_true (rc == 0 || error[0]);
        zc_address_clear (&address);
    }
}

/*  Patterns ------------------------------------------------------------------------------------ */

static void test_globs (void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name, *parts; /* each with ';' behind it; NULL: no match */
    } cases[] = {
        {"", "", ""},
        {"", "a", NULL},
        {"a", "a", ""},
        {"a", "ab", NULL},
        {"*", "", ";"},
        {"*", "abc", "abc;"},
        {"a*", "a", ";"},
        {"a*c", "abcbc", "bcb;"},
        {"*.*", "a.b.c", "a;b.c;"},
        {"*a*b", "xaayb", "x;ay;"},
        {"**", "ab", ";ab;"},
        {"?*", "ab", "b;"},
        {"?", "", NULL},
        {"[abc]", "b", ""},
        {"[^abc]", "b", NULL},
        {"[^abc]", "d", ""},
        {"[a-c]x", "bx", ""},
        {"[c-a]", "b", ""},
        {"[\\-]", "-", ""},
        {"[a", "a", ""},
        {"[]", "a", NULL},
        {"a[", "a", NULL},
        {"\\*", "*", ""},
        {"\\*", "a", NULL},
        {"a\\", "a\\", ""},
        {"__*__:*", "__keyevent@0__:set", "keyevent@0;set;"},
        {"__*__:*", "__x:", NULL},
        {"*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_slice_t parts[ZC_GLOB_STARS], pattern = s_text (cases[i].pattern);
        zc_buf_t shown = ZC_BUF_INIT;
        bool match = zc_glob_match (pattern, s_text (cases[i].name), parts);
        for (size_t j = 0; match && j < zc_glob_stars (pattern); j++)
            zc_buf_addf (&shown, "%.*s;", (int)parts[j].len, parts[j].at);
        if (match != (cases[i].parts != NULL) ||
            (match && strcmp (zc_buf_str (&shown), cases[i].parts) != 0))
            fail_msg ("%s on %s: %d, %s", cases[i].pattern, cases[i].name, match,
                      zc_buf_str (&shown));
        zc_buf_clear (&shown);
    }
    assert_true (zc_glob_is_open (s_text ("*")) && zc_glob_is_open (s_text ("?x")));
    assert_false (zc_glob_is_open (s_text ("__*")) || zc_glob_is_open (s_text ("")));
}

/*  Channels to topics -------------------------------------------------------------------------- */

static void test_mapping (void **state)
{
    (void)state;
    char error[256];
    zc_mapping_t *mapping = zc_mapping_new ("redis/{channel}", error, sizeof error);
    assert_non_null (mapping);
    assert_int_equal (zc_mapping_add (mapping, "news", false, error, sizeof error), 0);
    assert_int_equal (zc_mapping_add (mapping, "a -> b/{channel}/{channel}", false, error, 256), 0);
    assert_int_equal (zc_mapping_add (mapping, "news.* -> all news", true, error, 256), 0);
    assert_int_equal (zc_mapping_add (mapping, "news", true, error, sizeof error), 0);
    assert_int_equal (zc_mapping_add (mapping, "news", false, error, sizeof error), -1);
    assert_int_equal (zc_mapping_add (mapping, "x -> {topic}", false, error, sizeof error), -1);
    assert_int_equal (zc_mapping_add (mapping, "x -> a}", false, error, sizeof error), -1);
    assert_int_equal (zc_mapping_add (mapping, " -> x", false, error, sizeof error), -1);
    assert_int_equal (zc_mapping_add (mapping, "x -> ", false, error, sizeof error), -1);
    assert_int_equal (zc_mapping_add (mapping, "x* -> {2}", true, error, sizeof error), -1);
    assert_int_equal (zc_mapping_add (mapping, "x* -> {1}", false, error, sizeof error), -1);
    assert_int_equal (zc_mapping_add (mapping, "x* -> {0}", true, error, sizeof error), -1);
    assert_int_equal (zc_mapping_add (mapping, "a.*.b* -> {2}/{1}", true, error, 256), 0);
    assert_int_equal (zc_mapping_count (mapping), 5);
    static const struct {
        const char *name;
        bool pattern;
        const char *channel, *topic; /* NULL: none */
    } cases[] = {
        {"news", false, "news", "redis/news"},
        {"news", true, "news", "redis/news"},
        {"a", false, "a", "b/a/a"},
        {"news.*", true, "news.de", "all news"},
        {"news.*", false, "news.de", NULL},
        {"gone", false, "gone", NULL},
        {"a.*.b*", true, "a.1.b.b2", ".b2/1"},
        {"a.*.b*", true, "a..b", "/"},
        {"a.*.b*", true, "other", NULL},
        {"news", false, "control\x01", NULL},
        {"news", false, "\xff", NULL},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_buf_t topic = ZC_BUF_INIT;
        int rc = zc_mapping_topic (mapping, s_text (cases[i].name), cases[i].pattern,
                                   s_text (cases[i].channel), &topic);
        assert_int_equal (rc, cases[i].topic ? 0 : -1);
        if (rc == 0)
            assert_string_equal (zc_buf_str (&topic), cases[i].topic);
        zc_buf_clear (&topic);
    }
    zc_mapping_destroy (&mapping);
    zc_mapping_destroy (&mapping);
    assert_null (zc_mapping_new ("", error, sizeof error));
    assert_null (zc_mapping_new ("{", error, sizeof error));
}

/*  Outgoing topics ----------------------------------------------------------------------------- */

static void test_outlet (void **state)
{
    (void)state;
    char error[256];
    zc_outlet_t *outlet = zc_outlet_new ("z[");
    assert_int_equal (zc_outlet_add (outlet, "one", error, sizeof error), 0);
    assert_int_equal (zc_outlet_add (outlet, "many?*", error, sizeof error), 0);
    assert_int_equal (zc_outlet_add (outlet, "", error, sizeof error), -1);
    assert_int_equal (zc_outlet_add (outlet, "a\nb", error, sizeof error), -1);
    assert_int_equal (zc_outlet_count (outlet), 2);
    static const char *const subscriptions[] = {"z[one", "z\\[many\\?*"};
    for (size_t i = 0; i < 2; i++) {
        zc_buf_t text = ZC_BUF_INIT;
        zc_outlet_subscription (outlet, i, &text);
        assert_string_equal (zc_buf_str (&text), subscriptions[i]);
        zc_buf_clear (&text);
    }
    static const struct {
        const char *channel, *topic; /* NULL: not ours */
    } cases[] = {
        {"z[one", "one"},       {"z[one1", NULL},  {"z[on", NULL},
        {"one", NULL},          {"z[", NULL},      {"z[many?", "many?"},
        {"z[many?x", "many?x"}, {"z[manyx", NULL}, {"", NULL},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_slice_t topic;
        assert_int_equal (zc_outlet_find (outlet, s_text (cases[i].channel), &topic),
                          cases[i].topic != NULL);
        if (cases[i].topic)
            assert_slice (topic, cases[i].topic);
    }
    zc_outlet_destroy (&outlet);
    zc_outlet_destroy (&outlet);
}

/*  Between sites ------------------------------------------------------------------------------- */

static void s_there (const char *meta, zc_slice_t payload, const char *headers)
{
    zc_message_t message;
    assert_int_equal (zc_delivery_parse (&message, s_text ("t"), payload, s_text (meta)), 0);
    zc_buf_t envelope = ZC_BUF_INIT, out = ZC_BUF_INIT;
    zc_envelope_write (&envelope, "north", s_text ("5-0.line"), &message);
    zc_slice_t site, line, arrived, bytes = {zc_buf_str (&envelope), envelope.len};
    assert_true (zc_envelope_read (bytes, &site, &line, &out, &arrived));
    assert_slice (site, "north");
    assert_slice (line, "5-0.line");
    assert_int_equal (arrived.len, payload.len);
    if (payload.len)
        assert_memory_equal (arrived.at, payload.at, payload.len);
    assert_string_equal (zc_buf_str (&out), headers);
    zc_message_t again;
    assert_int_equal (zc_publish_parse (&again, s_text ("t"), arrived,
                                        (zc_slice_t){zc_buf_str (&out), out.len}, 1000),
                      0);
    /*  A message that is cut anywhere in its lines is no envelope. */
    size_t lines = envelope.len - payload.len;
    for (size_t cut = 0; cut < lines; cut++) {
        out.len = 0;
        assert_false (zc_envelope_read ((zc_slice_t){bytes.at, cut}, &site, &line, &out, &arrived));
    }
    zc_buf_clear (&envelope);
    zc_buf_clear (&out);
}

static void test_envelope (void **state)
{
    (void)state;
    s_there ("id: 7-1\nprev: 5-0\n", SLICE ("p\0\n\n\xff"),
             "key: north.7-1\norigin: north\nvia: redis\n");
    s_there ("id: 7-1\nprev: 5-0\ndropped: 3-0\nevent: e\nkey: k\nx: y\n", SLICE (""),
             "key: north.7-1\norigin: north\nvia: redis\nevent: e\nx: y\n");
    s_there ("id: 7-1\nprev: 5-0\nevent-id: mine\nkey: k\nttl: 9\nsite: forged\nline: forged\n",
             SLICE ("p"), "id: mine\norigin: north\nvia: redis\nttl: 9\n");
    /*  From a history that has what brokers refuse now. */
    s_there ("id: 7-1\nprev: 5-0\nevent-id: 5-0\nevent: zcast.continuity\n", SLICE ("p"),
             "key: north.7-1\norigin: north\nvia: redis\n");
    s_there ("id: 7-1\nprev: 5-0\nevent:mercure\nevent-id: earliest\nevent: e\n", SLICE ("p"),
             "key: north.7-1\norigin: north\nvia: redis\nevent: e\n");
}

static void test_envelope_bad (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "zcast/1",
        "zcast/1\n",
        "zcast/1\n\n",
        "zcast/2\nsite: a\nid: 1-1\n\n",
        "zcast/1\nsite: a\n\n",
        "zcast/1\nid: 1-1\n\n",
        "zcast/1\nsite: a b\nid: 1-1\n\n",
        "zcast/1\nsite: a\nid: 1\n\n",
        "zcast/1\nsite: \nid: 1-1\n\n",
        "hello",
        "zcast/1\nsite: a\nid: 1-1\np",
    };
    for (size_t i = 0; i < LENGTH (bad); i++) {
        zc_slice_t site, line, payload;
        zc_buf_t headers = ZC_BUF_INIT;
        if (zc_envelope_read (s_text (bad[i]), &site, &line, &headers, &payload))
            fail_msg ("bad[%zu] was taken", i);
        zc_buf_clear (&headers);
    }
}

static void test_from_redis (void **state)
{
    (void)state;
    static const struct {
        const char *meta;
        bool from_redis;
    } cases[] = {
        {"id: 1-1\nprev: 1-0\nvia: redis\n", true},
        {"id: 1-1\nprev: 1-0\nvia: redisx\n", false},
        {"id: 1-1\nprev: 1-0\nx-via: redis\n", false},
        {"id: 1-1\nprev: 1-0\n", false},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_message_t message = {.meta = s_text (cases[i].meta)};
        assert_int_equal (zc_envelope_is_from_redis (&message), cases[i].from_redis);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_addresses_good), cmocka_unit_test (test_addresses_bad),
        cmocka_unit_test (test_globs),          cmocka_unit_test (test_mapping),
        cmocka_unit_test (test_outlet),         cmocka_unit_test (test_envelope),
        cmocka_unit_test (test_envelope_bad),   cmocka_unit_test (test_from_redis),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
