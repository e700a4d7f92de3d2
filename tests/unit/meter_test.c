/*  meter_test.c - the bytes of a connection, as libzmq's peers write them, in pieces of any
 *  size. */
#include "tests/unit/unit.h"

#include "broker/meter.h"
#include "lib/base/buf.h"

static const zc_meter_limits_t s_limits = {.frames = 4, .bytes = 1000, .subscriptions = 3};

/*  Greetings. */
static const uint8_t s_signature[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f};

static void s_greet (zc_buf_t *out, unsigned version)
{
    static const uint8_t rest[62];
    if (version == 1) {
        zc_buf_add (out, "\x01\x00", 2); /* a frame without a name */
        return;
    }
    zc_buf_add (out, s_signature, sizeof s_signature);
    zc_buf_addc (out, version == 10 ? 0 : version == 2 ? 1 : 3);
    zc_buf_addc (out, version == 3 ? 1 : 0);
    if (version == 3) {
        zc_buf_add (out, "NULL", 4);
        zc_buf_add (out, rest, 48);
        zc_buf_add (out, "\x04\x05\x05READY", 8 - 1);
    }
}

static void s_frame (zc_buf_t *out, unsigned version, const char *payload, size_t len, bool more)
{
    bool is_long = len > 200;
    uint8_t size[9] = {0};
    uint64_t counted = version == 1 || version == 10 ? len + 1 : len;
    for (size_t i = 0; i < 8; i++)
        size[8 - i] = (uint8_t)(counted >> 8 * i);
    if (version == 1 || version == 10) {
        size[0] = 0xff;
        zc_buf_add (out, is_long ? size : size + 8, is_long ? 9 : 1);
        zc_buf_addc (out, more);
    } else {
        zc_buf_addc (out, (char)(more | (is_long ? 2 : 0)));
        zc_buf_add (out, is_long ? size + 1 : size + 8, is_long ? 8 : 1);
    }
    zc_buf_add (out, payload, len);
}

static zc_meter_result_t s_read (const zc_buf_t *bytes, size_t piece)
{
    zc_meter_t meter = {0};
    zc_meter_result_t result = ZC_METER_GOOD;
    for (size_t at = 0; at < bytes->len && result == ZC_METER_GOOD; at += piece) {
        size_t len = bytes->len - at < piece ? bytes->len - at : piece;
        result = zc_meter_read (&meter, &s_limits, bytes->data + at, len);
    }
    return result;
}

/*  Whole, and cut in every way. Clears the bytes. */
static void s_expect (zc_buf_t *bytes, zc_meter_result_t result)
{
    for (size_t piece = 1; piece <= 12; piece++)
        assert_int_equal (s_read (bytes, piece), result);
    assert_int_equal (s_read (bytes, 4096), result);
    zc_buf_clear (bytes);
}

static const unsigned s_versions[] = {1, 10, 2, 3};

static void s_message (zc_buf_t *out, unsigned version, size_t frames, size_t len)
{
    char payload[1200];
    memset (payload, 'x', sizeof payload);
    for (size_t i = 0; i < frames; i++)
        s_frame (out, version, payload, len, i + 1 < frames);
}

static void test_messages (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_versions); i++) {
        unsigned version = s_versions[i];
        zc_buf_t bytes = ZC_BUF_INIT;
        s_greet (&bytes, version);
        for (size_t k = 0; k < 50; k++) {
            s_message (&bytes, version, 1 + k % 4, 250);
            s_message (&bytes, version, 4, 0);
            s_message (&bytes, version, 1, 1000);
        }
        s_expect (&bytes, ZC_METER_GOOD);
    }
}

static void test_too_many_frames (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_versions); i++) {
        zc_buf_t bytes = ZC_BUF_INIT;
        s_greet (&bytes, s_versions[i]);
        s_message (&bytes, s_versions[i], 4, 3);
        s_message (&bytes, s_versions[i], 5, 0);
        s_expect (&bytes, ZC_METER_FRAMES);
    }
}

static void test_too_many_bytes (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_versions); i++) {
        zc_buf_t bytes = ZC_BUF_INIT;
        s_greet (&bytes, s_versions[i]);
        s_message (&bytes, s_versions[i], 4, 251);
        s_expect (&bytes, ZC_METER_BYTES);
        s_greet (&bytes, s_versions[i]);
        s_message (&bytes, s_versions[i], 1, 1001);
        s_expect (&bytes, ZC_METER_BYTES);
    }
    zc_buf_t bytes = ZC_BUF_INIT;
    s_greet (&bytes, 3);
    zc_buf_add (&bytes, "\x03\x00\xff\xff\xff\xff\xff\xff\xff\xff", 2); /* two of them don't wrap */
    zc_buf_add (&bytes, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    s_expect (&bytes, ZC_METER_BYTES);
}

/*  As a message of ZMTP 3.0 and earlier, or as a command of 3.1. */
static void s_subscribe (zc_buf_t *out, unsigned version, bool on, bool command, const char *topic)
{
    char payload[64];
    int len = command ? snprintf (payload, sizeof payload,
                                  on ? "\x09SUBSCRIBE%s"
                                     : "\x06"
                                       "CANCEL%s",
                                  topic)
                      : snprintf (payload, sizeof payload, "%c%s", (char)on, topic);
    size_t at = out->len;
    s_frame (out, version, payload, (size_t)len, false);
    out->data[at] |= command ? 4 : 0;
}

static void test_subscriptions (void **state)
{
    (void)state;
    for (unsigned command = 0; command < 2; command++) {
        for (size_t i = command ? 3 : 0; i < LENGTH (s_versions); i++) {
            unsigned version = s_versions[i];
            zc_buf_t bytes = ZC_BUF_INIT;
            s_greet (&bytes, version);
            for (unsigned k = 0; k < 3; k++)
                s_subscribe (&bytes, version, true, command, "topic");
            for (unsigned k = 0; k < 20; k++) {
                s_subscribe (&bytes, version, false, command, "topic");
                s_subscribe (&bytes, version, true, command, k % 2 ? "" : "another");
            }
            zc_buf_t more = ZC_BUF_INIT;
            zc_buf_add (&more, bytes.data, bytes.len);
            s_expect (&bytes, ZC_METER_GOOD);
            s_subscribe (&more, version, true, command, "one more");
            s_expect (&more, ZC_METER_SUBSCRIPTIONS);
        }
    }
}

/*  Where subscriptions aren't counted, a message that looks like one is an ordinary message. */
static void test_no_subscriptions (void **state)
{
    (void)state;
    const zc_meter_limits_t limits = {.frames = 4, .bytes = 1000};
    zc_meter_t meter = {0};
    zc_buf_t bytes = ZC_BUF_INIT;
    s_greet (&bytes, 3);
    for (unsigned k = 0; k < 20; k++)
        s_subscribe (&bytes, 3, true, k % 2, "topic");
    assert_int_equal (zc_meter_read (&meter, &limits, bytes.data, bytes.len), ZC_METER_GOOD);
    zc_buf_clear (&bytes);
}

/*  A peer that isn't ZeroMQ: libzmq ends its connection, and nothing grows here. */
static void test_strangers (void **state)
{
    (void)state;
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01", "\n"};
    for (size_t i = 0; i < LENGTH (texts); i++) {
        zc_meter_t meter = {0};
        for (size_t k = 0; k < 1000; k++)
            if (zc_meter_read (&meter, &s_limits, (const uint8_t *)texts[i], strlen (texts[i])))
                break;
        assert_true (meter.frames <= s_limits.frames + 1);
    }
    assert_null (zc_meter_reason (ZC_METER_GOOD));
    assert_non_null (zc_meter_reason (ZC_METER_FRAMES));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_messages),         cmocka_unit_test (test_too_many_frames),
        cmocka_unit_test (test_too_many_bytes),   cmocka_unit_test (test_subscriptions),
        cmocka_unit_test (test_no_subscriptions), cmocka_unit_test (test_strangers),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
