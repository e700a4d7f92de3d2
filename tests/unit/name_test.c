/*  The names of programs in their reports. */
#include "tests/unit/unit.h"

#include <unistd.h>
#include "lib/peer/name.h"

static char s_host[65];

/*  `after`: what follows the @; NULL: there is none. */
static void s_expect (const char *given, const char *control, const char *after)
{
    zc_report_name_t name;
    char expected[128];
    snprintf (expected, sizeof expected, "fcgi.0%s%s", after ? "@" : "", after ? after : "");
    zc_report_name_init (&name, "fcgi.0", given, control);
    assert_string_equal (name.text, expected);
}

/*  Names are short on the broker's machine, have the host elsewhere, and are kept if they were
 *  given. */
static void test_names (void **state)
{
    (void)state;
    s_expect (NULL, "ipc:///run/zcast/control", NULL);
    s_expect (NULL, "tcp://127.0.0.1:5562", NULL);
    s_expect (NULL, "tcp://[::1]:5562", NULL);
    s_expect (NULL, "tcp://localhost:5562", NULL);
    s_expect (NULL, "tcp://10.0.0.1:5562", s_host);
    s_expect (NULL, "tcp://[2001:db8::1]:5562", s_host);
    s_expect (NULL, "tcp://broker.example:5562", s_host);
    s_expect ("edge-1", "tcp://127.0.0.1:5562", "edge-1");
    s_expect ("edge-1", "tcp://10.0.0.1:5562", "edge-1");
}

static bool s_answer (zc_report_name_t *name, const char *verb, const char *code)
{
    zc_slice_t frames[] = {{verb, strlen (verb)}, {code, strlen (code)}, {"text", 4}};
    zc_answer_t answer;
    zc_answer_parse (&answer, ZC_REPORT, frames, *code ? 3 : 1);
    return zc_report_name_answer (name, &answer);
}

static void test_a_name_that_another_has (void **state)
{
    (void)state;
    zc_report_name_t name;
    char expected[128];
    zc_report_name_init (&name, "ws.1", NULL, "tcp://127.0.0.1:5562");
    assert_false (s_answer (&name, "OK", ""));
    assert_false (s_answer (&name, "ERR", "busy"));
    assert_false (zc_report_name_answer (&name, &zc_answer_none));
    assert_string_equal (name.text, "ws.1");
    assert_true (s_answer (&name, "ERR", "name"));
    snprintf (expected, sizeof expected, "ws.1@%s", s_host);
    assert_string_equal (name.text, expected);
    assert_true (s_answer (&name, "ERR", "name"));
    snprintf (expected, sizeof expected, "ws.1@%s-%d", s_host, (int)getpid ());
    assert_string_equal (name.text, expected);
    /*  Another program may have the same name. */
    zc_report_name_init (&name, "ws.1", "x", "tcp://127.0.0.1:5562");
    assert_true (s_answer (&name, "ERR", "name"));
    assert_string_equal (name.text, expected);
}

static void test_valid (void **state)
{
    (void)state;
    const char *good[] = {"a", "edge-1.example", "A_b", "0",
                          "0123456789012345678901234567890123456789012345678901234567890123"};
    const char *bad[] = {
        "",    " ",
        "a b", "a@b",
        "a/b", "\xc3\xa4",
        "a\n", "01234567890123456789012345678901234567890123456789012345678901234"};
    for (size_t i = 0; i < LENGTH (good); i++)
        assert_true (zc_name_valid (good[i]));
    for (size_t i = 0; i < LENGTH (bad); i++)
        assert_false (zc_name_valid (bad[i]));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_names),
        cmocka_unit_test (test_a_name_that_another_has),
        cmocka_unit_test (test_valid),
    };
    if (gethostname (s_host, sizeof s_host - 1) != 0 || !zc_name_valid (s_host))
        strcpy (s_host, "unnamed");
    return cmocka_run_group_tests (tests, NULL, NULL);
}
