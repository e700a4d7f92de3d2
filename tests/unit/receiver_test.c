/*  The bytes of clients: frames put together to messages, and every way to get it wrong, whole
 *  and in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/receiver.h"

#define MAX 70000

static bool s_deflate; /* permessage-deflate was negotiated */

/*  A client's frame: first byte as given, masked, with the length in its shortest form. */
static void s_frame (zc_buf_t *out, unsigned first, const void *payload, size_t len)
{
    static const uint8_t mask[4] = {0x12, 0xfe, 0x00, 0x9b};
    size_t at = out->len;
    zc_frame_add (out, first & 0xf, payload, len);
    out->data[at] = (uint8_t)first;
    out->data[at + 1] |= 0x80;
    zc_buf_reserve (out, 4);
    uint8_t *body = out->data + out->len - len;
    memmove (body + 4, body, len);
    memcpy (body, mask, 4);
    out->len += 4;
    for (size_t i = 0; i < len; i++)
        body[4 + i] ^= mask[i % 4];
}

/*  The messages received, as text: "<opcode>:<length>:<payload>;" for each. */
static unsigned s_on_message (void *arg, unsigned opcode, const uint8_t *data, size_t len)
{
    zc_buf_t *log = arg;
    zc_buf_addf (log, "%x:%zu:%.*s;", opcode, len, (int)(len < 20 ? len : 20), (const char *)data);
    return len == 4 && memcmp (data, "stop", 4) == 0 ? 4000 : 0;
}

/*  As another process takes it over. */
static void s_move (zc_receiver_t **receiver, zc_buf_t *log)
{
    zc_buf_t saved = ZC_BUF_INIT;
    size_t said = log->len;
    if (!*receiver)
        return;
    zc_receiver_save (*receiver, &saved);
    zc_receiver_destroy (receiver);
    assert_int_equal (
        zc_receiver_feed (receiver, saved.data, saved.len, MAX, s_deflate, s_on_message, log), 0);
    assert_int_equal (log->len, said);
    zc_buf_clear (&saved);
}

/*  Feeds `in` in pieces of `step` bytes, each in a block of its own; `moves`: from one receiver to
 *  another one after each. Returns the code; *idle tells whether no receiver was left. */
static unsigned s_run (const zc_buf_t *in, size_t step, bool moves, zc_buf_t *log, bool *idle)
{
    zc_receiver_t *receiver = NULL;
    unsigned code = 0;
    for (size_t at = 0; code == 0 && at < in->len; at += step) {
        size_t len = in->len - at < step ? in->len - at : step;
        uint8_t *piece = malloc (len);
        memcpy (piece, in->data + at, len);
        code = zc_receiver_feed (&receiver, piece, len, MAX, s_deflate, s_on_message, log);
        free (piece);
        if (moves && code == 0)
            s_move (&receiver, log);
    }
    *idle = receiver == NULL;
    zc_receiver_destroy (&receiver);
    assert_null (receiver);
    return code;
}

/*  The result is the same in pieces of many sizes. Clears `in`. */
static void s_assert (zc_buf_t *in, unsigned code, bool idle, const char *expected)
{
    static const size_t steps[] = {1, 2, 3, 5, 7, 100, 4096, 1 << 20};
    for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
        zc_buf_t log = ZC_BUF_INIT;
        bool was_idle, moves = i % 2 && (steps[i / 2] >= 100 || in->len < 1000);
        assert_int_equal (s_run (in, steps[i / 2], moves, &log, &was_idle), code);
        assert_string_equal (zc_buf_str (&log), expected);
        assert_int_equal (was_idle, idle);
        zc_buf_clear (&log);
    }
    zc_buf_clear (in);
}

static void test_messages (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT;
    s_frame (&in, 0x81, "hello", 5);
    s_frame (&in, 0x82, "\xff\xfe", 2);
    s_frame (&in, 0x81, "", 0);
    s_frame (&in, 0x82, "", 0);
    s_frame (&in, 0x8a, "pong", 4);
    s_frame (&in, 0x89, "ping", 4);
    s_assert (&in, 0, true, "1:5:hello;2:2:\xff\xfe;1:0:;2:0:;a:4:pong;9:4:ping;");
}

static void test_fragments (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT;
    s_frame (&in, 0x01, "", 0);
    s_frame (&in, 0x89, "a", 1);
    s_frame (&in, 0x00, "h\xc3", 2);
    s_frame (&in, 0x8a, "", 0);
    s_frame (&in, 0x00, "", 0);
    s_frame (&in, 0x80, "\xa9!", 2);
    s_frame (&in, 0x02, "\xff", 1);
    s_frame (&in, 0x80, "", 0);
    s_assert (&in, 0, true, "9:1:a;a:0:;1:4:h\xc3\xa9!;2:1:\xff;");
}

/*  The lengths at which the form of the length changes. */
static void test_lengths (void **state)
{
    (void)state;
    static const size_t lengths[] = {125, 126, 127, 128, 65535, 65536, MAX};
    char *payload = calloc (1, MAX);
    memset (payload, 'x', MAX);
    zc_buf_t in = ZC_BUF_INIT, expected = ZC_BUF_INIT;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        s_frame (&in, 0x81, payload, lengths[i]);
        zc_buf_addf (&expected, "1:%zu:xxxxxxxxxxxxxxxxxxxx;", lengths[i]);
    }
    s_assert (&in, 0, true, zc_buf_str (&expected));
    zc_buf_clear (&expected);
    free (payload);
}

/*  While a frame or a message is open there is a receiver, and nothing comes out. */
static void test_unfinished (void **state)
{
    (void)state;
    zc_buf_t whole = ZC_BUF_INIT;
    s_frame (&whole, 0x01, "he", 2);
    s_frame (&whole, 0x80, "llo", 3);
    for (size_t len = 1; len < whole.len; len++) {
        zc_buf_t in = ZC_BUF_INIT;
        zc_buf_add (&in, whole.data, len);
        s_assert (&in, 0, false, "");
    }
    zc_buf_clear (&whole);
}

static void test_protocol_errors (void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x81\x01x", 3},        /* not masked */
        {"\x89\x00", 2},         /* not masked */
        {"\xc1\x80\0\0\0\0", 6}, /* RSV1 */
        {"\xa1\x80\0\0\0\0", 6}, /* RSV2 */
        {"\x99\x80\0\0\0\0", 6}, /* RSV3, on a ping */
        {"\x83\x80\0\0\0\0", 6}, /* reserved opcodes */
        {"\x87\x80\0\0\0\0", 6},
        {"\x8b\x80\0\0\0\0", 6},
        {"\x8f\x80\0\0\0\0", 6},
        {"\x80\x80\0\0\0\0", 6}, /* continues nothing */
        {"\x00\x80\0\0\0\0", 6},
        {"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 12}, /* not continued */
        {"\x02\x81\0\0\0\0x\x02\x80\0\0\0\0", 13},
        {"\x09\x80\0\0\0\0", 6}, /* fragmented ping, close */
        {"\x08\x80\0\0\0\0", 6},
        {"\x89\xfe\0\x7e\0\0\0\0", 8}, /* ping of 126 bytes */
        {"\x81\xfe\0\x7d\0\0\0\0", 8}, /* length longer than needed */
        {"\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14},
        {"\x81\xff\x80\0\0\0\0\1\0\0\0\0\0\0", 14}, /* highest bit of a length */
        {"\x88\x81\0\0\0\0x", 7},                   /* half a close code */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_buf_t in = ZC_BUF_INIT;
        s_frame (&in, 0x81, "ok", 2);
        zc_buf_add (&in, bad[i].bytes, bad[i].len);
        s_assert (&in, ZC_CLOSE_PROTOCOL, false, "1:2:ok;");
    }
}

static void test_close (void **state)
{
    (void)state;
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                    1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const unsigned bad[] = {0,    1,    999,  1004, 1005, 1006, 1015,
                                   1016, 1100, 2000, 2999, 5000, 65535};
    zc_buf_t in = ZC_BUF_INIT;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint8_t body[4] = {(uint8_t)(good[i] >> 8), (uint8_t)good[i], 0xc3, 0xa9};
        assert_int_equal (zc_close_code (body, 4), good[i]);
        zc_buf_t log = ZC_BUF_INIT;
        bool idle;
        s_frame (&in, 0x88, body, 4);
        assert_int_equal (s_run (&in, 1, false, &log, &idle), 0);
        assert_memory_equal (log.data, "8:4:", 4);
        zc_buf_clear (&log);
        zc_buf_clear (&in);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t body[2] = {(uint8_t)(bad[i] >> 8), (uint8_t)bad[i]};
        s_frame (&in, 0x88, body, 2);
        s_assert (&in, ZC_CLOSE_PROTOCOL, false, "");
    }
    s_frame (&in, 0x88, "", 0);
    s_assert (&in, 0, true, "8:0:;");
    assert_int_equal (zc_close_code (NULL, 0), ZC_CLOSE_NO_STATUS);
    s_frame (&in, 0x88,
             "\x03\xe8"
             "abc\xe2\x82\xac\xe2\x82",
             10);
    s_assert (&in, ZC_CLOSE_NOT_UTF8, false, "");
}

/*  Good text is accepted wherever it is cut, into frames and into pieces. */
static void test_utf8_good (void **state)
{
    (void)state;
    static const char text[] =
        "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xce\xba";
    size_t len = sizeof text - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        zc_buf_t in = ZC_BUF_INIT, expected = ZC_BUF_INIT;
        s_frame (&in, 0x01, text, cut);
        s_frame (&in, 0x80, text + cut, len - cut);
        zc_buf_addf (&expected, "1:%zu:%.20s;", len, text);
        s_assert (&in, 0, true, zc_buf_str (&expected));
        zc_buf_clear (&expected);
    }
}

/*  Bad text is refused at its first impossible byte, before the message ends. */
static void test_utf8_bad (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xbf",         "\xc0",     "\xc1",          "\xc3\x28", "\xe0\x9f",
        "\xed\xa0",     "\xef\xbf\x28", "\xf0\x8f", "\xf4\x90",      "\xf5",     "\xff",
        "\xce\xba\xfe", "a\342\202b",   "\xf8",     "\xf0\x9f\x92z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_buf_t in = ZC_BUF_INIT;
        s_frame (&in, 0x01, bad[i], strlen (bad[i]));
        s_assert (&in, ZC_CLOSE_NOT_UTF8, false, "");
    }
    /*  A character that the message's end cuts off. */
    zc_buf_t in = ZC_BUF_INIT;
    s_frame (&in, 0x01, "\xe2", 1);
    s_frame (&in, 0x80, "\x82", 1);
    s_assert (&in, ZC_CLOSE_NOT_UTF8, false, "");
    s_frame (&in, 0x82, "\xff\xc0", 2); /* binary may be anything */
    s_assert (&in, 0, true, "2:2:\xff\xc0;");
}

static void test_too_big (void **state)
{
    (void)state;
    char *payload = calloc (1, MAX + 1);
    zc_buf_t in = ZC_BUF_INIT;
    s_frame (&in, 0x82, payload, MAX + 1);
    s_assert (&in, ZC_CLOSE_TOO_BIG, false, "");
    s_frame (&in, 0x02, payload, MAX);
    s_frame (&in, 0x00, payload, 0);
    s_frame (&in, 0x89, "p", 1); /* control frames don't count */
    s_frame (&in, 0x80, payload, 1);
    s_assert (&in, ZC_CLOSE_TOO_BIG, false, "9:1:p;");
    /*  Only the header of this length has come: nothing is allocated for it. */
    zc_buf_add (&in, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x", 15);
    s_assert (&in, ZC_CLOSE_TOO_BIG, false, "");
    free (payload);
}

/*  The code that the handler returns ends it; later bytes aren't read. */
static void test_handler_stops (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT;
    s_frame (&in, 0x82, "stop", 4);
    s_frame (&in, 0x82, "more", 4);
    s_assert (&in, 4000, false, "2:4:stop;");
}

/*  Compressed messages, whole and in fragments, among others. */
static void test_deflated (void **state)
{
    (void)state;
    static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07\x00"; /* RFC 7692 §7.2.3.1 */
    zc_buf_t in = ZC_BUF_INIT;
    s_deflate = true;
    for (size_t cut = 0; cut <= 7; cut++) {
        s_frame (&in, 0xc1, hello, 7);
        s_frame (&in, 0x81, "plain", 5);
        s_frame (&in, 0x42, hello, cut);
        s_frame (&in, 0x89, "ping", 4);
        s_frame (&in, 0x80, hello + cut, 7 - cut);
        s_frame (&in, 0x01, "pl", 2);
        s_frame (&in, 0x80, "ain", 3);
        s_frame (&in, 0xc2, "", 1);
        s_assert (&in, 0, true, "1:5:Hello;1:5:plain;9:4:ping;2:5:Hello;1:5:plain;2:0:;");
    }
    s_deflate = false;
}

/*  Errors that only show after inflating: broken data, text that isn't UTF-8. */
static void test_deflated_bad (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT;
    s_deflate = true;
    s_frame (&in, 0xc1, "\xf2\x48\xcd", 3);
    s_assert (&in, ZC_CLOSE_NOT_UTF8, false, "");
    s_frame (&in, 0xc2, "\x06", 1);
    s_assert (&in, ZC_CLOSE_NOT_UTF8, false, "");
    s_frame (&in, 0xc2, "", 0);
    s_assert (&in, ZC_CLOSE_NOT_UTF8, false, "");
    s_frame (&in, 0x41, "\x00\x02\x00\xfd\xff", 5);
    s_frame (&in, 0x80, "\xc3\x28\x00", 3);
    s_assert (&in, ZC_CLOSE_NOT_UTF8, false, "");
    s_frame (&in, 0xc1, "\x00\x01\x00\xfe\xff\xc3\x00", 7); /* cut off inside a character */
    s_assert (&in, ZC_CLOSE_NOT_UTF8, false, "");
    s_frame (&in, 0xc2, "\x00\x01\x00\xfe\xff\xc3\x00", 7);
    s_assert (&in, 0, true, "2:1:\xc3;");
    s_deflate = false;
}

static void test_deflated_protocol_errors (void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\xa1\x80\0\0\0\0", 6}, /* RSV2 */
        {"\xe1\x80\0\0\0\0", 6}, /* RSV1 and RSV2 */
        {"\xd1\x80\0\0\0\0", 6}, /* RSV1 and RSV3 */
        {"\xc9\x80\0\0\0\0", 6}, /* RSV1 on a ping, a pong, a close */
        {"\xca\x80\0\0\0\0", 6},
        {"\xc8\x80\0\0\0\0", 6},
        {"\xc3\x80\0\0\0\0", 6},                  /* on a reserved opcode */
        {"\xc0\x80\0\0\0\0", 6},                  /* continues nothing */
        {"\x41\x80\0\0\0\0\xc0\x80\0\0\0\0", 12}, /* on a continuation */
        {"\x01\x80\0\0\0\0\xc0\x80\0\0\0\0", 12},
        {"\x01\x80\0\0\0\0\xc1\x80\0\0\0\0", 12}, /* not continued */
        {"\xc1\x01\x00", 3},                      /* not masked */
    };
    s_deflate = true;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_buf_t in = ZC_BUF_INIT;
        s_frame (&in, 0x81, "ok", 2);
        zc_buf_add (&in, bad[i].bytes, bad[i].len);
        s_assert (&in, ZC_CLOSE_PROTOCOL, false, "1:2:ok;");
    }
    s_deflate = false;
}

/*  The limit is of what a message is inflated, and what came of it is bounded, too. */
static void test_deflated_too_big (void **state)
{
    (void)state;
    char *zeros = calloc (1, 2 * MAX);
    zc_buf_t in = ZC_BUF_INIT, bomb = ZC_BUF_INIT;
    s_deflate = true;
    zc_deflate_from (1);
    assert_true (zc_deflate (&bomb, zeros, MAX));
    s_frame (&in, 0xc2, bomb.data, bomb.len);
    assert_true (in.len < MAX / 100);
    s_assert (&in, 0, true, "2:70000:;");
    zc_buf_clear (&bomb);
    assert_true (zc_deflate (&bomb, zeros, MAX + 1));
    s_frame (&in, 0x42, bomb.data, bomb.len - 1);
    s_frame (&in, 0x80, bomb.data + bomb.len - 1, 1);
    s_assert (&in, ZC_CLOSE_TOO_BIG, false, "");
    s_frame (&in, 0x42, zeros, MAX);
    s_frame (&in, 0x00, zeros, MAX);
    s_assert (&in, ZC_CLOSE_TOO_BIG, false, "");
    zc_buf_clear (&bomb);
    free (zeros);
    s_deflate = false;
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_messages),
        cmocka_unit_test (test_fragments),
        cmocka_unit_test (test_lengths),
        cmocka_unit_test (test_unfinished),
        cmocka_unit_test (test_protocol_errors),
        cmocka_unit_test (test_close),
        cmocka_unit_test (test_utf8_good),
        cmocka_unit_test (test_utf8_bad),
        cmocka_unit_test (test_too_big),
        cmocka_unit_test (test_handler_stops),
        cmocka_unit_test (test_deflated),
        cmocka_unit_test (test_deflated_bad),
        cmocka_unit_test (test_deflated_protocol_errors),
        cmocka_unit_test (test_deflated_too_big),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
