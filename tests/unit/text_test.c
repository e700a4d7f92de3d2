/*  Checks on text from outside: UTF-8, topics, escapes, queries, numbers. */
#include "tests/unit/unit.h"

#include "lib/base/text.h"

/*  The checks get a copy in memory of exactly this size, so that a read past it is seen. */
static bool s_on_exact (bool (*check) (const void *, size_t), zc_slice_t text)
{
    char *copy = calloc (1, text.len ? text.len : 1);
    memcpy (copy, text.at, text.len);
    bool result = check (copy, text.len);
    free (copy);
    return result;
}

static const zc_slice_t s_utf8_good[] = {
    SLICE (""),
    SLICE ("plain text that is longer than a word of eight bytes"),
    SLICE ("a\0b"),
    SLICE ("\x7f\x01\n"),
    SLICE ("caf\xc3\xa9"),
    SLICE ("\xc2\x80 \xdf\xbf"),
    SLICE ("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
    SLICE ("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
    SLICE ("1234567\xe2\x82\xac"),
    SLICE ("12345678\xf0\x9f\x98\x80"),
};

static const zc_slice_t s_utf8_bad[] = {
    SLICE ("\x80"),
    SLICE ("\xbf"),
    SLICE ("\xc0\x80"),
    SLICE ("\xc1\xbf"),
    SLICE ("\xc3"),
    SLICE ("\xc3\x28"),
    SLICE ("\xc3\xc3"),
    SLICE ("\xe0\x9f\xbf"),
    SLICE ("\xe2\x82"),
    SLICE ("\xe2\x28\xa1"),
    SLICE ("\xed\xa0\x80"),
    SLICE ("\xed\xbf\xbf"),
    SLICE ("\xf0\x8f\xbf\xbf"),
    SLICE ("\xf0\x9f\x98"),
    SLICE ("\xf4\x90\x80\x80"),
    SLICE ("\xf5\x80\x80\x80"),
    SLICE ("\xf8\x88\x80\x80\x80"),
    SLICE ("\xfe"),
    SLICE ("\xff"),
    SLICE ("12345678\x80"),
    SLICE ("1234567\xc3"),
    SLICE ("123456789012345\xe2\x82"),
};

static void test_utf8 (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_utf8_good); i++)
        if (!s_on_exact (zc_utf8_valid, s_utf8_good[i]))
            fail_msg ("good[%zu] was refused", i);
    for (size_t i = 0; i < LENGTH (s_utf8_bad); i++)
        if (s_on_exact (zc_utf8_valid, s_utf8_bad[i]))
            fail_msg ("bad[%zu] was taken", i);
}

/*  Every code point is accepted in the form that UTF-8 gives it, except for surrogates. */
static void test_utf8_every_code_point (void **state)
{
    (void)state;
    for (uint32_t code = 0x80; code < 0x110000; code++) {
        uint8_t text[4];
        size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        uint32_t rest = code;
        for (size_t i = len - 1; i > 0; i--, rest >>= 6)
            text[i] = (uint8_t)(0x80 | (rest & 0x3f));
        text[0] = (uint8_t)((0xf00u >> len) | rest);
        bool surrogate = code >= 0xd800 && code < 0xe000;
        assert_int_equal (zc_utf8_valid (text, len), !surrogate);
    }
}

static const zc_slice_t s_not_plain[] = {
    SLICE ("\0"),  SLICE ("a\nb"),       SLICE ("\x1b[2J"),          SLICE ("\x7f"),
    SLICE ("\t"),  SLICE ("\xc2\x80"),   SLICE ("\xc2\x9f"),         SLICE ("\xff"),
    SLICE ("a\r"), SLICE ("12345678\n"), SLICE ("\xc3\xa9\xc2\x85"),
};

static void test_plain (void **state)
{
    (void)state;
    assert_true (s_on_exact (zc_text_plain, SLICE ("")));
    assert_true (s_on_exact (zc_text_plain, SLICE ("a b~!")));
    assert_true (s_on_exact (zc_text_plain, SLICE ("\xc2\xa0\xc3\xa9\xe2\x82\xac")));
    for (size_t i = 0; i < LENGTH (s_not_plain); i++)
        if (s_on_exact (zc_text_plain, s_not_plain[i]))
            fail_msg ("[%zu] was taken", i);
}

static void test_topic (void **state)
{
    (void)state;
    char long_one[ZC_TOPIC_MAX + 1];
    memset (long_one, 't', sizeof long_one);
    assert_false (zc_topic_valid ("", 0));
    assert_true (zc_topic_valid ("a", 1));
    assert_true (zc_topic_valid ("host/metrics \xc3\xa9", 15));
    assert_false (zc_topic_valid ("a\nb", 3));
    assert_true (zc_topic_valid (long_one, ZC_TOPIC_MAX));
    assert_false (zc_topic_valid (long_one, ZC_TOPIC_MAX + 1));
}

static const struct {
    const char *in, *out; /* out NULL: refused */
} s_escapes[] = {
    {"", ""},           {"abc", "abc"}, {"a+b", "a b"}, {"%41%7a", "Az"}, {"%C3%a9", "\xc3\xa9"},
    {"100%25", "100%"}, {"%", NULL},    {"%4", NULL},   {"a%zz", NULL},   {"%4g", NULL},
    {"ok%2", NULL},     {"%%41", NULL}, {"%-1", NULL},  {"%2B", "+"},
};

static void test_url_decode (void **state)
{
    (void)state;
    char out[32];
    for (size_t i = 0; i < LENGTH (s_escapes); i++) {
        long len = zc_url_decode (s_escapes[i].in, strlen (s_escapes[i].in), out);
        if (!s_escapes[i].out) {
            assert_int_equal (len, -1);
            continue;
        }
        assert_int_equal (len, strlen (s_escapes[i].out));
        assert_memory_equal (out, s_escapes[i].out, (size_t)len);
    }
    /* in a path, '+' stands for itself */
    assert_int_equal (zc_percent_decode ("a+b%20%2B", 9, out), 5);
    assert_memory_equal (out, "a+b +", 5);
    assert_int_equal (zc_percent_decode ("%4", 2, out), -1);
    assert_int_equal (zc_url_decode ("%00", 3, out), 1);
    assert_int_equal (out[0], 0);
    /* An escape whose digits are beyond the end. */
    assert_int_equal (zc_url_decode ("%41", 2, out), -1);
}

static void test_query (void **state)
{
    (void)state;
    zc_slice_t query = SLICE ("&a=1&&b&=c&d==&e="), name, value;
    static const char *const expected[][2] = {
        {"a", "1"}, {"b", ""}, {"", "c"}, {"d", "="}, {"e", ""}};
    for (size_t i = 0; i < LENGTH (expected); i++) {
        assert_true (zc_query_next (&query, &name, &value));
        assert_slice (name, expected[i][0]);
        assert_slice (value, expected[i][1]);
    }
    assert_false (zc_query_next (&query, &name, &value));
    assert_false (zc_query_next (&query, &name, &value));
}

static const struct {
    const char *text;
    uint64_t max;
    bool good;
    uint64_t value;
} s_numbers[] = {
    {"0", 0, true, 0},
    {"007", 10, true, 7},
    {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
    {"18446744073709551616", UINT64_MAX, false, 0},
    {"184467440737095516150", UINT64_MAX, false, 0},
    {"10", 9, false, 0},
    {"9", 9, true, 9},
    {"5", 3, false, 0},
    {"", 9, false, 0},
    {"-1", 9, false, 0},
    {"+1", 9, false, 0},
    {" 1", 9, false, 0},
    {"1 ", 9, false, 0},
    {"1.0", 9, false, 0},
    {"0x1", 99, false, 0},
};

static void test_u64 (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_numbers); i++) {
        uint64_t value = 77;
        int rc =
            zc_text_u64 (s_numbers[i].text, strlen (s_numbers[i].text), s_numbers[i].max, &value);
        if ((rc == 0) != s_numbers[i].good)
            fail_msg ("\"%s\": %d", s_numbers[i].text, rc);
        assert_int_equal (value, s_numbers[i].good ? s_numbers[i].value : 77);
    }
}

static void test_slices (void **state)
{
    (void)state;
    /* in the order of their bytes */
    static const zc_slice_t slices[] = {{NULL, 0},    SLICE ("\0"), SLICE ("a"),   SLICE ("a\0"),
                                        SLICE ("ab"), SLICE ("b"),  SLICE ("\xff")};
    for (size_t i = 0; i < LENGTH (slices); i++)
        for (size_t k = 0; k < LENGTH (slices); k++) {
            int order = zc_slice_compare (slices[i], slices[k]);
            assert_int_equal ((order > 0) - (order < 0), (i > k) - (i < k));
        }
    assert_true (zc_slice_begins (slices[0], slices[0]));
    assert_true (zc_slice_begins (slices[2], slices[0]));
    assert_true (zc_slice_begins (slices[3], slices[2]));
    assert_true (zc_slice_begins (slices[3], slices[3]));
    assert_false (zc_slice_begins (slices[2], slices[3]));
    assert_false (zc_slice_begins (slices[4], slices[3]));
    assert_false (zc_slice_begins (slices[0], slices[1]));
}

static const struct {
    zc_slice_t text;
    const char *shown;
} s_shown[] = {
    {SLICE (""), ""},
    {SLICE ("plain \\n text"), "plain \\n text"},
    {SLICE ("a\0b\r\n\t\x1b[2J\x7f"), "a\\x00b\\r\\n\\t\\x1b[2J\\x7f"},
    {SLICE ("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {SLICE ("\xc2\x9b"
            "31m\xc2\xa0"),
     "\\x9b31m\xc2\xa0"},
    {SLICE ("\xe2\x80\xaexe\xe2\x81\xa9\xe2\x80\x8f"), "\\u202exe\\u2069\xe2\x80\x8f"},
    {SLICE ("\xff caf\xc3\xa9 \xc3"), "\\xff caf\xc3\xa9 \\xc3"},
    {SLICE ("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
};

static void test_escape (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_shown); i++) {
        zc_slice_t text = s_shown[i].text;
        char *out = malloc (4 * text.len + 1), *copy = malloc (text.len + 1);
        memcpy (copy, text.at, text.len);
        copy[text.len] = (char)0x9b; /* a sequence that the end of the text cuts off */
        size_t len = zc_text_escape (copy, text.len, out);
        if (len > 4 * text.len || len != strlen (s_shown[i].shown) ||
            memcmp (out, s_shown[i].shown, len) != 0)
            fail_msg ("escape %zu: %.*s", i, (int)len, out);
        free (out);
        free (copy);
    }
}

static void test_hex (void **state)
{
    static const char digits[] = "0123456789abcdef", upper[] = "ABCDEF";
    (void)state;
    for (int c = -128; c < 128; c++) {
        const char *low = c ? strchr (digits, c) : NULL, *high = c ? strchr (upper, c) : NULL;
        int lower = low ? (int)(low - digits) : -1;
        assert_int_equal (zc_text_hex_lower ((char)c), lower);
        assert_int_equal (zc_text_hex ((char)c), high ? 10 + (int)(high - upper) : lower);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_escape),
        cmocka_unit_test (test_utf8),
        cmocka_unit_test (test_utf8_every_code_point),
        cmocka_unit_test (test_plain),
        cmocka_unit_test (test_topic),
        cmocka_unit_test (test_query),
        cmocka_unit_test (test_url_decode),
        cmocka_unit_test (test_u64),
        cmocka_unit_test (test_slices),
        cmocka_unit_test (test_hex),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
