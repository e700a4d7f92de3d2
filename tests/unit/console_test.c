/*  The topics that the console is told, and who may open it. */
#include "unit.h"

#include <jansson.h>
#include <string.h>

#include "lib/access/grants.h"
#include "lib/front/console.h"
#include "lib/front/pages.h"

/*  What LIST says, and the JSON for it. */
static const struct {
    const char *kept;
    bool more;
    const char *json;
} s_lists[] = {
    {"", false, "{\"more\":false,\"topics\":[]}\n"},
    {"8-0 3 120 a\n", true,
     "{\"more\":true,\"topics\":[{\"last\":\"8-0\",\"messages\":3,\"bytes\":120,\"topic\":\"a\"}]}"
     "\n"},
    {"8-0 3 120 a\n7-1 0 0 b c\n", false,
     "{\"more\":false,\"topics\":[{\"last\":\"8-0\",\"messages\":3,\"bytes\":120,\"topic\":\"a\"},"
     "{\"last\":\"7-1\",\"messages\":0,\"bytes\":0,\"topic\":\"b c\"}]}\n"},
    {"9-0 0 0 $zcast/ready/x\n8-0 3 120 a\n", true,
     "{\"more\":true,\"topics\":[{\"last\":\"8-0\",\"messages\":3,\"bytes\":120,\"topic\":\"a\"}]}"
     "\n"},
    {"8-0 3 120 \"<b>\\\n", false,
     "{\"more\":false,\"topics\":[{\"last\":\"8-0\",\"messages\":3,\"bytes\":120,"
     "\"topic\":\"\\\"<b>\\\\\"}]}\n"},
};

static void test_topics (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof s_lists / sizeof *s_lists; i++) {
        zc_buf_t out = ZC_BUF_INIT;
        zc_slice_t kept = {s_lists[i].kept, strlen (s_lists[i].kept)};
        zc_console_write_topics (&out, kept, s_lists[i].more);
        assert_string_equal (zc_buf_str (&out), s_lists[i].json);
        json_t *json = json_loadb ((const char *)out.data, out.len, 0, NULL);
        assert_non_null (json);
        json_decref (json);
        zc_buf_clear (&out);
    }
}

/*  Queries of history: what they ask for, or what is wrong with them. */
static const struct {
    const char *query, *topic, *since, *wrong;
    uint64_t count, cut;
} s_wishes[] = {
    {"topic=a", "a", "earliest", NULL, 50, 4096},
    {"topic=a%20b%2F%2B&since=17-3&count=100&cut=0", "a b/+", "17-3", NULL, 100, 0},
    {"cut=4294967295&count=1&topic=a&since=earliest&else=x", "a", "earliest", NULL, 1, UINT32_MAX},
    {"", NULL, NULL, "one topic is needed", 0, 0},
    {"topic=", NULL, NULL, "topic", 0, 0},
    {"topic=a&topic=b", NULL, NULL, "too many topics", 0, 0},
    {"match=a/%23", NULL, NULL, "one topic is needed", 0, 0},
    {"topic=%0a", NULL, NULL, "topic", 0, 0},
    {"topic=%zz", NULL, NULL, "escape", 0, 0},
    {"topic=a&count=0", NULL, NULL, "count", 0, 0},
    {"topic=a&count=101", NULL, NULL, "count", 0, 0},
    {"topic=a&count=-1", NULL, NULL, "count", 0, 0},
    {"topic=a&count=", NULL, NULL, "count", 0, 0},
    {"topic=a&cut=4097", NULL, NULL, "cut", 0, 0},
    {"topic=a&count=1&cut=4294967296", NULL, NULL, "cut", 0, 0},
    {"topic=a&since=x", NULL, NULL, "since", 0, 0},
    {"topic=a&since=1-", NULL, NULL, "since", 0, 0},
    {"topic=a&since=01-0", NULL, NULL, "since", 0, 0},
};

static void test_wishes (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_wishes); i++) {
        zc_console_wish_t wish;
        const char *query = s_wishes[i].query;
        const char *wrong = zc_console_wish (&wish, (zc_slice_t){query, strlen (query)});
        if (s_wishes[i].wrong) {
            if (!wrong || !strstr (wrong, s_wishes[i].wrong))
                fail_msg ("%s: %s", query, wrong ? wrong : "taken");
            assert_null (wish.query.topics);
            continue;
        }
        assert_null (wrong);
        assert_slice (wish.query.topics[0], s_wishes[i].topic);
        assert_slice (wish.since, s_wishes[i].since);
        assert_int_equal (wish.count, s_wishes[i].count);
        assert_int_equal (wish.cut, s_wishes[i].cut);
        zc_query_clear (&wish.query);
    }
}

/*  A payload, how much of it is shown, and what is said. */
static const struct {
    zc_slice_t payload;
    size_t cut;
    const char *json;
} s_payloads[] = {
    {{"ab\"<", 4}, 100, "\"bytes\":4,\"shown\":4,\"data\":\"ab\\\"<\""},
    {{"", 0}, 0, "\"bytes\":0,\"shown\":0,\"data\":\"\""},
    {{"abcd", 4}, 2, "\"bytes\":4,\"shown\":2,\"data\":\"ab\""},
    /* not within a character */
    {{"a\xc3\xa4", 3}, 2, "\"bytes\":3,\"shown\":1,\"data\":\"a\""},
    {{"\xff\0x", 3}, 100, "\"bytes\":3,\"shown\":3,\"base64\":\"/wB4\""},
    {{"\xff\0x", 3}, 1, "\"bytes\":3,\"shown\":1,\"base64\":\"/w==\""},
    {{"\xff", 1}, 0, "\"bytes\":1,\"shown\":0,\"base64\":\"\""},
};

static void test_messages (void **state)
{
    (void)state;
    zc_slice_t meta = SLICE ("id: 7-1\nprev: 0-0\nevent: <b>\n");
    for (size_t i = 0; i < LENGTH (s_payloads); i++) {
        zc_buf_t out = ZC_BUF_INIT;
        zc_id_t id;
        assert_int_equal (zc_id_parse ("7-1", 3, &id), 0);
        zc_message_t message = {.payload = s_payloads[i].payload, .meta = meta, .id = id};
        zc_console_write_message (&out, &message, s_payloads[i].cut);
        assert_non_null (strstr (zc_buf_str (&out), s_payloads[i].json));
        json_t *json = json_loadb ((const char *)out.data, out.len, 0, NULL);
        assert_non_null (json);
        assert_string_equal (json_string_value (json_object_get (json, "id")), "7-1");
        json_t *headers = json_object_get (json, "headers");
        assert_string_equal (json_string_value (json_object_get (headers, "event")), "<b>");
        json_decref (json);
        zc_buf_clear (&out);
    }
}

static bool s_named (const char *granted)
{
    zc_grants_t *grants = zc_grants_new ();
    zc_slice_t name = {ZC_CONSOLE_TOPIC, strlen (ZC_CONSOLE_TOPIC)};
    assert_int_equal (
        zc_grants_add (grants, ZC_GRANT_SUBSCRIBE, (zc_slice_t){granted, strlen (granted)}), 0);
    assert_false (zc_grants_name (grants, ZC_GRANT_PUBLISH, name));
    bool named = zc_grants_name (grants, ZC_GRANT_SUBSCRIBE, name);
    zc_grants_destroy (&grants);
    return named;
}

static void test_only_by_its_name (void **state)
{
    (void)state;
    assert_true (s_named ("$zcast/console"));
    assert_false (s_named ("*"));
    assert_false (s_named ("$zcast/*"));
    assert_false (s_named ("$zcast/console*"));
    assert_false (s_named ("$zcast/consol"));
    assert_false (s_named ("$zcast/console/"));
}

/*  The texts are in the program as they are in www/. */
static void test_pages (void **state)
{
    (void)state;
    assert_non_null (strstr (zc_page_console, "src=\"console/app.js\""));
    assert_non_null (strstr (zc_page_app, "from './zcast.js'"));
    assert_non_null (strstr (zc_page_app, "`'${text.replaceAll(\"'\", \"'\\\\''\")}'`"));
    assert_non_null (strstr (zc_page_style, "forced-colors"));
    assert_non_null (strstr (zc_page_zcast, "export function subscribe"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_topics),   cmocka_unit_test (test_wishes),
        cmocka_unit_test (test_messages), cmocka_unit_test (test_only_by_its_name),
        cmocka_unit_test (test_pages),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
