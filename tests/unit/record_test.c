/*  FastCGI records: all that a web server may send, whole and one byte at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fastcgi.h>

#include "fcgi/record.h"
#include "lib/front/request.h"

/*  The events that a connection's owner gets, as text: "R" request, "B" body, "F" its end, "A"
 *  abort, "C" close, "E" error. */
typedef struct {
    zc_record_t record;
    zc_params_t *params; /* of the last request */
    zc_buf_t events;
    zc_buf_t body; /* all its runs; a run right after another one is no event of its own */
    zc_buf_t out;
} s_peer_t;

static void s_open (s_peer_t *peer)
{
    memset (peer, 0, sizeof *peer);
    zc_record_init (&peer->record);
}

static void s_close (s_peer_t *peer)
{
    zc_record_clear (&peer->record);
    zc_params_destroy (&peer->params);
    zc_buf_clear (&peer->events);
    zc_buf_clear (&peer->body);
    zc_buf_clear (&peer->out);
}

static bool s_event (s_peer_t *peer, zc_record_event_t event, zc_slice_t body)
{
    if (event == ZC_RECORD_BODY) {
        assert_true (body.len > 0);
        zc_buf_add (&peer->body, body.at, body.len);
    }
    if (event != ZC_RECORD_BODY || peer->events.data[peer->events.len - 1] != 'B')
        zc_buf_addc (&peer->events, "-RBFACE"[event]);
    if (event == ZC_RECORD_REQUEST) {
        zc_params_destroy (&peer->params);
        peer->params = zc_record_take_params (&peer->record);
    }
    if (event == ZC_RECORD_ABORT)
        zc_record_finish (&peer->record, &peer->out);
    return event != ZC_RECORD_ERROR && event != ZC_RECORD_CLOSE;
}

/*  Feeds in pieces of `piece` bytes. */
static void s_feed (s_peer_t *peer, const zc_buf_t *in, size_t piece)
{
    for (size_t at = 0; at < in->len; at += piece) {
        const uint8_t *bytes = in->data + at;
        size_t len = in->len - at < piece ? in->len - at : piece;
        zc_record_event_t event;
        zc_slice_t body;
        while ((event = zc_record_read (&peer->record, &bytes, &len, &peer->out, &body)))
            if (!s_event (peer, event, body))
                return;
    }
}

static void s_add (zc_buf_t *in, int type, int id, const void *bytes, size_t len, size_t padding)
{
    uint8_t header[8];
    zc_record_header (header, (uint8_t)type, (uint16_t)id, (uint16_t)len);
    header[6] = (uint8_t)padding;
    zc_buf_add (in, header, sizeof header);
    zc_buf_add (in, bytes, len);
    for (; padding > 0; padding--)
        zc_buf_addc (in, '~');
}

static void s_add_begin (zc_buf_t *in, int id, int role, int flags, size_t padding)
{
    const uint8_t body[8] = {0, (uint8_t)role, (uint8_t)flags};
    s_add (in, FCGI_BEGIN_REQUEST, id, body, sizeof body, padding);
}

static void s_add_pair (zc_buf_t *in, const char *name, const char *value, bool long_form)
{
    size_t len[2] = {strlen (name), strlen (value)};
    for (int i = 0; i < 2; i++) {
        if (len[i] > 127 || long_form)
            for (int shift = 24; shift >= 0; shift -= 8)
                zc_buf_addc (in, (char)(len[i] >> shift | (shift == 24 ? 0x80 : 0)));
        else
            zc_buf_addc (in, (char)len[i]);
    }
    zc_buf_adds (in, name);
    zc_buf_adds (in, value);
}

/*  The pairs of an ordinary request. */
static void s_add_pairs (zc_buf_t *pairs)
{
    s_add_pair (pairs, "QUERY_STRING", "topic=a&topic=b", false);
    s_add_pair (pairs, "QUERY_STRINGS", "no", false);
    s_add_pair (pairs, "QUERY_STRIN", "no", false);
    s_add_pair (pairs, "", "", false);
    s_add_pair (pairs, "HTTP_X_A_NAME_THAT_IS_LONGER_THAN_ANY_THAT_IS_WANTED", "x", true);
    s_add_pair (pairs, "REQUEST_METHOD", "GET", true);
    s_add_pair (pairs, "HTTP_LAST_EVENT_ID", "", false);
    s_add_pair (pairs, "REMOTE_ADDR", "10.0.0.1", false);
    s_add_pair (pairs, "REMOTE_ADDR", "10.0.0.2", false);
}

/*  A whole request, with its parameters in records of `cut` bytes. */
static void s_add_request (zc_buf_t *in, int id, int flags, size_t cut, size_t padding)
{
    zc_buf_t pairs = ZC_BUF_INIT;
    s_add_pairs (&pairs);
    s_add_begin (in, id, FCGI_RESPONDER, flags, padding);
    for (size_t at = 0; at < pairs.len; at += cut) {
        size_t len = pairs.len - at < cut ? pairs.len - at : cut;
        s_add (in, FCGI_PARAMS, id, pairs.data + at, len, padding);
    }
    s_add (in, FCGI_PARAMS, id, NULL, 0, padding);
    s_add (in, FCGI_STDIN, id, NULL, 0, padding);
    zc_buf_clear (&pairs);
}

static void s_assert_param (const s_peer_t *peer, unsigned number, const char *value)
{
    zc_slice_t values[ZC_VARIABLE_COUNT];
    zc_params_values (peer->params, values);
    zc_slice_t got = values[number];
    assert_int_equal (got.len, strlen (value));
    assert_memory_equal (got.at, value, got.len);
}

static void s_assert_out (const s_peer_t *peer, const zc_buf_t *want)
{
    assert_int_equal (peer->out.len, want->len);
    if (want->len > 0)
        assert_memory_equal (peer->out.data, want->data, want->len);
}

static void s_add_end (zc_buf_t *out, int id, int status)
{
    const uint8_t body[8] = {0, 0, 0, 0, (uint8_t)status};
    s_add (out, FCGI_END_REQUEST, id, body, sizeof body, 0);
}

/*  `in` gives these events and these answers, however it is cut; `out` is NULL if there are
 *  none. */
static void s_check (const zc_buf_t *in, const char *events, const zc_buf_t *out)
{
    static const zc_buf_t none = ZC_BUF_INIT;
    for (size_t piece = 1; piece <= in->len; piece = piece < 9 ? piece + 1 : piece * 3) {
        s_peer_t peer;
        s_open (&peer);
        s_feed (&peer, in, piece);
        assert_string_equal (zc_buf_str (&peer.events), events);
        s_assert_out (&peer, out ? out : &none);
        s_close (&peer);
    }
}

static void test_request (void **state)
{
    (void)state;
    static const struct {
        size_t cut, padding, piece;
    } ways[] = {{9999, 0, 9999}, {1, 0, 9999}, {3, 255, 1}, {17, 7, 5}, {9999, 8, 1}, {1, 1, 1}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        zc_buf_t in = ZC_BUF_INIT;
        s_peer_t peer;
        s_open (&peer);
        s_add_request (&in, 259, FCGI_KEEP_CONN, ways[i].cut, ways[i].padding);
        s_feed (&peer, &in, ways[i].piece);
        assert_string_equal (zc_buf_str (&peer.events), "RF");
        assert_int_equal (peer.record.request, 259);
        assert_true (peer.record.keep);
        s_assert_param (&peer, ZC_VARIABLE_QUERY_STRING, "topic=a&topic=b");
        s_assert_param (&peer, ZC_VARIABLE_REQUEST_METHOD, "GET");
        s_assert_param (&peer, ZC_FIELD_LAST_EVENT_ID, "");
        s_assert_param (&peer, ZC_VARIABLE_REMOTE_ADDR, "10.0.0.2");
        assert_true (zc_params_has (peer.params, ZC_FIELD_LAST_EVENT_ID));
        assert_false (zc_params_has (peer.params, ZC_FIELD_ORIGIN));
        assert_int_equal (peer.out.len, 0);
        s_close (&peer);
        zc_buf_clear (&in);
    }
}

/*  One connection, one request after the other. Records for a request that has ended are
 *  skipped. */
static void test_keep_connection (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT, want = ZC_BUF_INIT;
    s_peer_t peer;
    s_open (&peer);
    assert_true (zc_record_idle (&peer.record));
    s_add_request (&in, 1, FCGI_KEEP_CONN, 100, 0);
    for (int round = 0; round < 3; round++) {
        s_feed (&peer, &in, in.len);
        zc_record_finish (&peer.record, &peer.out);
        s_add (&want, FCGI_STDOUT, 1, NULL, 0, 0);
        s_add_end (&want, 1, FCGI_REQUEST_COMPLETE);
        s_assert_out (&peer, &want);
        assert_true (zc_record_idle (&peer.record));
    }
    assert_string_equal (zc_buf_str (&peer.events), "RFRFRF");
    in.len = 0;
    s_add (&in, FCGI_STDIN, 1, "late", 4, 0);
    s_add (&in, FCGI_PARAMS, 1, "late", 4, 0);
    s_add (&in, FCGI_PARAMS, 1, NULL, 0, 0);
    s_add (&in, FCGI_ABORT_REQUEST, 1, NULL, 0, 0);
    s_feed (&peer, &in, 1);
    assert_string_equal (zc_buf_str (&peer.events), "RFRFRF");
    s_assert_out (&peer, &want);
    s_close (&peer);
    zc_buf_clear (&in);
    zc_buf_clear (&want);
}

static void test_abort (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT, out = ZC_BUF_INIT;
    s_add_request (&in, 5, 0, 100, 0);
    s_add (&in, FCGI_ABORT_REQUEST, 4, NULL, 0, 0);
    s_add (&in, FCGI_ABORT_REQUEST, 5, NULL, 0, 0);
    s_add (&out, FCGI_STDOUT, 5, NULL, 0, 0);
    s_add_end (&out, 5, FCGI_REQUEST_COMPLETE);
    s_check (&in, "RFA", &out);
    in.len = 0;
    s_add_begin (&in, 5, FCGI_RESPONDER, 0, 0);
    s_add (&in, FCGI_PARAMS, 5, "\x0c\x0fQUERY", 7, 0);
    s_add (&in, FCGI_ABORT_REQUEST, 5, NULL, 0, 3);
    s_check (&in, "A", &out);
    zc_buf_clear (&in);
    zc_buf_clear (&out);
}

static void test_refused (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT, out = ZC_BUF_INIT;
    s_add_request (&in, 1, 0, 100, 0);
    s_add_request (&in, 2, 0, 100, 0);
    s_add (&in, FCGI_ABORT_REQUEST, 2, NULL, 0, 0);
    s_add_end (&out, 2, FCGI_CANT_MPX_CONN);
    s_check (&in, "RF", &out);
    for (int role = 0; role < 256; role += role < 4 ? 1 : 63) {
        if (role == FCGI_RESPONDER)
            continue;
        in.len = out.len = 0;
        s_add_begin (&in, 7, role, FCGI_KEEP_CONN, 0);
        s_add_begin (&in, 8, role, 0, 0);
        s_add_end (&out, 7, FCGI_UNKNOWN_ROLE);
        s_add_end (&out, 8, FCGI_UNKNOWN_ROLE);
        s_check (&in, "C", &out);
    }
    zc_buf_clear (&in);
    zc_buf_clear (&out);
}

static void test_get_values (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT, names = ZC_BUF_INIT, body = ZC_BUF_INIT, out = ZC_BUF_INIT;
    for (int i = 0; i < 1000; i++) /* repeats are answered once */
        s_add_pair (&names, FCGI_MPXS_CONNS, "", false);
    s_add_pair (&names, "FCGI_NO_SUCH", "", false);
    s_add_pair (&names, FCGI_MAX_CONNS, "", true);
    s_add_pair (&body, FCGI_MAX_CONNS, "1000000", false);
    s_add_pair (&body, FCGI_MPXS_CONNS, "0", false);
    s_add (&in, FCGI_GET_VALUES, 0, names.data, names.len, 0);
    s_add (&out, FCGI_GET_VALUES_RESULT, 0, body.data, body.len, 0);
    s_check (&in, "", &out);
    s_add (&in, FCGI_GET_VALUES, 0, NULL, 0, 0);
    s_add (&out, FCGI_GET_VALUES_RESULT, 0, NULL, 0, 0);
    s_check (&in, "", &out);
    /*  In the middle of a request's parameters. */
    in.len = out.len = 0;
    s_add_begin (&in, 1, FCGI_RESPONDER, 0, 0);
    s_add (&in, FCGI_PARAMS, 1, "\x0c\x07QUERY_", 8, 0);
    s_add (&in, FCGI_GET_VALUES, 0, names.data, names.len, 9);
    s_add (&in, FCGI_PARAMS, 1, "STRINGtopic=a", 13, 0);
    s_add (&in, FCGI_PARAMS, 1, NULL, 0, 0);
    s_add (&out, FCGI_GET_VALUES_RESULT, 0, body.data, body.len, 0);
    s_check (&in, "R", &out);
    zc_buf_clear (&in);
    zc_buf_clear (&names);
    zc_buf_clear (&body);
    zc_buf_clear (&out);
}

static void test_unknown_type (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT, out = ZC_BUF_INIT;
    for (int type = 0; type < 256; type++) {
        if (type == FCGI_GET_VALUES)
            continue;
        const uint8_t body[8] = {(uint8_t)type};
        in.len = out.len = 0;
        s_add (&in, type, 0, "content", (size_t)(type % 8), (size_t)(type % 3));
        s_add (&out, FCGI_UNKNOWN_TYPE, 0, body, sizeof body, 0);
        s_check (&in, "", &out);
    }
    in.len = 0;
    s_add_request (&in, 1, 0, 100, 0);
    for (int type = FCGI_STDIN; type < 256; type++) /* the request's other records are skipped */
        s_add (&in, type, 1, "content", 7, 1);
    s_check (&in, "RF", NULL);
    zc_buf_clear (&in);
    zc_buf_clear (&out);
}

static void test_malformed (void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
#define BAD(text) {text, sizeof text - 1}
        BAD ("GET / HT"),                        /* not FastCGI at all */
        BAD ("\0\1\0\1\0\x8\0\0"),               /* version 0 */
        BAD ("\1\1\0\1\0\7\0\0"),                /* BEGIN_REQUEST of 7 bytes */
        BAD ("\1\1\0\1\0\0\0\0"),                /* of none */
        BAD ("\1\1\0\1\0\x9\0\0"),               /* of 9 */
        BAD ("\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0" /* the same id twice */
             "\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0"),
        BAD ("\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0" /* ends within a name */
             "\1\4\0\1\0\4\0\0\3\1ab\1\4\0\1\0\0\0\0"),
        BAD ("\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0" /* within a length */
             "\1\4\0\1\0\2\0\0\x80\0\1\4\0\1\0\0\0\0"),
        BAD ("\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0" /* after the first length */
             "\1\4\0\1\0\1\0\0\0\1\4\0\1\0\0\0\0"),
        BAD ("\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0" /* two lengths of 2^31 - 2 */
             "\1\4\0\1\0\x8\0\0\xff\xff\xff\xfe\xff\xff\xff\xfe"),
        BAD ("\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0" /* a value of 128 KiB */
             "\1\4\0\1\0\x5\0\0\0\x80\2\0\0"),
        BAD ("\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0" /* parameters after their end */
             "\1\4\0\1\0\0\0\0\1\4\0\1\0\2\0\0\0\0"),
        BAD ("\1\1\0\1\0\x8\0\0\0\1\0\0\0\0\0\0" /* two ends */
             "\1\4\0\1\0\0\0\0\1\4\0\1\0\0\0\0"),
        BAD ("\1\x9\0\0\0\3\0\0\5\0F"),                             /* GET_VALUES cut in a name */
        BAD ("\1\x9\0\0\0\x8\0\0\xff\xff\xff\xfe\xff\xff\xff\xfe"), /* with such lengths */
#undef BAD
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_buf_t in = ZC_BUF_INIT;
        zc_buf_add (&in, bad[i].bytes, bad[i].len);
        bool begun = i == 11 || i == 12;
        s_check (&in, begun ? "RE" : "E", NULL);
        zc_buf_clear (&in);
    }
}

/*  Pairs are cut off at the limit, whatever they are. */
static void test_oversized (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT, pairs = ZC_BUF_INIT;
    s_peer_t peer;
    s_open (&peer);
    for (int i = 0; i < 2000; i++)
        s_add_pair (&pairs, "QUERY_STRING", "topic=a", false);
    s_add_begin (&in, 1, FCGI_RESPONDER, 0, 0);
    s_feed (&peer, &in, in.len);
    in.len = 0;
    s_add (&in, FCGI_PARAMS, 1, pairs.data, pairs.len, 0);
    size_t fed = 0;
    while (peer.events.len == 0 && fed <= ZC_PARAMS_MAX + pairs.len) {
        s_feed (&peer, &in, in.len);
        fed += pairs.len;
    }
    assert_string_equal (zc_buf_str (&peer.events), "E");
    assert_true (fed > ZC_PARAMS_MAX);
    assert_string_equal (zc_record_strerror (&peer.record), "malformed or oversized parameters");
    const uint8_t *bytes = in.data;
    size_t len = in.len;
    zc_slice_t body;
    assert_int_equal (zc_record_read (&peer.record, &bytes, &len, &peer.out, &body),
                      ZC_RECORD_ERROR);
    s_close (&peer);
    zc_buf_clear (&in);
    zc_buf_clear (&pairs);
}

/*  The body comes in runs, between records of other kinds, and ends once. */
static void test_body (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT, large = ZC_BUF_INIT;
    for (int i = 0; i < 60000; i++)
        zc_buf_addc (&large, (char)('a' + i % 26));
    for (size_t piece = 1; piece < 200000; piece = piece < 9 ? piece + 1 : piece * 7) {
        s_peer_t peer;
        in.len = 0;
        s_add_begin (&in, 3, FCGI_RESPONDER, 0, 0);
        s_add (&in, FCGI_STDIN, 3, "early", 5, 0); /* before the parameters' end: skipped */
        s_add (&in, FCGI_PARAMS, 3, NULL, 0, 0);
        s_add (&in, FCGI_STDIN, 3, "one", 3, 5);
        s_add (&in, FCGI_STDIN, 4, "another's", 9, 0);
        s_add (&in, FCGI_GET_VALUES, 0, NULL, 0, 0);
        s_add (&in, FCGI_STDIN, 3, large.data, large.len, 0);
        s_add (&in, FCGI_STDIN, 3, NULL, 0, 7);
        s_add (&in, FCGI_STDIN, 3, "late", 4, 0);
        s_add (&in, FCGI_STDIN, 3, NULL, 0, 0);
        s_open (&peer);
        s_feed (&peer, &in, piece);
        assert_string_equal (zc_buf_str (&peer.events), "RBF");
        assert_int_equal (peer.body.len, 3 + large.len);
        assert_memory_equal (peer.body.data, "one", 3);
        assert_memory_equal (peer.body.data + 3, large.data, large.len);
        s_close (&peer);
    }
    zc_buf_clear (&in);
    zc_buf_clear (&large);
}

/*  The end of a body, alone, before it is read. */
static void test_is_end (void **state)
{
    (void)state;
    zc_buf_t in = ZC_BUF_INIT, next = ZC_BUF_INIT;
    s_peer_t peer;
    s_open (&peer);
    s_add_begin (&in, 5, FCGI_RESPONDER, 0, 0);
    s_add (&in, FCGI_PARAMS, 5, NULL, 0, 0);
    s_feed (&peer, &in, in.len);
    s_add (&next, FCGI_STDIN, 5, NULL, 0, 3);
    assert_true (zc_record_is_end (&peer.record, next.data, next.len));
    for (size_t len = 0; len < next.len; len++)
        assert_false (zc_record_is_end (&peer.record, next.data, len));
    zc_buf_addc (&next, 1);
    assert_false (zc_record_is_end (&peer.record, next.data, next.len));
    for (int other = 0; other < 3; other++) {
        next.len = 0;
        s_add (&next, other == 0 ? FCGI_PARAMS : FCGI_STDIN, other == 1 ? 6 : 5, "a", other == 2,
               0);
        assert_false (zc_record_is_end (&peer.record, next.data, next.len));
    }
    next.len = 0;
    s_add (&next, FCGI_STDIN, 5, NULL, 0, 0);
    s_feed (&peer, &next, next.len);
    assert_string_equal (zc_buf_str (&peer.events), "RF");
    assert_false (zc_record_is_end (&peer.record, next.data, next.len));
    s_close (&peer);
    zc_buf_clear (&in);
    zc_buf_clear (&next);
}

static void test_environment (void **state)
{
    (void)state;
    static char *environment[] = {
        "QUERY_STRING=topic=x", "PATH=/bin",     "NOTHING", "HTTP_ORIGIN=", "=", "",
        "REMOTE_ADDRESS=no",    "REMOTE_ADD=no", NULL};
    s_peer_t peer = {.params = zc_params_new (zc_cgi_find, ZC_VARIABLE_COUNT, 0)};
    zc_params_read_environment (peer.params, environment);
    s_assert_param (&peer, ZC_VARIABLE_QUERY_STRING, "topic=x");
    s_assert_param (&peer, ZC_FIELD_ORIGIN, "");
    assert_true (zc_params_has (peer.params, ZC_FIELD_ORIGIN));
    assert_false (zc_params_has (peer.params, ZC_VARIABLE_REMOTE_ADDR));
    assert_int_equal (zc_params_size (peer.params), 7);
    zc_params_destroy (&peer.params);
    zc_params_destroy (&peer.params);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_request),     cmocka_unit_test (test_keep_connection),
        cmocka_unit_test (test_abort),       cmocka_unit_test (test_refused),
        cmocka_unit_test (test_get_values),  cmocka_unit_test (test_unknown_type),
        cmocka_unit_test (test_malformed),   cmocka_unit_test (test_oversized),
        cmocka_unit_test (test_environment), cmocka_unit_test (test_body),
        cmocka_unit_test (test_is_end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
