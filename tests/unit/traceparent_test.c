/*  traceparent: W3C Trace Context §3.2, to the letter. */
#include "tests/unit/unit.h"

#include <string.h>

#include "lib/wire/traceparent.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define LONG TRACE "-" SPAN

static const struct {
    const char *text, *written; /* NULL: not valid */
} s_cases[] = {
    {"00-" LONG "-01", "00-" LONG "-01"},
    {"00-" LONG "-00", "00-" LONG "-00"},
    {"00-" LONG "-03", "00-" LONG "-03"},
    {"00-" LONG "-02", "00-" LONG "-02"},
    {"00-" LONG "-fd", "00-" LONG "-01"}, /* flags that nobody knows are 0 */
    {"00-00000000000000000000000000000001-0000000000000001-00",
     "00-00000000000000000000000000000001-0000000000000001-00"},
    /* later versions: what 00 has, and the one flag that it can be sure of */
    {"01-" LONG "-03", "00-" LONG "-01"},
    {"cc-" LONG "-01-what-comes", "00-" LONG "-01"},
    {"fe-" LONG "-00-", "00-" LONG "-00"},
    {"01-" LONG "-01.what", NULL},
    {"01-" LONG "-011", NULL},
    {"01-" LONG "-0", NULL},
    {"01-" LONG, NULL},
    {"ff-" LONG "-01", NULL},
    /* version 00 has this length only */
    {"", NULL},
    {"00", NULL},
    {"00-" LONG "-1", NULL},
    {"00-" LONG "-01-", NULL},
    {"00-" LONG "-01-x", NULL},
    {"00-" LONG "-01 ", NULL},
    {" 00-" LONG "-01", NULL},
    {"00-" LONG "-01, 00-" LONG "-01", NULL}, /* two fields */
    {"01-" LONG "-01, 01-" LONG "-01", NULL},
    /* not zero */
    {"00-00000000000000000000000000000000-" SPAN "-01", NULL},
    {"00-" TRACE "-0000000000000000-01", NULL},
    /* lower case, hexadecimal, dashes */
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", NULL},
    {"00-" TRACE "-00F067AA0BA902B7-01", NULL},
    {"00-" LONG "-0A", NULL},
    {"0A-" LONG "-01", NULL},
    {"0g-" LONG "-01", NULL},
    {".0-" LONG "-01", NULL},
    {"00-4bf92f3577b34da6a3ce929d0e0e473.-" SPAN "-01", NULL},
    {"00-" TRACE "-00f067aa0ba902b.-01", NULL},
    {"00-" LONG "-.1", NULL},
    {"00_" LONG "-01", NULL},
    {"00-" TRACE "_" SPAN "-01", NULL},
    {"00-" LONG "_01", NULL},
};

static void test_cases (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_cases); i++) {
        zc_trace_t trace;
        char written[ZC_TRACEPARENT_LEN + 1] = "";
        zc_slice_t text = {s_cases[i].text, strlen (s_cases[i].text)};
        bool valid = zc_traceparent_parse (text, &trace) == 0;
        if (valid != (s_cases[i].written != NULL))
            fail_msg ("%s", s_cases[i].text);
        if (!valid)
            continue;
        zc_traceparent_write (&trace, written);
        assert_string_equal (written, s_cases[i].written);
        assert_int_equal (trace.trace_id.len, 32);
        assert_memory_equal (trace.trace_id.at, written + 3, 32);
        assert_int_equal (trace.span_id.len, 16);
        assert_memory_equal (trace.span_id.at, written + 36, 16);
    }
}

/*  Every prefix of a good one, and every byte of it changed. */
static void test_changes (void **state)
{
    (void)state;
    char text[] = "00-" LONG "-01";
    zc_trace_t trace;
    for (size_t len = 0; len < sizeof text - 1; len++)
        assert_int_equal (zc_traceparent_parse ((zc_slice_t){text, len}, &trace), -1);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char was = text[i];
        for (int c = 0; c < 256; c++) {
            text[i] = (char)c;
            bool digit = c && strchr ("0123456789abcdef", c), dash = strchr ("-", was);
            bool good = dash ? c == '-' : digit;
            assert_int_equal (zc_traceparent_parse ((zc_slice_t){text, sizeof text - 1}, &trace),
                              good ? 0 : -1);
        }
        text[i] = was;
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_cases),
                                       cmocka_unit_test (test_changes)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
