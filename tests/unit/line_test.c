/*  The name of an order of positions. */
#include "tests/unit/unit.h"

#include <string.h>

#include "lib/wire/line.h"

#define SIXTY_FOUR "0123456789012345678901234567890123456789012345678901234567890123"

static void test_good_and_bad (void **state)
{
    (void)state;
    static const char *const good[] = {"a", "1-0.9f", "redis:zcast:log", "!", "~", SIXTY_FOUR};
    static const char *const bad[] = {"", " ", "a b", "a\n", "\x7f", "\x80", "ä", SIXTY_FOUR "4"};
    zc_line_t line = {"as it was"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal (zc_line_parse (&line, (zc_slice_t){bad[i], strlen (bad[i])}), -1);
        assert_string_equal (line.text, "as it was");
    }
    assert_int_equal (zc_line_parse (&line, (zc_slice_t){"a\0b", 3}), -1);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal (zc_line_parse (&line, (zc_slice_t){good[i], strlen (good[i])}), 0);
        assert_string_equal (line.text, good[i]);
        assert_true (zc_line_known (&line));
        assert_int_equal (zc_line_slice (&line).len, strlen (good[i]));
    }
    assert_false (zc_line_known (&(zc_line_t){""}));
}

static void test_made (void **state)
{
    (void)state;
    zc_line_t one, other, parsed;
    zc_line_make (&one, ZC_ID_MAX, UINT64_MAX);
    assert_string_equal (one.text, "17592186044415-1048575.ffffffffffffffff");
    zc_line_make (&one, zc_id_from_ms (5), 1);
    zc_line_make (&other, zc_id_from_ms (5), 2);
    assert_int_equal (zc_line_parse (&parsed, zc_line_slice (&one)), 0);
    assert_true (zc_line_same (&one, &parsed));
    assert_false (zc_line_same (&one, &other));
}

static void test_follows (void **state)
{
    (void)state;
    static const struct {
        const char *line;
        zc_id_t position;
        bool follows;
    } table[] = {
        {"5-0.x", (zc_id_t)5 << ZC_ID_COUNTER_BITS, true},
        {"5-0.x", ((zc_id_t)5 << ZC_ID_COUNTER_BITS) + 1, false},
        {"5-0.x", 0, true},
        {"5-0", 0, false},
        {"05-0.x", 0, false},
        {".x", 0, false},
        {"redis.x", 0, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        zc_line_t line;
        zc_line_parse (&line, (zc_slice_t){table[i].line, strlen (table[i].line)});
        assert_int_equal (zc_line_follows (&line, table[i].position), table[i].follows);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good_and_bad),
        cmocka_unit_test (test_made),
        cmocka_unit_test (test_follows),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
