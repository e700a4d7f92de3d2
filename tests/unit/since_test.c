/*  Where in history to begin, as it is typed. */
#include "tests/unit/unit.h"

#include "lib/wire/message.h"
#include "tools/since.h"

#define NOW 1795784880000u /* 2026-11-27T13:08:00Z */

static const struct {
    const char *text;
    zc_from_t from;
    uint64_t ms; /* the first millisecond that is wanted; or the count */
} s_good[] = {
    {"5m", ZC_FROM_POSITION, NOW - 300000},
    {"1.5h", ZC_FROM_POSITION, NOW - 5400000},
    {"250ms", ZC_FROM_POSITION, NOW - 250},
    {"0s", ZC_FROM_POSITION, NOW},
    {"100000d", ZC_FROM_POSITION, 0},
    {"2026-11-27T13:00:00Z", ZC_FROM_POSITION, NOW - 480000},
    {"2026-11-27T14:00:00.250+01:00", ZC_FROM_POSITION, NOW - 480000 + 250},
    {"2100-01-01T00:00:00Z", ZC_FROM_POSITION, 4102444800000},
    {"1970-01-01T00:00:00Z", ZC_FROM_POSITION, 0},
    {"earliest", ZC_FROM_EARLIEST, 0},
    {"last:1", ZC_FROM_LAST, 1},
    {"last:1000000", ZC_FROM_LAST, 1000000},
};

static const struct {
    const char *text, *own_id;
} s_own[] = {
    {"id:5m", "5m"},
    {"id:earliest", "earliest"},
    {"order 42", "order 42"},
    {"5x", "5x"},
    {"300", "300"},
    {"Earliest", "Earliest"},
    {"last", "last"},
    {"-5m", "-5m"},
    {"1795478400123", "1795478400123"},
    {"m", "m"},
    {"id", "id"},
    {"5 m", "5 m"},
    {"1.5.5s", "1.5.5s"},
    {"01795478400123-0", "01795478400123-0"},
};

static const struct {
    const char *text, *said;
} s_bad[] = {
    {"", "plain text"},
    {"id:", "plain text"},
    {"a\x01", "plain text"},
    {"\xff", "plain text"},
    {"last:", "number from 1"},
    {"last:0", "number from 1"},
    {"last:-1", "number from 1"},
    {"last:ten", "number from 1"},
    {"last:9223372036854775808", "number from 1"},
    {"2026-11-27", "2026-11-27T10:00:00Z"},
    {"2026-11-27T13:00Z", "2026-11-27T10:00:00Z"},
    {"2026-13-27T13:00:00Z", "2026-11-27T10:00:00Z"},
    {"1969-12-31T23:59:59Z", "2026-11-27T10:00:00Z"},
    {"9999-01-01T00:00:00Z", "too late"},
};

static void test_since (void **state)
{
    (void)state;
    zc_since_t since;
    for (size_t i = 0; i < LENGTH (s_good); i++) {
        const char *wrong = zc_since_parse (&since, s_good[i].text, NOW);
        uint64_t got = since.from == ZC_FROM_LAST ? since.count
                       : since.position           ? zc_id_ms (since.position + 1)
                                                  : 0;
        if (wrong || since.from != s_good[i].from || got != s_good[i].ms)
            fail_msg ("%s: %s, %llu", s_good[i].text, wrong, (unsigned long long)got);
        assert_true (since.position == 0 || zc_id_from_ms (got) == since.position + 1);
    }
    for (size_t i = 0; i < LENGTH (s_own); i++) {
        const char *wrong = zc_since_parse (&since, s_own[i].text, NOW);
        if (wrong || since.from != ZC_FROM_OWN_ID || strcmp (since.own_id, s_own[i].own_id) != 0)
            fail_msg ("%s: %s", s_own[i].text, wrong);
    }
    for (size_t i = 0; i < LENGTH (s_bad); i++) {
        const char *wrong = zc_since_parse (&since, s_bad[i].text, NOW);
        if (!wrong || !strstr (wrong, s_bad[i].said))
            fail_msg ("%s: %s", s_bad[i].text, wrong);
    }
    char text[258];
    memset (text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_non_null (zc_since_parse (&since, text, NOW));
    assert_null (zc_since_parse (&since, text + 1, NOW));
    assert_null (zc_since_parse (&since, "1795478400123-7", NOW));
    assert_int_equal (since.from, ZC_FROM_POSITION);
    assert_int_equal (since.position, zc_id_from_ms (1795478400123) + 7);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_since),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
