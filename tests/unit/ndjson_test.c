/*  Lines of NDJSON as messages. */
#include "tests/unit/unit.h"

#include "tools/ndjson.h"

static void s_good (void **state)
{
    (void)state;
    static const struct {
        const char *line, *topic, *payload, *headers;
    } good[] = {
        {"{\"topic\":\"a\",\"data\":\"x\"}", "a", "x", ""},
        {" { \"data\" : \"\", \"topic\" : \"a b\" } ", "a b", "", ""},
        {"{\"data\":\"x\"}", "preset", "x", ""},
        {"{\"topic\":\"a\",\"base64\":\"/wB4\"}", "a", "\xff\0x", ""},
        {"{\"id\":\"1795784880123-7\",\"time\":\"2026-11-27T13:08:00.123Z\",\"topic\":\"a\","
         "\"event-id\":\"own\",\"event\":\"e\",\"headers\":{\"ttl\":\"60\",\"x\":[\"1\",\"2\"]},"
         "\"data\":\"\\u00e4\"}",
         "a", "\xc3\xa4", "id: own\nevent: e\nttl: 60\nx: 1\nx: 2\n"},
        {"{\"topic\":\"a\",\"id\":\"own\",\"key\":\"k\",\"ttl\":60,\"retry\":10,\"private\":true,"
         "\"content-type\":\"text/html\",\"data\":\"x\"}",
         "a", "x", "id: own\nkey: k\nttl: 60\nretry: 10\nprivate: 1\ncontent-type: text/html\n"},
    };
    for (size_t i = 0; i < LENGTH (good); i++) {
        zc_ndjson_t record;
        zc_slice_t line = {good[i].line, strlen (good[i].line)};
        const char *wrong = zc_ndjson_parse (&record, line, "preset");
        if (wrong)
            fail_msg ("%s: %s", good[i].line, wrong);
        assert_slice (record.topic, good[i].topic);
        size_t len = i == 3 ? 3 : strlen (good[i].payload);
        assert_int_equal (record.payload.len, len);
        assert_memory_equal (record.payload.at, good[i].payload, len);
        assert_string_equal (zc_buf_str (&record.headers), good[i].headers);
        zc_ndjson_clear (&record);
    }
}

static void s_bad (void **state)
{
    (void)state;
    static const struct {
        const char *line, *said;
    } bad[] = {
        {"", "no JSON object"},
        {"x", "no JSON object"},
        {"[]", "no JSON object"},
        {"{\"topic\":\"a\",\"data\":\"x\"} {}", "no JSON object"},
        {"{\"topic\":\"a\",\"topic\":\"b\",\"data\":\"x\"}", "no JSON object"},
        {"{\"topic\":\"a\"}", "neither data nor base64"},
        {"{\"data\":\"x\"}", "no topic"},
        {"{\"topic\":1,\"data\":\"x\"}", "topic is no string"},
        {"{\"topic\":\"\",\"data\":\"x\"}", "topic"},
        {"{\"topic\":\"a\\u0000\",\"data\":\"x\"}", "topic"},
        {"{\"topic\":\"a\",\"data\":1}", "either data or base64"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"base64\":\"\"}", "either data or base64"},
        {"{\"topic\":\"a\",\"base64\":\"/w\"}", "malformed"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"event\":{}}", "a header is"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"event\":false}", "a header is"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"ttl\":-1}", "a header is"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"ttl\":\"soon\"}", "ttl"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"event\":\"zcast.end\"}", "zcast."},
        {"{\"topic\":\"a\",\"data\":\"x\",\"id\":1}", "id is no string"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"event-id\":\"5-0\"}", "id"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"headers\":1}", "headers is no object"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"headers\":{\"\":\"1\"}}", "no name"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"headers\":{\"a: b\":\"1\"}}", "no name"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"headers\":{\"a\":\"1\\nkey: 2\"}}",
         "control character"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"key\":\"1\",\"headers\":{\"key\":\"2\"}}", "key"},
        {"{\"topic\":\"a\",\"data\":\"x\",\"tll\":\"1\"}", "unknown name"},
    };
    for (size_t i = 0; i < LENGTH (bad); i++) {
        zc_ndjson_t record;
        zc_slice_t line = {bad[i].line, strlen (bad[i].line)};
        const char *wrong = zc_ndjson_parse (&record, line, NULL);
        if (!wrong || !strstr (wrong, bad[i].said))
            fail_msg ("%s: %s", bad[i].line, wrong);
        zc_ndjson_clear (&record);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_good),
        cmocka_unit_test (s_bad),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
