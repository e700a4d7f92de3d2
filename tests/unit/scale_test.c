/*  scale_test.c - the hub's cost for many clients, channels and topics grows in proportion.
 *
 *  No clock is read: the engine is compiled so that every basic block counts itself
 *  (libcounted.a, -fsanitize-coverage=trace-pc), and large moves of memory count by their size.
 *  The same life is led with n clients and with twice as many. Each chapter of it may cost twice
 *  as much, plus a logarithm; an event that concerns no client may not cost more at all.
 *  CLIENTS=n: fewer clients, where their number doesn't matter (valgrind). */
#include "tests/unit/plain.h"

#define CLIENTS 50000
#define BEGIN_MS 1000000
#define HEARTBEAT_MS 15000
#define LINGER_MS 5000

/*  Counting. */

static uint64_t s_work;

void __sanitizer_cov_trace_pc (void);
void __sanitizer_cov_trace_pc (void)
{
    s_work++;
}

void *__real_memmove (void *to, const void *from, size_t len);
void *__wrap_memmove (void *to, const void *from, size_t len);
void *__wrap_memmove (void *to, const void *from, size_t len)
{
    s_work += len / 64;
    return __real_memmove (to, from, len);
}

/*  The broker: it has published on one topic, and keeps no history. */

typedef struct {
    uint64_t token;
    char *topics; /* SYNC: owned; FETCH: NULL */
    char since[64];
} s_question_t;

static s_question_t *s_questions;
static size_t s_asked, s_room;
static zc_id_t s_head, s_shared_last;
static uint64_t s_now;
static zc_hub_t *s_hub;

static void s_subscribe (void *self, const char *topic, size_t len)
{
    (void)self, (void)topic, (void)len;
}

static s_question_t *s_ask (uint64_t token)
{
    if (s_asked == s_room) {
        s_room = s_room ? s_room * 2 : 64;
        s_questions = realloc (s_questions, s_room * sizeof *s_questions);
        assert_non_null (s_questions);
    }
    s_question_t *question = &s_questions[s_asked++];
    *question = (s_question_t){.token = token};
    return question;
}

static const zc_mark_t s_place = {{"line"}, ZC_ID_NONE};

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    (void)have;
    (void)self;
    s_ask (token)->topics = strndup (topics ? topics : "", len);
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    (void)line;
    (void)self, (void)topics, (void)len;
    s_question_t *question = s_ask (token);
    assert_true (since.len < sizeof question->since);
    memcpy (question->since, since.at, since.len);
}

static void s_answer_sync (const s_question_t *question)
{
    static zc_id_t last[2000];
    size_t count = 0;
    for (const char *name = question->topics; *name; count++) {
        size_t len = strcspn (name, "\n");
        bool shared = len == 6 && memcmp (name, "shared", 6) == 0;
        assert_true (count < 2000);
        last[count] = shared ? s_shared_last : zc_id_from_ms (BEGIN_MS);
        name += len + (name[len] == '\n');
    }
    zc_hub_synced (s_hub, question->token, &s_place, s_head, ZC_ID_NONE, last, count);
}

static void s_answer_fetch (const s_question_t *question)
{
    zc_id_t since = ZC_ID_NONE;
    bool unknown = zc_id_parse (question->since, strlen (question->since), &since) != 0;
    zc_hub_fetched (s_hub, question->token, s_head, s_shared_last, since, unknown, 0, true);
}

static void s_forget_questions (void)
{
    for (size_t i = 0; i < s_asked; i++)
        free (s_questions[i].topics);
    s_asked = 0;
}

/*  Answers all requests in their order; answers lead to more requests. */
static void s_answer_all (void)
{
    for (size_t i = 0; i < s_asked; i++) {
        s_question_t question = s_questions[i];
        if (question.topics)
            s_answer_sync (&question);
        else
            s_answer_fetch (&question);
    }
    s_forget_questions ();
}

static void s_connect (void)
{
    zc_hub_connected (s_hub);
}

static void s_disconnect (void)
{
    s_forget_questions ();
    zc_hub_disconnected (s_hub);
}

/*  Clients. */

static zc_client_t s_clients[CLIENTS];
static size_t s_count;

typedef enum { SHAPE_ONE_CHANNEL, SHAPE_OWN_TOPICS, SHAPE_SHARED_TOPIC, SHAPES } s_shape_t;
static const char *s_shapes[SHAPES] = {"one channel", "a topic each",
                                       "a topic each, and a shared one"};
static s_shape_t s_shape;

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    long sum = 0;
    (void)client;
    for (int i = 0; i < count; i++)
        sum += (long)iov[i].iov_len;
    return sum;
}

static const zc_transport_t s_transport = {.name = "count",
                                           .write = s_write,
                                           .want_write = plain_want_write,
                                           .gone = plain_gone,
                                           .describe = plain_describe};

/*  How many messages to publish on the shared topic: if each client has a channel of its own,
 *  each message is as many appends. */
static unsigned s_messages (void)
{
    return s_shape == SHAPE_ONE_CHANNEL ? 300 : 5;
}

/*  The topics of client `i`; `moved`: those that it moves to. */
static size_t s_topics (size_t i, bool moved, char text[32], zc_slice_t topics[2])
{
    int len = snprintf (text, 32, "%s%zu", moved ? "moved/" : "own/",
                        s_shape == SHAPE_ONE_CHANNEL ? 0 : i);
    topics[0] = (zc_slice_t){text, (size_t)len};
    topics[1] = (zc_slice_t){"shared", 6};
    if (s_shape == SHAPE_ONE_CHANNEL && !moved)
        topics[0] = topics[1];
    return s_shape == SHAPE_SHARED_TOPIC ? 2 : 1;
}

static void s_send (zc_client_t *client)
{
    struct iovec iov[2];
    for (;;) {
        size_t count = zc_client_gather (client, iov);
        if (count == 0 && client->join) {
            zc_hub_client_drained (s_hub, client);
            count = zc_client_gather (client, iov);
        }
        if (count == 0)
            return;
        zc_client_sent (client, (size_t)s_write (client, iov, (int)count));
    }
}

static void s_flush (void)
{
    zc_rounds_t *rounds = zc_hub_rounds (s_hub);
    zc_client_t *client;
    while ((client = zc_rounds_next_ready (rounds)))
        s_send (client);
    if (zc_rounds_dirty (rounds))
        zc_rounds_begin (rounds);
    while ((client = zc_rounds_next (rounds)))
        s_send (client);
}

static void s_join (size_t i, const char *last_id)
{
    char text[32];
    zc_slice_t topics[2];
    size_t count = s_topics (i, false, text, topics);
    s_clients[i] = (zc_client_t){.transport = &s_transport, .fd = -1};
    zc_hub_join (s_hub, &s_clients[i], &plain_encoding, topics, count, NULL,
                 (zc_slice_t){last_id, strlen (last_id)});
}

static void s_come_back (size_t i, const char *last_id)
{
    zc_hub_leave (s_hub, &s_clients[i]);
    s_join (i, last_id);
}

static void s_come_back_at (size_t i, zc_id_t position)
{
    char text[ZC_ID_SIZE];
    zc_id_format (position, text);
    s_come_back (i, text);
}

/*  For when the broker has answered all requests, and the clients have taken their bytes. */
static void s_expect_all_follow (void)
{
    for (unsigned turn = 0; turn < 10; turn++) {
        s_answer_all ();
        s_flush ();
    }
    for (size_t i = 0; i < s_count; i++)
        assert_null (s_clients[i].join);
}

static void s_tick (unsigned ms)
{
    s_now += ms;
    zc_hub_tick (s_hub, s_now);
}

static void s_publish (const void *payload, size_t len)
{
    static zc_message_t message;
    zc_id_t id = zc_id_next (s_head, s_now);
    message = (zc_message_t){
        .topic = {"shared", 6}, .payload = {payload, len}, .id = id, .prev = s_shared_last};
    s_head = s_shared_last = id;
    zc_hub_message (s_hub, &message);
    zc_hub_settle (s_hub);
}

/*  The chapters of a life, each of which may begin where the last one ended. */

static void s_all_join (void)
{
    for (size_t i = 0; i < s_count; i++)
        s_join (i, "");
    s_expect_all_follow ();
}

static void s_quiet (void)
{
    for (unsigned i = 0; i < 10; i++)
        s_tick (50);
    s_answer_all ();
}

static void s_figures (void)
{
    zc_client_t *worst[10];
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal (zc_hub_stats (s_hub)->clients, s_count);
        assert_int_equal (zc_hub_slowest (s_hub, worst, 10), 0);
    }
}

static void s_heartbeats (void)
{
    for (unsigned i = 0; i < 2 * HEARTBEAT_MS / 200; i++) {
        s_tick (200);
        s_answer_all ();
    }
    s_flush ();
}

static void s_live (void)
{
    for (unsigned i = 0; i < 20; i++)
        s_publish ("live\n", 5);
    s_flush ();
}

/*  No client is sent anything meanwhile, and the feed grows beyond what it may keep. */
static void s_feed_grows (void)
{
    static char large[4096];
    for (unsigned i = 0; i < s_messages (); i++)
        s_publish (large, sizeof large);
    s_flush ();
}

static void s_resume_by_feed (void)
{
    for (size_t i = 0; i < s_count; i++)
        s_come_back_at (i, s_shared_last);
    s_expect_all_follow ();
}

static void s_resume_by_history (void)
{
    for (size_t i = 0; i < s_count; i++)
        s_come_back_at (i, zc_id_from_ms (BEGIN_MS / 2));
    s_expect_all_follow ();
}

static void s_resume_by_own_id (void)
{
    for (size_t i = 0; i < s_count; i++)
        s_come_back (i, "nobody-knows-it");
    s_expect_all_follow ();
}

/*  Clients resume at positions that other workers have had already. */
static void s_resume_ahead (void)
{
    for (size_t i = 0; i < s_count; i++) {
        s_head = zc_id_next (s_head, s_now);
        s_come_back_at (i, s_head);
    }
    s_expect_all_follow ();
}

/*  All clients that come back while the broker is away wait for it. */
static void s_come_back_without_broker (void)
{
    s_disconnect ();
    for (size_t i = 0; i < s_count; i++) {
        if (i % 3 == 0)
            s_come_back (i, "nobody-knows-it");
        else if (i % 3 == 1)
            s_come_back_at (i, zc_id_from_ms (BEGIN_MS / 2));
        else
            s_come_back (i, "");
    }
    s_flush ();
}

static void s_heartbeats_without_broker (void)
{
    for (unsigned i = 0; i < 2 * HEARTBEAT_MS / 200; i++)
        s_tick (200);
    s_flush ();
}

/*  The broker is back and hasn't answered anything yet, and messages come live. */
static void s_live_while_they_wait (void)
{
    s_connect ();
    for (unsigned i = 0; i < s_messages (); i++)
        s_publish ("live\n", 5);
}

static void s_answers_come (void)
{
    s_expect_all_follow ();
}

/*  Each client is alone in a channel for a moment, before the broker has confirmed the topics. */
static void s_all_move (void)
{
    for (size_t i = 0; i < s_count; i++) {
        char text[32];
        zc_slice_t topics[2];
        size_t count = s_topics (i, true, text, topics);
        zc_hub_move (s_hub, &s_clients[i], topics, count, NULL);
    }
    s_expect_all_follow ();
}

/*  All topics end while a request about all of them is under way. */
static void s_end_while_asked (void)
{
    s_disconnect ();
    s_connect ();
    for (size_t i = 0; i < s_count; i++)
        zc_hub_leave (s_hub, &s_clients[i]);
    s_tick (LINGER_MS);
    s_answer_all ();
    assert_int_equal (zc_hub_stats (s_hub)->topics, 0);
    assert_int_equal (zc_hub_stats (s_hub)->channels, 0);
    assert_int_equal (zc_hub_stats (s_hub)->feed_bytes, 0);
}

/*  The same clients come to a worker without any, whose broker is away. */
static void s_join_without_broker (void)
{
    s_disconnect ();
    for (size_t i = 0; i < s_count; i++)
        s_join (i, i % 2 ? "nobody-knows-it" : "");
    s_flush ();
    s_tick (200);
}

static void s_broker_comes (void)
{
    s_connect ();
    s_expect_all_follow ();
}

static void s_all_leave (void)
{
    for (size_t i = 0; i < s_count; i++)
        zc_hub_leave (s_hub, &s_clients[i]);
    s_tick (LINGER_MS);
    assert_int_equal (zc_hub_stats (s_hub)->topics, 0);
}

typedef struct {
    const char *name;
    void (*run) (void);
    bool constant; /* concerns no client: the cost is the same for any number */
} s_chapter_t;

static const s_chapter_t s_chapters[] = {
    {"all join", s_all_join, false},
    {"nothing is due", s_quiet, true},
    {"figures", s_figures, true},
    {"heartbeats", s_heartbeats, false},
    {"live messages", s_live, false},
    {"a feed that grows", s_feed_grows, false},
    {"resume by feed", s_resume_by_feed, false},
    {"resume by history", s_resume_by_history, false},
    {"resume by an own id", s_resume_by_own_id, false},
    {"resume ahead of the feed", s_resume_ahead, false},
    {"come back without a broker", s_come_back_without_broker, false},
    {"heartbeats without a broker", s_heartbeats_without_broker, false},
    {"live messages while they wait", s_live_while_they_wait, false},
    {"answers", s_answers_come, false},
    {"all move", s_all_move, false},
    {"all end while asked about", s_end_while_asked, false},
    {"join without a broker", s_join_without_broker, false},
    {"the broker comes", s_broker_comes, false},
    {"all leave", s_all_leave, false},
};
#define CHAPTERS (sizeof s_chapters / sizeof *s_chapters)

static void s_lead_a_life (size_t count, uint64_t work[CHAPTERS])
{
    static const zc_upstream_t upstream = {NULL, s_subscribe, s_subscribe, s_sync, s_fetch, NULL};
    zc_hub_config_t config = {.max_lag = 1 << 20,
                              .retain = 1 << 18,
                              .retain_ms = 60000,
                              .linger_ms = LINGER_MS,
                              .heartbeat_ms = HEARTBEAT_MS,
                              .max_topics = 100};
    s_count = count;
    s_now = BEGIN_MS;
    s_head = s_shared_last = zc_id_from_ms (BEGIN_MS);
    s_hub = zc_hub_new (&config, &upstream);
    zc_hub_tick (s_hub, s_now);
    s_connect ();
    s_answer_all ();
    for (size_t i = 0; i < CHAPTERS; i++) {
        s_work = 0;
        if (getenv ("TRACE"))
            print_message ("%s\n", s_chapters[i].name);
        s_chapters[i].run ();
        work[i] = s_work;
    }
    s_forget_questions ();
    zc_hub_destroy (&s_hub);
}

static void s_in_proportion (s_shape_t shape)
{
    uint64_t half[CHAPTERS], whole[CHAPTERS];
    unsigned failed = 0;
    s_shape = shape;
    const char *fewer = getenv ("CLIENTS");
    size_t clients = fewer ? strtoul (fewer, NULL, 10) : CLIENTS;
    assert_in_range (clients, 2, CLIENTS);
    s_lead_a_life (clients / 2, half);
    s_lead_a_life (clients, whole);
    for (size_t i = 0; i < CHAPTERS; i++) {
        double most = s_chapters[i].constant ? 1.1 : 2.2;
        bool good = (double)whole[i] <= most * (double)half[i] + 1000;
        if (!good || getenv ("TRACE"))
            print_message ("%s: %s: %llu for %zu, %llu for %zu%s\n", s_shapes[shape],
                           s_chapters[i].name, (unsigned long long)half[i], clients / 2,
                           (unsigned long long)whole[i], clients, good ? "" : ": too much");
        failed += !good;
    }
    assert_int_equal (failed, 0);
}

static void test_one_channel (void **state)
{
    (void)state;
    s_in_proportion (SHAPE_ONE_CHANNEL);
}

static void test_own_topics (void **state)
{
    (void)state;
    s_in_proportion (SHAPE_OWN_TOPICS);
}

static void test_shared_topic (void **state)
{
    (void)state;
    s_in_proportion (SHAPE_SHARED_TOPIC);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_one_channel),
        cmocka_unit_test (test_own_topics),
        cmocka_unit_test (test_shared_topic),
    };
    int rc = cmocka_run_group_tests (tests, NULL, NULL);
    free (s_questions);
    return rc;
}
