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
        cmocka_unit_test (test_topics),
        cmocka_unit_test (test_only_by_its_name),
        cmocka_unit_test (test_pages),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
