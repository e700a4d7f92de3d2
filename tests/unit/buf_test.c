/*  The growable buffer: growing keeps all bytes, shifting keeps the rest. */
#include "tests/unit/unit.h"

#include "lib/base/buf.h"

static void test_growth_keeps_content (void **state)
{
    (void)state;
    zc_buf_t buf = ZC_BUF_INIT;
    for (unsigned i = 0; i < 10000; i++)
        zc_buf_addc (&buf, (char)i);
    assert_int_equal (buf.len, 10000);
    assert_true (buf.cap >= buf.len && buf.cap < 4 * buf.len);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal (buf.data[i], (uint8_t)i);
    zc_buf_clear (&buf);
    assert_null (buf.data);
    assert_int_equal (buf.len + buf.cap, 0);
}

static void test_text (void **state)
{
    (void)state;
    zc_buf_t buf = ZC_BUF_INIT;
    assert_string_equal (zc_buf_str (&buf), "");
    zc_buf_adds (&buf, "a");
    zc_buf_addf (&buf, "-%d-%s", 42, "");
    zc_buf_add (&buf, "x\0y", 3);
    zc_buf_add (&buf, NULL, 0);
    assert_int_equal (buf.len, 8);
    assert_memory_equal (buf.data, "a-42-x\0y", 8);
    assert_string_equal (zc_buf_str (&buf), "a-42-x");
    assert_int_equal (buf.len, 8);
    zc_buf_clear (&buf);
}

/*  Texts of every length around the first capacities: vsnprintf's NUL needs room, too. */
static void test_format_at_the_edge (void **state)
{
    (void)state;
    for (int len = 0; len < 200; len++) {
        zc_buf_t buf = ZC_BUF_INIT;
        zc_buf_addf (&buf, "%*s", len, "");
        assert_int_equal (buf.len, len);
        assert_int_equal (strlen (zc_buf_str (&buf)), len);
        zc_buf_clear (&buf);
    }
}

static void test_shift (void **state)
{
    (void)state;
    zc_buf_t buf = ZC_BUF_INIT;
    zc_buf_shift (&buf, 0);
    zc_buf_adds (&buf, "0123456789");
    zc_buf_shift (&buf, 0);
    zc_buf_shift (&buf, 4);
    assert_string_equal (zc_buf_str (&buf), "456789");
    zc_buf_adds (&buf, "ab");
    assert_string_equal (zc_buf_str (&buf), "456789ab");
    zc_buf_shift (&buf, 8);
    assert_int_equal (buf.len, 0);
    zc_buf_clear (&buf);
    zc_buf_clear (&buf);
}

static void test_reserve (void **state)
{
    (void)state;
    zc_buf_t buf = ZC_BUF_INIT;
    zc_buf_adds (&buf, "head");
    memcpy (zc_buf_reserve (&buf, 100000), "tail", 4);
    assert_true (buf.cap >= 100004);
    assert_int_equal (buf.len, 4);
    buf.len += 4;
    assert_string_equal (zc_buf_str (&buf), "headtail");
    zc_buf_clear (&buf);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_growth_keeps_content),
        cmocka_unit_test (test_text),
        cmocka_unit_test (test_format_at_the_edge),
        cmocka_unit_test (test_shift),
        cmocka_unit_test (test_reserve),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
