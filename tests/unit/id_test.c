/*  Positions: text both ways, order as numbers, and the hybrid clock. */
#include "tests/unit/unit.h"

#include "lib/wire/id.h"

static const struct {
    const char *text;
    uint64_t ms, counter;
} good[] = {
    {"0-0", 0, 0},
    {"0-1", 0, 1},
    {"1795478400123-0", 1795478400123, 0},
    {"1795478400123-1048575", 1795478400123, 1048575},
    {"17592186044415-1048575", 17592186044415, 1048575},
};

static const char *const bad[] = {
    "",
    "-",
    "1",
    "1-",
    "-1",
    "01-0",
    "1-00",
    "1-0-",
    "1-0-0",
    "1--0",
    "+1-0",
    "1-+0",
    " 1-0",
    "1-0 ",
    "1 -0",
    "a-0",
    "1-a",
    "0x1-0",
    "17592186044416-0",
    "1-1048576",
    "99999999999999999999999-0",
    "1-99999999999999999999999",
    "1\xe2\x88\x92 0",
    "1_0",
    "earliest",
};

static void test_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (good); i++) {
        zc_id_t id = 7;
        char text[ZC_ID_SIZE];
        assert_int_equal (zc_id_parse (good[i].text, strlen (good[i].text), &id), 0);
        assert_int_equal (id, good[i].ms << ZC_ID_COUNTER_BITS | good[i].counter);
        assert_int_equal (zc_id_ms (id), good[i].ms);
        assert_int_equal (zc_id_format (id, text), strlen (good[i].text));
        assert_string_equal (text, good[i].text);
    }
}

static void test_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (bad); i++) {
        zc_id_t id = 7;
        if (zc_id_parse (bad[i], strlen (bad[i]), &id) != -1)
            fail_msg ("\"%s\" was taken", bad[i]);
        assert_int_equal (id, 7);
    }
    zc_id_t id = 7;
    assert_int_equal (zc_id_parse ("1-0\0", 4, &id), -1);
    assert_int_equal (zc_id_parse ("1\0-0", 4, &id), -1);
}

static void test_longest_fits (void **state)
{
    (void)state;
    char text[ZC_ID_SIZE];
    assert_int_equal (zc_id_format (ZC_ID_MAX, text), ZC_ID_SIZE - 2);
    assert_string_equal (text, "17592186044415-1048575");
    zc_id_format (ZC_ID_NONE, text);
    assert_string_equal (text, "0-0");
}

static void test_numbers_not_text (void **state)
{
    (void)state;
    zc_id_t nine, ten;
    zc_id_parse ("9-0", 3, &nine);
    zc_id_parse ("10-0", 4, &ten);
    assert_true (nine < ten);
    zc_id_parse ("9-9", 3, &nine);
    zc_id_parse ("9-10", 4, &ten);
    assert_true (nine < ten);
}

static void test_next (void **state)
{
    (void)state;
    zc_id_t at_1000 = zc_id_from_ms (1000);
    assert_int_equal (zc_id_next (ZC_ID_NONE, 1000), at_1000);
    assert_int_equal (zc_id_next (at_1000, 1000), at_1000 + 1);
    assert_int_equal (zc_id_next (at_1000, 1001), zc_id_from_ms (1001));
    /* The clock stepped back: ids go on. */
    assert_int_equal (zc_id_next (at_1000 + 5, 3), at_1000 + 6);
    /* A full counter carries. */
    assert_int_equal (zc_id_next (zc_id_from_ms (1001) - 1, 1000), zc_id_from_ms (1001));
}

static void test_next_always_increases (void **state)
{
    (void)state;
    zc_id_t last = ZC_ID_NONE;
    uint64_t clock = 1795478400000;
    srand (1);
    for (int i = 0; i < 100000; i++) {
        clock += (uint64_t)(rand () % 7);
        clock -= (uint64_t)(rand () % 5);
        zc_id_t next = zc_id_next (last, clock);
        assert_true (next > last);
        assert_true (zc_id_ms (next) >= clock);
        last = next;
    }
}

static void test_far_future (void **state)
{
    (void)state;
    assert_int_equal (zc_id_ms (zc_id_from_ms (UINT64_MAX)), 17592186044415);
    assert_true (zc_id_from_ms (UINT64_MAX) < ZC_ID_MAX);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),         cmocka_unit_test (test_bad),
        cmocka_unit_test (test_longest_fits), cmocka_unit_test (test_numbers_not_text),
        cmocka_unit_test (test_next),         cmocka_unit_test (test_next_always_increases),
        cmocka_unit_test (test_far_future),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
