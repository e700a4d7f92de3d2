/*  The WebSocket handshake's request head: what is taken, what is refused with which status,
 *  whole and a byte at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ws/head.h"

#define MAX 1024
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define HOST "Host: example.org\r\n"
#define WISH "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define REST HOST WISH VERSION "Sec-WebSocket-Key: " KEY "\r\n"

/*  Status of a head given in `step` bytes at a time, each time at another place in memory. */
static int s_status (zc_head_t *head, const char *bytes, size_t len, size_t step, char **copy)
{
    int status = 0;
    zc_head_init (head, MAX);
    *copy = NULL;
    for (size_t have = 0; status == 0 && have < len;) {
        have = len - have < step ? len : have + step;
        free (*copy);
        *copy = malloc (have);
        memcpy (*copy, bytes, have);
        status = zc_head_feed (head, *copy, have);
    }
    return status == 200 ? zc_head_check (head) : status;
}

typedef struct {
    const char *path, *query, *origin, *id, *forwarded;
    bool zcast_v1;
    const char *head;
} good_t;

static const good_t good[] = {
    {"/ws", NULL, NULL, NULL, NULL, false, "GET /ws HTTP/1.1\r\n" REST "\r\n"},
    {"/", "", NULL, NULL, NULL, false, "GET /? HTTP/1.1\r\n" REST "\r\n"},
    {"/ws", "topic=a?b&topic=%20", "http://x", "1-0", NULL, true,
     "GET /ws?topic=a?b&topic=%20 HTTP/1.1\r\nHOST:\texample.org \r\nupgrade:h2c , WebSocket\r\n"
     "CONNECTION: keep-alive,upGRADE\r\nsec-websocket-version:13\r\nOrigin: http://x\r\n"
     "Last-Event-ID: 1-0\r\nSec-WebSocket-Protocol: chat,\r\nSec-WebSocket-Protocol: zcast.v1,x\r\n"
     "sec-websocket-key: " KEY "\r\nX-Empty:\r\nX-Text: \xc3\xa9\t!\r\n\r\n"},
    {"/ws", NULL, NULL, NULL, NULL, false, "GET ws://h:1/ws HTTP/1.1\r\n" REST "\r\n"},
    {"/", "q", NULL, NULL, NULL, false, "GET HTTP://h?q HTTP/1.1\r\n" REST "\r\n"},
    {"/", NULL, NULL, NULL, NULL, false, "GET https://h HTTP/1.1\r\n" REST "\r\n"},
    {"/ws", NULL, NULL, NULL, "192.0.2.7", false,
     "GET /ws HTTP/1.1\r\nX-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n" REST "\r\n"},
    {"/ws", NULL, NULL, NULL, "192.0.2.7", false,
     "GET /ws HTTP/1.1\r\nX-Forwarded-For: ::1\r\nX-Forwarded-For: 192.0.2.7:80\r\n" REST "\r\n"},
    {"/ws", NULL, NULL, NULL, "2001:db8::1", false,
     "GET /ws HTTP/1.1\r\nX-Forwarded-For: 2001:db8::1 ,,\r\n" REST "\r\n"},
    {"/ws", NULL, NULL, NULL, "2001:db8::1", false,
     "GET /ws HTTP/1.1\r\nX-Forwarded-For: [2001:db8::1]:443\r\n" REST "\r\n"},
    {"/ws", NULL, NULL, NULL, NULL, false,
     "GET /ws HTTP/1.1\r\nX-Forwarded-For: unknown\r\n" REST "\r\n"},
    {"/ws", NULL, NULL, NULL, NULL, false,
     "GET /ws HTTP/1.1\r\nX-Forwarded-For: [::1\r\n" REST "\r\n"},
    {"/ws", NULL, NULL, NULL, NULL, false, "GET /ws HTTP/1.1\r\nContent-Length: 0\r\n" REST "\r\n"},
};

typedef struct {
    int status;
    const char *head;
} bad_t;

static const bad_t bad[] = {
    /* the request line */
    {400, "\r\nGET /ws HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET /ws\r\n" REST "\r\n"},
    {400, "GET /ws HTTP/1.0\r\n" REST "\r\n"},
    {400, "GET /ws HTTP/2.0\r\n" REST "\r\n"},
    {400, "GET /ws http/1.1\r\n" REST "\r\n"},
    {400, "GET  /ws HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET /ws  HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET /ws HTTP/1.1 \r\n" REST "\r\n"},
    {400, " GET /ws HTTP/1.1\r\n" REST "\r\n"},
    {400, "G(T /ws HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET ws HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET * HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET ftp://h/ws HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET /ws#a HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET /w\ts HTTP/1.1\r\n" REST "\r\n"},
    {400, "GET /w\xc3\xa9 HTTP/1.1\r\n" REST "\r\n"},
    {405, "POST /ws HTTP/1.1\r\n" REST "\r\n"},
    {405, "get /ws HTTP/1.1\r\n" REST "\r\n"},
    /* lines */
    {400, "GET /ws HTTP/1.1\n"},
    {400, "GET /ws HTTP/1.1\r\nHost: a\rb\r\n"},
    {400, "GET /ws HTTP/1.1\r\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "X: a\r\n folded\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "X : a\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST ": a\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "X\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "X: \x7f"},
    {400, "\x16\x03\x01"},
    {400, "GET /ws HTTP/1.1\r\n" REST "X: \x01"},
    /* fields */
    {400, "GET /ws HTTP/1.1\r\n" WISH VERSION "Sec-WebSocket-Key: " KEY "\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST HOST "\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST VERSION "\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "Sec-WebSocket-Key: " KEY "\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "Origin: a\r\nOrigin: a\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "Content-Length: 1\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "Transfer-Encoding: chunked\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" HOST WISH VERSION "\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" HOST WISH VERSION "Sec-WebSocket-Key: a\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" HOST WISH VERSION
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=a\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" HOST WISH VERSION
          "Sec-WebSocket-Key: dGhlIHNhbXBs*SBub25jZQ==\r\n\r\n"},
    {400, "GET /ws HTTP/1.1\r\n" REST "Sec-WebSocket-Extensions: permessage-deflate;\r\n\r\n"},
    {426, "GET /ws HTTP/1.1\r\n" HOST "\r\n"},
    {426, "GET /ws HTTP/1.1\r\n" HOST "Connection: upgrade\r\n" VERSION "\r\n"},
    {426, "GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" VERSION "\r\n"},
    {426, "GET /ws HTTP/1.1\r\n" HOST "Upgrade: websockets\r\nConnection: upgrade\r\n\r\n"},
    {426, "GET /ws HTTP/1.1\r\n" HOST WISH "Sec-WebSocket-Key: " KEY "\r\n\r\n"},
    {426, "GET /ws HTTP/1.1\r\n" HOST WISH "Sec-WebSocket-Version: 8\r\n\r\n"},
    {426, "GET /ws HTTP/1.1\r\n" HOST WISH "Sec-WebSocket-Version: 013\r\n\r\n"},
};

static void s_assert_slice (zc_slice_t slice, const char *text)
{
    assert_int_equal (slice.at != NULL, text != NULL);
    if (text)
        assert_int_equal (slice.len, strlen (text));
    if (text)
        assert_memory_equal (slice.at, text, slice.len);
}

static void s_assert_good (const good_t *row, size_t step)
{
    zc_head_t head;
    char *copy, address[64];
    assert_int_equal (s_status (&head, row->head, strlen (row->head), step, &copy), 101);
    assert_int_equal (head.length, strlen (row->head));
    s_assert_slice (head.path, row->path);
    s_assert_slice (head.query, row->query);
    s_assert_slice (head.origin, row->origin);
    s_assert_slice (head.last_event_id, row->id);
    s_assert_slice (head.key, KEY);
    s_assert_slice (head.host, "example.org");
    assert_int_equal (head.zcast_v1, row->zcast_v1);
    assert_int_equal (zc_head_forwarded (&head, address, sizeof address), row->forwarded != NULL);
    if (row->forwarded)
        assert_string_equal (address, row->forwarded);
    free (copy);
}

static void test_good (void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 7, MAX};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t j = 0; j < sizeof steps / sizeof *steps; j++)
            s_assert_good (&good[i], steps[j]);
}

static void test_bad (void **state)
{
    (void)state;
    static const size_t steps[] = {1, 3, MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t j = 0; j < sizeof steps / sizeof *steps; j++) {
            zc_head_t head;
            char *copy;
            int status = s_status (&head, bad[i].head, strlen (bad[i].head), steps[j], &copy);
            if (status != bad[i].status)
                print_error ("%s\n", bad[i].head);
            assert_int_equal (status, bad[i].status);
            assert_non_null (head.reason);
            free (copy);
        }
}

/*  Every head that is cut off is waited for: no prefix of a good one is refused or taken. */
static void test_prefixes (void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t len = 0; len < strlen (good[i].head); len++) {
            zc_head_t head;
            zc_head_init (&head, MAX);
            assert_int_equal (zc_head_feed (&head, good[i].head, len), 0);
        }
}

static void test_frames_after_head (void **state)
{
    (void)state;
    static const char bytes[] = "GET /ws HTTP/1.1\r\n" REST "\r\n\x81\x80\0\0\0\0\r\n\r\n";
    zc_head_t head;
    zc_head_init (&head, MAX);
    assert_int_equal (zc_head_feed (&head, bytes, sizeof bytes - 1), 200);
    assert_int_equal (head.length, sizeof bytes - 1 - 10);
}

static void test_too_long (void **state)
{
    (void)state;
    static const size_t steps[] = {1, 100, 4 * MAX};
    char bytes[4 * MAX];
    for (size_t i = 0; i < 3; i++) {
        zc_head_t head;
        char *copy;
        memset (bytes, 'a', sizeof bytes);
        memcpy (bytes, "GET /", 5);
        assert_int_equal (s_status (&head, bytes, sizeof bytes, steps[i], &copy), 414);
        free (copy);
        memcpy (bytes, "GET / HTTP/1.1\r\nX: ", 19);
        assert_int_equal (s_status (&head, bytes, MAX, steps[i], &copy), 0);
        free (copy);
        assert_int_equal (s_status (&head, bytes, MAX + 1, steps[i], &copy), 431);
        free (copy);
    }
}

/*  A head of exactly `max` bytes is taken. */
static void test_longest (void **state)
{
    (void)state;
    char bytes[MAX];
    char *copy;
    zc_head_t head;
    size_t len = (size_t)sprintf (bytes, "GET /ws HTTP/1.1\r\n" REST "X: ");
    memset (bytes + len, 'x', MAX - len);
    memcpy (bytes + MAX - 4, "\r\n\r\n", 4);
    assert_int_equal (s_status (&head, bytes, MAX, MAX, &copy), 101);
    free (copy);
}

static void test_too_many_fields (void **state)
{
    (void)state;
    char bytes[8192] = "GET /ws HTTP/1.1\r\n" REST;
    size_t len = strlen (bytes), fields = 5;
    for (; fields < ZC_HEAD_FIELDS; fields++, len += 5)
        memcpy (bytes + len, "X: \r\n", 5);
    zc_head_t head;
    zc_head_init (&head, sizeof bytes);
    memcpy (bytes + len, "\r\n", 2);
    assert_int_equal (zc_head_feed (&head, bytes, len + 2), 200);
    memcpy (bytes + len, "X: \r\n\r\n", 7);
    zc_head_init (&head, sizeof bytes);
    assert_int_equal (zc_head_feed (&head, bytes, len + 7), 431);
}

/*  Several fields are as one list; extension_test.c has what may be in it. */
static void test_extensions (void **state)
{
    (void)state;
    static const struct {
        bool deflate;
        const char *head;
    } rows[] = {
        {false, "GET /ws HTTP/1.1\r\n" REST "\r\n"},
        {false, "GET /ws HTTP/1.1\r\nSec-WebSocket-Extensions:\r\n" REST "\r\n"},
        {true, "GET /ws HTTP/1.1\r\nsec-websocket-extensions: permessage-deflate; "
               "client_max_window_bits\r\n" REST "\r\n"},
        {true, "GET /ws HTTP/1.1\r\nSec-WebSocket-Extensions: x-other; a=\"b\"\r\n"
               "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10,\r\n"
               "Sec-WebSocket-Extensions: permessage-deflate\r\n" REST "\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_head_t head;
        char *copy;
        assert_int_equal (s_status (&head, rows[i].head, strlen (rows[i].head), 1, &copy), 101);
        assert_int_equal (head.extension.deflate, rows[i].deflate);
        free (copy);
    }
}

/*  The example of RFC 6455 §1.3. */
static void test_accept (void **state)
{
    (void)state;
    char text[ZC_HEAD_ACCEPT + 1];
    zc_head_accept ((zc_slice_t){KEY, 24}, text);
    assert_string_equal (text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_prefixes),
        cmocka_unit_test (test_frames_after_head),
        cmocka_unit_test (test_too_long),
        cmocka_unit_test (test_longest),
        cmocka_unit_test (test_too_many_fields),
        cmocka_unit_test (test_extensions),
        cmocka_unit_test (test_accept),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
