/*  Compressed messages: the examples of RFC 7692, all that zlib can make of a message, and bytes
 *  that it can't have made. */
#include "tests/unit/unit.h"

#include <zlib.h>

#include "lib/base/text.h"
#include "ws/deflate.h"
#include "ws/frame.h"

#define MAX 100000

static void s_assert_inflates (const void *bytes, size_t len, const void *text, size_t text_len)
{
    zc_buf_t out = ZC_BUF_INIT;
    uint8_t *copy = malloc (len ? len : 1);
    memcpy (copy, bytes, len);
    zc_buf_adds (&out, "before");
    assert_int_equal (zc_inflate (&out, copy, len, text_len), 0);
    assert_int_equal (out.len, 6 + text_len);
    assert_memory_equal (out.data, "before", 6);
    if (text_len > 0)
        assert_memory_equal (out.data + 6, text, text_len);
    zc_buf_clear (&out);
    /*  and not where one byte less is allowed */
    if (text_len > 0)
        assert_int_equal (zc_inflate (&out, copy, len, text_len - 1), ZC_CLOSE_TOO_BIG);
    zc_buf_clear (&out);
    free (copy);
}

static unsigned s_inflate (const void *bytes, size_t len, size_t max)
{
    zc_buf_t out = ZC_BUF_INIT;
    unsigned code = zc_inflate (&out, bytes, len, max);
    assert_true (out.len <= max + 1);
    zc_buf_clear (&out);
    return code;
}

/*  RFC 7692 §7.2.3. */
static void test_examples (void **state)
{
    (void)state;
    static const zc_slice_t hello[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7},
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11},         /* not compressed */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8},                      /* BFINAL */
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13}, /* two blocks */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00", 7},                          /* no block behind it */
        {"\x01\x02\x00\xfd\xff\x48\x65\x01\x03\x00\xfc\xff\x6c\x6c\x6f", 15}, /* BFINAL twice */
    };
    for (size_t i = 0; i < LENGTH (hello); i++)
        s_assert_inflates (hello[i].at, hello[i].len, "Hello", 5);
    s_assert_inflates ("\x00", 1, "", 0); /* an empty message */
    s_assert_inflates ("\x02\x00", 2, "", 0);
    /*  It isn't negotiated that the context is kept, so each message stands alone. */
    assert_int_equal (s_inflate ("\xf2\x00\x11\x00\x00", 5, MAX), ZC_CLOSE_NOT_UTF8);
}

static void test_broken (void **state)
{
    (void)state;
    static const zc_slice_t broken[] = {
        {"", 0},
        {"\x06", 1}, /* the reserved kind of block */
        {"\xff", 1},
        {"\xf2\x48\xcd\xc9\xc9", 5}, /* cut off */
        {"\xf2\x48\xcd\xc9\xc9\x07", 6},
        {"\x00\x05\x00\xfa\xff\x48\x65", 7},                  /* a stored block that is cut off */
        {"\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00", 11}, /* its length disagrees */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x06", 8},              /* after the last block */
        {"\x05\x00", 2},
        {"hello, world", 12},
    };
    for (size_t i = 0; i < LENGTH (broken); i++)
        assert_int_equal (s_inflate (broken[i].at, broken[i].len, MAX), ZC_CLOSE_NOT_UTF8);
    s_assert_inflates ("\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello", 5); /* the next one is good */
}

/*  Text like JSON, different each time. */
static char *s_text (size_t len, unsigned seed)
{
    char *text = malloc (len + 64);
    for (size_t at = 0; at < len;) {
        seed = seed * 1664525 + 1013904223;
        at += (size_t)sprintf (text + at, "{\"value\":%u,\"state\":\"%s\"},", seed >> 12,
                               seed & 1 << 30 ? "running" : "idle");
    }
    return text;
}

static void test_there_and_back (void **state)
{
    (void)state;
    static const size_t lengths[] = {100, 125, 1000, 16383, 16384, 16385, 65536, MAX, 3000000};
    zc_deflate_from (100);
    for (size_t i = 0; i < LENGTH (lengths); i++) {
        char *text = s_text (lengths[i], (unsigned)i);
        zc_buf_t out = ZC_BUF_INIT;
        zc_buf_adds (&out, "before");
        assert_true (zc_deflate (&out, text, lengths[i]));
        assert_true (out.len - 6 < lengths[i]);
        assert_memory_equal (out.data, "before", 6);
        s_assert_inflates (out.data + 6, out.len - 6, text, lengths[i]);
        zc_buf_clear (&out);
        free (text);
    }
}

/*  The same message gives the same bytes, whatever came before. */
static void test_keeps_no_context (void **state)
{
    (void)state;
    char *text = s_text (5000, 1), *other = s_text (9000, 2);
    zc_buf_t first = ZC_BUF_INIT, second = ZC_BUF_INIT;
    zc_deflate_from (1);
    assert_true (zc_deflate (&first, text, 5000));
    assert_true (zc_deflate (&second, other, 9000));
    second.len = 0;
    assert_true (zc_deflate (&second, text, 5000));
    assert_int_equal (first.len, second.len);
    assert_memory_equal (first.data, second.data, first.len);
    zc_buf_clear (&first);
    zc_buf_clear (&second);
    free (text);
    free (other);
}

/*  Short messages, and those that don't become shorter, stay as they are. */
static void test_not_worth_it (void **state)
{
    (void)state;
    char *text = s_text (1000, 3);
    uint8_t noise[1000];
    zc_buf_t out = ZC_BUF_INIT;
    for (size_t i = 0, seed = 1; i < sizeof noise; i++)
        noise[i] = (uint8_t)((seed = seed * 6364136223846793005u + 1) >> 56);
    zc_buf_adds (&out, "before");
    zc_deflate_from (1000);
    assert_false (zc_deflate (&out, text, 999));
    assert_false (zc_deflate (&out, noise, 1000));
    zc_deflate_from (1);
    for (size_t len = 0; len < 10; len++)
        assert_false (zc_deflate (&out, "0123456789", len));
    zc_deflate_from (0);
    assert_false (zc_deflate (&out, text, 1000));
    assert_int_equal (out.len, 6);
    zc_deflate_from (1000);
    assert_true (zc_deflate (&out, text, 1000));
    zc_buf_clear (&out);
    free (text);
}

/*  A message as a client's compressor makes it: any level, window and memory. */
static void s_compress (zc_buf_t *out, const void *text, size_t len, int level, int window,
                        int memory)
{
    z_stream stream = {0};
    assert_int_equal (
        deflateInit2 (&stream, level, Z_DEFLATED, -window, memory, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = 2 * len + 100;
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)len;
    stream.next_out = zc_buf_reserve (out, room);
    stream.avail_out = (uInt)room;
    assert_int_equal (deflate (&stream, Z_SYNC_FLUSH), Z_OK);
    out->len += room - stream.avail_out - 4;
    deflateEnd (&stream);
}

static void test_any_compressor (void **state)
{
    (void)state;
    char *text = s_text (MAX, 4);
    for (int level = 0; level <= 9; level += 3)
        for (int window = 9; window <= 15; window += 3)
            for (int memory = 1; memory <= 9; memory += 4) {
                zc_buf_t in = ZC_BUF_INIT;
                s_compress (&in, text, MAX, level, window, memory);
                assert_true (in.len <= zc_deflated_max (MAX));
                s_assert_inflates (in.data, in.len, text, MAX);
                zc_buf_clear (&in);
            }
    free (text);
}

/*  A message that is cut anywhere is broken; after a whole block it may be good. */
static void test_cut_off (void **state)
{
    (void)state;
    char *text = s_text (3000, 5);
    zc_buf_t in = ZC_BUF_INIT;
    zc_deflate_from (1);
    assert_true (zc_deflate (&in, text, 3000));
    for (size_t len = 0; len < in.len; len++)
        assert_int_equal (s_inflate (in.data, len, MAX), ZC_CLOSE_NOT_UTF8);
    zc_buf_clear (&in);
    free (text);
}

/*  Data that would grow to a thousand times its size is stopped at the limit. */
static void test_bomb (void **state)
{
    (void)state;
    size_t len = 50000000;
    char *zeros = calloc (1, len);
    zc_buf_t in = ZC_BUF_INIT;
    s_compress (&in, zeros, len, 9, 15, 9);
    assert_true (in.len < len / 1000);
    zc_buf_t out = ZC_BUF_INIT;
    assert_int_equal (zc_inflate (&out, in.data, in.len, 65536), ZC_CLOSE_TOO_BIG);
    assert_true (out.cap <= 4 * 65536);
    assert_int_equal (s_inflate (in.data, in.len, 0), ZC_CLOSE_TOO_BIG);
    zc_buf_clear (&out);
    zc_buf_clear (&in);
    free (zeros);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_examples),       cmocka_unit_test (test_broken),
        cmocka_unit_test (test_there_and_back), cmocka_unit_test (test_keeps_no_context),
        cmocka_unit_test (test_not_worth_it),   cmocka_unit_test (test_any_compressor),
        cmocka_unit_test (test_cut_off),        cmocka_unit_test (test_bomb),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
