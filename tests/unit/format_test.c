/*  Formats of lines. */
#include "tests/unit/unit.h"

#include "tools/format.h"

#define S_META "id: 1795784880123-7\nprev: 0-0\nevent: greet\nevent-id: own\nkey: k1\nttl: 60\n"

static const zc_message_t s_message = {
    .topic = {"a/b", 3},
    .payload = {"x\x1b[2J\n", 6},
    .meta = {S_META, sizeof S_META - 1},
    .id = (zc_id_t)1795784880123 << ZC_ID_COUNTER_BITS | 7,
    .event = {"greet", 5},
    .event_id = {"own", 3},
};

static void s_expect (const char *format, bool escape, const char *bytes, size_t len)
{
    char error[200];
    zc_buf_t out = ZC_BUF_INIT;
    zc_format_t *self = zc_format_new (format, error, sizeof error);
    if (!self)
        fail_msg ("%s: %s", format, error);
    zc_format_write (self, &s_message, escape, &out);
    if (out.len != len || memcmp (zc_buf_str (&out), bytes, len) != 0)
        fail_msg ("%s: %s", format, zc_buf_str (&out));
    zc_buf_clear (&out);
    zc_format_destroy (&self);
}

static void s_good (void **state)
{
    (void)state;
    static const struct {
        const char *format, *text;
    } good[] = {
        {"plain", "plain"},
        {"%t", "a/b"},
        {"%i", "1795784880123-7"},
        {"%T", "2026-11-27T13:08:00.123Z"},
        {"%U", "1795784880.123"},
        {"%s", "6"},
        {"%b", "eBtbMkoK"},
        {"%e %I %k", "greet own k1"},
        {"%{ttl}%{none}", "60"},
        {"100%% %t%t", "100% a/ba/b"},
        {"\\n\\t\\r\\\\\\x41\\x0a\\x4F", "\n\t\r\\A\nO"},
        {"%p", "x\x1b[2J\n"},
    };
    for (size_t i = 0; i < LENGTH (good); i++)
        s_expect (good[i].format, false, good[i].text, strlen (good[i].text));
    s_expect ("a\\0b", false, "a\0b", 3);
    s_expect ("", false, "", 0);
}

/*  What a message brings is no command for a terminal; what the user's format says may be one. */
static void s_escaped (void **state)
{
    (void)state;
    s_expect ("%p", true, "x\\x1b[2J\\n", 10);
    s_expect ("\\x1b[1m%t\\n", true, "\x1b[1ma/b\n", 8);
}

static void s_bad (void **state)
{
    (void)state;
    static const char *const bad[] = {"%",
                                      "%z",
                                      "50% off",
                                      "%{",
                                      "%{}",
                                      "%{ttl",
                                      "\\",
                                      "\\q",
                                      "\\x",
                                      "\\x4",
                                      "\\xg1",
                                      "\\x4g",
                                      ("\\x\x11"
                                       "b"),
                                      "\\x1\x19"};
    for (size_t i = 0; i < LENGTH (bad); i++) {
        char error[200] = "";
        if (zc_format_new (bad[i], error, sizeof error) || !strstr (error, "is none of"))
            fail_msg ("%s: %s", bad[i], error);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_good),
        cmocka_unit_test (s_escaped),
        cmocka_unit_test (s_bad),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
