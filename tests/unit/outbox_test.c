/*  A ROUTER and DEALERs within one process: at most both high-water marks are on their way to a
 *  peer, whatever buffers the system has. */
#include "tests/unit/unit.h"

#include "broker/outbox.h"

#define PEERS 40

typedef struct {
    void *context, *router;
    void *peers[PEERS];
    zc_route_t routes[PEERS];
    zc_outbox_t *outbox;
} s_fixture_t;

static void s_set (void *socket, int option, int value)
{
    assert_int_equal (zmq_setsockopt (socket, option, &value, sizeof value), 0);
}

static void s_connect (s_fixture_t *self, unsigned i)
{
    char name[8];
    int len = snprintf (name, sizeof name, "p%u", i);
    self->peers[i] = zmq_socket (self->context, ZMQ_DEALER);
    s_set (self->peers[i], ZMQ_RCVHWM, 1);
    s_set (self->peers[i], ZMQ_LINGER, 0);
    zmq_setsockopt (self->peers[i], ZMQ_ROUTING_ID, name, (size_t)len);
    assert_int_equal (zmq_connect (self->peers[i], "inproc://control"), 0);
    self->routes[i].identity_len = (uint8_t)len;
    memcpy (self->routes[i].identity, name, (size_t)len);
}

static int s_setup (void **state)
{
    s_fixture_t *self = calloc (1, sizeof *self);
    self->context = zmq_ctx_new ();
    self->router = zmq_socket (self->context, ZMQ_ROUTER);
    s_set (self->router, ZMQ_SNDHWM, 1);
    s_set (self->router, ZMQ_ROUTER_MANDATORY, 1);
    assert_int_equal (zmq_bind (self->router, "inproc://control"), 0);
    for (unsigned i = 0; i < PEERS; i++)
        s_connect (self, i);
    self->outbox = zc_outbox_new (self->router);
    *state = self;
    return 0;
}

static int s_teardown (void **state)
{
    s_fixture_t *self = *state;
    zc_outbox_destroy (&self->outbox);
    assert_null (self->outbox);
    for (unsigned i = 0; i < PEERS; i++)
        if (self->peers[i])
            zmq_close (self->peers[i]);
    zmq_close (self->router);
    zmq_ctx_term (self->context);
    free (self);
    return 0;
}

static void s_send (s_fixture_t *self, unsigned peer, const void *bytes, size_t len)
{
    zc_answer_t answer = {.verb = ZC_STATS, .kind = ZC_OK, .text = {bytes, len}};
    zc_outbox_answer (self->outbox, &self->routes[peer], &answer);
}

static void s_answer (s_fixture_t *self, unsigned peer, unsigned number)
{
    s_send (self, peer, &number, sizeof number);
}

/*  The number in the peer's next answer, or -1 if there is none. */
static long s_read (s_fixture_t *self, unsigned peer)
{
    char ok[2];
    unsigned number;
    if (zmq_recv (self->peers[peer], ok, sizeof ok, ZMQ_DONTWAIT) < 0)
        return -1;
    assert_int_equal (zmq_recv (self->peers[peer], &number, sizeof number, 0), sizeof number);
    return number;
}

/*  The same, and waits until ZeroMQ has noticed the read, which it checks only now and then. */
static long s_read_next (s_fixture_t *self, unsigned peer)
{
    long number = -1;
    for (int i = 0; i < 30000 && (number = s_read (self, peer)) < 0; i++) {
        zc_outbox_retry (self->outbox);
        zmq_poll (NULL, 0, 1);
    }
    return number;
}

/*  All peers but one don't read. */
static void s_block (s_fixture_t *self, unsigned answers)
{
    for (unsigned i = 1; i < PEERS; i++)
        for (unsigned number = 0; number < answers; number++)
            s_answer (self, i, number);
}

static void s_who_does_not_read_holds_up_itself_only (void **state)
{
    s_fixture_t *self = *state;
    s_block (self, 100);
    assert_true (zc_outbox_waiting (self->outbox) > (PEERS - 1) * 90);
    for (unsigned number = 0; number < 100; number++) {
        s_answer (self, 0, number);
        assert_int_equal (s_read_next (self, 0), number);
    }
    assert_int_equal (zc_outbox_dropped (self->outbox), 0);
}

static void s_each_gets_its_answers_in_order (void **state)
{
    s_fixture_t *self = *state;
    s_block (self, 100);
    /*  The last peer reads, and goes on asking. */
    unsigned last = PEERS - 1, asked = 100;
    for (unsigned read = 0; read < 200; read++) {
        assert_int_equal (s_read_next (self, last), read);
        if (asked < 200)
            s_answer (self, last, asked++);
    }
    for (unsigned read = 0; read < 100; read++)
        for (unsigned i = 1; i < last; i++)
            assert_int_equal (s_read_next (self, i), read);
    assert_int_equal (zc_outbox_waiting (self->outbox), 0);
    assert_int_equal (zc_outbox_dropped (self->outbox), 0);
}

static void s_what_waits_is_bounded_and_leaves_room (void **state)
{
    s_fixture_t *self = *state;
    static const char text[100000];
    for (unsigned i = 1; i < PEERS; i++)
        for (unsigned number = 0; number < 200; number++)
            s_send (self, i, text, sizeof text);
    uint64_t dropped = zc_outbox_dropped (self->outbox);
    assert_true (dropped > 0);
    assert_true (zc_outbox_waiting (self->outbox) * sizeof text < 65u << 20);
    for (unsigned number = 0; number < 10; number++)
        s_answer (self, 0, number);
    for (unsigned number = 0; number < 10; number++)
        assert_int_equal (s_read_next (self, 0), number);
    assert_int_equal (zc_outbox_dropped (self->outbox), dropped);
}

static void s_what_waits_goes_with_its_peer (void **state)
{
    s_fixture_t *self = *state;
    s_block (self, 10);
    for (unsigned i = 1; i < PEERS; i++) {
        zmq_close (self->peers[i]);
        self->peers[i] = NULL;
    }
    /*  ZeroMQ closes them in a thread of its own. */
    for (int i = 0; i < 30000 && zc_outbox_waiting (self->outbox); i++) {
        /*  ROUTER notices by reading that a peer has gone. */
        char byte;
        assert_int_equal (zmq_recv (self->router, &byte, 1, ZMQ_DONTWAIT), -1);
        zc_outbox_retry (self->outbox);
        zmq_poll (NULL, 0, 1);
    }
    assert_int_equal (zc_outbox_waiting (self->outbox), 0);
    s_answer (self, 1, 0);
    assert_int_equal (zc_outbox_waiting (self->outbox), 0);
    assert_int_equal (zc_outbox_dropped (self->outbox), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (s_who_does_not_read_holds_up_itself_only, s_setup,
                                         s_teardown),
        cmocka_unit_test_setup_teardown (s_each_gets_its_answers_in_order, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_what_waits_is_bounded_and_leaves_room, s_setup,
                                         s_teardown),
        cmocka_unit_test_setup_teardown (s_what_waits_goes_with_its_peer, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
