#include "tests/unit/unit.h"

#include "broker/barriers.h"

typedef struct {
    unsigned answered, expired;
    char topics[64];
    uint8_t tag;
} s_log_t;

static void s_answer (void *arg, const zc_route_t *route, zc_slice_t topics)
{
    s_log_t *log = arg;
    log->answered++;
    log->tag = route->tag[0];
    snprintf (log->topics, sizeof log->topics, "%.*s", (int)topics.len, topics.at);
}

static void s_expire (void *arg, const zc_route_t *route, zc_slice_t topics)
{
    (void)route, (void)topics;
    ((s_log_t *)arg)->expired++;
}

static const zc_route_t s_route = {.tag_len = 1, .tag = "x"};

static void s_either_order (void **state)
{
    (void)state;
    s_log_t log = {0};
    zc_barriers_t *barriers = zc_barriers_new (s_answer, s_expire, &log);
    assert_true (zc_barriers_ask (barriers, SLICE ("n"), &s_route, SLICE ("a\nb"), 0));
    assert_int_equal (log.answered, 0);
    zc_barriers_seen (barriers, SLICE ("m"), 1);
    assert_int_equal (log.answered, 0);
    zc_barriers_seen (barriers, SLICE ("n"), 1);
    zc_barriers_turn (barriers, 1);
    assert_int_equal (log.answered, 1);
    assert_string_equal (log.topics, "a\nb");
    assert_int_equal (log.tag, 'x');
    assert_true (zc_barriers_ask (barriers, SLICE ("n"), &s_route, SLICE (""), 2));
    assert_true (zc_barriers_ask (barriers, SLICE ("m"), &s_route, SLICE (""), 2));
    assert_int_equal (log.answered, 3);
    assert_int_equal (zc_barriers_waiting (barriers), 0);
    zc_barriers_destroy (&barriers);
    assert_null (barriers);
}

static void s_two_with_one_nonce (void **state)
{
    (void)state;
    s_log_t log = {0};
    zc_barriers_t *barriers = zc_barriers_new (s_answer, s_expire, &log);
    zc_barriers_ask (barriers, SLICE ("n"), &s_route, SLICE (""), 0);
    zc_barriers_ask (barriers, SLICE ("n"), &s_route, SLICE (""), 0);
    zc_barriers_seen (barriers, SLICE ("n"), 0);
    zc_barriers_turn (barriers, 0);
    assert_int_equal (log.answered, 2);
    zc_barriers_destroy (&barriers);
}

static void s_many_with_one_nonce (void **state)
{
    (void)state;
    static char topics[20000];
    s_log_t log = {0};
    zc_barriers_t *barriers = zc_barriers_new (s_answer, s_expire, &log);
    memset (topics, 'a', sizeof topics);
    for (unsigned i = 0; i < 100; i++)
        zc_barriers_ask (barriers, SLICE ("n"), &s_route, (zc_slice_t){topics, sizeof topics}, 0);
    zc_barriers_seen (barriers, SLICE ("n"), 9999);
    /*  A few are answered in each turn, and none too late. */
    for (unsigned turns = 0, before = 0; before < 100; before = log.answered) {
        zc_barriers_turn (barriers, 20000 + turns++);
        assert_true (log.answered > before && log.answered <= before + 10);
        assert_int_equal (zc_barriers_ready (barriers), log.answered < 100);
        assert_int_equal (zc_barriers_waiting (barriers), 100 - log.answered);
    }
    assert_int_equal (log.expired, 0);
    for (unsigned i = 0; i < 10; i++)
        zc_barriers_ask (barriers, SLICE ("m"), &s_route, SLICE (""), 20000);
    zc_barriers_seen (barriers, SLICE ("m"), 20000);
    zc_barriers_destroy (&barriers);
}

static void s_ten_seconds (void **state)
{
    (void)state;
    s_log_t log = {0};
    zc_barriers_t *barriers = zc_barriers_new (s_answer, s_expire, &log);
    zc_barriers_ask (barriers, SLICE ("n"), &s_route, SLICE (""), 0);
    zc_barriers_seen (barriers, SLICE ("m"), 0);
    zc_barriers_turn (barriers, 9999);
    assert_int_equal (log.expired, 0);
    zc_barriers_turn (barriers, 10000);
    assert_int_equal (log.expired, 1);
    zc_barriers_ask (barriers, SLICE ("m"), &s_route, SLICE (""), 10001);
    zc_barriers_seen (barriers, SLICE ("n"), 10001);
    zc_barriers_turn (barriers, 10001);
    assert_int_equal (log.answered, 0);
    assert_int_equal (zc_barriers_waiting (barriers), 1);
    zc_barriers_destroy (&barriers);
}

static void s_bounded (void **state)
{
    (void)state;
    s_log_t log = {0};
    char text[16];
    zc_barriers_t *barriers = zc_barriers_new (s_answer, s_expire, &log);
    unsigned taken = 0;
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = (size_t)snprintf (text, sizeof text, "%u", i);
        taken += zc_barriers_ask (barriers, (zc_slice_t){text, len}, &s_route, SLICE (""), 0);
    }
    assert_int_equal (taken, 10000);
    for (unsigned i = 30000; i < 60000; i++) {
        size_t len = (size_t)snprintf (text, sizeof text, "%u", i);
        zc_barriers_seen (barriers, (zc_slice_t){text, len}, 0);
    }
    assert_int_equal (zc_barriers_waiting (barriers), 10000);
    /*  The newest nonces are still known, and SYNCs that wait are answered. */
    zc_barriers_seen (barriers, SLICE ("0"), 0);
    assert_true (zc_barriers_ask (barriers, SLICE ("59999"), &s_route, SLICE (""), 0));
    zc_barriers_turn (barriers, 0);
    assert_int_equal (log.answered, 2);
    zc_barriers_destroy (&barriers);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_either_order),
        cmocka_unit_test (s_two_with_one_nonce),
        cmocka_unit_test (s_many_with_one_nonce),
        cmocka_unit_test (s_ten_seconds),
        cmocka_unit_test (s_bounded),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
