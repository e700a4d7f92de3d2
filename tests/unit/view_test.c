/*  view_test.c - what clients with different grants see on the same topics: private messages,
 * topics that rules keep for some, updates on several topics, and replays of all these. */
#include "tests/unit/plain.h"

#include "lib/wire/update.h"

#define BEGIN_MS 1000000
#define PAGE 3 /* messages */
#define STORED_MAX 64
#define CLIENTS 12

static zc_hub_t *s_hub;

/*  The broker: what was published, and the questions that wait. */

typedef struct {
    char topic[64], meta[400], payload[16];
    zc_id_t id;
} s_stored_t;

typedef struct {
    uint64_t token;
    size_t topics; /* of a SYNC; 0: a FETCH */
    char since[64], list[400];
} s_question_t;

static s_stored_t s_stored[STORED_MAX];
static size_t s_count, s_asked, s_pages;
static s_question_t s_questions[64];
static bool s_all_plain;

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void s_ignore (void *self, const char *topic, size_t len)
{
    (void)self, (void)topic, (void)len;
}

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    (void)self, (void)have;
    size_t count = 1;
    for (size_t i = 0; i < len; i++)
        count += topics[i] == '\n';
    s_questions[s_asked++] = (s_question_t){.token = token, .topics = count};
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    (void)self, (void)line;
    s_question_t *question = &s_questions[s_asked++];
    *question = (s_question_t){.token = token};
    snprintf (question->since, sizeof question->since, "%.*s", (int)since.len, since.at);
    snprintf (question->list, sizeof question->list, "%.*s", (int)len, topics);
}

static void s_list (void *self, uint64_t token, zc_id_t since, const zc_slice_t *prefixes,
                    size_t count)
{
    (void)self, (void)token, (void)since, (void)prefixes, (void)count;
}

static zc_id_t s_head (void)
{
    return s_count ? s_stored[s_count - 1].id : zc_id_from_ms (BEGIN_MS);
}

static zc_message_t s_message (const s_stored_t *stored)
{
    zc_message_t message;
    assert_int_equal (zc_delivery_parse (&message, s_slice (stored->topic),
                                         s_slice (stored->payload), s_slice (stored->meta)),
                      0);
    return message;
}

static bool s_asked_for (const s_question_t *question, zc_slice_t topic)
{
    zc_slice_t list = s_slice (question->list);
    while (list.len) {
        const char *end = memchr (list.at, '\n', list.len), *error;
        zc_slice_t item = {list.at, end ? (size_t)(end - list.at) : list.len};
        zc_selector_t *selector = zc_names_selector (item) ? zc_selector_of (item, &error) : NULL;
        bool asked =
            selector ? zc_selector_match (selector, topic) : zc_slice_compare (item, topic) == 0;
        zc_selector_destroy (&selector);
        if (asked)
            return true;
        list.at += item.len + (end != NULL);
        list.len -= item.len + (end != NULL);
    }
    return false;
}

static void s_answer_page (const s_question_t *question)
{
    zc_id_t since = ZC_ID_NONE, head = s_head ();
    size_t sent = 0, left = 0;
    s_pages++;
    zc_id_parse (question->since, strlen (question->since), &since);
    for (size_t i = 0; i < s_count; i++) {
        zc_message_t message = s_message (&s_stored[i]);
        if (message.id <= since || !s_asked_for (question, message.topic))
            continue;
        if (sent == PAGE) {
            left++;
            continue;
        }
        zc_hub_fetched_message (s_hub, question->token, &message);
        if (++sent == PAGE)
            head = message.id;
    }
    zc_hub_fetched (s_hub, question->token, left ? head : s_head (), ZC_ID_NONE, since, false, left,
                    s_all_plain);
}

static void s_answer_all (void)
{
    static const zc_mark_t place = {{"line"}, ZC_ID_NONE};
    zc_id_t last[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++)
        last[i] = s_head ();
    for (size_t i = 0; i < s_asked; i++) {
        s_question_t question = s_questions[i];
        if (question.topics)
            zc_hub_synced (s_hub, question.token, &place, s_head (), ZC_ID_NONE, last,
                           question.topics);
        else
            s_answer_page (&question);
        zc_hub_settle (s_hub);
    }
    s_asked = 0;
}

/*  Publishing. */

static void s_keep (const char *topic, const char *payload, const char *headers)
{
    s_stored_t *stored = &s_stored[s_count];
    zc_buf_t meta = ZC_BUF_INIT;
    zc_id_t prev = zc_id_from_ms (BEGIN_MS);
    for (size_t i = 0; i < s_count; i++)
        if (strcmp (s_stored[i].topic, topic) == 0)
            prev = s_stored[i].id;
    stored->id = zc_id_next (s_head (), BEGIN_MS + 1);
    zc_meta_write (&meta, stored->id, prev, ZC_ID_NONE, s_slice (headers));
    snprintf (stored->topic, sizeof stored->topic, "%s", topic);
    snprintf (stored->payload, sizeof stored->payload, "%s", payload);
    snprintf (stored->meta, sizeof stored->meta, "%.*s", (int)meta.len, (char *)meta.data);
    s_count++;
    zc_buf_clear (&meta);
}

static void s_publish (const char *topic, const char *payload, const char *headers)
{
    s_keep (topic, payload, headers);
    zc_message_t message = s_message (&s_stored[s_count - 1]);
    zc_hub_message (s_hub, &message);
    zc_hub_settle (s_hub);
}

/*  Clients. */

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    (void)client, (void)iov, (void)count;
    return 0;
}

static const zc_transport_t s_transport = {.name = "test",
                                           .write = s_write,
                                           .want_write = plain_want_write,
                                           .gone = plain_gone,
                                           .describe = plain_describe};

static zc_client_t s_clients[CLIENTS];
static size_t s_client_count;

static void s_verdict (zc_buf_t *out, const zc_verdict_t *verdict)
{
    zc_buf_addf (out, "%s%d ", verdict->gap ? "gap" : "all", (int)verdict->replayed);
}

static void s_nothing (zc_buf_t *out, zc_id_t position)
{
    (void)out, (void)position;
}

static const zc_encoding_t s_encoding = {
    .name = "view", .message = plain_message, .verdict = s_verdict, .heartbeat = s_nothing};

/*  Topics are separated by blanks; grants by LF. */
static zc_client_t *s_join (const char *topics, const char *grants, bool selective,
                            const char *last_id)
{
    zc_client_t *client = &s_clients[s_client_count++];
    zc_slice_t names[8], rest = s_slice (topics);
    size_t count = 0;
    char text[ZC_TOPIC_MAX];
    const zc_view_t view = {s_slice (grants), selective};
    while (zc_update_next (&rest, text, &names[count]))
        count++;
    *client = (zc_client_t){.transport = &s_transport, .fd = -1};
    zc_hub_join (s_hub, client, &s_encoding, names, count, &view, s_slice (last_id));
    s_answer_all ();
    return client;
}

/*  What the client was sent since the last call. */
static const char *s_seen (zc_client_t *client)
{
    static char text[200];
    struct iovec iov[2];
    size_t len = 0, runs;
    do {
        runs = zc_client_gather (client, iov);
        size_t sent = 0;
        for (size_t i = 0; i < runs; i++) {
            memcpy (text + len, iov[i].iov_base, iov[i].iov_len);
            len += iov[i].iov_len;
            sent += iov[i].iov_len;
        }
        zc_client_sent (client, sent);
        zc_hub_client_drained (s_hub, client);
        zc_hub_settle (s_hub);
        s_answer_all ();
    } while (runs);
    text[len] = 0;
    return text;
}

static int s_begin (void **state)
{
    (void)state;
    static const zc_upstream_t upstream = {NULL, s_ignore, s_ignore, s_sync, s_fetch, s_list};
    zc_hub_config_t config = {
        .max_lag = 1 << 20, .retain = 1 << 20, .retain_ms = 60000, .heartbeat_ms = 15000};
    s_count = s_asked = s_client_count = s_pages = 0;
    s_all_plain = false;
    s_hub = zc_hub_new (&config, &upstream);
    zc_hub_tick (s_hub, BEGIN_MS);
    zc_hub_connected (s_hub);
    s_answer_all ();
    return 0;
}

static int s_end (void **state)
{
    (void)state;
    for (size_t i = 0; i < s_client_count; i++)
        zc_hub_leave (s_hub, &s_clients[i]);
    zc_hub_destroy (&s_hub);
    return 0;
}

static void test_private (void **state)
{
    (void)state;
    zc_client_t *nobody = s_join ("a", "", false, ""), *granted = s_join ("a b", "a", false, "");
    zc_client_t *other = s_join ("a b", "b", false, ""), *all = s_join ("b a", "a\nb", false, "");
    zc_client_t *same = s_join ("b a", "a", false, "");
    assert_int_equal (zc_hub_stats (s_hub)->channels, 4); /* `same` shares one */
    s_publish ("a", "1", "");
    s_publish ("a", "2", "private: \n");
    s_publish ("b", "3", "private: yes\n");
    s_publish ("a", "4", "");
    assert_string_equal (s_seen (nobody), "14");
    assert_string_equal (s_seen (granted), "124");
    assert_string_equal (s_seen (same), "124");
    assert_string_equal (s_seen (other), "134");
    assert_string_equal (s_seen (all), "1234");
    assert_int_equal (zc_hub_stats (s_hub)->withheld, 3);
}

static bool s_restricts (void *arg, zc_slice_t topic)
{
    (void)arg;
    return zc_slice_starts (topic, "n/secret");
}

/*  A selector filters what the rules keep for some. */
static void test_selector (void **state)
{
    (void)state;
    zc_hub_restrict (s_hub, s_restricts, NULL);
    zc_client_t *nobody = s_join ("\x01mn/#", "", true, "");
    zc_client_t *granted = s_join ("\x01mn/#", "n/secret/1", true, "");
    zc_client_t *prefix = s_join ("\x01mn/#", "n/*", false, "");
    zc_client_t *pattern = s_join ("\x01mn/#", "\x01tn/secret/{x}", true, "");
    s_publish ("n/a", "1", "");
    s_publish ("n/secret/1", "2", "");
    s_publish ("n/secret/2", "3", "private: yes\n");
    s_publish ("n/b", "4", "private: yes\n");
    s_publish ("n/c", "5", "");
    assert_string_equal (s_seen (nobody), "15");
    assert_string_equal (s_seen (granted), "125");
    assert_string_equal (s_seen (prefix), "12345");
    assert_string_equal (s_seen (pattern), "1235");
}

/*  An update on several topics is seen once, and by whoever is granted one of them. */
static void test_update (void **state)
{
    (void)state;
    zc_client_t *a = s_join ("a", "", false, ""), *both = s_join ("a b", "", false, "");
    zc_client_t *b = s_join ("b", "", false, ""), *all = s_join ("\x01m+", "", false, "");
    zc_client_t *user = s_join ("b", "u/1", false, ""), *third = s_join ("c%20c b", "", false, "");
    static const char *const topics[] = {"a", "b", "c c"};
    for (size_t i = 0; i < 3; i++)
        s_publish (topics[i], "1", "topics: a b c%20c\n");
    for (size_t i = 0; i < 3; i++)
        s_publish (topics[i], "2", "topics: a b c%20c u/1\nprivate: yes\n");
    s_publish ("b", "3", "topics: x%2 b\n"); /* malformed: only its own topic counts */
    s_publish ("b", "4", "topics: a\n");     /* it doesn't name its own topic */
    assert_string_equal (s_seen (a), "1");
    assert_string_equal (s_seen (both), "134");
    assert_string_equal (s_seen (b), "134");
    assert_string_equal (s_seen (all), "134");
    assert_string_equal (s_seen (user), "1234");
    assert_string_equal (s_seen (third), "134");
}

/*  A replay shows what a live client saw, and its verdict counts that, over pages. */
static void test_replay (void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        char payload[2] = {(char)('0' + i), 0};
        s_keep (i % 2 ? "a" : "b", payload, i % 3 ? "" : "private: yes\n"); /* 0, 3, 6 and 9 */
    }
    assert_string_equal (s_seen (s_join ("a b", "", false, "earliest")), "all6 124578");
    assert_string_equal (s_seen (s_join ("a b", "a", false, "earliest")), "all8 12345789");
    assert_string_equal (s_seen (s_join ("a b", "a\nb", false, "earliest")), "all10 0123456789");
    assert_string_equal (s_seen (s_join ("b", "", false, "earliest")), "all3 248");
    char since[ZC_ID_SIZE] = "";
    zc_id_format (s_stored[1].id, since);
    assert_string_equal (s_seen (s_join ("a b", "", false, since)), "all5 24578");
    assert_string_equal (s_seen (s_join ("b", "b", false, since)), "all4 2468");
    /* with a feed */
    assert_string_equal (s_seen (s_join ("b", "b", false, since)), "all4 2468");
}

/*  Where the broker says that all are for everyone, no page is fetched twice. */
static void test_plain_replay (void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        s_keep ("a", "x", "");
    s_all_plain = true;
    assert_string_equal (s_seen (s_join ("a", "", false, "earliest")), "all9 xxxxxxxxx");
    size_t pages = s_pages;
    s_all_plain = false;
    assert_string_equal (s_seen (s_join ("a", "b", false, "earliest")), "all9 xxxxxxxxx");
    assert_true (s_pages - pages > pages);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_begin, s_end)
    const struct CMUnitTest tests[] = {
        TEST (test_private), TEST (test_selector),     TEST (test_update),
        TEST (test_replay),  TEST (test_plain_replay),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
