/*  Framing: however much a socket takes in each call, the web server reads the same bytes in
 *  whole records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fastcgi.h>

#include "fcgi/framing.h"
#include "fcgi/record.h"

static uint32_t s_seed;

static uint32_t s_random (uint32_t below)
{
    s_seed = s_seed * 1664525u + 1013904223u;
    return (s_seed >> 8) % below;
}

/*  Takes the first `sent` bytes of a plan, as a socket would. */
static void s_take (const zc_framing_plan_t *plan, size_t sent, zc_buf_t *wire)
{
    for (int i = 0; i < plan->count && sent > 0; i++) {
        size_t step = plan->iov[i].iov_len < sent ? plan->iov[i].iov_len : sent;
        zc_buf_add (wire, plan->iov[i].iov_base, step);
        sent -= step;
    }
    assert_int_equal (sent, 0);
}

static size_t s_plan_size (const zc_framing_plan_t *plan)
{
    size_t size = 0;
    for (int i = 0; i < plan->count; i++)
        size += plan->iov[i].iov_len;
    return size;
}

/*  The contents of all records on the wire, which must end with a whole one. Returns how many. */
static size_t s_unwrap (const zc_buf_t *wire, uint16_t id, zc_buf_t *content)
{
    size_t records = 0;
    for (size_t at = 0; at < wire->len; records++) {
        const uint8_t *header = wire->data + at;
        assert_true (wire->len - at > FCGI_HEADER_LEN);
        assert_int_equal (header[0], FCGI_VERSION_1);
        assert_int_equal (header[1], FCGI_STDOUT);
        assert_int_equal (header[2] << 8 | header[3], id);
        assert_int_equal (header[6], 0);
        size_t len = (size_t)(header[4] << 8 | header[5]);
        assert_true (len > 0 && len <= wire->len - at - FCGI_HEADER_LEN);
        zc_buf_add (content, header + FCGI_HEADER_LEN, len);
        at += FCGI_HEADER_LEN + len;
    }
    return records;
}

static void s_fill_random (zc_buf_t *buf, size_t len)
{
    zc_buf_reserve (buf, len);
    for (size_t i = 0; i < len; i++)
        zc_buf_addc (buf, (char)s_random (256));
}

/*  Offers the bytes from `done` on in `pieces` pieces, some of them empty. */
static int s_cut (const zc_buf_t *buf, size_t done, size_t end, struct iovec *iov, int pieces)
{
    for (int i = 0; i < pieces; i++) {
        size_t len = i == pieces - 1 ? end - done : s_random ((uint32_t)(end - done) + 1);
        iov[i] = (struct iovec){buf->data + done, len};
        done += len;
    }
    return pieces;
}

/*  Sends by one plan. Returns the bytes of content that the socket took. */
static size_t s_send_planned (zc_framing_t *framing, const struct iovec *iov, int count,
                              zc_buf_t *wire)
{
    zc_framing_plan_t plan;
    zc_framing_plan (framing, 777, iov, count, &plan);
    size_t size = s_plan_size (&plan);
    assert_true (size > 0);
    size_t sent = s_random (3) ? s_random ((uint32_t)(size < 40 ? size : 40) + 1) : size;
    s_take (&plan, sent, wire);
    return zc_framing_sent (framing, &plan, sent);
}

/*  The same for one run of bytes, with a header sent before it, if that is enough. */
static size_t s_send_begun (zc_framing_t *framing, const struct iovec *iov, zc_buf_t *wire)
{
    uint8_t header[FCGI_HEADER_LEN];
    if (zc_framing_begin (framing, 777, iov->iov_len, header) < 0)
        return s_send_planned (framing, iov, 1, wire);
    assert_true (zc_framing_idle (framing) && iov->iov_len <= 65535);
    size_t size = sizeof header + iov->iov_len;
    size_t sent = s_random (3) ? s_random ((uint32_t)(size < 40 ? size : 40) + 1) : size;
    size_t of_header = sent < sizeof header ? sent : sizeof header;
    zc_buf_add (wire, header, of_header);
    zc_buf_add (wire, iov->iov_base, sent - of_header);
    return zc_framing_end (framing, iov->iov_len, sent);
}

static void s_run (uint32_t seed)
{
    s_seed = seed;
    zc_buf_t stream = ZC_BUF_INIT, wire = ZC_BUF_INIT, content = ZC_BUF_INIT;
    zc_framing_t framing = {0};
    size_t total = s_random (4) ? s_random (500) + 1 : s_random (600000) + 1;
    size_t done = 0, there = 0;
    s_fill_random (&stream, total);
    while (done < total) {
        struct iovec iov[4];
        if (there == done || s_random (2)) /* more bytes have gathered */
            there += s_random ((uint32_t)(total - there) + 1);
        there += there == done;
        int count = s_cut (&stream, done, there, iov, 1 + (int)s_random (4));
        done += count > 1 || s_random (2) ? s_send_planned (&framing, iov, count, &wire)
                                          : s_send_begun (&framing, iov, &wire);
        assert_true (done <= there);
    }
    assert_true (zc_framing_idle (&framing));
    s_unwrap (&wire, 777, &content);
    assert_int_equal (content.len, total);
    assert_memory_equal (content.data, stream.data, total);
    zc_buf_clear (&stream);
    zc_buf_clear (&wire);
    zc_buf_clear (&content);
}

static void test_any_cut (void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 400; seed++)
        s_run (seed);
}

/*  Content that fits into one record is one record, and longer content is as few as possible. */
static void test_record_count (void **state)
{
    (void)state;
    static const struct {
        size_t len, records;
    } cases[] = {{1, 1},      {65535, 1},  {65536, 2},  {131070, 2},
                 {131071, 3}, {262140, 4}, {262141, 4}, {1000000, 4}};
    zc_buf_t stream = ZC_BUF_INIT;
    s_fill_random (&stream, 1000000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        zc_framing_t framing = {0};
        zc_framing_plan_t plan;
        zc_buf_t wire = ZC_BUF_INIT, content = ZC_BUF_INIT;
        struct iovec iov[2] = {{stream.data, cases[i].len / 3}};
        iov[1] = (struct iovec){stream.data + iov[0].iov_len, cases[i].len - iov[0].iov_len};
        zc_framing_plan (&framing, 1, iov, 2, &plan);
        s_take (&plan, s_plan_size (&plan), &wire);
        size_t done = zc_framing_sent (&framing, &plan, wire.len);
        assert_int_equal (s_unwrap (&wire, 1, &content), cases[i].records);
        assert_int_equal (done, content.len);
        assert_memory_equal (content.data, stream.data, done);
        zc_buf_clear (&wire);
        zc_buf_clear (&content);
    }
    zc_buf_clear (&stream);
}

/*  A record that was begun and not finished is filled up with empty lines. */
static void test_fill (void **state)
{
    (void)state;
    for (size_t sent = 1; sent < 18; sent++) {
        zc_framing_t framing = {0};
        zc_framing_plan_t plan;
        zc_buf_t wire = ZC_BUF_INIT, content = ZC_BUF_INIT;
        struct iovec iov = {(void *)"data: 1\n\n\n", 10};
        zc_framing_plan (&framing, 9, &iov, 1, &plan);
        s_take (&plan, sent, &wire);
        size_t done = zc_framing_sent (&framing, &plan, sent);
        assert_false (zc_framing_idle (&framing));
        zc_framing_fill (&framing, 9, &wire);
        assert_true (zc_framing_idle (&framing));
        assert_int_equal (s_unwrap (&wire, 9, &content), 1);
        assert_int_equal (content.len, 10);
        assert_memory_equal (content.data, "data: 1\n\n\n", done);
        for (size_t i = done; i < content.len; i++)
            assert_int_equal (content.data[i], '\n');
        zc_buf_clear (&wire);
        zc_buf_clear (&content);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_any_cut),
        cmocka_unit_test (test_record_count),
        cmocka_unit_test (test_fill),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
