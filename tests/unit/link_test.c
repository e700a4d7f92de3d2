/*  A worker's link to a broker that keeps to the protocol, goes away, and comes back. */
#include "tests/unit/plain.h"
#include "tests/unit/upstream.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/engine/link.h"
#include "lib/wire/sse.h"

#define PATIENCE_MS 10000 /* far more than anything here takes */

typedef struct {
    upstream_t upstream;
    uv_loop_t loop;
    zc_link_t *link;
    zc_hub_t *hub;
    zc_pump_t *pump;
    zc_client_t client;
    char got[8192]; /* by the client */
    char answers[256];
} s_world_t;

static s_world_t *s_world; /* of the client's hooks */

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    long sent = 0;
    (void)client;
    for (int i = 0; i < count; i++) {
        upstream_note (s_world->got, sizeof s_world->got, "%.*s", (int)iov[i].iov_len,
                       (char *)iov[i].iov_base);
        sent += (long)iov[i].iov_len;
    }
    return sent;
}

static const zc_transport_t s_transport = {
    .name = "test",
    .write = s_write,
    .want_write = plain_want_write,
    .gone = plain_gone,
    .describe = plain_describe,
};

static int s_setup (void **state)
{
    const zc_hub_config_t hub = {.max_lag = 1 << 20,
                                 .retain = 1 << 20,
                                 .retain_ms = 60000,
                                 .linger_ms = 5000,
                                 .heartbeat_ms = 60000,
                                 .max_topics = 10};
    s_world_t *self = s_world = calloc (1, sizeof *self);
    upstream_init (&self->upstream);
    self->upstream.last = zc_id_from_ms (zc_wall_ms ());
    uv_loop_init (&self->loop);
    const zc_link_config_t config = {
        .subscribe = self->upstream.subscribe, .control = self->upstream.control, .hwm = 1000};
    self->link = zc_link_new (&self->loop, &config);
    assert_non_null (self->link);
    self->hub = zc_hub_new (&hub, zc_link_upstream (self->link));
    self->pump = zc_pump_new (&self->loop, self->hub, 0);
    zc_link_attach (self->link, self->hub, self->pump);
    self->client = (zc_client_t){.transport = &s_transport, .fd = -1};
    *state = self;
    return 0;
}

static int s_teardown (void **state)
{
    s_world_t *self = *state;
    zc_hub_leave (self->hub, &self->client);
    zc_link_destroy (&self->link);
    assert_null (self->link);
    zc_pump_destroy (&self->pump);
    zc_hub_destroy (&self->hub);
    uv_run (&self->loop, UV_RUN_DEFAULT);
    assert_int_equal (uv_loop_close (&self->loop), 0);
    upstream_end (&self->upstream);
    free (self);
    return 0;
}

/*  One turn of everything: worker and broker. */
static void s_turn (s_world_t *self)
{
    upstream_turn (&self->upstream);
    zc_hub_tick (self->hub, zc_wall_ms ());
    zc_link_tick (self->link);
    uv_run (&self->loop, UV_RUN_NOWAIT);
    usleep (1000);
}

#define s_until(self, condition)                                                                \
    do {                                                                                        \
        uint64_t end = zc_mono_ms () + PATIENCE_MS;                                             \
        while (!(condition)) {                                                                  \
            s_turn (self);                                                                      \
            if (zc_mono_ms () > end)                                                            \
                fail_msg ("not reached: %s; asked %s; subscribed %s; got %s", #condition,       \
                          (self)->upstream.asked, (self)->upstream.subscriptions, (self)->got); \
        }                                                                                       \
    } while (0)

static void s_join (s_world_t *self, const char *topic)
{
    zc_slice_t topics = {topic, strlen (topic)};
    zc_hub_join (self->hub, &self->client, &zc_encoding_sse, &topics, 1, NULL,
                 (zc_slice_t){NULL, 0});
}

static void s_it_subscribes_before_it_syncs (void **state)
{
    s_world_t *self = *state;
    assert_false (zc_link_connected (self->link));
    s_join (self, "stock");
    s_until (self,
             strstr (self->upstream.asked, "SYNC:stock ") && strstr (self->got, "zcast.heartbeat"));
    assert_true (zc_link_connected (self->link));
    const char *topic = strstr (self->upstream.subscriptions, "+stock ");
    const char *nonce = strstr (self->upstream.subscriptions, "+nonce ");
    assert_non_null (topic);
    assert_non_null (nonce);
    assert_true (topic < nonce); /* otherwise the nonce would prove nothing */
    s_until (self, strstr (self->upstream.subscriptions, "-nonce "));
    assert_true (zc_link_synced_ms (self->link) < PATIENCE_MS);
}

static void s_messages_reach_the_client (void **state)
{
    s_world_t *self = *state;
    s_join (self, "stock");
    s_until (self, strstr (self->upstream.asked, "SYNC:stock "));
    upstream_publish (&self->upstream, "stock", "first");
    upstream_publish (&self->upstream, "stock", "second");
    s_until (self, strstr (self->got, "data: second\n"));
    assert_int_equal (upstream_count (self->got, "data: first\n"), 1);
    assert_true (strstr (self->got, "data: first\n") < strstr (self->got, "data: second\n"));
    assert_int_equal (zc_link_malformed (self->link), 0);
}

static void s_a_malformed_message_is_counted (void **state)
{
    s_world_t *self = *state;
    s_join (self, "stock");
    s_until (self, strstr (self->upstream.asked, "SYNC:stock "));
    zmq_send (self->upstream.xpub, "stock", 5, 0); /* one frame */
    zmq_send (self->upstream.xpub, "stock", 5, ZMQ_SNDMORE);
    zmq_send (self->upstream.xpub, "payload", 7, ZMQ_SNDMORE);
    zmq_send (self->upstream.xpub, "no meta", 7, 0);
    for (int i = 0; i < 5; i++) /* five frames */
        zmq_send (self->upstream.xpub, "stock", 5, i < 4 ? ZMQ_SNDMORE : 0);
    upstream_publish (&self->upstream, "stock", "good");
    s_until (self, strstr (self->got, "data: good\n"));
    assert_int_equal (zc_link_malformed (self->link), 3);
}

/*  A message right after a reconnect is handled as one that may follow a hole. */
static void s_a_reconnect_is_known_before_the_next_message (void **state)
{
    s_world_t *self = *state;
    s_join (self, "stock");
    s_until (self, strstr (self->upstream.asked, "SYNC:stock "));
    upstream_publish (&self->upstream, "stock", "before");
    s_until (self, strstr (self->got, "data: before\n"));
    upstream_close (&self->upstream);
    s_until (self, !zc_link_connected (self->link));
    upstream_publish (&self->upstream, "stock", "missed");
    upstream_open (&self->upstream);
    s_until (self, strstr (self->upstream.subscriptions, "+stock "));
    upstream_publish (&self->upstream, "stock", "after");
    s_until (self, strstr (self->got, "data: after\n"));
    assert_non_null (strstr (self->upstream.asked, "FETCH:stock "));
    assert_int_equal (upstream_count (self->got, "data: before\n"), 1);
    assert_int_equal (upstream_count (self->got, "data: missed\n"), 1);
    assert_true (strstr (self->got, "data: missed\n") < strstr (self->got, "data: after\n"));
    s_until (self, strstr (self->upstream.asked, "SYNC:stock "));
}

static void s_on_answer (void *arg, const zc_answer_t *answer)
{
    s_world_t *self = arg;
    upstream_note (self->answers, sizeof self->answers, "%s%llu ",
                   answer->kind == ZC_OK ? "OK" : "GONE", (unsigned long long)answer->id);
}

static void s_publishes_are_answered_or_given_up (void **state)
{
    s_world_t *self = *state;
    zc_ask_t ask = {.verb = ZC_PUBLISH, .message = {.topic = SLICE ("t"), .payload = SLICE ("p")}};
    assert_true (zc_link_publish (self->link, &ask, 0, s_on_answer, self) != 0);
    s_until (self, *self->answers);
    assert_string_equal (self->answers, "OK77 ");
    self->upstream.silent = true;
    assert_true (zc_link_publish (self->link, &ask, 0, s_on_answer, self) != 0);
    s_until (self, upstream_count (self->upstream.asked, "PUBLISH ") == 2);
    upstream_close (&self->upstream);
    s_until (self, strstr (self->answers, "GONE"));
    assert_string_equal (self->answers, "OK77 GONE0 ");
}

static void s_limits_and_reports (void **state)
{
    s_world_t *self = *state;
    assert_true (zc_link_max_payload (self->link) == SIZE_MAX);
    s_until (self, zc_link_max_payload (self->link) == 4242);
    zc_link_report (self->link, SLICE ("fcgi.0"), SLICE ("{\"a\":1}"), s_on_answer, self);
    s_until (self, *self->answers);
    assert_string_equal (self->upstream.reported, "{\"a\":1}");
}

static void s_a_bad_endpoint_is_refused (void **state)
{
    uv_loop_t loop;
    const zc_link_config_t config = {.subscribe = "nothing", .control = "tcp://127.0.0.1:1"};
    (void)state;
    uv_loop_init (&loop);
    errno = 0;
    assert_null (zc_link_new (&loop, &config));
    assert_int_not_equal (errno, 0);
    assert_int_equal (uv_loop_close (&loop), 0);
}

#define WORLD(test) cmocka_unit_test_setup_teardown (test, s_setup, s_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        WORLD (s_it_subscribes_before_it_syncs),
        WORLD (s_messages_reach_the_client),
        WORLD (s_a_malformed_message_is_counted),
        WORLD (s_a_reconnect_is_known_before_the_next_message),
        WORLD (s_publishes_are_answered_or_given_up),
        WORLD (s_limits_and_reports),
        cmocka_unit_test (s_a_bad_endpoint_is_refused),
    };
    zc_log_open ("link_test", ZC_LOG_ERROR, false);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
