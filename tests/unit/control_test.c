/*  control_test.c - a ROUTER in the same process plays the broker. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <unistd.h>
#include "lib/peer/control.h"
#include "lib/peer/monitor.h"

#define S_ENDPOINT "inproc://control_test"

/*  A clock that tests can move on. */
static uint64_t s_later_ms;
uint64_t __real_zc_mono_ms (void);
uint64_t __wrap_zc_mono_ms (void);

uint64_t __wrap_zc_mono_ms (void)
{
    return __real_zc_mono_ms () + s_later_ms;
}

/*  An event that the monitor brings besides its own. */
static bool s_comes_up;
zc_monitor_event_t __real_zc_monitor_read (zc_monitor_t *self);
zc_monitor_event_t __wrap_zc_monitor_read (zc_monitor_t *self);

zc_monitor_event_t __wrap_zc_monitor_read (zc_monitor_t *self)
{
    bool comes = s_comes_up;
    s_comes_up = false;
    return comes ? ZC_MONITOR_UP : __real_zc_monitor_read (self);
}

typedef struct {
    void *context, *router;
    zc_control_t *control;
} s_bench_t;

/*  The calls of callbacks, as text: "OK 1-0;" "GONE;" … */
typedef struct {
    char text[512];
    s_bench_t *bench; /* on which the callback makes another request */
    int again;
} s_seen_t;

static int s_setup (void **state)
{
    static s_bench_t bench;
    bench.context = zmq_ctx_new ();
    bench.router = zmq_socket (bench.context, ZMQ_ROUTER);
    int no_linger = 0;
    zmq_setsockopt (bench.router, ZMQ_LINGER, &no_linger, sizeof no_linger);
    assert_int_equal (zmq_bind (bench.router, S_ENDPOINT), 0);
    bench.control = zc_control_new (bench.context, S_ENDPOINT);
    assert_non_null (bench.control);
    *state = &bench;
    return 0;
}

static int s_teardown (void **state)
{
    s_bench_t *bench = *state;
    zc_control_destroy (&bench->control);
    assert_null (bench->control);
    zc_control_destroy (&bench->control);
    zmq_close (bench->router);
    zmq_ctx_term (bench->context);
    return 0;
}

static const zc_ask_t s_ping = {.verb = ZC_PING};

/*  Notes an answer: OK, MSG or END, with the field that tells it from others. */
static void s_note (void *arg, const zc_answer_t *answer)
{
    static const char *const words[] = {"GONE", "OK ", "MSG ", "END ", "ERR ", "MALFORMED"};
    s_seen_t *seen = arg;
    char position[ZC_ID_SIZE];
    zc_slice_t what = answer->kind == ZC_MSG ? answer->message.payload : answer->text;
    size_t used = strlen (seen->text);
    if (answer->kind == ZC_END || (answer->kind == ZC_OK && answer->verb == ZC_PUBLISH)) {
        zc_id_t id = answer->kind == ZC_END ? answer->head : answer->id;
        what = (zc_slice_t){position, zc_id_format (id, position)};
    }
    if (answer->kind == ZC_NO_ANSWER || answer->kind == ZC_MALFORMED)
        what.len = 0;
    snprintf (seen->text + used, sizeof seen->text - used, "%s%.*s%s;", words[answer->kind],
              (int)what.len, what.at, answer->more ? "+" : "");
    if (seen->again) {
        seen->again--;
        assert_int_not_equal (zc_control_request (seen->bench->control, &s_ping, 20, s_note, seen),
                              0);
    }
}

static uint64_t s_ask (s_bench_t *bench, zc_verb_t verb, unsigned timeout, s_seen_t *seen)
{
    zc_ask_t ask = {.verb = verb, .list = {"x", 1}};
    return zc_control_request (bench->control, &ask, timeout, s_note, seen);
}

typedef struct {
    char peer[64], tag[64], verb[64];
    int peer_len;
} s_request_t;

static void s_broker_receive (s_bench_t *bench, s_request_t *request)
{
    memset (request, 0, sizeof *request);
    request->peer_len = zmq_recv (bench->router, request->peer, sizeof request->peer, 0);
    zmq_recv (bench->router, request->tag, sizeof request->tag - 1, 0);
    zmq_recv (bench->router, request->verb, sizeof request->verb - 1, 0);
    char rest[64];
    int more = 1;
    size_t size = sizeof more;
    while (zmq_getsockopt (bench->router, ZMQ_RCVMORE, &more, &size) == 0 && more)
        zmq_recv (bench->router, rest, sizeof rest, 0);
}

static void s_broker_send (s_bench_t *bench, const s_request_t *request, const char *tag,
                           const char *verb, const char *argument)
{
    zmq_send (bench->router, request->peer, (size_t)request->peer_len, ZMQ_SNDMORE);
    zmq_send (bench->router, tag, strlen (tag), ZMQ_SNDMORE);
    zmq_send (bench->router, verb, strlen (verb), ZMQ_SNDMORE);
    if (strcmp (verb, "MSG") == 0)
        zmq_send (bench->router, "topic", 5, ZMQ_SNDMORE);
    zmq_send (bench->router, argument, strlen (argument), ZMQ_SNDMORE);
    const char *last = strcmp (verb, "MSG") == 0 ? "id: 1-0\nprev: 0-0\n" : "0-0"; /* a floor */
    zmq_send (bench->router, last, strlen (last), 0);
}

static void s_wait_pending (s_bench_t *bench, size_t pending)
{
    for (int i = 0; i < 2000 && zc_control_pending (bench->control) > pending; i++)
        zc_control_wait (bench->control, 10);
    assert_int_equal (zc_control_pending (bench->control), pending);
}

static void s_answers_in_any_order (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t a = {0}, b = {0};
    s_request_t first, second;
    uint64_t one = s_ask (bench, ZC_PUBLISH, 0, &a);
    uint64_t two = s_ask (bench, ZC_STATS, 0, &b);
    assert_true (one && two && one != two);
    s_broker_receive (bench, &first);
    s_broker_receive (bench, &second);
    assert_string_equal (first.verb, "PUBLISH");
    s_broker_send (bench, &second, second.tag, "OK", "{}");
    s_broker_send (bench, &first, first.tag, "OK", "1-0");
    s_wait_pending (bench, 0);
    assert_string_equal (a.text, "OK 1-0;");
    assert_string_equal (b.text, "OK {};");
}

static void s_msg_is_followed_by_more (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t seen = {0};
    s_request_t request;
    s_ask (bench, ZC_REPLAY, 0, &seen);
    s_broker_receive (bench, &request);
    s_broker_send (bench, &request, request.tag, "MSG", "a");
    s_broker_send (bench, &request, request.tag, "MSG", "b");
    s_broker_send (bench, &request, request.tag, "END", "2-0");
    s_broker_send (bench, &request, request.tag, "MSG", "late");
    s_wait_pending (bench, 0);
    zc_control_wait (bench->control, 20);
    assert_string_equal (seen.text, "MSG a+;MSG b+;END 2-0;");
}

/*  A page may take long as long as more of it comes. */
static void s_each_msg_is_given_its_time (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t seen = {0};
    s_request_t request;
    s_ask (bench, ZC_FETCH, 60000, &seen);
    s_broker_receive (bench, &request);
    for (size_t i = 1; i <= 4; i++) {
        s_later_ms += 40000;
        s_broker_send (bench, &request, request.tag, "MSG", "x");
        for (int turn = 0; turn < 2000 && strlen (seen.text) < i * strlen ("MSG x+;"); turn++)
            zc_control_wait (bench->control, 10);
    }
    assert_string_equal (seen.text, "MSG x+;MSG x+;MSG x+;MSG x+;");
    assert_int_equal (zc_control_pending (bench->control), 1);
    s_later_ms += 60000;
    s_wait_pending (bench, 0);
    assert_string_equal (seen.text, "MSG x+;MSG x+;MSG x+;MSG x+;GONE;");
}

static void s_strange_answers_are_dropped (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t seen = {0};
    s_request_t request;
    s_ask (bench, ZC_PING, 0, &seen);
    s_broker_receive (bench, &request);
    const char *tags[] = {"", "#", "#zz", "#ffff", "1", "#11112222333344445555", "#0"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        s_broker_send (bench, &request, tags[i], "OK", "wrong");
    zmq_send (bench->router, request.peer, (size_t)request.peer_len, ZMQ_SNDMORE);
    zmq_send (bench->router, request.tag, strlen (request.tag), 0); /* a tag and nothing else */
    zmq_send (bench->router, request.peer, (size_t)request.peer_len, ZMQ_SNDMORE);
    zmq_send (bench->router, request.tag, strlen (request.tag), ZMQ_SNDMORE);
    for (int i = 0; i < 20; i++)
        zmq_send (bench->router, "MSG", 3, i < 19 ? ZMQ_SNDMORE : 0);
    s_broker_send (bench, &request, request.tag, "OK", "right");
    s_wait_pending (bench, 0);
    assert_string_equal (seen.text, "MALFORMED+;OK right;");
}

static void s_time_runs_out (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t seen = {0}, patient = {0};
    s_request_t request;
    s_ask (bench, ZC_PING, 30, &seen);
    s_ask (bench, ZC_PING, 0, &patient);
    s_wait_pending (bench, 1);
    assert_string_equal (seen.text, "GONE;");
    s_broker_receive (bench, &request);
    s_broker_send (bench, &request, request.tag, "OK", "too late");
    s_broker_receive (bench, &request);
    s_broker_send (bench, &request, request.tag, "OK", "good");
    s_wait_pending (bench, 0);
    assert_string_equal (seen.text, "GONE;");
    assert_string_equal (patient.text, "OK good;");
}

static void s_callback_may_ask_again (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t seen = {.bench = bench, .again = 2};
    s_ask (bench, ZC_PING, 20, &seen);
    s_wait_pending (bench, 0);
    assert_string_equal (seen.text, "GONE;GONE;GONE;");
}

static void s_cancel_and_reset (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t seen = {0};
    s_request_t request;
    uint64_t number = s_ask (bench, ZC_PING, 0, &seen);
    zc_control_cancel (bench->control, number);
    zc_control_cancel (bench->control, number);
    assert_int_equal (zc_control_pending (bench->control), 0);
    s_broker_receive (bench, &request);
    s_broker_send (bench, &request, request.tag, "OK", "1");
    for (int i = 0; i < 100; i++)
        s_ask (bench, ZC_PING, 5, &seen);
    zc_control_reset (bench->control);
    assert_int_equal (zc_control_pending (bench->control), 0);
    zc_control_wait (bench->control, 30);
    assert_string_equal (seen.text, "");
}

static void s_destroy_gives_up (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t seen = {0};
    s_ask (bench, ZC_PING, 0, &seen);
    s_ask (bench, ZC_PING, 0, &seen);
    zc_control_destroy (&bench->control);
    assert_string_equal (seen.text, "GONE;GONE;");
}

static void s_full_queue (void **state)
{
    s_bench_t *bench = *state;
    zc_control_t *alone = zc_control_new (bench->context, "ipc:///nonexistent/zcast-test");
    assert_non_null (alone);
    s_seen_t seen = {0};
    size_t sent = 0;
    while (sent < 100000 && zc_control_request (alone, &s_ping, 0, s_note, &seen) != 0)
        sent++;
    assert_int_equal (errno, EAGAIN);
    assert_in_range (sent, 100, 10000);
    assert_int_equal (zc_control_pending (alone), sent);
    zc_control_reset (alone);
    zc_control_destroy (&alone);
}

static void s_count (void *arg, const zc_answer_t *answer)
{
    assert_int_equal (answer->kind, ZC_OK);
    assert_slice (answer->text, "x");
    *(unsigned *)arg += 1;
}

/*  The connection is lost while its last answers are unread: they are still read, frame by
 *  frame. */
static void s_lost_with_answers_unread (void **state)
{
    enum { REQUESTS = 300 };
    s_bench_t *bench = *state, once = {.context = bench->context};
    char endpoint[64];
    size_t size = sizeof endpoint;
    int linger = 10000;
    once.router = zmq_socket (once.context, ZMQ_ROUTER);
    zmq_setsockopt (once.router, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal (zmq_bind (once.router, "tcp://127.0.0.1:*"), 0);
    assert_int_equal (zmq_getsockopt (once.router, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    once.control = zc_control_new_once (once.context, endpoint, 0);
    assert_non_null (once.control);
    for (int i = 0; i < 2000 && !zc_control_connected (once.control); i++)
        usleep (10000);
    assert_true (zc_control_connected (once.control));
    unsigned answered = 0;
    for (int i = 0; i < REQUESTS; i++)
        assert_true (zc_control_request (once.control, &s_ping, 0, s_count, &answered) > 0);
    for (int i = 0; i < REQUESTS; i++) {
        s_request_t request;
        s_broker_receive (&once, &request);
        s_broker_send (&once, &request, request.tag, "OK", "x");
    }
    zmq_close (once.router);
    for (int i = 0; i < 2000 && !zc_control_lost (once.control); i++)
        usleep (10000);
    assert_true (zc_control_lost (once.control));
    while (zc_control_read (once.control, 1000) > 0)
        continue;
    assert_int_equal (answered, REQUESTS);
    zc_control_destroy (&once.control);
}

/*  A broker at a TCP port: at `endpoint`, or, if that is empty, at a free port, whose endpoint
 *  is written there. */
static void *s_tcp_router (void *context, char endpoint[64])
{
    void *router = zmq_socket (context, ZMQ_ROUTER);
    size_t size = 64;
    int no_linger = 0, rc = -1;
    zmq_setsockopt (router, ZMQ_LINGER, &no_linger, sizeof no_linger);
    for (int i = 0; i < 2000 && rc != 0; i++) {
        rc = zmq_bind (router, *endpoint ? endpoint : "tcp://127.0.0.1:*");
        if (rc != 0)
            usleep (10000);
    }
    assert_int_equal (rc, 0);
    assert_int_equal (zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    return router;
}

static void s_wait_connected (s_bench_t *bench, bool connected)
{
    for (int i = 0; i < 2000 && zc_control_connected (bench->control) != connected; i++)
        zc_control_wait (bench->control, 10);
    assert_int_equal (zc_control_connected (bench->control), connected);
    zc_control_wait (bench->control, 1);
}

/*  Whether a request waits in the broker's socket. */
static bool s_broker_has (s_bench_t *bench)
{
    zmq_pollitem_t item = {bench->router, 0, ZMQ_POLLIN, 0};
    return zmq_poll (&item, 1, 200) > 0;
}

/*  Requests on a connection that is lost are given up with it, though their time isn't over, and
 *  aren't sent again. Requests made while there is no connection are sent, in order, on the next
 *  one. */
static void s_connections_come_and_go (void **state)
{
    s_bench_t tcp = {.context = ((s_bench_t *)*state)->context};
    s_seen_t seen = {0}, later = {0};
    s_request_t request;
    char endpoint[64] = "";
    tcp.router = s_tcp_router (tcp.context, endpoint);
    tcp.control = zc_control_new (tcp.context, endpoint);
    s_ask (&tcp, ZC_PING, 0, &seen);
    s_wait_connected (&tcp, true);
    s_broker_receive (&tcp, &request);
    assert_string_equal (request.verb, "PING");
    s_ask (&tcp, ZC_PING, 1000000, &seen);
    zmq_close (tcp.router);
    s_wait_pending (&tcp, 0);
    assert_string_equal (seen.text, "GONE;GONE;");
    assert_false (zc_control_connected (tcp.control));

    uint64_t three = s_ask (&tcp, ZC_PING, 0, &later);
    s_ask (&tcp, ZC_LIMITS, 0, &later);
    s_ask (&tcp, ZC_STATS, 0, &later);
    zc_control_cancel (tcp.control, three);
    tcp.router = s_tcp_router (tcp.context, endpoint);
    s_wait_connected (&tcp, true);
    s_broker_receive (&tcp, &request);
    assert_string_equal (request.verb, "LIMITS");
    s_broker_receive (&tcp, &request);
    assert_string_equal (request.verb, "STATS");
    assert_false (s_broker_has (&tcp));
    s_broker_send (&tcp, &request, request.tag, "OK", "5");
    s_wait_pending (&tcp, 1);
    assert_string_equal (later.text, "OK 5;");
    zc_control_destroy (&tcp.control);
    assert_string_equal (later.text, "OK 5;GONE;");
    zmq_close (tcp.router);
}

/*  ZeroMQ connects again by itself, and is told meanwhile to give that connection up: it may still
 *  come up, and then it ends without an event. */
static void s_a_connection_that_was_given_up_comes_up (void **state)
{
    s_bench_t tcp = {.context = ((s_bench_t *)*state)->context};
    s_seen_t seen = {0};
    s_request_t request;
    char endpoint[64] = "";
    tcp.router = s_tcp_router (tcp.context, endpoint);
    tcp.control = zc_control_new (tcp.context, endpoint);
    s_wait_connected (&tcp, true);
    zmq_close (tcp.router);
    s_wait_connected (&tcp, false);
    s_comes_up = true;
    assert_false (zc_control_connected (tcp.control));
    assert_false (s_comes_up);
    tcp.router = s_tcp_router (tcp.context, endpoint);
    s_ask (&tcp, ZC_PING, 0, &seen);
    s_wait_connected (&tcp, true);
    s_broker_receive (&tcp, &request);
    s_broker_send (&tcp, &request, request.tag, "OK", "5");
    s_wait_pending (&tcp, 0);
    assert_string_equal (seen.text, "OK 5;");
    zc_control_destroy (&tcp.control);
    zmq_close (tcp.router);
}

/*  A connection on which an answer is owed and no byte moves is replaced. Here the request has
 *  no timeout of its own. */
static void s_silence_ends_a_connection (void **state)
{
    s_bench_t tcp = {.context = ((s_bench_t *)*state)->context};
    s_seen_t seen = {0};
    s_request_t request;
    char endpoint[64] = "";
    tcp.router = s_tcp_router (tcp.context, endpoint);
    tcp.control = zc_control_new (tcp.context, endpoint);
    s_ask (&tcp, ZC_FETCH, 0, &seen);
    s_wait_connected (&tcp, true);
    s_broker_receive (&tcp, &request);
    s_later_ms += 14000;
    for (int i = 0; i < 20; i++)
        zc_control_wait (tcp.control, 1);
    assert_int_equal (zc_control_pending (tcp.control), 1);
    s_later_ms += 60000;
    s_wait_pending (&tcp, 0);
    assert_string_equal (seen.text, "GONE;");
    s_ask (&tcp, ZC_PING, 0, &seen);
    s_later_ms += 1000; /* until it may connect again */
    s_wait_connected (&tcp, true);
    s_broker_receive (&tcp, &request);
    assert_string_equal (request.verb, "PING");
    zc_control_destroy (&tcp.control);
    zmq_close (tcp.router);
}

static void s_bad_endpoint (void **state)
{
    s_bench_t *bench = *state;
    assert_null (zc_control_new (bench->context, "nonsense"));
    assert_int_equal (errno, EINVAL);
}

/*  The descriptor is edge-triggered: after a read that returned 0, a new answer makes it
 *  readable. */
static void s_descriptor (void **state)
{
    s_bench_t *bench = *state;
    s_seen_t seen = {0};
    s_request_t request;
    for (int round = 0; round < 3; round++) {
        s_ask (bench, ZC_PING, 0, &seen);
        while (zc_control_read (bench->control, 10) > 0)
            ;
        s_broker_receive (bench, &request);
        s_broker_send (bench, &request, request.tag, "OK", "1");
        int fds[2];
        zc_control_fds (bench->control, fds);
        zmq_pollitem_t item = {NULL, fds[0], ZMQ_POLLIN, 0};
        assert_int_equal (zmq_poll (&item, 1, 20000), 1);
        s_wait_pending (bench, 0);
    }
    assert_string_equal (seen.text, "OK 1;OK 1;OK 1;");
}

#define S_TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        S_TEST (s_answers_in_any_order),
        S_TEST (s_msg_is_followed_by_more),
        S_TEST (s_each_msg_is_given_its_time),
        S_TEST (s_strange_answers_are_dropped),
        S_TEST (s_time_runs_out),
        S_TEST (s_callback_may_ask_again),
        S_TEST (s_cancel_and_reset),
        S_TEST (s_destroy_gives_up),
        S_TEST (s_full_queue),
        S_TEST (s_lost_with_answers_unread),
        S_TEST (s_connections_come_and_go),
        S_TEST (s_a_connection_that_was_given_up_comes_up),
        S_TEST (s_silence_ends_a_connection),
        S_TEST (s_bad_endpoint),
        S_TEST (s_descriptor),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
