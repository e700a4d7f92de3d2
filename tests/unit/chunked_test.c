/*  The chunked transfer coding (RFC 9112 §7.1): bodies cut anywhere, refusals, and our own
 *  chunks. */
#include "tests/unit/unit.h"

#include "lib/wire/chunked.h"
#include "lib/wire/sse.h"

/*  Reads in pieces of `piece` bytes. Returns the last event; *left is the number of bytes not
 *  taken. */
static zc_chunked_event_t s_read (const char *bytes, size_t len, size_t piece, zc_buf_t *body,
                                  size_t *left)
{
    zc_chunked_t chunked;
    zc_chunked_event_t event = ZC_CHUNKED_MORE;
    zc_chunked_init (&chunked);
    body->len = 0;
    size_t at = 0;
    while (at < len && event == ZC_CHUNKED_MORE) {
        const uint8_t *in = (const uint8_t *)bytes + at;
        size_t in_len = len - at < piece ? len - at : piece, given = in_len;
        zc_slice_t data;
        while ((event = zc_chunked_read (&chunked, &in, &in_len, &data)) == ZC_CHUNKED_DATA) {
            assert_true (data.len > 0);
            zc_buf_add (body, data.at, data.len);
        }
        at += given - in_len;
    }
    *left = len - at;
    return event;
}

typedef struct {
    const char *rule, *bytes, *body;
    zc_chunked_event_t event;
    size_t left;
} row_t;

static const row_t rows[] = {
    {"a body", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", ZC_CHUNKED_END, 0},
    {"an empty one", "0\r\n\r\n", "", ZC_CHUNKED_END, 0},
    {"the next request is left", "1\r\na\r\n0\r\n\r\nGET /", "a", ZC_CHUNKED_END, 5},
    {"hexadecimal, of either case", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
     "01234567890123456789", ZC_CHUNKED_END, 0},
    {"leading zeros", "0000000000000000000000005\r\nhello\r\n00000\r\n\r\n", "hello",
     ZC_CHUNKED_END, 0},
    {"§7.1.1 extensions are passed over", "5;a;b=c;d=\"e\\\";\"\r\nhello\r\n0;x\r\n\r\n", "hello",
     ZC_CHUNKED_END, 0},
    {"blanks around them", "5 ; a = b\t\r\nhello\r\n0 \r\n\r\n", "hello", ZC_CHUNKED_END, 0},
    {"§7.1.2 a trailer is passed over", "0\r\nX: y\r\nContent-Length: 5\r\n\r\nrest", "",
     ZC_CHUNKED_END, 4},
    {"CR LF in data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", ZC_CHUNKED_END, 0},
    {"cut in a chunk", "5\r\nhel", "hel", ZC_CHUNKED_MORE, 0},
    {"cut behind one", "5\r\nhello\r\n", "hello", ZC_CHUNKED_MORE, 0},
    {"cut in the trailer", "0\r\nX: y\r\n", "", ZC_CHUNKED_MORE, 0},
    {"no size", "\r\nhello\r\n", "", ZC_CHUNKED_BAD, 0},
    {"no size", ";a\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a sign", "+5\r\nhello\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a sign", "-5\r\nhello\r\n", "", ZC_CHUNKED_BAD, 0},
    {"0x", "0x5\r\nhello\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a blank before", " 5\r\nhello\r\n", "", ZC_CHUNKED_BAD, 0},
    {"two sizes", "5 5\r\nhello\r\n", "", ZC_CHUNKED_BAD, 0},
    {"§7.1 a number beyond all", "10000000000000000\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a number beyond all", "ffffffffffffffffffff\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a bare LF behind the size", "5\nhello\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a bare CR behind the size", "5\rhello\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a bare LF behind the data", "5\r\nhello\n", "hello", ZC_CHUNKED_BAD, 0},
    {"longer than it said", "4\r\nhello\r\n", "hell", ZC_CHUNKED_BAD, 0},
    {"shorter than it said", "6\r\nhello\r\n0\r\n\r\n", "hello\r", ZC_CHUNKED_BAD, 0},
    {"a control in an extension", "5;a=\x01\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a bare LF in a quoted one", "5;a=\"\n\"\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a bare LF behind the last chunk", "0\r\n\n", "", ZC_CHUNKED_BAD, 0},
    {"a folded trailer", "0\r\nX: y\r\n z\r\n\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a trailer that is no field", "0\r\nX\r\n\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a blank before its colon", "0\r\nX : y\r\n\r\n", "", ZC_CHUNKED_BAD, 0},
    {"a control in it", "0\r\nX: \x01\r\n\r\n", "", ZC_CHUNKED_BAD, 0},
};

static void test_rows (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (rows); i++)
        for (size_t piece = 1; piece < 64; piece++) {
            zc_buf_t body = ZC_BUF_INIT;
            size_t left, len = strlen (rows[i].bytes);
            zc_chunked_event_t event = s_read (rows[i].bytes, len, piece, &body, &left);
            if (event != rows[i].event)
                fail_msg ("%s: %d, not %d", rows[i].rule, event, rows[i].event);
            assert_int_equal (body.len, strlen (rows[i].body));
            if (body.len > 0)
                assert_memory_equal (body.data, rows[i].body, body.len);
            if (event == ZC_CHUNKED_END)
                assert_int_equal (left, rows[i].left);
            zc_buf_clear (&body);
        }
}

/*  The bytes around the data are bounded, however they come. */
static void test_endless (void **state)
{
    (void)state;
    static const struct {
        const char *begin, *more;
        size_t max;
    } ways[] = {
        {"5;", "a", ZC_CHUNK_LINE_MAX},
        {"", "0", ZC_CHUNK_LINE_MAX},
        {"5", " ", ZC_CHUNK_LINE_MAX},
        {"", "1;aaaaaaaaaaaaaaa\r\nx\r\n", 2 * ZC_CHUNK_EXTRA_MAX},
        {"0\r\nX: ", "y", ZC_CHUNK_TRAILER_MAX},
        {"0\r\n", "X: y\r\n", ZC_CHUNK_TRAILER_MAX},
    };
    for (size_t i = 0; i < LENGTH (ways); i++) {
        zc_buf_t in = ZC_BUF_INIT, body = ZC_BUF_INIT;
        size_t left;
        zc_buf_adds (&in, ways[i].begin);
        while (in.len < ways[i].max / 2)
            zc_buf_adds (&in, ways[i].more);
        assert_int_equal (s_read ((char *)in.data, in.len, 999, &body, &left), ZC_CHUNKED_MORE);
        while (in.len < ways[i].max + 100)
            zc_buf_adds (&in, ways[i].more);
        assert_int_equal (s_read ((char *)in.data, in.len, 999, &body, &left), ZC_CHUNKED_BAD);
        zc_buf_clear (&in);
        zc_buf_clear (&body);
    }
}

/*  The chunks are read as they were written, whatever length was guessed. */
static void test_written (void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 255, 256, 4095, 4096, 65535, 65536, 1 << 20};
    for (size_t i = 0; i < LENGTH (sizes); i++)
        for (size_t j = 0; j < LENGTH (sizes); j++) {
            zc_buf_t out = ZC_BUF_INIT, body = ZC_BUF_INIT;
            size_t left;
            zc_buf_adds (&out, "3\r\nabc\r\n");
            size_t begun = zc_chunk_begin (&out, sizes[j]);
            memset (zc_buf_reserve (&out, sizes[i]), 'x', sizes[i]);
            out.len += sizes[i];
            zc_chunk_end (&out, begun, sizes[j]);
            assert_int_equal (s_read ((char *)out.data, out.len, 1 << 21, &body, &left),
                              ZC_CHUNKED_MORE);
            assert_int_equal (body.len, 3 + sizes[i]);
            assert_true (sizes[i] == 0 || body.data[body.len - 1] == 'x');
            zc_buf_adds (&out, ZC_CHUNK_LAST);
            assert_int_equal (s_read ((char *)out.data, out.len, 1 << 21, &body, &left),
                              ZC_CHUNKED_END);
            zc_buf_clear (&out);
            zc_buf_clear (&body);
        }
}

/*  The chunks of each encoding hold the bytes of the encoding without chunks. */
static void test_encodings (void **state)
{
    (void)state;
    static const struct {
        const zc_encoding_t *plain, *chunked;
    } pairs[] = {{&zc_encoding_sse, &zc_encoding_sse_chunked},
                 {&zc_encoding_sse_json, &zc_encoding_sse_json_chunked}};
    char *payload = malloc (100000);
    memset (payload, '\n', 100000);
    for (size_t i = 0; i < LENGTH (pairs); i++)
        for (size_t len = 0; len < 100000; len = len * 3 + 1) {
            zc_message_t message = {.topic = SLICE ("topic"),
                                    .event = SLICE ("event"),
                                    .payload = {payload, len},
                                    .id = zc_id_from_ms (5)};
            zc_verdict_t verdict = {.since = SLICE ("1-0"), .position = zc_id_from_ms (5)};
            zc_buf_t plain = ZC_BUF_INIT, chunks = ZC_BUF_INIT, body = ZC_BUF_INIT;
            size_t left;
            pairs[i].plain->verdict (&plain, &verdict);
            pairs[i].chunked->verdict (&chunks, &verdict);
            pairs[i].plain->message (&plain, &message);
            pairs[i].chunked->message (&chunks, &message);
            pairs[i].plain->heartbeat (&plain, zc_id_from_ms (6));
            pairs[i].chunked->heartbeat (&chunks, zc_id_from_ms (6));
            assert_int_equal (s_read ((char *)chunks.data, chunks.len, 1 << 21, &body, &left),
                              ZC_CHUNKED_MORE);
            assert_int_equal (body.len, plain.len);
            assert_memory_equal (body.data, plain.data, plain.len);
            zc_buf_clear (&plain);
            zc_buf_clear (&chunks);
            zc_buf_clear (&body);
        }
    free (payload);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rows),
        cmocka_unit_test (test_endless),
        cmocka_unit_test (test_written),
        cmocka_unit_test (test_encodings),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
