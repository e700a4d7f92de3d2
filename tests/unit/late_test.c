/*  FETCHes that wait for a position: until it is there, or their time is over. */
#include "tests/unit/unit.h"

#include <string.h>

#include "broker/late.h"
#include "lib/base/buf.h"

static zc_buf_t s_seen;

static void s_reached (void *arg, const zc_route_t *route, const zc_ask_t *request)
{
    (void)arg;
    zc_buf_addf (&s_seen, "%u reached %.*s %.*s %u;", route->identity[0], (int)request->list.len,
                 request->list.at, (int)request->line.len, request->line.at,
                 (unsigned)request->count);
}

static void s_behind (void *arg, const zc_route_t *route)
{
    (void)arg;
    zc_buf_addf (&s_seen, "%u behind;", route->identity[0]);
}

static const zc_late_hooks_t s_hooks = {NULL, s_reached, s_behind};

static bool s_add_of (zc_late_t *late, const char *of, unsigned peer, zc_id_t since,
                      const char *topics, uint64_t now_ms)
{
    char list[40], line[8]; /* the request's memory is gone by the time of the answer */
    zc_route_t route = {.identity_len = 1, .identity = {(uint8_t)peer}};
    snprintf (list, sizeof list, "%s", topics);
    snprintf (line, sizeof line, "%s", of);
    zc_ask_t request = {.verb = ZC_FETCH,
                        .since_kind = ZC_SINCE_POSITION,
                        .since = since,
                        .list = {list, strlen (list)},
                        .line = {line, strlen (line)},
                        .count = 7};
    return zc_late_add (late, &route, &request, now_ms);
}

static bool s_add (zc_late_t *late, unsigned peer, zc_id_t since, const char *topics,
                   uint64_t now_ms)
{
    return s_add_of (late, "line", peer, since, topics, now_ms);
}

static void s_expect (const char *text)
{
    assert_string_equal (zc_buf_str (&s_seen), text);
    zc_buf_clear (&s_seen);
}

static void test_reached_or_behind (void **state)
{
    (void)state;
    zc_late_t *late = zc_late_new (&s_hooks);
    s_add (late, 1, 20, "a\nb", 1000);
    s_add (late, 2, 15, "c", 1200);
    s_add (late, 3, 30, "d", 1400);
    zc_late_turn (late, 10, 0, 1500);
    s_expect ("");
    zc_late_turn (late, 15, 0, 1600);
    s_expect ("2 reached c line 7;");
    zc_late_turn (late, 19, 0, 1999);
    s_expect ("");
    zc_late_turn (late, 19, 0, 2000);
    s_expect ("1 behind;");
    zc_late_turn (late, 30, 0, 2500); /* its time is over, and the position has come all the same */
    s_expect ("3 reached d line 7;");
    s_add (late, 4, 40, "e", 3000);
    zc_late_destroy (&late);
    s_expect ("");
}

/*  Clients bring positions that don't name their line. */
static void test_nobody_gave_it (void **state)
{
    (void)state;
    zc_late_t *late = zc_late_new (&s_hooks);
    s_add_of (late, "", 1, 20, "a", 1000);
    s_add_of (late, "", 2, 99, "b", 1100);
    s_add (late, 3, 99, "c", 1100);
    zc_late_turn (late, 10, 1000, 1200); /* it was read when the request came, or before */
    s_expect ("");
    zc_late_turn (late, 10, 1050, 1300);
    s_expect ("1 reached a  7;");
    zc_late_turn (late, 10, 1100, 1400);
    s_expect ("");
    zc_late_turn (late, 10, 1101, 1500);
    s_expect ("2 reached b  7;");
    zc_late_turn (late, 10, 1900, 2100); /* of this line it was given */
    s_expect ("3 behind;");
    s_add_of (late, "", 4, 20, "d", 3000);
    s_add_of (late, "", 5, 20, "e", 3000);
    zc_late_turn (late, 20, 1900, 3001);
    s_expect ("4 reached d  7;5 reached e  7;");
    s_add_of (late, "", 6, 30, "f", 4000);
    zc_late_turn (late, 20, 4000, 5000); /* the log isn't heard */
    s_expect ("6 behind;");
    zc_late_destroy (&late);
}

static void test_bounded (void **state)
{
    (void)state;
    zc_late_t *late = zc_late_new (&s_hooks);
    unsigned count = 0;
    while (s_add (late, 1, 20, "a", 1000))
        assert_true (++count <= 1000);
    assert_int_equal (count, 1000);
    zc_late_turn (late, 10, 0, 2000);
    zc_buf_clear (&s_seen);
    assert_true (s_add (late, 1, 20, "a", 2000));
    zc_late_destroy (&late);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_reached_or_behind),
        cmocka_unit_test (test_nobody_gave_it),
        cmocka_unit_test (test_bounded),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
