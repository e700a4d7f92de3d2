/*  held_test.c - the bytes that a hub holds for all its clients are bounded, whatever clients
 *  do: some don't read, each has topics of its own, and some messages go to thousands of
 *  channels. */
#include "tests/unit/unit.h"

#include "lib/engine/hub.h"

#define BEGIN_MS 1000000
#define CLIENTS_MAX 2000
#define MIB (1024 * 1024)

typedef struct {
    zc_client_t base;
    bool reads, gone;
    uint64_t bytes;
    unsigned messages; /* seen */
} s_client_t;

static s_client_t s_clients[CLIENTS_MAX];
static zc_hub_t *s_hub;
static zc_id_t s_head, s_last;
static uint64_t s_now;
static size_t s_peak;

/*  The broker. A page of history is one large message. */

typedef struct {
    uint64_t token;
    size_t topics; /* of a SYNC; 0: a FETCH */
    zc_id_t since;
} s_question_t;

static s_question_t s_questions[4096];
static size_t s_asked;
static size_t s_page_bytes;
static char s_payload[MIB];

static void s_subscribe (void *self, const char *topic, size_t len)
{
    (void)self, (void)topic, (void)len;
}

static const zc_mark_t s_place = {{"line"}, ZC_ID_NONE};

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    (void)have;
    size_t count = 1;
    (void)self;
    for (size_t i = 0; i < len; i++)
        count += topics[i] == '\n';
    assert_true (s_asked < LENGTH (s_questions));
    s_questions[s_asked++] = (s_question_t){.token = token, .topics = count};
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    (void)line;
    (void)self, (void)topics, (void)len;
    assert_true (s_asked < LENGTH (s_questions));
    s_question_t *question = &s_questions[s_asked++];
    *question = (s_question_t){.token = token};
    assert_int_equal (zc_id_parse (since.at, since.len, &question->since), 0);
}

static void s_note_peak (void)
{
    size_t held = zc_hub_stats (s_hub)->held_bytes;
    s_peak = held > s_peak ? held : s_peak;
}

/*  The newest message on the shared topic, or one of as many bytes as a page has. */
static void s_answer_page (const s_question_t *question)
{
    if (question->since < s_last) {
        zc_message_t message = {
            .topic = SLICE ("shared"), .payload = {s_payload, s_page_bytes}, .id = s_last};
        zc_hub_fetched_message (s_hub, question->token, &message);
    }
    zc_hub_fetched (s_hub, question->token, s_head, ZC_ID_NONE, question->since, false, 0, true);
}

static void s_answer_all (void)
{
    static zc_id_t last[4096];
    for (size_t i = 0; i < s_asked; i++) {
        s_question_t question = s_questions[i];
        for (size_t k = 0; k < question.topics; k++)
            last[k] = s_last;
        if (question.topics)
            zc_hub_synced (s_hub, question.token, &s_place, s_head, ZC_ID_NONE, last,
                           question.topics);
        else
            s_answer_page (&question);
        s_note_peak ();
    }
    s_asked = 0;
}

/*  Clients. */

static long s_write (zc_client_t *base, const struct iovec *iov, int count)
{
    s_client_t *client = (s_client_t *)base;
    long taken = 0;
    for (int i = 0; i < count && client->reads; i++) {
        for (size_t k = 0; k < iov[i].iov_len; k++)
            client->messages += ((const char *)iov[i].iov_base)[k] == 'M';
        taken += (long)iov[i].iov_len;
    }
    client->bytes += (uint64_t)taken;
    return taken;
}

static void s_want_write (zc_client_t *client, bool on)
{
    (void)client, (void)on;
}

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    assert_int_equal (why, ZC_GONE_HELD);
    assert_string_equal (zc_gone_reason (why), "max-held was reached, and it lagged most");
    ((s_client_t *)client)->gone = true;
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    (void)client;
    snprintf (text, size, "client");
}

static const zc_transport_t s_transport = {.name = "held",
                                           .write = s_write,
                                           .want_write = s_want_write,
                                           .gone = s_gone,
                                           .describe = s_describe};

static void s_message_bytes (zc_buf_t *out, const zc_message_t *message)
{
    zc_buf_add (out, "M", 1);
    zc_buf_add (out, message->payload.at, message->payload.len);
}

static void s_verdict_bytes (zc_buf_t *out, const zc_verdict_t *verdict)
{
    (void)verdict;
    zc_buf_add (out, "v", 1);
}

static void s_heartbeat_bytes (zc_buf_t *out, zc_id_t position)
{
    (void)position;
    zc_buf_add (out, "h", 1);
}

static const zc_encoding_t s_encoding = {
    "held", s_message_bytes, s_verdict_bytes, s_heartbeat_bytes, true, NULL, NULL};

static void s_join (size_t i, const char *last_id, bool reads)
{
    char own[32];
    zc_slice_t topics[2] = {{own, (size_t)snprintf (own, sizeof own, "own/%zu", i)},
                            SLICE ("shared")};
    s_clients[i] = (s_client_t){.base = {.transport = &s_transport, .fd = -1}, .reads = reads};
    zc_hub_join (s_hub, &s_clients[i].base, &s_encoding, topics, 2, NULL,
                 (zc_slice_t){last_id, strlen (last_id)});
}

/*  What the pump does, without a loop. */
static void s_send (zc_client_t *client)
{
    struct iovec iov[2];
    zc_rounds_t *rounds = zc_hub_rounds (s_hub);
    zc_rounds_set_blocked (rounds, client, false);
    for (;;) {
        size_t count = zc_client_gather (client, iov);
        if (count == 0 && client->join) {
            zc_hub_client_drained (s_hub, client);
            count = zc_client_gather (client, iov);
        }
        if (count == 0)
            return;
        size_t total = iov[0].iov_len + (count > 1 ? iov[1].iov_len : 0);
        long sent = s_write (client, iov, (int)count);
        zc_client_sent (client, (size_t)sent);
        if ((size_t)sent < total) {
            zc_rounds_set_blocked (rounds, client, true);
            return;
        }
    }
}

static void s_flush (void)
{
    zc_rounds_t *rounds = zc_hub_rounds (s_hub);
    zc_client_t *client;
    do {
        while ((client = zc_rounds_next_ready (rounds)))
            s_send (client);
        if (zc_rounds_dirty (rounds))
            zc_rounds_begin (rounds);
        while ((client = zc_rounds_next (rounds)))
            s_send (client);
        zc_hub_settle (s_hub);
        s_note_peak ();
    } while (zc_rounds_busy (rounds));
}

static void s_publish (size_t len)
{
    zc_id_t id = zc_id_next (s_head, s_now);
    zc_message_t message = {
        .topic = SLICE ("shared"), .payload = {s_payload, len}, .id = id, .prev = s_last};
    s_head = s_last = id;
    zc_hub_message (s_hub, &message);
    s_note_peak ();
    zc_hub_settle (s_hub);
    s_note_peak ();
}

static void s_begin (size_t max_held)
{
    static const zc_upstream_t upstream = {NULL, s_subscribe, s_subscribe, s_sync, s_fetch, NULL};
    zc_hub_config_t config = {.max_held = max_held,
                              .max_lag = 8 * MIB,
                              .retain = MIB,
                              .retain_ms = 60000,
                              .linger_ms = 5000,
                              .heartbeat_ms = 15000,
                              .max_topics = 100};
    memset (s_payload, 'x', sizeof s_payload);
    s_asked = 0;
    s_peak = 0;
    s_now = BEGIN_MS;
    s_head = s_last = zc_id_from_ms (BEGIN_MS);
    s_hub = zc_hub_new (&config, &upstream);
    zc_hub_tick (s_hub, s_now);
    zc_hub_connected (s_hub);
    s_answer_all ();
}

static void s_settle_all (void)
{
    for (unsigned turn = 0; turn < 20; turn++) {
        s_answer_all ();
        s_flush ();
        zc_hub_tick (s_hub, s_now += 200);
    }
}

static void s_end (size_t count)
{
    for (size_t i = 0; i < count; i++)
        zc_hub_leave (s_hub, &s_clients[i].base);
    zc_hub_tick (s_hub, s_now += 5000);
    zc_hub_tick (s_hub, s_now += 1);
    assert_int_equal (zc_hub_stats (s_hub)->held_bytes, 0);
    zc_hub_destroy (&s_hub);
}

/*  Half of the clients come back from long ago and don't take their pages, while messages go on. */
static void test_stalled_replays (void **state)
{
    (void)state;
    enum { COUNT = 500, MAX = 64 * MIB };
    s_begin (MAX);
    s_page_bytes = 256 * 1024;
    s_publish (100);
    for (size_t i = 0; i < COUNT; i++)
        s_join (i, i % 2 ? "" : "1-0", i % 2);
    s_settle_all ();
    for (unsigned i = 0; i < 40; i++) {
        s_publish (32 * 1024);
        s_flush ();
        s_answer_all ();
    }
    s_settle_all ();
    size_t gone = 0;
    for (size_t i = 0; i < COUNT; i++) {
        gone += s_clients[i].gone;
        if (s_clients[i].reads) { /* clients that read have had everything, once */
            assert_false (s_clients[i].gone);
            assert_int_equal (s_clients[i].messages, 40);
        }
    }
    assert_true (gone > 0 && gone <= COUNT / 2);
    assert_int_equal (zc_hub_stats (s_hub)->held_dropped, gone);
    assert_true (s_peak <= MAX);
    s_end (COUNT);
}

/*  One message goes to more channels than may hold it at once. All clients read, so none is
 *  dropped. */
static void test_many_channels (void **state)
{
    (void)state;
    enum { COUNT = 2000, MAX = 32 * MIB };
    s_begin (MAX);
    s_page_bytes = 64 * 1024;
    for (size_t i = 0; i < COUNT; i++)
        s_join (i, "", true);
    s_settle_all ();
    for (unsigned i = 0; i < 10; i++) {
        s_publish (64 * 1024);
        s_flush ();
        s_answer_all ();
    }
    s_settle_all ();
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal (s_clients[i].messages, 10);
    assert_int_equal (zc_hub_stats (s_hub)->held_dropped, 0);
    assert_true (s_peak <= MAX);
    s_end (COUNT);
}

/*  Bytes that are retained for clients that may come back go before any client is dropped. */
static void test_retained_goes_first (void **state)
{
    (void)state;
    enum { COUNT = 100, MAX = 16 * MIB };
    s_begin (MAX);
    for (size_t i = 0; i < COUNT; i++)
        s_join (i, "", true);
    s_settle_all ();
    s_clients[0].reads = false;
    for (unsigned i = 0; i < 100; i++) {
        s_publish (8000);
        s_flush ();
        s_answer_all ();
    }
    s_settle_all ();
    assert_int_equal (zc_hub_stats (s_hub)->held_dropped, 0);
    assert_false (s_clients[0].gone);
    assert_true (s_peak <= MAX);
    s_clients[0].reads = true;
    s_send (&s_clients[0].base);
    assert_int_equal (s_clients[0].messages, 100);
    s_end (COUNT);
}

/*  A message that is held back during a repair is kept once, however many channels wait for it. */
static void test_held_back_once (void **state)
{
    (void)state;
    enum { COUNT = 1000, MAX = 32 * MIB };
    s_begin (MAX);
    s_page_bytes = 1000;
    for (size_t i = 0; i < COUNT; i++)
        s_join (i, "", true);
    s_settle_all ();
    s_head = s_last = zc_id_next (s_head, s_now); /* this one is lost */
    for (unsigned i = 0; i < 50; i++)
        s_publish (8 * 1024);
    assert_true (zc_hub_stats (s_hub)->held_bytes < 2 * MIB);
    s_answer_all ();
    s_settle_all ();
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal (s_clients[i].messages, 50);
    assert_true (s_peak <= MAX);
    s_end (COUNT);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_stalled_replays),
        cmocka_unit_test (test_many_channels),
        cmocka_unit_test (test_retained_goes_first),
        cmocka_unit_test (test_held_back_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
