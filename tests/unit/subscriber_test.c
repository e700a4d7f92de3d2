/*  A subscriber without holes, against a broker that the test plays step by step: an XPUB and a
 *  ROUTER in the same process. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/peer/subscriber.h"

#define PATIENCE_MS 30000

typedef struct {
    void *context, *xpub, *router;
    char xpub_endpoint[64], router_endpoint[64];
    zc_subscriber_t *subscriber;
    zc_buf_t seen;    /* what came of it, as text: "a 15-0;" "gap a 10-0 15-0;" … */
    zc_buf_t asked;   /* the last request, as text; LF in it as a comma */
    zc_buf_t have;    /* of SYNC and FETCH, the line, and what the subscriber has of it */
    bool has_asked;   /* it waits for an answer */
    const char *line; /* of the broker's positions; empty: an older one */
    zc_buf_t peer, tag;
} s_bench_t;

/*  The subscriber ------------------------------------------------------------------------------ */

static void s_note_position (s_bench_t *self, zc_id_t id, char end)
{
    char text[ZC_ID_SIZE];
    zc_id_format (id, text);
    zc_buf_addf (&self->seen, " %s%c", text, end);
}

static void s_message (void *arg, const zc_message_t *message)
{
    s_bench_t *self = arg;
    zc_buf_add (&self->seen, message->topic.at, message->topic.len);
    s_note_position (self, message->id, ';');
}

static void s_gap (void *arg, zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to)
{
    s_bench_t *self = arg;
    zc_buf_addf (&self->seen, "gap %.*s%s", (int)topic.len, topic.at, prefix ? "*" : "");
    s_note_position (self, from, 0);
    self->seen.len--;
    s_note_position (self, to, ';');
}

static void s_live (void *arg, bool live)
{
    zc_buf_adds (&((s_bench_t *)arg)->seen, live ? "live;" : "away;");
}

static void s_refused (void *arg, zc_slice_t code, zc_slice_t text)
{
    (void)code;
    (void)text;
    zc_buf_adds (&((s_bench_t *)arg)->seen, "refused;");
}

/*  The broker ---------------------------------------------------------------------------------- */

static void *s_bind (s_bench_t *self, int type, char *endpoint)
{
    void *socket = zmq_socket (self->context, type);
    int linger = type == ZMQ_XPUB ? PATIENCE_MS : 0; /* what was published arrives */
    size_t size = 64;
    uint64_t end = zc_mono_ms () + PATIENCE_MS;
    zmq_setsockopt (socket, ZMQ_LINGER, &linger, sizeof linger);
    /* A socket is closed in the background. */
    while (zmq_bind (socket, endpoint[0] ? endpoint : "tcp://127.0.0.1:*") != 0) {
        assert_true (errno == EADDRINUSE && zc_mono_ms () < end);
        usleep (1000);
    }
    zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
    return socket;
}

static bool s_receive (void *socket, zc_buf_t *text)
{
    char frame[512];
    int len = zmq_recv (socket, frame, sizeof frame, ZMQ_DONTWAIT);
    text->len = 0;
    if (len >= 0)
        zc_buf_add (text, frame, (size_t)len);
    return len >= 0;
}

/*  Frames separated by '|'; in them a comma stands for LF. */
static void s_send_frames (void *socket, const char *frames)
{
    char frame[256];
    for (const char *at = frames; at;) {
        size_t len = strcspn (at, "|");
        const char *next = at[len] ? at + len + 1 : NULL;
        for (size_t i = 0; i < len; i++)
            frame[i] = at[i] == ',' ? '\n' : at[i];
        assert_int_equal (zmq_send (socket, frame, len, next ? ZMQ_SNDMORE : 0), (int)len);
        at = next;
    }
}

static void s_answer (s_bench_t *self, const char *frames)
{
    zmq_send (self->router, self->peer.data, self->peer.len, ZMQ_SNDMORE);
    zmq_send (self->router, self->tag.data, self->tag.len, ZMQ_SNDMORE);
    s_send_frames (self->router, frames);
}

/*  Takes a request, if there is one: its verb and arguments with spaces between, but for the nonce.
 *  A question that is only of what was dropped comes when it likes: nothing was. */
static void s_take_request (s_bench_t *self)
{
    zc_buf_t frame = ZC_BUF_INIT;
    if (self->has_asked || !s_receive (self->router, &self->peer))
        return;
    assert_true (s_receive (self->router, &self->tag));
    self->asked.len = self->have.len = 0;
    for (int i = 0, more = 1; more; i++) {
        size_t size = sizeof more;
        s_receive (self->router, &frame);
        zmq_getsockopt (self->router, ZMQ_RCVMORE, &more, &size);
        bool sync = strncmp (zc_buf_str (&self->asked), "SYNC", 4) == 0;
        bool fetch = strncmp (zc_buf_str (&self->asked), "FETCH", 5) == 0;
        zc_buf_t *to = (sync && i > 2) || (fetch && i > 4) ? &self->have : &self->asked;
        if (i == 1 && sync)
            continue;
        if (i)
            zc_buf_addc (to, ' ');
        zc_buf_add (to, frame.data, frame.len);
    }
    for (size_t i = 0; i < self->asked.len; i++)
        if (self->asked.data[i] == '\n')
            self->asked.data[i] = ',';
    zc_buf_clear (&frame);
    self->has_asked = strcmp (zc_buf_str (&self->asked), "SYNC ") != 0;
    if (self->has_asked)
        return;
    char answer[64];
    snprintf (answer, sizeof answer, "OK|0-0|0-0|%s%s", *self->line ? "|" : "", self->line);
    s_answer (self, answer);
}

/*  One turn of the owner's loop, 50 ms at most. */
static void s_turn (s_bench_t *self)
{
    zmq_pollitem_t items[4];
    size_t count = zc_subscriber_pollitems (self->subscriber, items);
    long wait = zc_subscriber_timeout (self->subscriber);
    zmq_poll (items, (int)count, wait < 0 || wait > 50 ? 50 : wait);
    zc_subscriber_run (self->subscriber);
    s_take_request (self);
}

static void s_expect_seen (s_bench_t *self, const char *expected)
{
    uint64_t end = zc_mono_ms () + PATIENCE_MS;
    while (self->seen.len < strlen (expected) && zc_mono_ms () < end)
        s_turn (self);
    assert_string_equal (zc_buf_str (&self->seen), expected);
    self->seen.len = 0;
}

static void s_expect_position (const s_bench_t *self, const char *expected)
{
    char text[ZC_ID_SIZE];
    zc_id_format (zc_subscriber_position (self->subscriber), text);
    assert_string_equal (text, expected);
}

static void s_expect_request (s_bench_t *self, const char *expected)
{
    uint64_t end = zc_mono_ms () + PATIENCE_MS;
    while (!self->has_asked && zc_mono_ms () < end)
        s_turn (self);
    assert_true (self->has_asked);
    self->has_asked = false;
    assert_string_equal (zc_buf_str (&self->asked), expected);
}

static void s_expect_have (const s_bench_t *self, const char *expected)
{
    assert_string_equal (self->have.len ? zc_buf_str ((zc_buf_t *)&self->have) : "", expected);
}

static void s_publish (s_bench_t *self, const char *frames)
{
    s_send_frames (self->xpub, frames);
}

static void s_expect_subscription (s_bench_t *self, const char *topic)
{
    uint64_t end = zc_mono_ms () + PATIENCE_MS;
    zc_buf_t frame = ZC_BUF_INIT;
    bool there = false;
    while (!there) {
        assert_true (zc_mono_ms () < end);
        s_turn (self);
        while (!there && s_receive (self->xpub, &frame))
            there = frame.data[0] == 1 && frame.len == strlen (topic) + 1 &&
                    memcmp (frame.data + 1, topic, frame.len - 1) == 0;
    }
    zc_buf_clear (&frame);
}

/*  Another broker at the same endpoints. What was sent before is in the subscriber's queue. */
static void s_restart (s_bench_t *self)
{
    zmq_close (self->xpub);
    zmq_close (self->router);
    self->xpub = s_bind (self, ZMQ_XPUB, self->xpub_endpoint);
    self->router = s_bind (self, ZMQ_ROUTER, self->router_endpoint);
    self->has_asked = false;
}

/*  A subscriber of `topics` ("a b*"), whose broker has its subscriptions. */
static void s_begin (s_bench_t *self, const char *since, const char *topics)
{
    *self = (s_bench_t){.context = zmq_ctx_new (), .line = ""};
    self->xpub = s_bind (self, ZMQ_XPUB, self->xpub_endpoint);
    self->router = s_bind (self, ZMQ_ROUTER, self->router_endpoint);
    zc_subscriber_config_t config = {.subscribe = self->xpub_endpoint,
                                     .control = self->router_endpoint,
                                     .since = since,
                                     .arg = self,
                                     .message = s_message,
                                     .gap = s_gap,
                                     .live = s_live,
                                     .refused = s_refused};
    self->subscriber = zc_subscriber_new (self->context, &config);
    assert_non_null (self->subscriber);
    char topic[8] = "";
    for (const char *at = topics; *at; at += strcspn (at, " "), at += strspn (at, " ")) {
        size_t len = strcspn (at, " ");
        bool prefix = at[len - 1] == '*';
        snprintf (topic, sizeof topic, "%.*s", (int)(len - prefix), at);
        zc_subscriber_add (self->subscriber, (zc_slice_t){topic, len - prefix}, prefix);
    }
    s_expect_subscription (self, topic);
}

static void s_end (s_bench_t *self)
{
    zc_subscriber_destroy (&self->subscriber);
    zmq_close (self->xpub);
    zmq_close (self->router);
    zmq_ctx_term (self->context);
    zc_buf_clear (&self->seen);
    zc_buf_clear (&self->asked);
    zc_buf_clear (&self->have);
    zc_buf_clear (&self->peer);
    zc_buf_clear (&self->tag);
}

/*  The tests ----------------------------------------------------------------------------------- */

/*  A message that says that something was dropped, perhaps on another topic, waits until that is
 *  there: whoever stops after any message has all before it. */
static void test_what_was_dropped_comes_first (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a b");
    s_expect_request (&bench, "SYNC a,b");
    s_answer (&bench, "OK|10-0|0-0|10-0,9-0");
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "b||id: 20-0,prev: 9-0,dropped: 15-0,");
    s_publish (&bench, "b||id: 21-0,prev: 20-0,dropped: 15-0,");
    s_expect_request (&bench, "SYNC a,b");
    s_expect_seen (&bench, "");
    s_answer (&bench, "OK|20-0|15-0|15-0,20-0");
    s_expect_request (&bench, "FETCH 9-0 500 1048576 a,b");
    s_answer (&bench, "MSG|a||id: 15-0,prev: 10-0,");
    s_answer (&bench, "MSG|b||id: 20-0,prev: 9-0,");
    s_answer (&bench, "END|20-0|0-0|9-0|0");
    s_expect_seen (&bench, "a 15-0;b 20-0;b 21-0;");
    assert_int_equal (zc_subscriber_stats (bench.subscriber)->holes, 0);
    s_end (&bench);
}

/*  A broker that comes back with its clock behind: what it gives out is not old, and what the one
 *  before it has left in the queue is not new. */
static void test_ids_that_go_back (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a b*");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|100-0|0-0|90-0");
    s_expect_request (&bench, "TOPICS 100-0 b");
    s_answer (&bench, "OK|100-0|0-0|");
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "a||id: 110-0,prev: 90-0,");
    s_publish (&bench, "b1||id: 111-0,prev: 100-0,");
    s_expect_seen (&bench, "a 110-0;b1 111-0;");
    s_publish (&bench, "a||id: 120-0,prev: 119-0,"); /* a hole: it is held */
    s_expect_request (&bench, "FETCH 110-0 500 1048576 a");
    s_publish (&bench, "a||id: 121-0,prev: 120-0,");
    s_restart (&bench);
    s_expect_seen (&bench, "away;");
    s_expect_request (&bench, "SYNC a,b1");
    s_answer (&bench, "OK|50-0|0-0|48-0,0-0");
    s_expect_seen (&bench, "gap b* 100-0 50-0;");
    s_expect_position (&bench, "0-0");
    s_expect_request (&bench, "TOPICS 0-0 b");
    s_answer (&bench, "OK|50-0|0-0|");
    s_expect_request (&bench, "FETCH 0-0 500 1048576 a,b1");
    s_answer (&bench, "MSG|a||id: 48-0,prev: 40-0,");
    s_answer (&bench, "END|51-0|40-0|0-0|0");
    s_expect_seen (&bench, "gap a 110-0 40-0;gap b1 111-0 40-0;a 48-0;live;");
    s_expect_position (&bench, "50-0");
    s_publish (&bench, "b1||id: 60-0,prev: 50-0,");
    s_publish (&bench, "a||id: 61-0,prev: 48-0,");
    s_publish (&bench, "b2||id: 62-0,prev: 50-0,");
    s_expect_seen (&bench, "b1 60-0;a 61-0;b2 62-0;");
    s_end (&bench);
}

static void test_since_from_the_future (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, "100-0", "a b*");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|50-0|0-0|48-0");
    s_expect_seen (&bench, "gap b* 100-0 50-0;gap a 100-0 50-0;");
    s_expect_request (&bench, "TOPICS 50-0 b");
    s_answer (&bench, "OK|50-0|0-0|");
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "b1||id: 60-0,prev: 50-0,");
    s_publish (&bench, "a||id: 61-0,prev: 48-0,");
    s_expect_seen (&bench, "b1 60-0;a 61-0;");
    s_end (&bench);
}

/*  A broker that comes back on another line, some of whose positions are before those that came:
 * all that it has comes after them. */
static void test_another_line (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a b*");
    s_expect_request (&bench, "SYNC a");
    s_expect_have (&bench, " ? 0-0");
    s_answer (&bench, "OK|100-0|0-0|90-0|1-0.x|0-0");
    bench.line = "1-0.x";
    s_expect_request (&bench, "TOPICS 100-0 b");
    s_answer (&bench, "OK|100-0|0-0|");
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "a||id: 110-0,prev: 90-0,");
    s_publish (&bench, "b1||id: 111-0,prev: 100-0,");
    s_expect_seen (&bench, "a 110-0;b1 111-0;");
    s_restart (&bench);
    s_expect_seen (&bench, "away;");
    s_expect_request (&bench, "SYNC a,b1");
    s_expect_have (&bench, " 1-0.x 111-0");
    s_publish (&bench, "a||id: 115-0,prev: 104-0,"); /* not the next one after 110-0 */
    s_answer (&bench, "OK|112-0|0-0|112-0,105-0|101-0.y|112-0");
    bench.line = "101-0.y";
    s_expect_seen (&bench, "gap b* 100-0 112-0;");
    s_expect_request (&bench, "TOPICS 0-0 b");
    s_answer (&bench, "OK|115-0|0-0|105-0 b1,");
    s_expect_request (&bench, "FETCH 0-0 500 1048576 a,b1");
    s_expect_have (&bench, " 101-0.y");
    s_expect_position (&bench, "0-0");
    s_answer (&bench, "MSG|a||id: 104-0,prev: 101-0,");
    s_answer (&bench, "MSG|b1||id: 105-0,prev: 101-0,");
    s_answer (&bench, "MSG|a||id: 115-0,prev: 104-0,");
    s_answer (&bench, "END|115-0|101-0|0-0|0");
    s_expect_seen (&bench, "gap a 110-0 101-0;gap b1 111-0 101-0;a 104-0;b1 105-0;a 115-0;live;");
    s_publish (&bench, "a||id: 116-0,prev: 115-0,");
    s_expect_seen (&bench, "a 116-0;");
    s_end (&bench);
}

/*  One that begins after all that came is as a broker that has lost its history; and one that is
 *  late is asked again. */
static void test_a_later_line_and_a_late_broker (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|100-0|0-0|90-0|1-0.x");
    bench.line = "1-0.x";
    s_expect_seen (&bench, "live;");
    s_restart (&bench);
    s_expect_seen (&bench, "away;");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "ERR|behind|not yet");
    s_expect_request (&bench, "SYNC a");
    s_expect_have (&bench, " 1-0.x 100-0");
    s_answer (&bench, "OK|110-0|0-0|90-0|1-0.x");
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "a||id: 111-0,prev: 105-0,"); /* by a history that begins at 105 */
    s_expect_seen (&bench, "a 111-0;");
    s_restart (&bench);
    s_expect_seen (&bench, "away;");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|200-0|0-0|200-0|150-0.y");
    bench.line = "150-0.y";
    s_expect_request (&bench, "FETCH 111-0 500 1048576 a");
    s_answer (&bench, "MSG|a||id: 200-0,prev: 150-0,");
    s_answer (&bench, "END|200-0|150-0|111-0|0");
    s_expect_seen (&bench, "gap a 111-0 150-0;a 200-0;live;");
    s_end (&bench);
}

static void test_an_older_broker (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "ERR|arguments|SYNC nonce topics");
    s_expect_request (&bench, "SYNC a");
    s_expect_have (&bench, "");
    s_answer (&bench, "OK|100-0|0-0|90-0");
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "a||id: 120-0,prev: 110-0,");
    s_expect_request (&bench, "FETCH 90-0 500 1048576 a");
    s_expect_have (&bench, "");
    s_end (&bench);
}

/*  What the queue has of the broker before isn't taken for a message of the next one, though all
 * that was read comes before its line. */
static void test_the_queue_of_another_line (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|100-0|0-0|90-0|1-0.x");
    bench.line = "1-0.x";
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "a||id: 120-0,prev: 119-0,"); /* a hole: it is held */
    s_expect_request (&bench, "FETCH 90-0 500 1048576 a");
    s_publish (&bench, "a||id: 130-0,prev: 120-0,");
    s_restart (&bench);
    s_expect_seen (&bench, "away;");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|126-0|0-0|125-0|125-0.y");
    bench.line = "125-0.y";
    s_expect_request (&bench, "FETCH 90-0 500 1048576 a");
    s_answer (&bench, "END|126-0|125-0|90-0|0");
    s_expect_seen (&bench, "gap a 100-0 125-0;live;");
    s_publish (&bench, "a||id: 129-0,prev: 125-0,");
    s_expect_seen (&bench, "a 129-0;");
    s_end (&bench);
}

/*  A page ends at a position that no message has told of yet: a line that begins before it is
 * another one all the same. */
static void test_a_page_beyond_the_messages (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|100-0|0-0|90-0|1-0.x");
    bench.line = "1-0.x";
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "a||id: 110-0,prev: 105-0,");
    s_expect_request (&bench, "FETCH 90-0 500 1048576 a");
    s_answer (&bench, "MSG|a||id: 105-0,prev: 90-0,");
    s_answer (&bench, "MSG|a||id: 110-0,prev: 105-0,");
    s_answer (&bench, "END|150-0|0-0|90-0|0");
    s_expect_seen (&bench, "a 105-0;a 110-0;");
    s_restart (&bench);
    s_expect_seen (&bench, "away;");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|140-0|0-0|135-0|130-0.y");
    bench.line = "130-0.y";
    s_expect_request (&bench, "FETCH 0-0 500 1048576 a");
    s_answer (&bench, "MSG|a||id: 135-0,prev: 130-0,");
    s_answer (&bench, "END|140-0|130-0|0-0|0");
    s_expect_seen (&bench, "gap a 150-0 130-0;a 135-0;live;");
    s_end (&bench);
}

/*  So it is where TOPICS has told of it. */
static void test_a_list_beyond_the_messages (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a b*");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|100-0|0-0|90-0|1-0.x");
    bench.line = "1-0.x";
    s_expect_request (&bench, "TOPICS 100-0 b");
    s_answer (&bench, "OK|150-0|0-0|150-0 b1,");
    s_expect_request (&bench, "FETCH 100-0 500 1048576 b1");
    s_restart (&bench);
    s_expect_request (&bench, "SYNC a,b1");
    s_answer (&bench, "OK|140-0|0-0|130-0,135-0|130-0.y");
    bench.line = "130-0.y";
    s_expect_seen (&bench, "gap b* 100-0 140-0;");
    s_expect_request (&bench, "TOPICS 0-0 b");
    s_answer (&bench, "OK|140-0|130-0|135-0 b1,");
    s_expect_request (&bench, "FETCH 0-0 500 1048576 a,b1");
    s_answer (&bench, "MSG|b1||id: 135-0,prev: 130-0,");
    s_answer (&bench, "END|140-0|130-0|0-0|0");
    s_expect_seen (&bench, "gap a 90-0 130-0;gap b1 100-0 130-0;b1 135-0;live;");
    s_end (&bench);
}

/*  A topic was known to be quiet up to a position of the broker before. The next one, whose
 * positions have gone back, has a message before that. */
static void test_quiet_beyond_another_history (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a b");
    s_expect_request (&bench, "SYNC a,b");
    s_answer (&bench, "OK|100-0|0-0|90-0,95-0");
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "b||id: 160-0,prev: 95-0,dropped: 155-0,");
    s_expect_request (&bench, "SYNC a,b");
    s_answer (&bench, "OK|160-0|155-0|90-0,160-0");
    s_expect_request (&bench, "FETCH 95-0 500 1048576 b");
    s_answer (&bench, "MSG|b||id: 160-0,prev: 95-0,");
    s_answer (&bench, "END|160-0|0-0|95-0|0");
    s_expect_seen (&bench, "b 160-0;");
    s_restart (&bench);
    s_expect_seen (&bench, "away;");
    s_expect_request (&bench, "SYNC a,b");
    s_answer (&bench, "OK|120-0|0-0|110-0,100-0");
    s_expect_request (&bench, "FETCH 0-0 500 1048576 a,b");
    s_answer (&bench, "MSG|a||id: 110-0,prev: 100-0,");
    s_answer (&bench, "END|120-0|100-0|0-0|0");
    s_expect_seen (&bench, "gap a 90-0 100-0;gap b 160-0 100-0;a 110-0;live;");
    s_end (&bench);
}

/*  The queue was full when SYNC was answered, and more may have been lost since: what comes next
 *  isn't what the answer told of. */
static void test_a_queue_that_was_still_full (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a b");
    s_expect_request (&bench, "SYNC a,b");
    s_answer (&bench, "OK|20-0|15-0|15-0,20-0");
    s_expect_seen (&bench, "live;");
    s_publish (&bench, "b||id: 30-0,prev: 20-0,dropped: 15-0,");
    s_expect_request (&bench, "SYNC a,b");
    s_expect_position (&bench, "20-0");
    s_answer (&bench, "OK|30-0|15-0|25-0,30-0");
    s_expect_request (&bench, "FETCH 15-0 500 1048576 a,b");
    s_answer (&bench, "MSG|b||id: 20-0,prev: 9-0,"); /* had before */
    s_answer (&bench, "MSG|a||id: 25-0,prev: 15-0,");
    s_answer (&bench, "MSG|b||id: 30-0,prev: 20-0,");
    s_answer (&bench, "END|30-0|0-0|15-0|0");
    s_expect_seen (&bench, "a 25-0;b 30-0;");
    s_end (&bench);
}

/*  A position that may be of another line, too: FETCH says so of a topic, and SYNC of what a prefix
 *  stands for. */
static void test_prefix_since_an_earlier_line (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, "100-0", "a b*");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|120-0|0-0|60-0|50-0.y|110-0");
    bench.line = "50-0.y";
    s_expect_seen (&bench, "gap b* 100-0 110-0;");
    s_expect_request (&bench, "TOPICS 100-0 b");
    s_answer (&bench, "OK|120-0|0-0|");
    s_expect_request (&bench, "FETCH 100-0 500 1048576 a");
    s_answer (&bench, "END|120-0|110-0|100-0|0");
    s_expect_seen (&bench, "gap a 100-0 110-0;live;");
    s_end (&bench);
}

/*  History is lost once more before anything of the line was fetched. */
static void test_history_is_lost_twice (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a b*");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|100-0|0-0|90-0|1-0.x");
    bench.line = "1-0.x";
    s_expect_request (&bench, "TOPICS 100-0 b");
    s_answer (&bench, "OK|100-0|0-0|");
    s_expect_seen (&bench, "live;");
    s_restart (&bench);
    s_expect_seen (&bench, "away;");
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|50-0|0-0|20-0|20-0.y");
    bench.line = "20-0.y";
    s_expect_seen (&bench, "gap b* 100-0 50-0;");
    s_expect_request (&bench, "TOPICS 0-0 b");
    s_restart (&bench);
    s_expect_request (&bench, "SYNC a");
    s_answer (&bench, "OK|80-0|0-0|70-0|70-0.z");
    bench.line = "70-0.z";
    s_expect_request (&bench, "TOPICS 0-0 b");
    s_answer (&bench, "OK|80-0|70-0|");
    s_expect_seen (&bench, "gap b* 0-0 70-0;");
    s_expect_request (&bench, "FETCH 0-0 500 1048576 a");
    s_answer (&bench, "END|80-0|70-0|0-0|0");
    s_expect_seen (&bench, "gap a 90-0 70-0;live;");
    s_end (&bench);
}

/*  The position never runs ahead of a message that is still to come. */
static void test_position (void **state)
{
    (void)state;
    s_bench_t bench;
    s_begin (&bench, NULL, "a b");
    s_expect_request (&bench, "SYNC a,b");
    s_expect_position (&bench, "0-0");
    s_answer (&bench, "OK|12-0|0-0|10-0,9-0");
    s_expect_seen (&bench, "live;");
    s_expect_position (&bench, "12-0"); /* though nothing has come */
    s_publish (&bench, "a||id: 15-0,prev: 14-0,");
    s_expect_request (&bench, "FETCH 10-0 500 1048576 a");
    s_publish (&bench, "b||id: 16-0,prev: 9-0,");
    s_answer (&bench, "MSG|a||id: 14-0,prev: 10-0,");
    s_answer (&bench, "MSG|a||id: 15-0,prev: 14-0,");
    s_answer (&bench, "MSG|a||id: 17-0,prev: 15-0,");
    s_answer (&bench, "END|17-0|0-0|10-0|0");
    s_publish (&bench, "a||id: 17-0,prev: 15-0,");
    while (bench.seen.len < strlen ("a 14-0;a 15-0;a 17-0;")) {
        s_expect_position (&bench, "12-0");
        s_turn (&bench);
    }
    s_expect_seen (&bench, "a 14-0;a 15-0;a 17-0;b 16-0;");
    while (zc_subscriber_stats (bench.subscriber)->duplicates < 2) /* 15-0 and 17-0, live */
        s_turn (&bench);
    s_expect_position (&bench, "17-0");
    s_publish (&bench, "b||id: 20-0,prev: 16-0,dropped: 18-0,");
    s_expect_request (&bench, "SYNC a,b");
    s_answer (&bench, "OK|20-0|18-0|18-0,20-0");
    s_expect_request (&bench, "FETCH 16-0 500 1048576 a,b");
    s_answer (&bench, "MSG|a||id: 18-0,prev: 17-0,");
    s_answer (&bench, "END|18-0|0-0|16-0|2");
    s_expect_seen (&bench, "a 18-0;");
    s_expect_position (&bench, "18-0");
    s_expect_request (&bench, "FETCH 18-0 500 1048576 b"); /* a is complete up to the last SYNC */
    s_answer (&bench, "MSG|b||id: 20-0,prev: 16-0,");
    s_answer (&bench, "MSG|b||id: 21-0,prev: 20-0,");
    s_answer (&bench, "END|21-0|0-0|18-0|0");
    s_expect_seen (&bench, "b 20-0;b 21-0;");
    s_expect_position (&bench, "20-0"); /* on a, something may have come before 21-0 */
    s_end (&bench);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_what_was_dropped_comes_first),
        cmocka_unit_test (test_ids_that_go_back),
        cmocka_unit_test (test_since_from_the_future),
        cmocka_unit_test (test_another_line),
        cmocka_unit_test (test_a_later_line_and_a_late_broker),
        cmocka_unit_test (test_an_older_broker),
        cmocka_unit_test (test_position),
        cmocka_unit_test (test_the_queue_of_another_line),
        cmocka_unit_test (test_a_page_beyond_the_messages),
        cmocka_unit_test (test_a_list_beyond_the_messages),
        cmocka_unit_test (test_quiet_beyond_another_history),
        cmocka_unit_test (test_a_queue_that_was_still_full),
        cmocka_unit_test (test_prefix_since_an_earlier_line),
        cmocka_unit_test (test_history_is_lost_twice),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
