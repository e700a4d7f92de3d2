/*  The PROXY protocol: good and bad headers, and the client that they name. */
#include "tests/unit/unit.h"

#include "lib/wire/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FOUR "\xc0\0\2\1\xc6\x33\x64\1\x30\x39\1\xbb" /* 192.0.2.1:12345 to 198.51.100.1:443 */
#define ZEROS12 "\0\0\0\0\0\0\0\0\0\0\0\0"
#define SIX "\x20\1\x0d\xb8" ZEROS12 "\x20\1\x0d\xb8" ZEROS12 "\x30\x39\1\xbb" /* 2001:db8:: */
#define ROW(rule, bytes, length, address, port)                \
    {                                                          \
        rule, bytes, sizeof (bytes) - 1, length, address, port \
    }

static const struct {
    const char *rule, *bytes;
    size_t len;
    long length;
    const char *address;
    unsigned port;
} s_rows[] = {
    /*  Version 1. */
    ROW ("IPv4", "PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\r\nGET /", 45, "192.0.2.1", 12345),
    ROW ("IPv6", "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", 36, "2001:db8::1", 0),
    ROW ("IPv6 of any form", "PROXY TCP6 2001:0DB8:0::1 ::1 1 2\r\n", 35, "2001:db8::1", 1),
    ROW ("unknown", "PROXY UNKNOWN\r\n", 15, "", 0),
    ROW ("unknown, and what is passed over", "PROXY UNKNOWN ffff:f...f:ffff 1 2\r\n", 35, "", 0),
    ROW ("a word like it", "PROXY UNKNOWNS\r\n", -1, "", 0),
    ROW ("no such family", "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n", -1, "", 0),
    ROW ("small letters", "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n", -1, "", 0),
    ROW ("another family's address", "PROXY TCP4 ::1 198.51.100.1 1 2\r\n", -1, "", 0),
    ROW ("another family's address", "PROXY TCP6 192.0.2.1 ::1 1 2\r\n", -1, "", 0),
    ROW ("no address", "PROXY TCP4 example.org 198.51.100.1 1 2\r\n", -1, "", 0),
    ROW ("an address with zeros", "PROXY TCP4 192.0.02.1 198.51.100.1 1 2\r\n", -1, "", 0),
    ROW ("a bad target", "PROXY TCP4 192.0.2.1 198.51.100 1 2\r\n", -1, "", 0),
    ROW ("a missing port", "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n", -1, "", 0),
    ROW ("a port too large", "PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n", -1, "", 0),
    ROW ("a port with zeros", "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n", -1, "", 0),
    ROW ("a port with a sign", "PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n", -1, "", 0),
    ROW ("two spaces", "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n", -1, "", 0),
    ROW ("a space at the end", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n", -1, "", 0),
    ROW ("a bare LF", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n", -1, "", 0),
    ROW ("NUL", "PROXY TCP4 192.0.2.1\0 198.51.100.1 1 2\r\n", -1, "", 0),
    ROW ("more to come", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r", 0, "", 0),
    ROW ("nothing yet", "", 0, "", 0),
    ROW (
        "107 bytes and no end",
        "PROXY UNKNOWN 4567890123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678\r\n",
        -1, "", 0),
    ROW ("something else", "GET / HTTP/1.1\r\n", -1, "", 0),
    /*  Version 2. */
    ROW ("IPv4", SIGNATURE "\x21\x11\0\x0c" FOUR "GET /", 28, "192.0.2.1", 12345),
    ROW ("IPv6", SIGNATURE "\x21\x21\0\x24" SIX, 52, "2001:db8::", 12345),
    ROW ("what follows the addresses", SIGNATURE "\x21\x11\0\x11" FOUR "\1\0\2h2", 33, "192.0.2.1",
         12345),
    ROW ("unspecified", SIGNATURE "\x21\0\0\0", 16, "", 0),
    ROW ("the proxy itself", SIGNATURE "\x20\0\0\0", 16, "", 0),
    ROW ("the proxy itself, whatever it says", SIGNATURE "\x20\x11\0\4abcd", 20, "", 0),
    ROW ("too short for its addresses", SIGNATURE "\x21\x11\0\x0b" FOUR, -1, "", 0),
    ROW ("too short for its addresses", SIGNATURE "\x21\x21\0\x0c" FOUR, -1, "", 0),
    ROW ("too short for a path", SIGNATURE "\x21\x31\0\x0c" FOUR, -1, "", 0),
    ROW ("datagrams", SIGNATURE "\x21\x12\0\x0c" FOUR, -1, "", 0),
    ROW ("no such family", SIGNATURE "\x21\x41\0\x0c" FOUR, -1, "", 0),
    ROW ("no such version", SIGNATURE "\x11\x11\0\x0c" FOUR, -1, "", 0),
    ROW ("no such command", SIGNATURE "\x22\x11\0\x0c" FOUR, -1, "", 0),
    ROW ("endless", SIGNATURE "\x21\x11\xff\xff" FOUR, -1, "", 0),
    ROW ("more to come", SIGNATURE "\x21\x11\0\x0c\xc0\0\2", 0, "", 0),
    ROW ("a request behind empty lines", "\r\n\r\nGET / HTTP/1.1\r\n", -1, "", 0),
};

static void test_rows (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_rows); i++) {
        zc_proxy_t proxy;
        long length = zc_proxy_read (&proxy, s_rows[i].bytes, s_rows[i].len);
        if (length != s_rows[i].length)
            fail_msg ("row %zu, %s: %ld", i, s_rows[i].rule, length);
        if (length <= 0)
            continue;
        assert_string_equal (proxy.address, s_rows[i].address);
        assert_int_equal (proxy.port, s_rows[i].port);
        assert_true (zc_proxy_begins (s_rows[i].bytes, s_rows[i].len));
    }
}

/*  A good header that is cut anywhere needs more bytes. */
static void test_cut (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_rows); i++)
        for (long have = 0; have < s_rows[i].length; have++) {
            zc_proxy_t proxy;
            assert_int_equal (zc_proxy_read (&proxy, s_rows[i].bytes, (size_t)have), 0);
        }
}

static void test_beginning (void **state)
{
    (void)state;
    assert_false (zc_proxy_begins ("PROXY", 5));
    assert_true (zc_proxy_begins ("PROXY ", 6));
    assert_false (zc_proxy_begins (SIGNATURE, 11));
    assert_true (zc_proxy_begins (SIGNATURE, 12));
    assert_false (zc_proxy_begins ("PROXYS / HTTP/1.1", 17));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rows),
        cmocka_unit_test (test_cut),
        cmocka_unit_test (test_beginning),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
