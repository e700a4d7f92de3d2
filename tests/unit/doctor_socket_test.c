/*  A WebSocket as a client sees it. */
#include "tests/unit/unit.h"

#include "tools/doctor_socket.h"

static void test_the_handshake (void **state)
{
    (void)state;
    char key[ZC_SOCKET_KEY + 1], accept[ZC_SOCKET_ACCEPT + 1];
    zc_doctor_socket_key ((const uint8_t *)"the sample nonce", key);
    assert_string_equal (key, "dGhlIHNhbXBsZSBub25jZQ=="); /* RFC 6455 §1.3 */
    zc_doctor_socket_accept (key, accept);
    assert_string_equal (accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    zc_buf_t ask = ZC_BUF_INIT;
    zc_doctor_socket_ask (&ask, "/ws?topic=a", "h:1", "https://o", key, "t.o.k");
    assert_non_null (strstr (zc_buf_str (&ask), "GET /ws?topic=a HTTP/1.1\r\nHost: h:1\r\n"));
    assert_non_null (
        strstr (zc_buf_str (&ask), "Sec-WebSocket-Protocol: zcast.v1, zcast.token.t.o.k\r\n\r\n"));
    ask.len = 0;
    zc_doctor_socket_ask (&ask, "/ws", "h", "https://o", key, "");
    assert_null (strstr (zc_buf_str (&ask), "token"));
    zc_buf_clear (&ask);
}

static int s_read (zc_doctor_socket_t *self, zc_slice_t bytes, size_t step, zc_buf_t *out)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < bytes.len; at += step)
        rc = zc_doctor_socket_read (self, bytes.at + at,
                                    at + step < bytes.len ? step : bytes.len - at, out);
    return rc;
}

static void test_frames (void **state)
{
    (void)state;
    static const char bytes[] = "\x81\x02hi"       /* a text */
                                "\x89\x00"         /* a ping without payload */
                                "\x01\x7e\x00\x80" /* the first part of a text, of 128 bytes */
                                "0123456789012345678901234567890123456789012345678901234567890123"
                                "0123456789012345678901234567890123456789012345678901234567890123"
                                "\x89\x03xyz"          /* a ping within it */
                                "\x80\x01!"            /* its end */
                                "\x88\x05\x11\x31gone" /* 4401, and one byte less than there is */
                                "\x89\x00";            /* nothing counts any more */
    for (size_t step = 1; step < 7; step++) {
        zc_doctor_socket_t self = {.mask = {0}};
        zc_buf_t out = ZC_BUF_INIT;
        assert_int_equal (s_read (&self, SLICE (bytes), step, &out), 0);
        assert_int_equal (self.messages, 2);
        assert_int_equal (self.pings, 2);
        assert_true (self.closed);
        assert_int_equal (self.code, 4401);
        assert_string_equal (self.reason, "gon");
        static const char answer[] =
            "\x8a\x80\0\0\0\0\x8a\x83\0\0\0\0xyz\x88\x85\0\0\0\0\x11\x31gon";
        assert_int_equal (out.len, sizeof answer - 1);
        assert_memory_equal (out.data, answer, out.len);
        zc_buf_clear (&out);
    }
}

static void test_a_mask (void **state)
{
    (void)state;
    zc_doctor_socket_t self = {.mask = {1, 2, 3, 4}};
    zc_buf_t out = ZC_BUF_INIT;
    assert_int_equal (s_read (&self, SLICE ("\x89\x05\0\0\0\0\0"), 99, &out), 0);
    assert_memory_equal (out.data, "\x8a\x85\1\2\3\4\1\2\3\4\1", 11);
    zc_buf_clear (&out);
}

static void test_what_is_no_frame (void **state)
{
    (void)state;
    static const zc_slice_t bad[] = {
        {"\x81\x80", 2},                    /* masked */
        {"\xc1\x00", 2},                    /* compressed, which was not offered */
        {"\x83\x00", 2},                    /* an opcode that is none */
        {"\x8b\x00", 2},                    /* another */
        {"\x09\x00", 2},                    /* a ping in parts */
        {"\x89\x7e\x00\x7e", 4},            /* a ping of 126 bytes */
        {"\x82\x7f\x80\0\0\0\0\0\0\0", 10}, /* a length with its first bit set */
        {"HTTP/1.1 200 OK", 15},
    };
    for (size_t i = 0; i < LENGTH (bad); i++)
        for (size_t step = 1; step < 20; step += 18) {
            zc_doctor_socket_t self = {.mask = {0}};
            zc_buf_t out = ZC_BUF_INIT;
            assert_int_equal (s_read (&self, bad[i], step, &out), -1);
            zc_buf_clear (&out);
        }
}

/*  An endless message takes no memory. */
static void test_a_long_message (void **state)
{
    (void)state;
    static char piece[65536];
    zc_doctor_socket_t self = {.mask = {0}};
    zc_buf_t out = ZC_BUF_INIT;
    assert_int_equal (s_read (&self, SLICE ("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), 99, &out),
                      0);
    for (int i = 0; i < 100; i++)
        assert_int_equal (zc_doctor_socket_read (&self, piece, sizeof piece, &out), 0);
    assert_int_equal (self.messages, 1);
    assert_int_equal (out.cap, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_the_handshake),  cmocka_unit_test (test_frames),
        cmocka_unit_test (test_a_mask),         cmocka_unit_test (test_what_is_no_frame),
        cmocka_unit_test (test_a_long_message),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
