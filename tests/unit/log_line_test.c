/*  A line of the log in JSON: escapes, bounds, fields out of printf's arguments. */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "lib/base/log_line.h"

static zc_log_line_t s_line;

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static json_t *s_loads (void)
{
    json_t *root =
        json_loadb (s_line.text, s_line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null (root);
    assert_true (s_line.len < ZC_LOG_LINE_MAX);
    assert_int_equal (s_line.text[s_line.len], 0);
    assert_null (strchr (s_line.text, '\n'));
    return root;
}

#define BYTES(text) text, sizeof text - 1
static const struct {
    const char *bytes;
    size_t len;
    const char *line;
} s_texts[] = {
    {BYTES (""), "{\"a\":\"\"}"},
    {BYTES ("plain"), "{\"a\":\"plain\"}"},
    {BYTES ("\"\\/"), "{\"a\":\"\\\"\\\\/\"}"},
    {BYTES ("\n\r\t"), "{\"a\":\"\\n\\r\\t\"}"},
    {BYTES ("\0\b\f\x1b\x1f"), "{\"a\":\"\\u0000\\u0008\\u000c\\u001b\\u001f\"}"},
    {BYTES ("\x7f\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"),
     "{\"a\":\"\\u007f\\u0080\\u009b\\u009f\xc2\xa0\"}"},
    {BYTES ("\xe2\x80\xae\xe2\x81\xa6"), "{\"a\":\"\\u202e\\u2066\"}"},
    {BYTES ("caf\xc3\xa9 \xf0\x9f\x98\x80"), "{\"a\":\"caf\xc3\xa9 \xf0\x9f\x98\x80\"}"},
    {BYTES ("\xff"), "{\"a\":\"\xef\xbf\xbd\"}"},
    {BYTES ("x\xc3"), "{\"a\":\"x\xef\xbf\xbd\"}"},
    {BYTES ("\xed\xa0\x80"), "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}"},
    {BYTES ("\xc0\xafz"), "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbdz\"}"},
};

static void test_texts (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_texts); i++) {
        zc_log_line_begin (&s_line);
        zc_log_line_text (&s_line, s_slice ("a"), (zc_slice_t){s_texts[i].bytes, s_texts[i].len},
                          100);
        zc_log_line_end (&s_line);
        assert_string_equal (s_line.text, s_texts[i].line);
        json_decref (s_loads ());
    }
}

/*  Every length around the bound: cut where a character ends, and never longer than asked. */
static void test_cut (void **state)
{
    (void)state;
    static const char *const pieces[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\"", "\x01", "\xff"};
    for (size_t kind = 0; kind < LENGTH (pieces); kind++)
        for (size_t count = 0; count < 80; count++) {
            char text[400] = "";
            for (size_t i = 0; i < count; i++)
                strcat (text, pieces[kind]);
            zc_log_line_begin (&s_line);
            zc_log_line_text (&s_line, s_slice ("a"), s_slice (text), 60);
            zc_log_line_end (&s_line);
            assert_true (s_line.len <= 60 + strlen ("{\"a\":\"\"}"));
            json_t *root = s_loads ();
            const char *shown = json_string_value (json_object_get (root, "a"));
            size_t len = strlen (shown);
            bool cut = len >= 3 && strcmp (shown + len - 3, "...") == 0;
            if (kind != 5) /* the others stand as they are */
                assert_memory_equal (shown, text, cut ? len - 3 : len);
            if (kind != 5 && !cut)
                assert_int_equal (len, strlen (text));
            json_decref (root);
        }
}

/*  However much there is, the object is whole; what has no room isn't there. */
static void test_full (void **state)
{
    (void)state;
    char text[3000];
    memset (text, 1, sizeof text - 1);
    text[sizeof text - 1] = 0;
    zc_log_line_begin (&s_line);
    for (unsigned i = 0; i < 30; i++) {
        char name[8];
        snprintf (name, sizeof name, "m%u", i);
        zc_log_line_text (&s_line, s_slice (name), s_slice (text), 100 + 37 * i);
        zc_log_line_number (&s_line, s_slice (name + 1), "9223372036854775807");
    }
    zc_log_line_end (&s_line);
    json_t *root = s_loads ();
    assert_non_null (json_object_get (root, "m0"));
    assert_null (json_object_get (root, "m29"));
    assert_in_range (s_line.len, ZC_LOG_LINE_MAX - 60, ZC_LOG_LINE_MAX - 1);
    json_decref (root);
}

__attribute__ ((format (printf, 2, 3))) static void s_fields (const char *names, const char *format,
                                                              ...)
{
    va_list args;
    va_start (args, format);
    zc_log_line_begin (&s_line);
    zc_log_line_fields (&s_line, s_slice (names), format, args);
    zc_log_line_end (&s_line);
    va_end (args);
}

static void test_fields (void **state)
{
    (void)state;
    s_fields ("a b c", "%s: %u %d%%", "x", 4000000000u, -1);
    assert_string_equal (s_line.text, "{\"a\":\"x\",\"b\":4000000000,\"c\":-1}");
    s_fields ("a - c", "%.*s %s '%.3s'", 2, "xyz", "not this", "abcdef");
    assert_string_equal (s_line.text, "{\"a\":\"xy\",\"c\":\"abc\"}");
    s_fields ("a b c d", "%zu %ld %llu %" PRIu64, (size_t)-1 / 2, -2L, 3ULL, UINT64_MAX);
    assert_string_equal (s_line.text,
                         "{\"a\":9223372036854775807,\"b\":-2,\"c\":3,\"d\":18446744073709551615}");
    s_fields ("a b c d", "%c %5u %-3d %04x", '"', 1u, 2, 255u);
    assert_string_equal (s_line.text, "{\"a\":\"\\\"\",\"b\":1,\"c\":2,\"d\":255}");
    s_fields ("a", "%d %d", 1, 2); /* fewer names */
    assert_string_equal (s_line.text, "{\"a\":1}");
    s_fields ("a b c", "%d", 1); /* more */
    assert_string_equal (s_line.text, "{\"a\":1}");
    s_fields ("", "%d", 1);
    assert_string_equal (s_line.text, "{}");
    s_fields ("a b c", "%d %f %s", 1, 1.5, "not reached");
    assert_string_equal (s_line.text, "{\"a\":1}");
    s_fields ("a", "%.*s", 0, "empty");
    assert_string_equal (s_line.text, "{\"a\":\"\"}");
}

static void test_event (void **state)
{
    (void)state;
    static const struct {
        const char *format, *event, *names, *rest;
    } cases[] = {
        {ZC_EVENT ("redis.lost a b", "%s %s"), "redis.lost", "a b", "%s %s"},
        {ZC_EVENT ("redis.lost", ""), "redis.lost", "", ""},
        {"%s", "other", "", "%s"},
        {"", "other", "", ""},
        {"\x1f no end", "other", "", "\x1f no end"},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        const char *format = cases[i].format;
        zc_slice_t event, names;
        zc_log_event (&format, &event, &names);
        assert_true (zc_slice_is (event, cases[i].event));
        assert_true (zc_slice_is (names, cases[i].names));
        assert_string_equal (format, cases[i].rest);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_texts),  cmocka_unit_test (test_cut),   cmocka_unit_test (test_full),
        cmocka_unit_test (test_fields), cmocka_unit_test (test_event),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
