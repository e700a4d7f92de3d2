/*  What a process says to its successor. */
#include "tests/unit/unit.h"

#include "lib/wire/handover.h"

/*  A client as version 1 writes it: a WebSocket of zcast.v1 that is deflated, with a token. It must
 *  be read like this for as long as the version is 1. */
#define RECORDED                             \
    "\0\0\0\x93\x06"                         \
    "\3\0\0\0\x0fws+json+deflate"            \
    "\4\0\0\0\6a\nb/c1"                      \
    "\5\0\0\0\x08\0\0\0\0\0\0\0\2"           \
    "\6\0\0\0\x08\0\0\0\0\0\0\0\1"           \
    "\7\0\0\0\x08\0\0\0\0\0\0\0\5"           \
    "\x08\0\0\0\x08\1\2\3\4\5\6\7\x08"       \
    "\x09\0\0\0\2\x89\0"                     \
    "\x0a\0\0\0\3\x81\x85\1"                 \
    "\x0d\0\0\0\x09"                         \
    "192.0.2.7"                              \
    "\x0f\0\0\0\3ann"                        \
    "\x13\0\0\0\x08\0\0\1\x8b\xcf\xe5\x68\0" \
    "\x15\0\0\0\1*"                          \
    "\x16\0\0\0\2k1"

static zc_handover_t s_client (void)
{
    return (zc_handover_t){
        .kind = ZC_HANDOVER_CLIENT,
        .encoding = SLICE ("ws+json+deflate"),
        .topics = SLICE ("a\nb/c1"),
        .protocol = ZC_HANDOVER_WEBSOCKET,
        .mode = 1,
        .flags = ZC_HANDOVER_DEFLATE | ZC_HANDOVER_IDENTITY,
        .position = 0x0102030405060708,
        .unsent = SLICE ("\x89\0"),
        .received = SLICE ("\x81\x85\1"),
        .address = SLICE ("192.0.2.7"),
        .subject = SLICE ("ann"),
        .expires_ms = 1700000000000,
        .subscribe = SLICE ("*"),
        .limit_key = SLICE ("k1"),
    };
}

static void test_recorded (void **state)
{
    (void)state;
    zc_handover_t client = s_client (), read;
    zc_buf_t out = ZC_BUF_INIT;
    const char *error;
    zc_handover_write (&out, &client);
    zc_slice_t recorded = SLICE (RECORDED);
    assert_int_equal (out.len, recorded.len);
    assert_memory_equal (out.data, recorded.at, out.len);
    assert_int_equal (zc_handover_read (&read, recorded.at, recorded.len, &error), recorded.len);
    assert_int_equal (read.position, client.position);
    assert_int_equal (read.expires_ms, client.expires_ms);
    assert_slice (read.topics, "a\nb/c1");
    assert_slice (read.subscribe, "*");
    assert_int_equal (read.unsent.len, 2);
    assert_null (read.publish.at);
    for (size_t len = 0; len < recorded.len; len++)
        assert_int_equal (zc_handover_read (&read, recorded.at, len, &error), 0);
    zc_buf_clear (&out);
}

static void test_every_kind (void **state)
{
    (void)state;
    const zc_handover_t frames[] = {
        {.kind = ZC_HANDOVER_HELLO, .number = 1},
        {.kind = ZC_HANDOVER_OFFER},
        {.kind = ZC_HANDOVER_OFFER, .text = SLICE ("5-0.x")},
        {.kind = ZC_HANDOVER_CHANNEL, .encoding = SLICE ("sse"), .topics = SLICE ("a\n\1m+")},
        {.kind = ZC_HANDOVER_PREPARE},
        {.kind = ZC_HANDOVER_READY},
        {.kind = ZC_HANDOVER_CLIENT, .protocol = ZC_HANDOVER_STREAM},
        {.kind = ZC_HANDOVER_DONE},
        {.kind = ZC_HANDOVER_DONE, .number = UINT64_MAX},
        {.kind = ZC_HANDOVER_TAKEN, .number = 3},
        {.kind = ZC_HANDOVER_COMMIT},
        {.kind = ZC_HANDOVER_REFUSED, .text = SLICE ("no")},
    };
    for (size_t i = 0; i < LENGTH (frames); i++) {
        zc_buf_t out = ZC_BUF_INIT;
        zc_handover_t read;
        const char *error;
        zc_handover_write (&out, &frames[i]);
        assert_int_equal (zc_handover_read (&read, out.data, out.len, &error), out.len);
        assert_int_equal (read.kind, frames[i].kind);
        assert_int_equal (read.number, frames[i].number);
        zc_buf_clear (&out);
    }
}

static void test_bad (void **state)
{
    (void)state;
    static const struct {
        zc_slice_t bytes;
        const char *error;
    } table[] = {
        {SLICE ("\0\0\0\0"), "a frame's length is out of its range"},
        {SLICE ("\0\x40\0\1\1"), "a frame's length is out of its range"},
        {SLICE ("\xff\xff\xff\xff\1"), "a frame's length is out of its range"},
        {SLICE ("\0\0\0\1\0"), "a frame is of an unknown kind"},
        {SLICE ("\0\0\0\1\x0b"), "a frame is of an unknown kind"},
        {SLICE ("\0\0\0\2\2\2"), "a field is longer than its frame"},
        {SLICE ("\0\0\0\6\2\2\0\0\0\1"), "a field is longer than its frame"},
        {SLICE ("\0\0\0\6\2\2\xff\xff\xff\xff"), "a field is longer than its frame"},
        {SLICE ("\0\0\0\7\2\0\0\0\0\1x"), "a field is unknown"},
        {SLICE ("\0\0\0\7\2\x1c\0\0\0\1x"), "a field is unknown"},
        {SLICE ("\0\0\0\7\2\4\0\0\0\1x"), "a field is unknown"},
        {SLICE ("\0\0\0\x0d\2\2\0\0\0\1x\2\0\0\0\1x"), "a field is repeated"},
        {SLICE ("\0\0\0\6\2\2\0\0\0\0"), "a field's value is not what it may be"},
        {SLICE ("\0\0\0\7\2\2\0\0\0\1\n"), "a field's value is not what it may be"},
        {SLICE ("\0\0\0\1\1"), "a field is missing"},
        {SLICE ("\0\0\0\1\6"), "a field is missing"},
        {SLICE ("\0\0\0\1\x0a"), "a field is missing"},
        {SLICE ("\0\0\0\7\1\1\0\0\0\1\1"), "a number has 8 bytes"},
        {SLICE ("\0\0\0\x0e\1\1\0\0\0\x08\0\0\0\0\0\0\0\0"), "a number is out of its range"},
        {SLICE ("\0\0\0\x0e\6\5\0\0\0\x08\0\0\0\0\0\0\0\4"), "a number is out of its range"},
        {SLICE ("\0\0\0\x0e\6\7\0\0\0\x08\0\0\0\0\0\0\0\x40"), "a number is out of its range"},
        {SLICE ("\0\0\0\x08\6\4\0\0\0\2a\n"), "a field's value is not what it may be"},
        {SLICE ("\0\0\0\x09\6\4\0\0\0\3\1x+"), "a field's value is not what it may be"},
        {SLICE ("\0\0\0\x08\6\4\0\0\0\2\na"), "a field's value is not what it may be"},
        {SLICE ("\0\0\0\x08\6\x0c\0\0\0\2a\0"), "a field's value is not what it may be"},
        {SLICE ("\0\0\0\x08\6\x0d\0\0\0\2a\r"), "a field's value is not what it may be"},
    };
    for (size_t i = 0; i < LENGTH (table); i++) {
        zc_handover_t read;
        const char *error;
        assert_int_equal (zc_handover_read (&read, table[i].bytes.at, table[i].bytes.len, &error),
                          -1);
        assert_string_equal (error, table[i].error);
    }
}

static void test_lists (void **state)
{
    (void)state;
    zc_slice_t list = SLICE ("a\nb"), nothing = {NULL, 0}, item;
    assert_true (zc_handover_next (&list, &item));
    assert_slice (item, "a");
    assert_true (zc_handover_next (&list, &item));
    assert_slice (item, "b");
    assert_false (zc_handover_next (&list, &item));
    assert_false (zc_handover_next (&nothing, &item));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_recorded),
        cmocka_unit_test (test_every_kind),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_lists),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
