/*  The position that a bridge keeps in Redis, over hours: the test is Redis, and sets the clock. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bridge/outgoing.h"
#include "lib/base/clock.h"

#define PATIENCE_MS 30000

typedef struct {
    void *context;
    zc_address_t address;
    zc_outlet_t *outlet;
    zc_outgoing_t *outgoing;
    int listener, peer; /* peer -1: none */
    redisReader *reader;
    unsigned pings, sets;
    char kept[64]; /* the last SET's words */
} s_bench_t;

uint64_t __real_zc_mono_ms (void);
uint64_t __wrap_zc_mono_ms (void);

static uint64_t s_later_ms; /* than it is */

uint64_t __wrap_zc_mono_ms (void)
{
    return __real_zc_mono_ms () + s_later_ms;
}

/*  Redis --------------------------------------------------------------------------------------- */

static void s_say (s_bench_t *self, const char *reply)
{
    assert_int_equal (send (self->peer, reply, strlen (reply), MSG_NOSIGNAL), strlen (reply));
}

static void s_command (s_bench_t *self, const redisReply *command)
{
    const char *verb = command->element[0]->str;
    if (strcmp (verb, "GET") == 0) {
        s_say (self, "$3\r\n5-0\r\n");
        return;
    }
    /* a check of the connection or of the role */
    self->pings += strcmp (verb, "PING") == 0 || strcmp (verb, "ROLE") == 0;
    if (strcmp (verb, "ROLE") == 0) {
        s_say (self, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
        return;
    }
    if (strcmp (verb, "SET") == 0) {
        self->sets++;
        snprintf (self->kept, sizeof self->kept, "%s %s %s", command->element[1]->str,
                  command->element[2]->str, command->element[4]->str);
    }
    s_say (self, strcmp (verb, "PING") == 0 ? "+PONG\r\n" : "+OK\r\n");
}

static void s_hang_up (s_bench_t *self)
{
    close (self->peer);
    redisReaderFree (self->reader);
    self->peer = -1;
}

static void s_serve (s_bench_t *self)
{
    char bytes[4096];
    void *command;
    if (self->peer < 0) {
        self->peer = accept (self->listener, NULL, NULL);
        self->reader = self->peer < 0 ? NULL : redisReaderCreate ();
    }
    ssize_t len = self->peer < 0 ? 0 : recv (self->peer, bytes, sizeof bytes, MSG_DONTWAIT);
    if (len <= 0)
        return;
    assert_int_equal (redisReaderFeed (self->reader, bytes, (size_t)len), REDIS_OK);
    while (redisReaderGetReply (self->reader, &command) == REDIS_OK && command) {
        s_command (self, command);
        freeReplyObject (command);
    }
}

/*  The bridge ---------------------------------------------------------------------------------- */

static void s_begin (s_bench_t *self)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl (INADDR_LOOPBACK)}};
    socklen_t size = sizeof own;
    char url[64], error[256];
    *self = (s_bench_t){.context = zmq_ctx_new (), .peer = -1};
    self->listener = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal (bind (self->listener, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal (listen (self->listener, 5), 0);
    getsockname (self->listener, (struct sockaddr *)&own, &size);
    snprintf (url, sizeof url, "redis://127.0.0.1:%u", (unsigned)ntohs (own.sin_port));
    assert_int_equal (zc_address_parse (url, &self->address, error, sizeof error), 0);
    self->outlet = zc_outlet_new ("");
    assert_int_equal (zc_outlet_add (self->outlet, "t", error, sizeof error), 0);
    zc_outgoing_config_t config = {.address = &self->address,
                                   .subscribe = "inproc://nobody",
                                   .control = "inproc://nobody",
                                   .site = "north",
                                   .outlet = self->outlet,
                                   .queue_bytes = 1000};
    self->outgoing = zc_outgoing_new (self->context, &config);
}

static void s_end (s_bench_t *self)
{
    s_hang_up (self);
    zc_outgoing_destroy (&self->outgoing);
    zc_outlet_destroy (&self->outlet);
    zc_address_clear (&self->address);
    close (self->listener);
    zmq_ctx_term (self->context);
}

/*  Runs until Redis has got at least `count`, and has answered. */
static void s_run_until (s_bench_t *self, const unsigned *got, unsigned count)
{
    uint64_t end = __real_zc_mono_ms () + PATIENCE_MS;
    while (*got < count || !zc_outgoing_is_idle (self->outgoing)) {
        assert_true (__real_zc_mono_ms () < end);
        zc_outgoing_run (self->outgoing);
        s_serve (self);
        usleep (1000);
    }
}

/*  The key expires a day after it was last set. */
static void test_a_position_that_does_not_move (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench);
    s_run_until (&bench, &bench.sets, 1);
    assert_string_equal (bench.kept, "zcast:position:north 5-0 86400");
    for (unsigned hour = 1; hour <= 25; hour++) {
        unsigned pings = bench.pings;
        s_later_ms += 50 * 60 * 1000;
        s_run_until (&bench, &bench.pings, pings + 1);
        assert_int_equal (bench.sets, hour);
        s_later_ms += 11 * 60 * 1000;
        s_run_until (&bench, &bench.sets, hour + 1);
    }
    s_end (&bench);
}

/*  A Redis that restarts may have lost the key. */
static void test_another_connection (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench);
    s_run_until (&bench, &bench.sets, 1);
    s_hang_up (&bench);
    s_run_until (&bench, &bench.sets, 2);
    assert_string_equal (bench.kept, "zcast:position:north 5-0 86400");
    s_end (&bench);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_a_position_that_does_not_move),
        cmocka_unit_test (test_another_connection),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
