/*  The head of an HTTP request: each MUST of RFC 9112, RFC 9110 and RFC 6455 that concerns one is a
 *  row of input, run through the parser whole and cut anywhere. */
#include "tests/unit/unit.h"

#include "lib/wire/field.h"
#include "lib/wire/head.h"

#define MAX 1024
#define HOST "Host: example.org\r\n"
#define LINE "GET /ws HTTP/1.1\r\n"

/*  The status of a head given in pieces of `step` bytes, each at another place in memory. */
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
    return status;
}

static const size_t s_steps[] = {1, 2, 3, 7, MAX};

/*  Properties of a good head. */
enum { KEEP = 1, CHUNKED = 2, EXPECTS = 4, WEBSOCKET = 8, OLD = 16 };

typedef struct {
    const char *rule, *head;
    const char *method, *path, *query, *authority; /* NULL: none */
    unsigned is;
    uint64_t length;
} good_t;

static const good_t good[] = {
    {"9112 §3 request-line", "GET /ws HTTP/1.1\r\n" HOST "\r\n", "GET", "/ws", NULL, "example.org",
     KEEP, 0},
    {"9112 §3.2.1 origin-form with a query", "GET /ws?topic=a?b&topic=%20 HTTP/1.1\r\n" HOST "\r\n",
     "GET", "/ws", "topic=a?b&topic=%20", "example.org", KEEP, 0},
    {"an empty query", "GET /? HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "", "example.org", KEEP, 0},
    {"9112 §3.2.2 absolute-form: its authority counts, not Host",
     "GET http://h:1/ws HTTP/1.1\r\n" HOST "\r\n", "GET", "/ws", NULL, "h:1", KEEP, 0},
    {"9112 §3.2.2 an empty path is /", "GET HTTP://h?q HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "q",
     "h", KEEP, 0},
    {"9112 §3.2.2 https", "GET https://h HTTP/1.1\r\n" HOST "\r\n", "GET", "/", NULL, "h", KEEP, 0},
    {"9112 §3.2.2 ws, with Host empty", "GET ws://[::1]:80/a HTTP/1.1\r\nHost:\r\n\r\n", "GET",
     "/a", NULL, "[::1]:80", KEEP, 0},
    {"9112 §3.2.4 asterisk-form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "*", NULL,
     "example.org", KEEP, 0},
    {"9110 §9.1 methods are case-sensitive tokens", "get /ws HTTP/1.1\r\n" HOST "\r\n", "get",
     "/ws", NULL, "example.org", KEEP, 0},
    {"9110 §9.1 any token", "M-SEARCH!# /ws HTTP/1.1\r\n" HOST "\r\n", "M-SEARCH!#", "/ws", NULL,
     "example.org", KEEP, 0},
    {"9112 §2.2 an empty line before it", "\r\n\r\nGET /ws HTTP/1.1\r\n" HOST "\r\n", "GET", "/ws",
     NULL, "example.org", KEEP, 0},
    {"9112 §2.3 a newer minor version", "GET /ws HTTP/1.9\r\n" HOST "\r\n", "GET", "/ws", NULL,
     "example.org", KEEP, 0},
    {"9112 §3.2 HTTP/1.0 without Host", "GET /ws HTTP/1.0\r\n\r\n", "GET", "/ws", NULL, NULL, OLD,
     0},
    {"9112 §3.2 an empty Host", LINE "Host:  \r\n\r\n", "GET", "/ws", NULL, "", KEEP, 0},
    {"9110 §7.2 Host with a port", LINE "Host: a.b-c_d~e:65535\r\n\r\n", "GET", "/ws", NULL,
     "a.b-c_d~e:65535", KEEP, 0},
    {"9110 §4.2.3 Host with an empty port", LINE "Host: a:\r\n\r\n", "GET", "/ws", NULL, "a:", KEEP,
     0},
    {"3986 §3.2.2 an address", LINE "Host: 192.0.2.1:80\r\n\r\n", "GET", "/ws", NULL,
     "192.0.2.1:80", KEEP, 0},
    {"3986 §3.2.2 a literal", LINE "Host: [2001:db8::1]\r\n\r\n", "GET", "/ws", NULL,
     "[2001:db8::1]", KEEP, 0},
    {"3986 §3.2.2 a future literal", LINE "Host: [v1f.a:b]:8\r\n\r\n", "GET", "/ws", NULL,
     "[v1f.a:b]:8", KEEP, 0},
    {"3986 §3.2.2 escapes and sub-delims", LINE "Host: a%20b!$&'()*+,;=\r\n\r\n", "GET", "/ws",
     NULL, "a%20b!$&'()*+,;=", KEEP, 0},
    {"9112 §5 blanks around a value, obs-text and tabs in it, an empty value",
     LINE "HOST:\t example.org \t\r\nX-Empty:\r\nX-Text: \xc3\xa9\t!\r\n\r\n", "GET", "/ws", NULL,
     "example.org", KEEP, 0},
    {"9112 §9.3 close", LINE HOST "Connection: x, Close\r\n\r\n", "GET", "/ws", NULL, "example.org",
     0, 0},
    {"9112 §9.3 close in another field", LINE HOST "Connection: a\r\nconnection: close\r\n\r\n",
     "GET", "/ws", NULL, "example.org", 0, 0},
    {"9112 §9.3 HTTP/1.0 that wants to be kept",
     "GET /ws HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/ws", NULL, NULL, OLD | KEEP, 0},
    {"9112 §9.3 both", "GET /ws HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET", "/ws",
     NULL, NULL, OLD, 0},
    {"9112 §6.2 a length", "POST /p HTTP/1.1\r\n" HOST "Content-Length: 0012\r\n\r\n", "POST", "/p",
     NULL, "example.org", KEEP, 12},
    {"9112 §6.2 of none", "POST /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST", "/p",
     NULL, "example.org", KEEP, 0},
    {"9112 §6.2 a large one",
     "POST /p HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n", "POST", "/p", NULL,
     "example.org", KEEP, INT64_MAX},
    {"9112 §7.1 chunks; names of codings in any case",
     "POST /p HTTP/1.1\r\n" HOST "Transfer-Encoding: , Chunked ,\r\n\r\n", "POST", "/p", NULL,
     "example.org", KEEP | CHUNKED, 0},
    {"9110 §10.1.1 100-continue", "POST /p HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n",
     "POST", "/p", NULL, "example.org", KEEP | EXPECTS, 0},
    {"9110 §10.1.1 ignored in HTTP/1.0", "POST /p HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "POST",
     "/p", NULL, NULL, OLD, 0},
    {"9110 §7.8 an upgrade",
     LINE HOST "connection: keep-alive,upGRADE\r\nupgrade:h2c , WebSocket\r\n\r\n", "GET", "/ws",
     NULL, "example.org", KEEP | WEBSOCKET, 0},
    {"9110 §7.8 Upgrade without Connection", LINE HOST "Upgrade: websocket\r\n\r\n", "GET", "/ws",
     NULL, "example.org", KEEP, 0},
    {"9110 §7.8 Connection without Upgrade", LINE HOST "Connection: upgrade\r\n\r\n", "GET", "/ws",
     NULL, "example.org", KEEP, 0},
    {"9110 §7.8 another protocol",
     LINE HOST "Connection: upgrade\r\nUpgrade: websockets, h2c\r\n\r\n", "GET", "/ws", NULL,
     "example.org", KEEP, 0},
    {"9110 §7.8 ignored in HTTP/1.0",
     "GET /ws HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "GET", "/ws", NULL,
     NULL, OLD, 0},
};

typedef struct {
    int status;
    const char *rule, *head;
} bad_t;

#define POST "POST /p HTTP/1.1\r\n" HOST

static const bad_t bad[] = {
    /* the request line */
    {400, "9112 §3 one blank each", "GET  /ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "one blank each", "GET /ws  HTTP/1.1\r\n" HOST "\r\n"},
    {400, "none behind", "GET /ws HTTP/1.1 \r\n" HOST "\r\n"},
    {400, "none before", " GET /ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "no tab", "GET\t/ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "no version: HTTP/0.9", "GET /ws\r\n" HOST "\r\n"},
    {400, "a method is a token", "G(T /ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "a method is something", " /ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "9112 §2.3 the name is case-sensitive", "GET /ws http/1.1\r\n" HOST "\r\n"},
    {400, "a digit, a dot, a digit", "GET /ws HTTP/1\r\n" HOST "\r\n"},
    {400, "a digit, a dot, a digit", "GET /ws HTTP/1.10\r\n" HOST "\r\n"},
    {400, "a digit, a dot, a digit", "GET /ws HTTP/+.1\r\n" HOST "\r\n"},
    {505, "9110 §15.6.6 HTTP/2.0", "GET /ws HTTP/2.0\r\n" HOST "\r\n"},
    {505, "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\n"},
    {505, "HTTP/0.9, said aloud", "GET /ws HTTP/0.9\r\n\r\n"},
    {400, "9112 §3.2 a target is one of its forms", "GET ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "another scheme", "GET ftp://h/ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "9112 §3.2.3 authority-form is for CONNECT", "GET h:80 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "no tunnels here", "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "9112 §3.2.4 asterisk-form is for OPTIONS", "GET * HTTP/1.1\r\n" HOST "\r\n"},
    {400, "9110 §4.2.1 a URI without a host", "GET http:///ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "a port alone is no host", "GET http://:80/ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "9110 §4.2.4 no user", "GET http://u@h/ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "a host that is none", "GET http://a b/ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "a host that is none", "GET http://[::1/ws HTTP/1.1\r\n" HOST "\r\n"},
    {400, "9112 §3.2 no fragment", "GET /ws#a HTTP/1.1\r\n" HOST "\r\n"},
    {400, "ASCII", "GET /w\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"},
    /* lines */
    {400, "9112 §2.2 a bare LF", "GET /ws HTTP/1.1\n"},
    {400, "a bare LF", LINE HOST "\n"},
    {400, "9112 §2.2 a bare CR in a value", LINE "Host: a\rb\r\n"},
    {400, "a bare CR in a name", LINE "X\rY: a\r\n"},
    {400, "two CR", "GET /ws HTTP/1.1\r\r\n"},
    {400, "a bare CR at first", "\rGET"},
    {400, "9112 §5.2 a folded line", LINE HOST "X: a\r\n folded\r\n\r\n"},
    {400, "folded with a tab", LINE HOST "X: a\r\n\tfolded\r\n\r\n"},
    {400, "9112 §2.2 a blank before the first field", LINE " " HOST "\r\n"},
    {400, "9112 §5.1 a blank before the colon", LINE HOST "X : a\r\n\r\n"},
    {400, "a tab before the colon", LINE "Host\t: a\r\n\r\n"},
    {400, "9110 §5.1 a name is something", LINE HOST ": a\r\n\r\n"},
    {400, "a name is a token", LINE HOST "X(Y: a\r\n\r\n"},
    {400, "a name is ASCII", LINE HOST "X\xc3\xa9: a\r\n\r\n"},
    {400, "a field has a colon", LINE HOST "X\r\n\r\n"},
    {400, "9110 §5.5 controls", LINE HOST "X: \x7f"},
    {400, "controls", LINE HOST "X: \x01"},
    {400, "controls", LINE HOST "X\x0b: a"},
    {400, "a TLS hello", "\x16\x03\x01"},
    /* Host: RFC 9112 §3.2 */
    {400, "no Host", LINE "\r\n"},
    {400, "no Host, absolute-form", "GET http://h/ws HTTP/1.1\r\n\r\n"},
    {400, "two Hosts", LINE HOST HOST "\r\n"},
    {400, "two Hosts, one empty", LINE "Host:\r\n" HOST "\r\n"},
    {400, "two in HTTP/1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n"},
    {400, "a list", LINE "Host: a, b\r\n\r\n"},
    {400, "a URI", LINE "Host: http://a\r\n\r\n"},
    {400, "a path", LINE "Host: a/b\r\n\r\n"},
    {400, "a user", LINE "Host: u@a\r\n\r\n"},
    {400, "a query", LINE "Host: a?b\r\n\r\n"},
    {400, "a blank", LINE "Host: a b\r\n\r\n"},
    {400, "a port that is none", LINE "Host: a:b\r\n\r\n"},
    {400, "a port that is none", LINE "Host: a:-1\r\n\r\n"},
    {400, "a port beyond all", LINE "Host: a:65536\r\n\r\n"},
    {400, "two ports", LINE "Host: a:1:2\r\n\r\n"},
    {400, "a port alone", LINE "Host: :80\r\n\r\n"},
    {400, "an address without brackets", LINE "Host: 2001:db8::1\r\n\r\n"},
    {400, "an address that is none", LINE "Host: [2001:db8::g]\r\n\r\n"},
    {400, "brackets that don't close", LINE "Host: [::1\r\n\r\n"},
    {400, "something behind them", LINE "Host: [::1]a\r\n\r\n"},
    {400, "nothing in them", LINE "Host: []\r\n\r\n"},
    {400, "a zone", LINE "Host: [fe80::1%25eth0]\r\n\r\n"},
    {400, "a future literal that is none", LINE "Host: [v.a]\r\n\r\n"},
    {400, "a future literal that is none", LINE "Host: [v1.]\r\n\r\n"},
    {400, "an escape that is none", LINE "Host: a%2\r\n\r\n"},
    {400, "an escape that is none", LINE "Host: a%zz\r\n\r\n"},
    {400, "quotes", LINE "Host: \"a\"\r\n\r\n"},
    {400, "markup", LINE "Host: <a>\r\n\r\n"},
    {400, "not ASCII", LINE "Host: \xc3\xa9\r\n\r\n"},
    {400, "no host, absolute-form all the same", "GET http://h/ HTTP/1.1\r\nHost: a b\r\n\r\n"},
    /* the body's length: RFC 9112 §6 */
    {400, "twice", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"},
    {400, "twice alike", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
    {400, "a list", POST "Content-Length: 5, 5\r\n\r\n"},
    {400, "a sign", POST "Content-Length: +5\r\n\r\n"},
    {400, "a sign", POST "Content-Length: -5\r\n\r\n"},
    {400, "hexadecimal", POST "Content-Length: 0x5\r\n\r\n"},
    {400, "a fraction", POST "Content-Length: 5.0\r\n\r\n"},
    {400, "empty", POST "Content-Length:\r\n\r\n"},
    {400, "two numbers", POST "Content-Length: 5 5\r\n\r\n"},
    {413, "beyond all numbers", POST "Content-Length: 9223372036854775808\r\n\r\n"},
    {413, "beyond all numbers", POST "Content-Length: 99999999999999999999999999\r\n\r\n"},
    {400, "with chunks", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "with chunks, before it", POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"},
    {400, "chunks in HTTP/1.0", "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "chunked isn't last", POST "Transfer-Encoding: chunked, gzip\r\n\r\n"},
    {400, "chunked isn't there", POST "Transfer-Encoding: gzip\r\n\r\n"},
    {400, "chunked isn't there", POST "Transfer-Encoding: identity\r\n\r\n"},
    {400, "twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n"},
    {400, "twice, in two fields",
     POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "with a parameter", POST "Transfer-Encoding: chunked;a=b\r\n\r\n"},
    {400, "empty", POST "Transfer-Encoding: ,\r\n\r\n"},
    {400, "no token", POST "Transfer-Encoding: \"chunked\"\r\n\r\n"},
    {400, "a control as a blank",
     POST "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n"},
    {501, "a coding that is unknown", POST "Transfer-Encoding: gzip, chunked\r\n\r\n"},
    {417, "9110 §10.1.1 another expectation", POST "Expect: 200-ok\r\n\r\n"},
};

static void s_assert_good (const good_t *row, size_t step)
{
    zc_head_t head;
    char *copy;
    int status = s_status (&head, row->head, strlen (row->head), step, &copy);
    if (status != 200)
        fail_msg ("%s: %d, %s", row->rule, status, head.reason);
    assert_int_equal (head.length, strlen (row->head));
    assert_slice (head.method, row->method);
    assert_slice (head.path, row->path);
    assert_int_equal (head.query.at != NULL, row->query != NULL);
    assert_slice (head.query, row->query ? row->query : "");
    assert_int_equal (head.authority.at != NULL, row->authority != NULL);
    assert_slice (head.authority, row->authority ? row->authority : "");
    assert_int_equal (head.content_length, row->length);
    unsigned is = (head.keep ? KEEP : 0) | (head.chunked ? CHUNKED : 0) |
                  (head.expects ? EXPECTS : 0) | (head.websocket ? WEBSOCKET : 0) |
                  (head.minor == 0 ? OLD : 0);
    if (is != row->is)
        fail_msg ("%s: %x, not %x", row->rule, is, row->is);
    free (copy);
}

static void test_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (good); i++)
        for (size_t j = 0; j < LENGTH (s_steps); j++)
            s_assert_good (&good[i], s_steps[j]);
}

static void test_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (bad); i++)
        for (size_t j = 0; j < LENGTH (s_steps); j++) {
            zc_head_t head;
            char *copy;
            int status = s_status (&head, bad[i].head, strlen (bad[i].head), s_steps[j], &copy);
            if (status != bad[i].status)
                fail_msg ("%s: %d, not %d: %s", bad[i].rule, status, bad[i].status, bad[i].head);
            assert_non_null (head.reason);
            free (copy);
        }
}

/*  No prefix of a good head is refused or accepted: more bytes are waited for. */
static void test_prefixes (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (good); i++)
        for (size_t len = 0; len < strlen (good[i].head); len++) {
            zc_head_t head;
            zc_head_init (&head, MAX);
            assert_int_equal (zc_head_feed (&head, good[i].head, len), 0);
            assert_int_equal (zc_head_empty (&head),
                              len == 0 || (i == 10 && (len == 2 || len == 4)));
        }
}

/*  Fields come in their order, whatever they are; bytes after the head aren't touched. */
static void test_fields (void **state)
{
    (void)state;
    static const char bytes[] =
        "GET /ws HTTP/1.1\r\n" HOST "a:\r\nB-c:\t1:2 \r\na: \r\n\r\nX: y\r\n\r\n";
    static const char *const want[][2] = {
        {"Host", "example.org"}, {"a", ""}, {"B-c", "1:2"}, {"a", ""}};
    zc_head_t head;
    zc_slice_t name, value;
    size_t at = 0;
    zc_head_init (&head, MAX);
    assert_int_equal (zc_head_feed (&head, bytes, sizeof bytes - 1), 200);
    assert_int_equal (head.length, sizeof bytes - 1 - 8);
    for (size_t i = 0; i < LENGTH (want); i++) {
        assert_true (zc_head_next (&head, bytes, &at, &name, &value));
        assert_slice (name, want[i][0]);
        assert_slice (value, want[i][1]);
    }
    assert_false (zc_head_next (&head, bytes, &at, &name, &value));
    zc_head_init (&head, MAX);
    at = 0;
    assert_int_equal (zc_head_feed (&head, SLICE ("GET / HTTP/1.0\r\n\r\n").at, 18), 200);
    assert_false (zc_head_next (&head, "GET / HTTP/1.0\r\n\r\n", &at, &name, &value));
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
        for (size_t at = 0; at < sizeof bytes; at += 2)
            memcpy (bytes + at, "\r\n", 2); /* empty lines without an end */
        assert_int_equal (s_status (&head, bytes, sizeof bytes, steps[i], &copy), 414);
        free (copy);
    }
}

/*  A head of exactly `max` bytes is accepted. */
static void test_longest (void **state)
{
    (void)state;
    char bytes[MAX];
    char *copy;
    zc_head_t head;
    size_t len = (size_t)sprintf (bytes, LINE HOST "X: ");
    memset (bytes + len, 'x', MAX - len);
    memcpy (bytes + MAX - 4, "\r\n\r\n", 4);
    assert_int_equal (s_status (&head, bytes, MAX, MAX, &copy), 200);
    free (copy);
}

static void test_too_many_fields (void **state)
{
    (void)state;
    char bytes[8192] = LINE HOST;
    size_t len = strlen (bytes), fields = 1;
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

/*  RFC 9110 §5.6. */
static void test_lists (void **state)
{
    (void)state;
    static const struct {
        const char *list, *joined;
    } rows[] = {
        {"", ""},
        {" , ,\t", ""},
        {"a", "a|"},
        {" a , b,c ", "a|b|c|"},
        {"a;x=\"1,2\", b", "a;x=\"1,2\"|b|"},
        {"\"a\\\",b\",c", "\"a\\\",b\"|c|"},
        {"\"a,b", "\"a,b|"},
        {"\"a\\", "\"a\\|"},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        char joined[64] = "";
        zc_slice_t list = {rows[i].list, strlen (rows[i].list)}, element;
        while (zc_list_next (&list, &element))
            sprintf (joined + strlen (joined), "%.*s|", (int)element.len, element.at);
        assert_string_equal (joined, rows[i].joined);
    }
    assert_slice (zc_media_type (SLICE (" text/plain ;charset=\"a;b\"")), "text/plain");
    assert_slice (zc_media_type (SLICE ("text/plain")), "text/plain");
    assert_slice (zc_media_type (SLICE ("")), "");
}

static void test_weights (void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        int weight;
    } rows[] = {
        {"", -1},
        {"*/*", -1},
        {"application/*", -1},
        {"application/json", 1000},
        {"text/plain;q=1, APPLICATION/JSON ; charset=x ; Q=0.25, */*", 250},
        {"application/json;q=0", 0},
        {"application/json;q=0.000", 0},
        {"application/json;q=0.001", 1},
        {"application/json;q=1.000", 1000},
        {"application/json;q=1.5", 1000},
        {"application/json;q=0.1234", 1000},
        {"application/json;q=", 1000},
        {"application/json;q=.5", 1000},
        {"application/json;x=\"a;q=0\"", 1000},
        {"application/jsonx", -1},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        zc_slice_t accept = {rows[i].accept, strlen (rows[i].accept)};
        assert_int_equal (zc_accept_weight (accept, "application/json"), rows[i].weight);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_prefixes),
        cmocka_unit_test (test_fields),
        cmocka_unit_test (test_too_long),
        cmocka_unit_test (test_longest),
        cmocka_unit_test (test_too_many_fields),
        cmocka_unit_test (test_lists),
        cmocka_unit_test (test_weights),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
