/*  What a broker leaves to its successor. */
#include "tests/unit/unit.h"

#include "broker/bequest.h"

/*  Frames as version 1 writes them. They must be read like this for as long as the version is 1. */
#define MESSAGE                         \
    "\0\0\0\x52\2"                      \
    "\3\0\0\0\6news/a"                  \
    "\4\0\0\0\x08\1\2\3\4\5\6\7\x08"    \
    "\5\0\0\0\x08\0\0\1\x8b\xcf\xe5h\0" \
    "\6\0\0\0\x08\0\0\0\0\0\0\0\5"      \
    "\7\0\0\0\x08\0\0\0\0\0\0\0\1"      \
    "\x08\0\0\0\6key: k"                \
    "\x09\0\0\0\2\0\n"
#define STATE                          \
    "\0\0\0\x83\4"                     \
    "\4\0\0\0\x08\0\0\0\0\0\0\0\x09"   \
    "\x0c\0\0\0\x08\0\0\0\0\0\0\0\4"   \
    "\x14\0\0\0\x08\0\0\0\0\0\0\0\x07" \
    "\x15\0\0\0\x08\0\0\0\0\0\0\0\3"   \
    "\x16\0\0\0\x08\0\0\0\0\0\0\0\2"   \
    "\x18\0\0\0\x08\0\0\0\0\0\0\0\x0b" \
    "\x19\0\0\0\x0d"                   \
    "1-1.000000000"                    \
    "\x1a\0\0\0\x10"                   \
    "0123456789abcdef"                 \
    "\x1b\0\0\0\x08\0\0\0\0\0\0\0\1"

static void s_check (const char *recorded, size_t len, const zc_bequest_t *frame)
{
    zc_buf_t out = ZC_BUF_INIT;
    zc_bequest_t read;
    const char *error;
    zc_bequest_write (&out, frame);
    assert_int_equal (out.len, len);
    assert_memory_equal (out.data, recorded, len);
    assert_int_equal (zc_bequest_read (&read, recorded, len, &error), len);
    assert_null (error);
    assert_int_equal (read.kind, frame->kind);
    assert_int_equal (read.id, frame->id);
    for (size_t i = 0; i < len; i++)
        assert_int_equal (zc_bequest_read (&read, recorded, i, &error), 0);
    zc_buf_clear (&out);
}

static void test_recorded (void **state)
{
    (void)state;
    const zc_bequest_t message = {.kind = ZC_BEQUEST_MESSAGE,
                                  .topic = SLICE ("news/a"),
                                  .id = 0x0102030405060708,
                                  .expires_ms = 1700000000000,
                                  .event_at = 5,
                                  .event_len = 1,
                                  .meta = SLICE ("key: k"),
                                  .payload = SLICE ("\0\n")};
    const zc_bequest_t broker = {.kind = ZC_BEQUEST_STATE,
                                 .id = 9,
                                 .floor = 4,
                                 .head = 7,
                                 .dropped = 3,
                                 .forgotten = 2,
                                 .started_ms = 11,
                                 .line = SLICE ("1-1.000000000"),
                                 .secret = SLICE ("0123456789abcdef"),
                                 .file = 1};
    s_check (MESSAGE, sizeof MESSAGE - 1, &message);
    s_check (STATE, sizeof STATE - 1, &broker);
}

static void test_ids (void **state)
{
    (void)state;
    zc_buf_t ids = ZC_BUF_INIT, out = ZC_BUF_INIT;
    zc_bequest_t read;
    const char *error;
    uint64_t id, expected = 1;
    for (; expected < 1000; expected *= 3)
        zc_bequest_add_id (&ids, expected);
    zc_bequest_t gone = {.kind = ZC_BEQUEST_GONE, .ids = {(char *)ids.data, ids.len}};
    zc_bequest_write (&out, &gone);
    assert_true (zc_bequest_read (&read, out.data, out.len, &error) > 0);
    for (expected = 1; zc_bequest_next_id (&read.ids, &id); expected *= 3)
        assert_int_equal (id, expected);
    assert_true (expected > 1000);
    zc_bequest_add_id (&ids, 5); /* it goes back */
    gone.ids = (zc_slice_t){(char *)ids.data, ids.len};
    out.len = 0;
    zc_bequest_write (&out, &gone);
    assert_int_equal (zc_bequest_read (&read, out.data, out.len, &error), -1);
    zc_buf_clear (&ids);
    zc_buf_clear (&out);
}

static void test_bad (void **state)
{
    (void)state;
    static const zc_bequest_t table[] = {
        {.kind = ZC_BEQUEST_HELLO, .number = 1},
        {.kind = ZC_BEQUEST_HELLO, .text = SLICE ("memory")},
        {.kind = ZC_BEQUEST_HELLO, .number = 1, .text = SLICE ("a\n")},
        {.kind = ZC_BEQUEST_MESSAGE, .topic = SLICE ("a"), .id = 1},
        {.kind = ZC_BEQUEST_MESSAGE, .id = 1, .meta = SLICE ("m")},
        {.kind = ZC_BEQUEST_MESSAGE, .topic = SLICE ("a\n"), .id = 1, .meta = SLICE ("m")},
        {.kind = ZC_BEQUEST_MESSAGE,
         .topic = SLICE ("a"),
         .id = 1,
         .meta = SLICE ("m"),
         .event_len = 2},
        {.kind = ZC_BEQUEST_GONE, .ids = SLICE ("1234567")},
        {.kind = ZC_BEQUEST_GONE},
        {.kind = ZC_BEQUEST_STATE, .line = SLICE ("a b"), .secret = SLICE ("0123456789abcdef")},
        {.kind = ZC_BEQUEST_STATE, .line = SLICE ("a"), .secret = SLICE ("0123456789abcde")},
        {.kind = ZC_BEQUEST_TOPIC, .id = 1},
        {.kind = ZC_BEQUEST_TOPIC, .topic = SLICE ("a"), .published = 2},
        {.kind = ZC_BEQUEST_SEEN, .topic = SLICE ("a"), .name = SLICE ("n"), .id = 1},
        {.kind = ZC_BEQUEST_LISTENER, .role = 4, .address = SLICE ("ipc:///a")},
        {.kind = ZC_BEQUEST_LISTENER, .role = 1},
        {.kind = ZC_BEQUEST_DONE, .id = 1},
        {.kind = ZC_BEQUEST_REFUSED},
        {.kind = ZC_BEQUEST_KINDS},
        {.kind = 0},
    };
    for (size_t i = 0; i < LENGTH (table); i++) {
        zc_buf_t out = ZC_BUF_INIT;
        zc_bequest_t read;
        const char *error = NULL;
        zc_bequest_write (&out, &table[i]);
        assert_int_equal (zc_bequest_read (&read, out.data, out.len, &error), -1);
        assert_non_null (error);
        zc_buf_clear (&out);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_recorded),
        cmocka_unit_test (test_ids),
        cmocka_unit_test (test_bad),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
