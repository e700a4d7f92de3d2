/*  publisher_test.c - a ROUTER that forgets, refuses, disconnects and comes back plays the
 *  broker: it sees messages for the first time in order, whatever happens in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/wire/message.h"
#include "lib/peer/publisher.h"

#define S_PATIENCE 4000 /* rounds of 5 ms before a condition has failed */
#define S_WINDOW 20

typedef struct {
    void *context, *router;
    char endpoint[64];
    zc_publisher_t *publisher;
    size_t expected;    /* the next payload, a number, to be reported */
    char outcomes[256]; /* codes of those that were not OK */
    int ups, downs, put_off;
    const char *limits; /* the answer to LIMITS; NULL: an older broker's error */
    unsigned asked;     /* how often */
    char reason[128];   /* text of the last refusal */
} s_bench_t;

static void s_published (void *arg, const zc_published_t *published)
{
    s_bench_t *bench = arg;
    char text[32];
    snprintf (text, sizeof text, "%.*s", (int)published->payload.len, published->payload.at);
    if (published->code.len == 2 && memcmp (published->code.at, "OK", 2) == 0) {
        assert_int_equal (atoi (text), bench->expected);
        bench->expected++;
    } else {
        size_t used = strlen (bench->outcomes);
        snprintf (bench->outcomes + used, sizeof bench->outcomes - used, "%s:%.*s;", text,
                  (int)published->code.len, published->code.at);
        bench->expected += strcmp (text, "x") != 0;
        snprintf (bench->reason, sizeof bench->reason, "%.*s", (int)published->text.len,
                  published->text.at);
    }
}

static void s_connected (void *arg, bool connected)
{
    s_bench_t *bench = arg;
    *(connected ? &bench->ups : &bench->downs) += 1;
}

static void s_put_off (void *arg, zc_slice_t code, zc_slice_t text)
{
    s_bench_t *bench = arg;
    assert_true (code.len > 0);
    assert_memory_equal (text.at, "not now", 7);
    bench->put_off++;
}

/*  Binds to its earlier port, or to a free one the first time. */
static void s_broker_up (s_bench_t *bench)
{
    bench->router = zmq_socket (bench->context, ZMQ_ROUTER);
    int no_linger = 0, unlimited = 0;
    zmq_setsockopt (bench->router, ZMQ_LINGER, &no_linger, sizeof no_linger);
    zmq_setsockopt (bench->router, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
    const char *where = bench->endpoint[0] ? bench->endpoint : "tcp://127.0.0.1:*";
    int rc = -1;
    for (int i = 0; i < S_PATIENCE && rc != 0; i++) {
        rc = zmq_bind (bench->router, where);
        if (rc != 0)
            zmq_poll (NULL, 0, 5);
    }
    assert_int_equal (rc, 0);
    size_t size = sizeof bench->endpoint;
    zmq_getsockopt (bench->router, ZMQ_LAST_ENDPOINT, bench->endpoint, &size);
}

static void s_broker_down (s_bench_t *bench)
{
    zmq_close (bench->router);
    bench->router = NULL;
}

static void s_begin (s_bench_t *bench, unsigned answer_timeout)
{
    zc_publisher_destroy (&bench->publisher);
    zc_publisher_config_t config = {.control = bench->endpoint,
                                    .window = S_WINDOW,
                                    .answer_timeout = answer_timeout,
                                    .arg = bench,
                                    .published = s_published,
                                    .put_off = s_put_off,
                                    .connected = s_connected};
    bench->publisher = zc_publisher_new (bench->context, &config);
    assert_non_null (bench->publisher);
}

static int s_setup (void **state)
{
    s_bench_t *bench = calloc (1, sizeof *bench);
    bench->context = zmq_ctx_new ();
    s_broker_up (bench);
    s_begin (bench, 60000);
    *state = bench;
    return 0;
}

static int s_teardown (void **state)
{
    s_bench_t *bench = *state;
    zc_publisher_destroy (&bench->publisher);
    zc_publisher_destroy (&bench->publisher);
    if (bench->router)
        zmq_close (bench->router);
    zmq_ctx_term (bench->context);
    free (bench);
    return 0;
}

static void s_add (s_bench_t *bench, const char *payload, const char *headers)
{
    zc_publisher_add (bench->publisher, (zc_slice_t){"t", 1},
                      (zc_slice_t){payload, strlen (payload)},
                      (zc_slice_t){headers, strlen (headers)});
}

static void s_add_numbers (s_bench_t *bench, int from, int to)
{
    char text[16];
    for (int i = from; i < to; i++) {
        snprintf (text, sizeof text, "%d", i);
        s_add (bench, text, "");
    }
}

typedef struct {
    char peer[16], tag[64], payload[64], headers[256];
    size_t peer_len, size; /* size: of the payload */
} s_request_t;

/*  Returns the frame's length; `to` gets the beginning. */
static size_t s_frame (s_bench_t *bench, char *to, size_t size)
{
    int len = zmq_recv (bench->router, to, size - 1, ZMQ_DONTWAIT);
    if (len < 0)
        len = 0;
    to[(size_t)len < size ? (size_t)len : size - 1] = 0;
    return (size_t)len;
}

static void s_reply (s_bench_t *bench, const s_request_t *request, const char *verb,
                     const char *second, const char *third)
{
    zmq_send (bench->router, request->peer, request->peer_len, ZMQ_SNDMORE);
    zmq_send (bench->router, request->tag, strlen (request->tag), ZMQ_SNDMORE);
    zmq_send (bench->router, verb, strlen (verb), ZMQ_SNDMORE);
    zmq_send (bench->router, second, strlen (second), third ? ZMQ_SNDMORE : 0);
    if (third)
        zmq_send (bench->router, third, strlen (third), 0);
}

/*  Receives one PUBLISH, if one waits; answers LIMITS itself. */
static bool s_receive (s_bench_t *bench, s_request_t *request)
{
    char verb[16], topic[16];
    if (!bench->router)
        return false;
    zmq_pollitem_t item = {bench->router, 0, ZMQ_POLLIN, 0};
    if (zmq_poll (&item, 1, 0) <= 0)
        return false;
    request->peer_len = s_frame (bench, request->peer, sizeof request->peer);
    s_frame (bench, request->tag, sizeof request->tag);
    s_frame (bench, verb, sizeof verb);
    if (strcmp (verb, "LIMITS") == 0) {
        bench->asked++;
        s_reply (bench, request, bench->limits ? "OK" : "ERR",
                 bench->limits ? bench->limits : "verb", bench->limits ? NULL : "not a verb");
        return s_receive (bench, request);
    }
    s_frame (bench, topic, sizeof topic);
    request->size = s_frame (bench, request->payload, sizeof request->payload);
    s_frame (bench, request->headers, sizeof request->headers);
    assert_string_equal (verb, "PUBLISH");
    return true;
}

static void s_turn (s_bench_t *bench)
{
    zmq_pollitem_t items[2];
    size_t count = zc_publisher_pollitems (bench->publisher, items);
    long wait = zc_publisher_timeout (bench->publisher);
    zmq_poll (items, (int)count, wait < 0 || wait > 5 ? 5 : wait);
    zc_publisher_run (bench->publisher);
}

static void s_in_order_with_keys (void **state)
{
    s_bench_t *bench = *state;
    s_request_t request;
    char first_key[256] = "";
    s_add_numbers (bench, 0, 50);
    s_add (bench, "50", "event: e\nid: mine\n");
    for (int i = 0; i < S_PATIENCE && bench->expected < 51; i++) {
        s_turn (bench);
        while (s_receive (bench, &request)) {
            zc_slice_t headers = {request.headers, strlen (request.headers)}, key;
            assert_true (
                zc_header_find (headers, strcmp (request.payload, "50") ? "key" : "id", &key));
            if (strcmp (request.payload, "50") == 0)
                assert_string_equal (request.headers, "event: e\nid: mine\n");
            else
                assert_string_not_equal (request.headers, first_key);
            strcpy (first_key, request.headers);
            s_reply (bench, &request, "OK", "1-0", NULL);
        }
    }
    assert_int_equal (bench->expected, 51);
    assert_int_equal (bench->ups, 1);
    const zc_publisher_stats_t *stats = zc_publisher_stats (bench->publisher);
    assert_int_equal (stats->published, 51);
    assert_int_equal (stats->repeated, 0);
    assert_int_equal (stats->waiting, 0);
    assert_int_equal (stats->bytes, 0);
}

/*  The broker handles a random part of the requests, with or without answers, and then goes
 *  away. */
static void s_restarts_keep_order (void **state)
{
    s_bench_t *bench = *state;
    s_request_t request;
    srand (7);
    int seen = 0, total = 400, repeats = 0;
    s_add_numbers (bench, 0, total);
    for (int i = 0; i < S_PATIENCE && bench->expected < (size_t)total; i++) {
        s_turn (bench);
        if (!bench->router)
            s_broker_up (bench);
        while (s_receive (bench, &request)) {
            int number = atoi (request.payload);
            assert_true (number <= seen); /* never ahead of one not seen yet */
            repeats += number < seen;
            seen += number == seen;
            if (rand () % 40 == 0) {
                s_broker_down (bench);
                break;
            }
            s_reply (bench, &request, "OK", "1-0", NULL);
        }
    }
    assert_int_equal (bench->expected, total);
    assert_int_equal (seen, total);
    assert_true (repeats > 0);
    assert_true (zc_publisher_stats (bench->publisher)->losses > 0);
    assert_int_equal (bench->outcomes[0], 0);
}

static void s_not_now_is_asked_again (void **state)
{
    s_bench_t *bench = *state;
    s_request_t request;
    int refusals = 0;
    s_add_numbers (bench, 0, 4);
    for (int i = 0; i < S_PATIENCE && bench->expected < 4; i++) {
        s_turn (bench);
        while (s_receive (bench, &request)) {
            if (request.payload[0] == '1' && refusals++ < 2)
                s_reply (bench, &request, "ERR", refusals == 1 ? "busy" : "history", "not now");
            else if (request.payload[0] == '2')
                s_reply (bench, &request, "ERR", "topic", "no good");
            else
                s_reply (bench, &request, "OK", "1-0", NULL);
        }
    }
    assert_int_equal (bench->expected, 4);
    assert_string_equal (bench->outcomes, "2:topic;");
    assert_int_equal (zc_publisher_stats (bench->publisher)->refused, 1);
    assert_int_equal (zc_publisher_stats (bench->publisher)->repeated, 2);
    assert_int_equal (bench->put_off, 2);
}

/*  A broker whose disk is full, and has room again at any time: no message overtakes another. */
static void s_not_now_keeps_order (void **state)
{
    s_bench_t *bench = *state;
    s_request_t request;
    int refusals = 0, taken = 0, total = 40;
    s_add_numbers (bench, 0, total);
    for (int i = 0; i < S_PATIENCE && bench->expected < (size_t)total; i++) {
        s_turn (bench);
        while (s_receive (bench, &request)) {
            if (refusals < total + 3) { /* all that are on the way, and later three at once */
                refusals++;
                s_reply (bench, &request, "ERR", "history", "not now");
                continue;
            }
            assert_int_equal (atoi (request.payload), taken);
            taken++;
            s_reply (bench, &request, "OK", "1-0", NULL);
        }
    }
    assert_int_equal (bench->expected, total);
    assert_int_equal (taken, total);
}

/*  With a log, a broker refuses at once, and takes what came before only later: the first message's
 *  answer says nothing of the third. */
static void s_not_now_before_an_earlier_answer (void **state)
{
    s_bench_t *bench = *state;
    s_request_t request, first;
    int received = 0, taken = 0, refusals = 0, total = 40;
    s_add_numbers (bench, 0, total);
    for (int i = 0; i < S_PATIENCE && bench->expected < (size_t)total; i++) {
        s_turn (bench);
        while (s_receive (bench, &request)) {
            int number = atoi (request.payload);
            if (received++ == 0) {
                first = request;
            } else if (received <= S_WINDOW || refusals++ < 5) {
                s_reply (bench, &request, "ERR", "log", "not now");
            } else {
                assert_int_equal (number, ++taken);
                s_reply (bench, &request, "OK", "1-0", NULL);
            }
            if (received == S_WINDOW)
                s_reply (bench, &first, "OK", "1-0", NULL);
        }
    }
    assert_int_equal (bench->expected, total);
    assert_int_equal (taken, total - 1);
}

/*  A broker that takes requests and answers none: its connection is replaced. */
static void s_silence (void **state)
{
    s_bench_t *bench = *state;
    s_request_t request;
    int heard = 0;
    s_begin (bench, 300);
    s_add_numbers (bench, 0, 1);
    for (int i = 0; i < S_PATIENCE && bench->expected < 1; i++) {
        s_turn (bench);
        while (s_receive (bench, &request))
            if (heard++ >= 1)
                s_reply (bench, &request, "OK", "1-0", NULL);
    }
    assert_int_equal (bench->expected, 1);
    assert_true (heard >= 2);
    assert_true (bench->downs >= 1);
}

static void s_drops_what_waits (void **state)
{
    s_bench_t *bench = *state;
    s_request_t requests[21];
    s_add_numbers (bench, 0, S_WINDOW);
    int heard = 0;
    for (int i = 0; i < S_PATIENCE && heard < 20; i++) {
        s_turn (bench);
        while (s_receive (bench, &requests[heard]))
            heard++;
    }
    assert_int_equal (heard, 20);
    assert_false (zc_publisher_drop (bench->publisher));
    s_add (bench, "x", "");
    s_add (bench, "20", "");
    assert_true (zc_publisher_drop (bench->publisher));
    assert_string_equal (bench->outcomes, "x:dropped;");
    for (int i = 0; i < 20; i++)
        s_reply (bench, &requests[i], "OK", "1-0", NULL);
    for (int i = 0; i < S_PATIENCE && bench->expected < 21; i++) {
        s_turn (bench);
        while (s_receive (bench, &requests[20]))
            s_reply (bench, &requests[20], "OK", "1-0", NULL);
    }
    assert_int_equal (bench->expected, 21);
}

static void s_nobody_there (void **state)
{
    s_bench_t *bench = *state;
    s_broker_down (bench);
    s_add_numbers (bench, 0, 1);
    for (int i = 0; i < S_PATIENCE && bench->downs == 0; i++)
        s_turn (bench);
    assert_int_equal (bench->downs, 1);
    assert_false (zc_publisher_is_connected (bench->publisher));
    for (int i = 0; i < 20; i++)
        s_turn (bench);
    assert_in_range (zc_publisher_age (bench->publisher), 1, 60000);
    assert_int_equal (bench->downs, 1); /* reported once */
    zc_publisher_config_t bad = {.control = "nonsense"};
    assert_null (zc_publisher_new (bench->context, &bad));
}

/*  `number`, and then as many bytes as there is room for. */
static void s_add_large (s_bench_t *bench, const char *number, size_t size)
{
    char *payload = calloc (1, size);
    strcpy (payload, number);
    zc_publisher_add (bench->publisher, (zc_slice_t){"t", 1}, (zc_slice_t){payload, size},
                      (zc_slice_t){"", 0});
    free (payload);
}

/*  The numbers from `expected` to before `end` are published or refused, and no larger message
 *  is sent: the broker would hang up. */
static void s_run_to (s_bench_t *bench, size_t end, size_t most)
{
    s_request_t request;
    for (int i = 0; i < S_PATIENCE && bench->expected < end; i++) {
        s_turn (bench);
        if (!bench->router)
            s_broker_up (bench);
        while (s_receive (bench, &request)) {
            if (request.size > most)
                s_broker_down (bench);
            else
                s_reply (bench, &request, "OK", "1-0", NULL);
        }
    }
    assert_int_equal (bench->expected, end);
}

/*  A message on which the broker would hang up is refused here, in its turn, and later ones go
 *  on. */
static void s_too_large (void **state)
{
    s_bench_t *bench = *state;
    bench->limits = "70000";
    s_add_numbers (bench, 0, 1);
    s_add_large (bench, "1", 70001);
    s_add_large (bench, "2", 70000);
    s_add_large (bench, "3", 12000000);
    s_add_numbers (bench, 4, 5);
    s_run_to (bench, 5, 70000);
    assert_int_equal (bench->asked, 1);
    assert_string_equal (bench->outcomes, "1:payload;3:payload;");
    assert_string_equal (bench->reason,
                         "12000000 bytes are more than the broker's max-payload, 70000");
    /*  The limit is known now, so its bytes aren't kept. */
    size_t before = zc_publisher_stats (bench->publisher)->bytes;
    s_add_large (bench, "", 12000000);
    assert_in_range (zc_publisher_stats (bench->publisher)->bytes - before, 1, 1000);
    assert_int_equal (zc_publisher_timeout (bench->publisher), 0);
    s_run_to (bench, 6, 70000);
    /*  Another broker may accept more. */
    s_broker_down (bench);
    for (int i = 0; i < S_PATIENCE && bench->downs == 0; i++)
        s_turn (bench);
    bench->limits = "100000";
    s_add_large (bench, "6", 70001);
    s_run_to (bench, 7, 100000);
    assert_int_equal (zc_publisher_stats (bench->publisher)->refused, 3);
}

/*  A broker that doesn't know LIMITS: a message that ends connection after connection is refused
 *  in the end. */
static void s_too_large_for_an_older_broker (void **state)
{
    s_bench_t *bench = *state;
    s_add_numbers (bench, 0, 2);
    s_add_large (bench, "2", 11000000);
    s_add_large (bench, "3", 66000);
    s_add_numbers (bench, 4, 6);
    s_run_to (bench, 6, 10500000);
    assert_string_equal (bench->outcomes, "2:payload;");
    assert_in_range (zc_publisher_stats (bench->publisher)->losses, 3, 6);
}

/*  A message larger than what may wait here. */
static void s_too_large_to_wait (void **state)
{
    s_bench_t *bench = *state;
    zc_publisher_destroy (&bench->publisher);
    zc_publisher_config_t config = {
        .control = bench->endpoint, .max_bytes = 5000, .arg = bench, .published = s_published};
    bench->publisher = zc_publisher_new (bench->context, &config);
    s_add_large (bench, "0", 4000);
    s_add_large (bench, "1", 5000);
    s_add_numbers (bench, 2, 3);
    s_run_to (bench, 3, 4000);
    assert_string_equal (bench->outcomes, ":payload;");
    assert_string_equal (bench->reason, "5000 bytes are more than the 5000 that may wait here");
}

#define S_TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        S_TEST (s_in_order_with_keys),
        S_TEST (s_restarts_keep_order),
        S_TEST (s_not_now_is_asked_again),
        S_TEST (s_not_now_keeps_order),
        S_TEST (s_not_now_before_an_earlier_answer),
        S_TEST (s_silence),
        S_TEST (s_drops_what_waits),
        S_TEST (s_nobody_there),
        S_TEST (s_too_large),
        S_TEST (s_too_large_for_an_older_broker),
        S_TEST (s_too_large_to_wait),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
