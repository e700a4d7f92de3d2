/*  base64 and base64url: the examples of RFC 4648 §10, both ways, and malformed text. */
#include "tests/unit/unit.h"

#include "lib/base/base64.h"

static const struct {
    zc_slice_t bytes;
    const char *base64, *base64url;
} s_good[] = {
    {SLICE (""), "", ""},
    {SLICE ("f"), "Zg==", "Zg"},
    {SLICE ("fo"), "Zm8=", "Zm8"},
    {SLICE ("foo"), "Zm9v", "Zm9v"},
    {SLICE ("foob"), "Zm9vYg==", "Zm9vYg"},
    {SLICE ("fooba"), "Zm9vYmE=", "Zm9vYmE"},
    {SLICE ("foobar"), "Zm9vYmFy", "Zm9vYmFy"},
    {SLICE ("\xfb\xff\xfe"), "+//+", "-__-"},
    {SLICE ("\0\xff"), "AP8=", "AP8"},
};

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void s_expect (const zc_buf_t *out, zc_slice_t bytes)
{
    assert_int_equal (out->len, 1 + bytes.len); /* appended */
    assert_memory_equal (out->data + 1, bytes.at, bytes.len);
}

static void test_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_good); i++) {
        zc_slice_t bytes = s_good[i].bytes;
        zc_buf_t out = ZC_BUF_INIT;
        char text[16] = "";
        zc_base64 (bytes.at, bytes.len, text);
        assert_string_equal (text, s_good[i].base64);
        zc_buf_addc (&out, '.');
        assert_true (zc_base64_decode (&out, s_slice (text)));
        s_expect (&out, bytes);
        out.len = 1;
        zc_base64url_encode (&out, bytes.at, bytes.len);
        assert_string_equal (zc_buf_str (&out) + 1, s_good[i].base64url);
        out.len = 1;
        assert_int_equal (zc_base64url_decode (&out, s_slice (s_good[i].base64url)), 0);
        s_expect (&out, bytes);
        zc_buf_clear (&out);
    }
}

static void test_bad (void **state)
{
    (void)state;
    static const char *const bad[] = {"A",    "A===",  "====", "AP8",      "A=AA",     "AP-_",
                                      "Zg= ", "Zg\n=", "Z=g=", "Zm9v Zm9", "Zg==Zg==="};
    static const char *const bad_url[] = {"A",   "AP8=", "AP+/",  "Zh",
                                          "Zm9", "Zg\n", "Zm9vA", "Zm 9"};
    zc_buf_t out = ZC_BUF_INIT;
    zc_buf_addc (&out, '.');
    for (size_t i = 0; i < LENGTH (bad); i++)
        if (zc_base64_decode (&out, s_slice (bad[i])))
            fail_msg ("'%s' was decoded", bad[i]);
    out.len = 1;
    for (size_t i = 0; i < LENGTH (bad_url); i++)
        if (zc_base64url_decode (&out, s_slice (bad_url[i])) != -1)
            fail_msg ("'%s' was decoded", bad_url[i]);
    assert_int_equal (out.len, 1);
    zc_buf_clear (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),
        cmocka_unit_test (test_bad),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
