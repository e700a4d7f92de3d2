/*  Points in time: the forms that RFC 3339 allows, invalid ones, and the way back to text. */
#include "tests/unit/unit.h"

#include <time.h>

#include "lib/base/text.h"
#include "lib/base/timestamp.h"

static const struct {
    const char *text;
    uint64_t ms;
} s_good[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:00.0009Z", 0},
    {"2026-11-27T13:08:00Z", 1795784880000},
    {"2026-11-27t13:08:00.5z", 1795784880500},
    {"2026-11-27 13:08:00.123456789Z", 1795784880123},
    {"2026-11-27T14:08:00+01:00", 1795784880000},
    {"2026-11-27T08:38:00.05-04:30", 1795784880050},
    {"2026-11-28T00:00:00+23:59", 1795737660000},
    {"2024-02-29T00:00:00Z", 1709164800000},
    {"2000-02-29T00:00:00Z", 951782400000},
    {"2016-12-31T23:59:60Z", 1483228800000},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
};

static const char *const s_bad[] = {
    "",
    "now",
    "5m",
    "2026",
    "2026-11-27",
    "2026-11-27T13:08Z",
    "2026-11-27T13:08:00",
    "2026-11-27T13:08:00ZZ",
    "2026-11-27T13:08:00.Z",
    "2026-11-27T13:08:00,5Z",
    "2026-11-27T13:08:00+0100",
    "2026-11-27T13:08:00+24:00",
    "2026-11-27T13:08:00+01:60",
    "2026-11-27T24:00:00Z",
    "2026-11-27T13:60:00Z",
    "2026-11-27T13:08:61Z",
    "2026-11-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-11-27X13:08:00Z",
    "2026/11/27T13:08:00Z",
    "+026-11-27T13:08:00Z",
    "20261-1-27T13:08:00Z",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00+00:01",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:60Z",
    "9999-12-31T23:59:59-00:01",
};

/*  In memory of exactly this size, so that a read past it is seen. */
static int s_parse (const char *text, uint64_t *ms)
{
    size_t len = strlen (text);
    char *copy = malloc (len ? len : 1);
    memcpy (copy, text, len);
    int rc = zc_timestamp_parse (copy, len, ms);
    free (copy);
    return rc;
}

static void test_parse (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_good); i++) {
        uint64_t ms = 1;
        if (s_parse (s_good[i].text, &ms) != 0 || ms != s_good[i].ms)
            fail_msg ("%s: %llu", s_good[i].text, (unsigned long long)ms);
    }
    for (size_t i = 0; i < LENGTH (s_bad); i++) {
        uint64_t ms = 42;
        if (s_parse (s_bad[i], &ms) != -1 || ms != 42)
            fail_msg ("%s was taken", s_bad[i]);
    }
}

/*  Every day of 700 years, written by the C library. */
static void test_there_and_back (void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 700 * 365; day++) {
        char text[ZC_TIMESTAMP_SIZE];
        uint64_t ms = day * 86400000 + day % 86400000, back = 0;
        size_t len = zc_timestamp_format (ms, text);
        assert_int_equal (len, strlen (text));
        if (zc_timestamp_parse (text, len, &back) != 0 || back != ms)
            fail_msg ("%s: %llu, not %llu", text, (unsigned long long)back, (unsigned long long)ms);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_parse),
        cmocka_unit_test (test_there_and_back),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
