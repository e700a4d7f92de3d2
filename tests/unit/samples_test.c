/*  Percentiles of samples. */
#include "tests/unit/unit.h"

#include "tools/samples.h"

static void s_within (uint64_t got, uint64_t wanted)
{
    if (got < wanted || (double)got > (double)wanted * 1.04 + 1)
        fail_msg ("%llu, not %llu", (unsigned long long)got, (unsigned long long)wanted);
}

static void s_percentiles (void **state)
{
    (void)state;
    static zc_samples_t samples;
    assert_int_equal (zc_samples_at (&samples, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++)
        zc_samples_add (&samples, i);
    s_within (zc_samples_at (&samples, 0.5), 50000);
    s_within (zc_samples_at (&samples, 0.9), 90000);
    s_within (zc_samples_at (&samples, 0.999), 99900);
    assert_int_equal (zc_samples_at (&samples, 0), 1);
    assert_int_equal (zc_samples_at (&samples, 1), 100000);
    assert_int_equal (samples.min, 1);
    assert_int_equal (samples.max, 100000);
    assert_true (zc_samples_mean (&samples) == 50000.5);
}

static void s_any_value (void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++)
        for (int add = -1; add <= 1; add++) {
            zc_samples_t samples = {0};
            uint64_t value = ((uint64_t)1 << bit) + (uint64_t)add;
            zc_samples_add (&samples, value);
            assert_int_equal (zc_samples_at (&samples, 0.5), value);
        }
}

static void s_shown (void **state)
{
    (void)state;
    static zc_samples_t samples;
    char text[ZC_SAMPLES_TEXT];
    for (int i = 0; i < 9; i++)
        zc_samples_add (&samples, 10);
    zc_samples_add (&samples, 3000);
    assert_string_equal (zc_samples_text (&samples, text),
                         "p50 0.01, p90 0.01, p99 3.00, p99.9 3.00, max 3.00 ms");
    json_t *object = zc_samples_json (&samples);
    assert_true (json_real_value (json_object_get (object, "p99")) == 3);
    assert_true (json_real_value (json_object_get (object, "min")) == 0.01);
    json_decref (object);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_percentiles),
        cmocka_unit_test (s_any_value),
        cmocka_unit_test (s_shown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
