/*  continuity_test.c - order, repair and resume without a socket: a broker, workers and clients,
 *  or subscribers and their owners, in one process. A random number generator drives them
 *  through drops, lost links, restarts, trimmed history, a clock that is set back, a broker that
 *  is late, and clients that come and go, move, and don't read.
 *
 *  The broker reads a log: published messages are in the log, and go to subscribers and into
 *  answers once the broker has read them. Usually that is at once; after a restart it may be
 *  behind its workers. Two brokers may read one log: each stands still, ends, drops and forgets for
 *  itself, and workers go from one to the other.
 *
 *  The oracle: on each topic a client sees strictly increasing numbers without a hole, or was
 *  told a gap that covers the hole. Messages that history still has are never in a hole. When
 *  all is quiet, a client has all messages. A client may be cut off after any byte, and comes
 *  back with the id of its last whole line. So at every line, of whatever kind, it must have got
 *  all that it is owed up to the line's id. The owner of a subscriber is such a client: it comes
 *  back with its position as id, and messages after that may come again.
 *
 *  TEST=s_random_subscribers runs only this test; RUNS=n makes more runs, from the seed FROM=n;
 *  SEED=n makes one run, whose seed a failure has printed; TRACE=1 tells what happens. */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/table.h"
#include "lib/engine/hub.h"
#include "lib/peer/control.h"
#include "lib/peer/monitor.h"
#include "lib/peer/redial.h"
#include "lib/peer/subscriber.h"
#include "lib/wire/answer.h"
#include "lib/wire/selector.h"

#define TOPICS 5
#define WORKERS 2
#define BROKERS 2
#define CLIENTS 6
#define STEPS 400
#define PAGE 5
#define REQUESTS 128   /* of a worker, unanswered */
#define FETCHES_MAX 64 /* of these; the limit of lib/engine/questions.c */
#define MESSAGES_MAX 4096
#define S_BEGIN_MS 1000000 /* the clock when a run begins */

#define TEXTS (TOPICS + 3)
#define SELECTORS 6
#define NAMES (TOPICS + SELECTORS) /* that a client may have at once */

/*  The topics, and after them the prefixes that aren't topics. */
static const char *s_names[TEXTS] = {"a", "a1", "b", "c/d", "long topic é", "", "c/", "l"};

/*  Selectors, the topics that match (a bit for each), and their names. The text that each begins
 * with is one of s_names. */
static const struct {
    zc_selector_form_t form;
    const char *text;
    unsigned topics;
} s_selectors[SELECTORS] = {
    {ZC_SELECTOR_FILTER, "#", 0x1f},  {ZC_SELECTOR_FILTER, "c/+", 0x8},
    {ZC_SELECTOR_PATTERN, "a*", 0x3}, {ZC_SELECTOR_TEMPLATE, "a{x}", 0x3},
    {ZC_SELECTOR_FILTER, "+", 0x17},  {ZC_SELECTOR_PATTERN, "l*", 0x10},
};
static char s_selector_names[SELECTORS][8];

static void s_name_selectors (void)
{
    for (unsigned i = 0; i < SELECTORS; i++) {
        const char *error;
        zc_selector_t *selector = zc_selector_new (
            s_selectors[i].form, (zc_slice_t){s_selectors[i].text, strlen (s_selectors[i].text)},
            &error);
        assert_non_null (selector);
        zc_slice_t name = zc_selector_name (selector);
        memcpy (s_selector_names[i], name.at, name.len);
        for (unsigned k = 0; k < TOPICS; k++)
            assert_int_equal (
                zc_selector_match (selector, (zc_slice_t){s_names[k], strlen (s_names[k])}),
                s_selectors[i].topics >> k & 1);
        zc_selector_destroy (&selector);
    }
}

/*  Randomness: the same seed, the same run. */
static uint64_t s_state;

static unsigned s_random (unsigned below)
{
    s_state ^= s_state << 13;
    s_state ^= s_state >> 7;
    s_state ^= s_state << 17;
    return (unsigned)((s_state >> 11) % below);
}

static bool s_chance (unsigned percent)
{
    return s_random (100) < percent;
}

static bool s_lossless; /* history keeps all messages in this run: no gap may be told */
static zc_slow_t s_policy = ZC_SLOW_DISCONNECT;
static bool s_selects; /* clients have selectors */
static bool s_cuts;    /* clients are cut off in the middle of their bytes */
static bool s_trace;   /* TRACE=1: tell what happens */

/*  The broker. */
typedef struct {
    unsigned topic;
    uint64_t number;
    zc_id_t id, prev[BROKERS];
    unsigned lost; /* no longer in history: a bit for each broker */
    unsigned past;
    bool own_id;
    const char *shared; /* its own id, if other messages have it, too; or NULL */
} s_message_t;

static s_message_t s_log[MESSAGES_MAX];
static size_t s_logged;
static zc_id_t s_given; /* the last position in the log */
static uint64_t s_numbers[TOPICS], s_now;

/*  The brokers; most runs have one. What follows is said of the one that acts now. */
static struct {
    size_t got;                 /* messages of the log that it has read */
    zc_id_t newest[TOPICS];     /* the last positions in the log */
    zc_id_t last[TOPICS], head; /* and those that it has */
    zc_id_t floor[TOPICS], boot, dropped;
    zc_id_t forgotten; /* no message after this was on a topic that it doesn't know */
    bool heard_of[TOPICS];
} s_brokers[BROKERS];
static unsigned s_broker, s_broker_count;
#define s_got s_brokers[s_broker].got
#define s_newest s_brokers[s_broker].newest
#define s_last s_brokers[s_broker].last
#define s_head s_brokers[s_broker].head
#define s_floor s_brokers[s_broker].floor
#define s_boot s_brokers[s_broker].boot
#define s_dropped s_brokers[s_broker].dropped
#define s_forgotten s_brokers[s_broker].forgotten
#define s_heard_of s_brokers[s_broker].heard_of

static bool s_is_lost (const s_message_t *message)
{
    return message->lost >> s_broker & 1;
}

static unsigned s_past;   /* how often the clock was set back */
static zc_line_t s_order; /* of the positions; unknown: an older broker */
static zc_id_t s_begun;   /* all positions of the line are after this */
static unsigned s_lines;  /* lines so far */
static zc_id_t s_doubt;   /* positions before this may belong to another line, too */
static bool s_believes;   /* positions that workers say they have */

static void s_frame (const s_message_t *from, zc_id_t dropped, zc_message_t *to, char *text,
                     zc_buf_t *meta)
{
    snprintf (text, 32, "%llu", (unsigned long long)from->number);
    char headers[64] = "";
    if (from->shared)
        snprintf (headers, sizeof headers, "id: %s\n", from->shared);
    else if (from->own_id)
        snprintf (headers, sizeof headers, "id: own-%u-%llu\n", from->topic,
                  (unsigned long long)from->number);
    meta->len = 0;
    zc_meta_write (meta, from->id, from->prev[s_broker], dropped,
                   (zc_slice_t){headers, strlen (headers)});
    zc_slice_t topic = {s_names[from->topic], strlen (s_names[from->topic])};
    int rc = zc_delivery_parse (to, topic, (zc_slice_t){text, strlen (text)},
                                (zc_slice_t){(const char *)meta->data, meta->len});
    assert_int_equal (rc, 0);
}

/*  Workers. */
typedef enum { REQUEST_SYNC, REQUEST_FETCH, REQUEST_TOPICS } s_request_kind_t;
typedef struct {
    s_request_kind_t kind;
    uint64_t token;
    char since[300];
    char topics[256];
    zc_mark_t place;   /* SYNC: the worker's position; FETCH: the line of `since` */
    size_t subscribed; /* SYNC: entries of `subscriptions` that must have arrived before */
    unsigned mask;     /* TOPICS: topics that match the prefixes */
    bool modern;       /* it names a line */
} s_request_t;
typedef struct {
    bool on;
    unsigned text; /* of s_names; a topic's is a prefix, too */
} s_subscription_t;
typedef struct {
    size_t index;    /* in the log */
    zc_id_t dropped; /* its `dropped` */
} s_copy_t;
typedef struct {
    s_request_t request;
    size_t messages[PAGE];
    size_t count;
    zc_id_t head, floor, since, dropped, last[NAMES];
    zc_mark_t doubt;
    size_t last_count;
    bool unknown;
    const char *refusal; /* the code of ERR; empty: no answer comes; NULL: a good answer */
    uint64_t remaining;
    size_t got; /* how much of the log the broker had read */
    unsigned past;
} s_answer_t;

/*  Programs that follow topics: a worker with its hub, or the owner of a subscriber. */
typedef struct {
    zc_hub_t *hub;
    zc_subscriber_t *subscriber;
    unsigned broker; /* that it is with */
    bool connected;
    bool full;          /* its queue is full: the broker drops its messages in silence */
    bool live[TEXTS];   /* subscriptions that the broker has */
    bool wanted[TEXTS]; /* subscriptions that it has asked for */
    s_subscription_t subscriptions[1024]; /* on their way */
    size_t subscription_count, subscription_done;
    s_copy_t pipe[MESSAGES_MAX]; /* messages on their way */
    size_t pipe_first, pipe_count;
    s_request_t requests[REQUESTS];
    size_t request_count;
    s_answer_t answers[REQUESTS];
    size_t answer_count;
    size_t heard;  /* messages of answers[0] that the hub has had */
    zc_id_t doubt; /* that it was told by the broker */
    unsigned past; /* to which its positions belong */
    /*  Of a subscriber: */
    zc_control_fn answered; /* for the request under way; NULL: none */
    void *arg;
    bool gives_up; /* its connection is gone */
    bool useless;  /* it has given the connection up */
    bool fresh;    /* it knows of a new connection, and may drop messages of the old one */
    zc_monitor_event_t news[64];
    size_t news_count;
    size_t parts, budget; /* parts of answers, and messages, that it may take now */
    bool paused;
} s_worker_t;

static s_worker_t s_workers[WORKERS];

static unsigned s_topic_of (const char *name, size_t len)
{
    for (unsigned i = 0; i < TOPICS; i++)
        if (strlen (s_names[i]) == len && memcmp (s_names[i], name, len) == 0)
            return i;
    fail_msg ("no topic '%.*s'", (int)len, name);
    return 0;
}

static void s_subscription (s_worker_t *worker, unsigned index, bool on)
{
    worker->wanted[index] = on;
    if (!worker->connected)
        return; /* all of it is sent once there is a link */
    assert_true (worker->subscription_count < 1024);
    worker->subscriptions[worker->subscription_count++] = (s_subscription_t){on, index};
}

/*  The index of a topic, or of the text that selectors begin with. */
static unsigned s_text_of (const char *text, size_t len)
{
    for (unsigned i = TOPICS; i < TEXTS; i++)
        if (strlen (s_names[i]) == len && memcmp (s_names[i], text, len) == 0)
            return i;
    return s_topic_of (text, len);
}

/*  The broker counts the subscriptions of a connection, so none is made twice. */
static void s_subscribe (void *self, const char *topic, size_t len)
{
    unsigned text = s_text_of (topic, len);
    assert_false (((s_worker_t *)self)->wanted[text]);
    s_subscription (self, text, true);
}

static void s_unsubscribe (void *self, const char *topic, size_t len)
{
    unsigned text = s_text_of (topic, len);
    assert_true (((s_worker_t *)self)->wanted[text]);
    s_subscription (self, text, false);
}

static s_request_t *s_request (s_worker_t *worker, s_request_kind_t kind, uint64_t token,
                               const char *topics, size_t len)
{
    assert_true (worker->connected);
    assert_true (worker->request_count < REQUESTS);
    s_request_t *request = &worker->requests[worker->request_count++];
    *request = (s_request_t){.kind = kind, .token = token};
    memcpy (request->topics, topics ? topics : "", len);
    request->subscribed = len ? worker->subscription_count : 0;
    return request;
}

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    s_request (self, REQUEST_SYNC, token, topics, len)->place = *have;
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    s_request_t *request = s_request (self, REQUEST_FETCH, token, topics, len);
    request->place.line = *line;
    assert_true (since.len < sizeof request->since);
    memcpy (request->since, since.at, since.len);
}

static zc_slice_t s_name (unsigned text)
{
    return (zc_slice_t){s_names[text], strlen (s_names[text])};
}

static unsigned s_mask (zc_slice_t prefix)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < TOPICS; i++)
        if (zc_slice_begins (s_name (i), prefix))
            mask |= 1u << i;
    return mask;
}

static void s_list (void *self, uint64_t token, zc_id_t since, const zc_slice_t *prefixes,
                    size_t count)
{
    s_request_t *request = s_request (self, REQUEST_TOPICS, token, "", 0);
    zc_id_format (since, request->since);
    for (size_t i = 0; i < count; i++)
        request->mask |= s_mask (prefixes[i]);
}

/*  The topics that a name stands for, a bit for each; none for a text that is no topic. */
static unsigned s_meant (zc_slice_t name)
{
    for (unsigned i = 0; i < SELECTORS; i++)
        if (zc_slice_is (name, s_selector_names[i]))
            return s_selectors[i].topics;
    for (unsigned i = 0; i < TOPICS; i++)
        if (zc_slice_is (name, s_names[i]))
            return 1u << i;
    return 0;
}

/*  The topics that a list names, each once. */
static size_t s_split (const char *list, unsigned topics[TOPICS])
{
    size_t count = 0;
    unsigned mask = 0;
    while (*list) {
        size_t len = strcspn (list, "\n");
        mask |= s_meant ((zc_slice_t){list, len});
        list += len + (list[len] == '\n');
    }
    for (unsigned i = 0; i < TOPICS; i++)
        if (mask & 1u << i)
            topics[count++] = i;
    return count;
}

static bool s_has (const unsigned *topics, size_t count, unsigned topic)
{
    for (size_t i = 0; i < count; i++)
        if (topics[i] == topic)
            return true;
    return false;
}

static void s_since (const s_request_t *request, const unsigned *topics, size_t count,
                     s_answer_t *answer)
{
    unsigned topic;
    unsigned long long number;
    if (strcmp (request->since, "earliest") == 0)
        return;
    if (zc_id_parse (request->since, strlen (request->since), &answer->since) == 0)
        return;
    answer->unknown = true;
    if (sscanf (request->since, "own-%u-%llu", &topic, &number) == 2) {
        for (size_t i = 0; i < s_got; i++) {
            if (s_log[i].topic == topic && s_log[i].number == number && !s_is_lost (&s_log[i])) {
                answer->since = s_log[i].id;
                answer->unknown = false;
            }
        }
    }
    for (size_t i = 0; i < s_got && answer->unknown; i++) { /* the earliest one */
        if (s_log[i].shared && s_has (topics, count, s_log[i].topic) &&
            strcmp (s_log[i].shared, request->since) == 0) {
            answer->since = s_log[i].id;
            answer->unknown = false;
        }
    }
}

/*  Whether a worker names another line than ours. An older worker names none. */
static bool s_names_other (const zc_line_t *line)
{
    return zc_line_known (line) && zc_line_known (&s_order) && !zc_line_same (line, &s_order);
}

/*  A FETCH after a position that isn't there yet waits for it, unless no broker has given that
 *  position. */
static bool s_is_early (const s_request_t *request)
{
    zc_id_t since;
    return request->kind == REQUEST_FETCH &&
           zc_id_parse (request->since, strlen (request->since), &since) == 0 && since > s_head &&
           since <= s_given && s_got < s_logged;
}

static void s_answer_fetch (const s_request_t *request, s_answer_t *answer)
{
    unsigned topics[TOPICS];
    size_t count = s_split (request->topics, topics);
    if (s_names_other (&request->place.line))
        answer->refusal = "line";
    s_since (request, topics, count, answer);
    answer->head = s_head;
    if (!answer->unknown && !zc_line_known (&request->place.line) && answer->since < s_doubt &&
        answer->since != ZC_ID_NONE)
        answer->floor = s_doubt;
    for (size_t i = 0; i < count; i++) {
        zc_id_t floor = s_floor[topics[i]];
        answer->floor = floor > answer->floor ? floor : answer->floor;
    }
    if (strchr (request->topics, ZC_SELECTOR_MARK) && answer->floor < s_forgotten)
        answer->floor = s_forgotten; /* a topic that was forgotten may match */
    zc_id_t after = answer->unknown ? ZC_ID_NONE : answer->since;
    for (size_t i = 0; i < s_got; i++) {
        if (s_is_lost (&s_log[i]) || s_log[i].id <= after || !s_has (topics, count, s_log[i].topic))
            continue;
        if (answer->count < PAGE)
            answer->messages[answer->count++] = i;
        else
            answer->remaining++;
    }
    if (answer->remaining)
        answer->head = s_log[answer->messages[PAGE - 1]].id;
    if (s_trace)
        print_message ("%llu: page after %s of %s: %zu, %llu remain\n", (unsigned long long)s_now,
                       request->since, request->topics, answer->count,
                       (unsigned long long)answer->remaining);
}

/*  A worker's position: later positions come after it. */
static void s_hear (const zc_mark_t *have, s_answer_t *answer)
{
    if (!s_names_other (&have->line)) {
        if (zc_line_known (&have->line) && have->position > s_head)
            answer->refusal = "behind";
    } else if (!zc_line_follows (&s_order, have->position) && s_believes &&
               have->position >= s_doubt) {
        s_doubt = have->position + 1;
        s_given = s_given > have->position ? s_given : s_doubt;
    }
}

static void s_answer_sync (const s_request_t *request, s_answer_t *answer)
{
    s_hear (&request->place, answer);
    for (const char *list = request->topics; *list; answer->last_count++) {
        size_t len = strcspn (list, "\n");
        unsigned topic = 0, meant = s_meant ((zc_slice_t){list, len});
        while (meant && !(meant & 1u << topic))
            topic++;
        answer->last[answer->last_count] = meant ? s_last[topic] : s_forgotten;
        list += len + (list[len] == '\n');
    }
    answer->head = s_head;
    answer->doubt = (zc_mark_t){s_order, s_doubt};
}

static void s_answer_topics (const s_request_t *request, s_answer_t *answer)
{
    zc_id_parse (request->since, strlen (request->since), &answer->since);
    answer->head = s_head;
    for (unsigned i = 0; i < TOPICS; i++)
        if (request->mask & 1u << i && s_heard_of[i] && s_last[i] > answer->since)
            answer->last[i] = s_last[i];
    answer->floor = s_forgotten;
    if (request->token && s_chance (10)) /* the list is cut: it has no room for some topic */
        for (unsigned i = 0, cut = s_random (TOPICS); i < TOPICS; i++)
            if (answer->last[i] != ZC_ID_NONE && answer->last[i] <= answer->last[cut]) {
                answer->floor = answer->last[i] > answer->floor ? answer->last[i] : answer->floor;
                answer->last[i] = i == cut ? answer->last[i] : ZC_ID_NONE;
            }
}

static void s_broker_answers (s_worker_t *worker)
{
    s_broker = worker->broker;
    if (worker->request_count == 0 || worker->answer_count == REQUESTS)
        return;
    size_t index = s_random ((unsigned)worker->request_count); /* in any order */
    s_request_t request = worker->requests[index];
    if (request.subscribed > worker->subscription_done || s_is_early (&request))
        return;
    memmove (&worker->requests[index], &worker->requests[index + 1],
             (--worker->request_count - index) * sizeof request);
    s_answer_t *answer = &worker->answers[worker->answer_count++];
    *answer = (s_answer_t){.request = request, .dropped = s_dropped, .got = s_got, .past = s_past};
    if (request.modern && !zc_line_known (&s_order))
        answer->refusal = "arguments";
    else if (request.kind == REQUEST_FETCH)
        s_answer_fetch (&request, answer);
    else if (request.kind == REQUEST_TOPICS)
        s_answer_topics (&request, answer);
    else
        s_answer_sync (&request, answer);
}

static void s_take_answer (s_worker_t *worker)
{
    worker->heard = 0;
    memmove (worker->answers, worker->answers + 1,
             --worker->answer_count * sizeof *worker->answers);
}

static void s_hear_messages (s_worker_t *worker, const s_answer_t *answer, size_t count)
{
    s_broker = worker->broker;
    zc_buf_t meta = ZC_BUF_INIT;
    for (; count > 0; count--) {
        zc_message_t message;
        char text[32];
        s_frame (&s_log[answer->messages[worker->heard++]], ZC_ID_NONE, &message, text, &meta);
        zc_hub_fetched_message (worker->hub, answer->request.token, &message);
    }
    zc_buf_clear (&meta);
}

static void s_answer_fails (s_worker_t *worker);

static void s_hear_topics (s_worker_t *worker, const s_answer_t *answer)
{
    zc_buf_t list = ZC_BUF_INIT;
    for (unsigned i = 0; i < TOPICS; i++)
        if (answer->last[i] != ZC_ID_NONE)
            zc_listed_add (&list, answer->last[i], s_name (i));
    zc_hub_listed (worker->hub, answer->request.token, answer->head, answer->floor,
                   (zc_slice_t){(const char *)list.data, list.len});
    zc_buf_clear (&list);
}

/*  A page comes message by message, and anything may happen in between. */
static void s_worker_hears (s_worker_t *worker)
{
    if (worker->answer_count == 0)
        return;
    s_answer_t answer = worker->answers[0];
    if (answer.refusal) {
        s_answer_fails (worker);
        return;
    }
    size_t left = answer.count - worker->heard;
    bool whole = s_chance (40);
    s_hear_messages (worker, &answer, whole ? left : s_random ((unsigned)left + 1));
    if (worker->heard < answer.count || (!whole && s_chance (50)))
        return;
    s_take_answer (worker);
    if (answer.request.kind == REQUEST_SYNC) {
        if (s_trace)
            print_message ("%llu: worker %d hears head %llu-%llu, past %u\n",
                           (unsigned long long)s_now, (int)(worker - s_workers),
                           (unsigned long long)zc_id_ms (answer.head),
                           (unsigned long long)(answer.head & 0xfffff), answer.past);
        worker->doubt = answer.doubt.position;
        worker->past = s_past;
        if (zc_hub_synced (worker->hub, answer.request.token, &answer.doubt, answer.head,
                           answer.dropped, answer.last, answer.last_count))
            worker->pipe_first = worker->pipe_count;
    } else if (answer.request.kind == REQUEST_TOPICS) {
        s_hear_topics (worker, &answer);
    } else {
        zc_hub_fetched (worker->hub, answer.request.token, answer.head, answer.floor, answer.since,
                        answer.unknown, answer.remaining, false);
    }
}

/*  ERR, or no further part of an answer within its time. */
static void s_answer_fails (s_worker_t *worker)
{
    if (worker->answer_count == 0)
        return;
    uint64_t token = worker->answers[0].request.token;
    s_take_answer (worker);
    zc_hub_failed (worker->hub, token);
}

static void s_worker_receives (s_worker_t *worker)
{
    s_broker = worker->broker;
    if (s_chance (30))
        worker->full = false;
    if (worker->pipe_first == worker->pipe_count || !zc_hub_listens (worker->hub))
        return;
    zc_buf_t meta = ZC_BUF_INIT;
    zc_message_t message;
    char text[32];
    const s_copy_t *copy = &worker->pipe[worker->pipe_first++];
    s_frame (&s_log[copy->index], copy->dropped, &message, text, &meta);
    zc_hub_message (worker->hub, &message);
    zc_hub_settle (worker->hub);
    zc_buf_clear (&meta);
}

static void s_subscription_arrives (s_worker_t *worker)
{
    if (worker->subscription_done == worker->subscription_count)
        return;
    s_subscription_t *one = &worker->subscriptions[worker->subscription_done++];
    worker->live[one->text] = one->on;
}

/*  Messages at the worker are read, or lost with the socket. */
static void s_read_or_lose (s_worker_t *worker)
{
    if (s_chance (50) || !zc_hub_listens (worker->hub))
        worker->pipe_count = worker->pipe_first;
    while (worker->pipe_first < worker->pipe_count)
        s_worker_receives (worker);
}

static void s_say (s_worker_t *worker, zc_monitor_event_t event)
{
    assert_true (worker->news_count < 64);
    worker->news[worker->news_count++] = event;
}

/*  Messages in a subscriber's queue stay there, and are read once the next connection stands. */
static void s_lose_connection (s_worker_t *worker)
{
    if (worker->pipe_count > worker->pipe_first)
        worker->pipe_count -= s_random ((unsigned)(worker->pipe_count - worker->pipe_first) + 1);
    worker->gives_up = worker->answered != NULL;
    s_say (worker, ZC_MONITOR_DOWN);
}

static void s_unplug (s_worker_t *worker)
{
    if (!worker->connected)
        return;
    if (worker->subscriber)
        s_lose_connection (worker);
    else
        s_read_or_lose (worker);
    worker->connected = worker->full = false;
    memset (worker->live, 0, sizeof worker->live);
    worker->subscription_count = worker->subscription_done = 0;
    worker->request_count = worker->answer_count = worker->heard = 0;
    if (worker->hub)
        zc_hub_disconnected (worker->hub);
}

static void s_plug (s_worker_t *worker)
{
    if (worker->connected)
        return;
    worker->connected = true;
    for (unsigned i = 0; i < TEXTS; i++)
        if (worker->wanted[i])
            worker->subscriptions[worker->subscription_count++] = (s_subscription_t){true, i};
    if (worker->hub)
        zc_hub_connected (worker->hub);
    else
        s_say (worker, ZC_MONITOR_UP);
}

/*  ZeroMQ goes by prefixes: a worker gets more than it has asked for. */
static bool s_is_for (const s_worker_t *worker, unsigned topic)
{
    for (unsigned i = 0; i < TEXTS; i++)
        if (worker->live[i] && zc_slice_begins (s_name (topic), s_name (i)))
            return true;
    return false;
}

/*  The broker reads one more message of the log, and passes it on. */
static void s_broker_reads (bool may_drop)
{
    if (s_got == s_logged)
        return;
    const s_message_t *message = &s_log[s_got];
    zc_id_t dropped = s_dropped;
    s_head = s_last[message->topic] = message->id;
    s_heard_of[message->topic] = true;
    for (unsigned i = 0; i < WORKERS; i++) {
        s_worker_t *worker = &s_workers[i];
        if (worker->broker != s_broker || !s_is_for (worker, message->topic) || worker->full)
            continue;
        worker->full = may_drop && s_chance (6);
        if (worker->full)
            s_dropped = s_head; /* told once */
        else
            worker->pipe[worker->pipe_count++] = (s_copy_t){s_got, dropped};
    }
    s_got++;
}

static void s_publish_on (unsigned topic, bool may_drop)
{
    if (s_logged == MESSAGES_MAX)
        return;
    s_message_t *message = &s_log[s_logged++];
    for (s_broker = 0; s_broker < s_broker_count; s_broker++)
        s_given = s_dropped > s_given ? s_dropped : s_given;
    s_given = zc_id_next (s_given, s_now);
    *message = (s_message_t){.topic = topic,
                             .number = ++s_numbers[topic],
                             .id = s_given,
                             .past = s_past,
                             .own_id = s_chance (20)};
    for (s_broker = 0; s_broker < s_broker_count; s_broker++) {
        message->prev[s_broker] = s_newest[topic];
        s_newest[topic] = s_given;
    }
    if (s_trace)
        print_message ("%llu: published M %u %llu %llu-%llu\n", (unsigned long long)s_now, topic,
                       (unsigned long long)message->number, (unsigned long long)zc_id_ms (s_given),
                       (unsigned long long)(s_given & 0xfffff));
    for (s_broker = 0; s_broker < s_broker_count; s_broker++)
        if (s_got == s_logged - 1 && (s_broker_count == 1 || s_chance (80)))
            s_broker_reads (may_drop);
    s_broker = 0;
}

/*  Now and then `dropped` grows by itself, to a position that no message has. */
static void s_move_dropped (void)
{
    if (s_dropped != ZC_ID_NONE && s_head >= s_dropped && s_got == s_logged)
        s_dropped = zc_id_next (s_given, s_now);
}

static void s_publish (bool may_drop)
{
    s_publish_on (s_random (TOPICS), may_drop);
}

static void s_trim_history (void)
{
    if (s_got < s_logged)
        return;
    unsigned topic = s_random (TOPICS);
    bool all = s_chance (20);
    unsigned left = all ? MESSAGES_MAX : 1 + s_random (5);
    for (size_t i = 0; i < s_logged && left; i++) {
        if (s_log[i].topic == topic && !s_is_lost (&s_log[i])) {
            s_log[i].lost |= 1u << s_broker;
            s_floor[topic] = s_log[i].id;
            left--;
        }
    }
    if (!all)
        return;
    /* The topic is forgotten: the broker has never heard of it. */
    s_last[topic] = s_newest[topic] = s_floor[topic] = s_forgotten = s_head;
    s_heard_of[topic] = false;
}

/*  Clients. */
typedef struct {
    zc_id_t since, from;
    unsigned topics; /* a bit for each */
    unsigned past;
    bool brought; /* the client came back with a position of an earlier past */
} s_gap_t;

typedef struct {
    zc_client_t base;
    s_worker_t *worker;        /* NULL: away */
    bool topics[TOPICS];       /* that it gets */
    bool selectors[SELECTORS]; /* by some of these; it names the others */
    uint64_t seen[TOPICS];     /* newest number */
    uint64_t owed[TOPICS];     /* all messages above this must come, or be in a gap */
    char last_id[300];
    char
        own_id[300]; /* of the message that last_id is of; empty: it is of none, or none with one */
    char came[300];  /* the id that it came back with */
    unsigned past;   /* to which last_id belongs */
    unsigned came_past; /* to which `came` belongs */
    bool blind;         /* nobody can tell that its position is of another past */
    char line[512];
    size_t line_len;
    bool reading;
    bool cut; /* later bytes don't reach it; it will come back */
    bool verdict_due;
    unsigned heartbeats;
    s_gap_t gaps[512];
    size_t gap_count;
    /*  Of the owner of a subscriber: */
    bool texts[TEXTS], prefixes[TEXTS]; /* subscribed to */
    bool begun;                         /* it knows where it begins */
    bool resuming;                      /* it came back, and nothing has come yet */
} s_client_t;

static s_client_t s_clients[CLIENTS];

static void s_message_bytes (zc_buf_t *out, const zc_message_t *message)
{
    char id[ZC_ID_SIZE];
    zc_id_format (message->id, id);
    zc_buf_addf (out, "M %u %.*s %s %.*s\n", s_topic_of (message->topic.at, message->topic.len),
                 (int)message->payload.len, message->payload.at, id,
                 message->event_id.len ? (int)message->event_id.len : 1,
                 message->event_id.len ? message->event_id.at : "-");
}

static void s_verdict_bytes (zc_buf_t *out, const zc_verdict_t *verdict)
{
    char from[ZC_ID_SIZE], position[ZC_ID_SIZE];
    zc_id_format (verdict->from, from);
    zc_id_format (verdict->position, position);
    zc_buf_addf (out, "V %d %.*s %s %s %d\n", verdict->gap, (int)verdict->since.len,
                 verdict->since.at, from, position,
                 verdict->topic.len ? (int)s_topic_of (verdict->topic.at, verdict->topic.len) : -1);
}

static void s_heartbeat_bytes (zc_buf_t *out, zc_id_t position)
{
    char text[ZC_ID_SIZE];
    zc_id_format (position, text);
    zc_buf_addf (out, "H %s\n", text);
}

static const zc_encoding_t s_alone = {
    "alone", s_message_bytes, s_verdict_bytes, s_heartbeat_bytes, true, NULL, NULL};
/*  The same bytes, on channels of their own. */
static const zc_encoding_t s_encodings[] = {
    {"test", s_message_bytes, s_verdict_bytes, s_heartbeat_bytes, true, &s_alone, NULL},
    {"test2", s_message_bytes, s_verdict_bytes, s_heartbeat_bytes, true, NULL, NULL},
};

static zc_id_t s_id (const char *text)
{
    zc_id_t id = ZC_ID_NONE;
    assert_int_equal (zc_id_parse (text, strlen (text), &id), 0);
    return id;
}

/*  A gap excuses messages that are gone from history. It covers messages that are still there
 *  only if the client was too slow for its policy, or came back with a position from before the
 *  clock was set back. */
static bool s_covers (const s_gap_t *gap, const s_message_t *message)
{
    bool back = gap->since > gap->from;
    if (!(gap->topics & 1u << message->topic))
        return false;
    if (message->past < gap->past || (gap->brought && message->id <= gap->from))
        return true;
    if (!message->lost && s_policy == ZC_SLOW_DISCONNECT)
        return false;
    return (back || message->id > gap->since) && message->id <= gap->from;
}

static bool s_excused (const s_client_t *client, const s_message_t *message)
{
    for (size_t i = 0; i < client->gap_count; i++)
        if (s_covers (&client->gaps[i], message))
            return true;
    return false;
}

static uint64_t s_first_owed (const s_client_t *client, unsigned topic)
{
    uint64_t seen = client->seen[topic], owed = client->owed[topic];
    return (seen > owed ? seen : owed) + 1;
}

/*  All messages in (seen, number) were owed to the client, unless a stated gap covers them. */
static void s_check_hole (const s_client_t *client, unsigned topic, uint64_t number)
{
    uint64_t first = s_first_owed (client, topic);
    for (size_t i = 0; i < s_logged; i++) {
        const s_message_t *message = &s_log[i];
        if (message->topic == topic && message->number >= first && message->number < number &&
            !s_excused (client, message))
            fail_msg ("client %d: topic %u: %llu is missing before %llu", (int)(client - s_clients),
                      topic, (unsigned long long)message->number, (unsigned long long)number);
    }
}

/*  If the client were cut off here, and came back with its id, all messages that it is owed
 *  would follow. (Positions from before the clock was set back have another meaning.) */
static void s_check_cursor (const s_client_t *client)
{
    zc_id_t at;
    if (zc_id_parse (client->last_id, strlen (client->last_id), &at) != 0)
        return;
    for (size_t i = 0; i < s_logged; i++) {
        const s_message_t *message = &s_log[i];
        if (message->past == client->past && message->id <= at && message->id >= s_doubt &&
            client->topics[message->topic] &&
            message->number >= s_first_owed (client, message->topic) &&
            !s_excused (client, message))
            fail_msg ("client %d: topic %u: who comes back after '%s' never gets %llu",
                      (int)(client - s_clients), message->topic, client->line,
                      (unsigned long long)message->number);
    }
}

static unsigned s_past_of (unsigned topic, uint64_t number)
{
    for (size_t i = 0; i < s_logged; i++)
        if (s_log[i].topic == topic && s_log[i].number == number)
            return s_log[i].past;
    fail_msg ("topic %u: nobody published %llu", topic, (unsigned long long)number);
    return 0;
}

/*  A worker's bytes for a client may be from before the worker heard of another line; those with
 *  a position before the line's first are. */
static unsigned s_past_at (const s_client_t *client, zc_id_t position)
{
    unsigned past = client->worker->past;
    bool earlier = position < s_begun || (position > s_head && position > s_boot);
    return past > 0 && earlier ? past - 1 : past;
}

/*  A message has come. */
static void s_see (s_client_t *client, unsigned topic, uint64_t number)
{
    if (number <= client->seen[topic])
        fail_msg ("client %d: topic %u: %llu again after %llu", (int)(client - s_clients), topic,
                  (unsigned long long)number, (unsigned long long)client->seen[topic]);
    s_check_hole (client, topic, number);
    client->seen[topic] = number;
}

static void s_excuse (s_client_t *client, s_gap_t gap)
{
    assert_true (client->gap_count < 512);
    client->gaps[client->gap_count++] = gap;
}

static void s_line (s_client_t *client)
{
    if (s_trace)
        print_message ("%llu: client %d at worker %d: %s\n", (unsigned long long)s_now,
                       (int)(client - s_clients), (int)(client->worker - s_workers), client->line);
    unsigned topic;
    unsigned long long number;
    char id[64], shown[300], from[64], position[64];
    int gap, about;
    if (sscanf (client->line, "M %u %llu %63s %299s", &topic, &number, id, shown) == 4) {
        assert_false (client->verdict_due);
        if (!client->topics[topic]) /* it has moved away; the message was on its way */
            return;
        s_see (client, topic, number);
        client->past = s_past_of (topic, number);
        strcpy (client->last_id, id);
        strcpy (client->own_id, strcmp (shown, "-") == 0 ? "" : shown);
    } else if (sscanf (client->line, "V %d %299s %63s %63s %d", &gap, shown, from, position,
                       &about) == 5) {
        if (client->verdict_due)
            assert_string_equal (shown, client->came);
        bool brought = client->verdict_due && client->came_past < s_past;
        client->verdict_due = false;
        if (gap && s_lossless && s_policy == ZC_SLOW_DISCONNECT)
            fail_msg ("a gap is stated where nothing was lost: '%s'", client->line);
        if (gap) {
            zc_id_t since = ZC_ID_NONE;
            bool own = zc_id_parse (shown, strlen (shown), &since) != 0;
            /* all messages that there are follow */
            if (own && s_id (position) < s_id (client->last_id))
                memset (client->seen, 0, sizeof client->seen);
            if (!*client->last_id ? s_past > 0 : client->past < s_past)
                since = ZC_ID_NONE; /* it is of another line */
            s_excuse (client, (s_gap_t){since, s_id (from), about < 0 ? ~0u : 1u << about, s_past,
                                        brought});
        } else if (brought && client->blind) {
            zc_id_t came = ZC_ID_NONE;
            zc_id_parse (client->came, strlen (client->came), &came);
            s_excuse (client, (s_gap_t){came, came, ~0u, s_past, true});
        }
        strcpy (client->last_id, position);
        client->past = s_past_at (client, s_id (position));
        *client->own_id = 0;
    } else if (sscanf (client->line, "H %63s", id) == 1) {
        client->heartbeats++;
        if (s_id (id) != ZC_ID_NONE) {
            if (!*client->last_id)
                client->past = s_past_at (client, s_id (id));
            strcpy (client->last_id, id);
            *client->own_id = 0;
        }
    } else {
        fail_msg ("garbled: '%s'", client->line);
    }
    s_check_cursor (client);
}

/*  The client takes the byte, or is gone before it gets it. */
static void s_byte (s_client_t *client, char byte)
{
    client->cut = client->cut || (s_cuts && s_random (2000) == 0);
    if (client->cut)
        return;
    if (byte == '\n') {
        client->line[client->line_len] = 0;
        s_line (client);
        client->line_len = 0;
    } else {
        assert_true (client->line_len < sizeof client->line - 1);
        client->line[client->line_len++] = byte;
    }
}

static long s_write (zc_client_t *base, const struct iovec *iov, int count)
{
    s_client_t *client = (s_client_t *)base;
    long taken = 0;
    if (!client->reading)
        return 0;
    size_t limit = s_chance (20) ? s_random (60) : SIZE_MAX;
    for (int i = 0; i < count; i++) {
        const char *at = iov[i].iov_base;
        for (size_t k = 0; k < iov[i].iov_len; k++, taken++) {
            if ((size_t)taken == limit)
                return taken;
            s_byte (client, at[k]);
        }
    }
    return taken;
}

static void s_want_write (zc_client_t *base, bool on)
{
    (void)base;
    (void)on;
}

static void s_gone (zc_client_t *base, zc_gone_t why)
{
    s_client_t *client = (s_client_t *)base;
    assert_true (why == ZC_GONE_SLOW || why == ZC_GONE_HELD);
    client->worker = NULL;
}

static void s_describe (zc_client_t *base, char *text, size_t size)
{
    (void)base;
    snprintf (text, size, "test");
}

static const zc_transport_t s_transport = {
    .name = "test",
    .write = s_write,
    .want_write = s_want_write,
    .gone = s_gone,
    .describe = s_describe,
};

/*  What the pump does for one client, without a loop. */
static void s_pump (s_client_t *client)
{
    struct iovec iov[2];
    zc_client_t *base = &client->base;
    if (!client->worker)
        return;
    zc_rounds_t *rounds = zc_hub_rounds (client->worker->hub);
    zc_rounds_set_blocked (rounds, base, false);
    for (;;) {
        size_t count = zc_client_gather (base, iov), total = 0;
        if (count == 0 && base->join) {
            zc_hub_client_drained (client->worker->hub, base);
            count = zc_client_gather (base, iov);
        }
        if (count == 0)
            return;
        for (size_t i = 0; i < count; i++)
            total += iov[i].iov_len;
        long sent = s_write (base, iov, (int)count);
        zc_client_sent (base, (size_t)sent);
        if ((size_t)sent < total) {
            zc_rounds_set_blocked (rounds, base, true);
            return;
        }
    }
}

static void s_flush (s_worker_t *worker)
{
    zc_client_t *client;
    while ((client = zc_rounds_next_ready (zc_hub_rounds (worker->hub))))
        if (!client->blocked)
            s_pump ((s_client_t *)client);
    if (!zc_rounds_under_way (zc_hub_rounds (worker->hub)) &&
        zc_rounds_dirty (zc_hub_rounds (worker->hub)))
        zc_rounds_begin (zc_hub_rounds (worker->hub));
    unsigned some = s_random (8);
    while (some-- && (client = zc_rounds_next (zc_hub_rounds (worker->hub))))
        s_pump ((s_client_t *)client);
}

static size_t s_choose (s_client_t *client, zc_slice_t *topics)
{
    size_t count = 0;
    unsigned first = s_random (TOPICS);
    memset (client->topics, 0, sizeof client->topics);
    memset (client->selectors, 0, sizeof client->selectors);
    unsigned mask = 0;
    for (unsigned i = 0; i < SELECTORS && s_selects; i++) {
        if (s_chance (20)) {
            client->selectors[i] = true;
            mask |= s_selectors[i].topics;
            topics[count++] = (zc_slice_t){s_selector_names[i], strlen (s_selector_names[i])};
        }
    }
    for (unsigned i = 0; i < TOPICS; i++)
        client->topics[i] = mask >> i & 1;
    for (unsigned i = 0; i < TOPICS; i++) {
        if ((i == 0 && !mask) || s_chance (30)) {
            unsigned topic = (first + i) % TOPICS;
            client->topics[topic] = true;
            topics[count++] = (zc_slice_t){s_names[topic], strlen (s_names[topic])};
        }
    }
    return count;
}

static size_t s_current (const s_client_t *client, zc_slice_t *topics)
{
    size_t count = 0;
    unsigned mask = 0;
    for (unsigned i = 0; i < SELECTORS; i++)
        if (client->selectors[i]) {
            mask |= s_selectors[i].topics;
            topics[count++] = (zc_slice_t){s_selector_names[i], strlen (s_selector_names[i])};
        }
    for (unsigned i = 0; i < TOPICS; i++)
        if (client->topics[i] && !(mask & 1u << i))
            topics[count++] = (zc_slice_t){s_names[i], strlen (s_names[i])};
    return count;
}

static void s_owe_from_now (s_client_t *client, unsigned topic)
{
    client->owed[topic] = s_numbers[topic];
    client->seen[topic] = 0;
}

/*  A client that comes back with a position from before the clock was set back can be told so if
 *  that is known: workers with that position have said so, and this worker has heard of it. */
static void s_note_past (s_client_t *client, const s_worker_t *worker)
{
    zc_id_t at = ZC_ID_NONE;
    client->came_past = client->past;
    zc_id_parse (client->came, strlen (client->came), &at);
    client->blind = at >= worker->doubt;
}

static void s_join (s_client_t *client, s_worker_t *worker)
{
    zc_slice_t topics[NAMES];
    size_t count;
    client->line_len = 0;
    client->worker = worker;
    client->reading = true;
    client->cut = false;
    client->base = (zc_client_t){.transport = &s_transport, .fd = -1};
    if (s_trace)
        print_message ("%llu: client %d joins worker %d, last id '%s'\n", (unsigned long long)s_now,
                       (int)(client - s_clients), (int)(worker - s_workers), client->last_id);
    if (*client->last_id && s_chance (90)) {
        count = s_current (client, topics);
        client->verdict_due = true;
    } else {
        *client->last_id = *client->own_id = 0;
        count = s_choose (client, topics);
        client->gap_count = 0;
        client->verdict_due = false;
        for (unsigned i = 0; i < TOPICS; i++)
            s_owe_from_now (client, i);
    }
    /*  A publisher's own id, as clients of earlier versions have. */
    strcpy (client->came, *client->own_id && s_chance (50) ? client->own_id : client->last_id);
    s_note_past (client, worker);
    zc_hub_join (worker->hub, &client->base, &s_encodings[s_random (2)], topics, count, NULL,
                 (zc_slice_t){client->came, strlen (client->came)});
    s_pump (client);
}

static void s_leave (s_client_t *client)
{
    if (client->worker)
        zc_hub_leave (client->worker->hub, &client->base);
    client->worker = NULL;
}

/*  Sets the clock back to before all positions, or by a little; then some positions are given
 *  twice. A client that hasn't been told yet where it begins, begins where it is told: nothing
 *  is owed to it. */
static void s_set_clock_back (bool far)
{
    s_past++;
    s_believes = !far || s_chance (50);
    s_now = far ? S_BEGIN_MS / 2 : s_now - 1 - s_random (2000);
    s_given = far ? ZC_ID_NONE : zc_id_from_ms (s_now) - 1;
    for (unsigned i = 0; i < CLIENTS; i++)
        if (!*s_clients[i].last_id && s_clients[i].worker && s_clients[i].worker->hub)
            s_leave (&s_clients[i]);
}

/*  History is lost. If the last position was kept, positions go on from there, on their line;
 *  otherwise, by the clock, on another one. */
static void s_begin_history (bool keeps_position)
{
    bool older = !zc_line_known (&s_order);
    s_head = s_boot = s_given = zc_id_next (s_given, s_now);
    if (!keeps_position && !older)
        zc_line_make (&s_order, s_begun = s_boot, ++s_lines);
    s_doubt = keeps_position ? s_doubt : ZC_ID_NONE;
    s_got = s_logged;
    for (size_t i = 0; i < s_logged; i++)
        s_log[i].lost |= 1u << s_broker;
    for (unsigned i = 0; i < TOPICS; i++)
        s_last[i] = s_newest[i] = s_floor[i] = s_boot; /* nobody knows what was before */
    s_forgotten = s_boot;
    memset (s_heard_of, 0, sizeof s_heard_of);
}

static void s_lose_history (void)
{
    bool keeps_position = s_chance (40);
    bool older = !zc_line_known (&s_order);
    s_now++;
    if (s_past == 0 && !keeps_position && s_chance (50))
        s_set_clock_back (older || s_chance (30));
    s_begin_history (keeps_position);
}

/*  The broker has read only a part of the log. */
static void s_be_late (void)
{
    unsigned back = s_random (20);
    while (s_got > 0 && back-- > 0 && !s_is_lost (&s_log[s_got - 1]))
        s_got--;
    for (unsigned i = 0; i < TOPICS; i++) {
        s_last[i] = s_floor[i];
        s_heard_of[i] = s_heard_of[i] && s_floor[i] > s_forgotten;
    }
    s_head = s_boot;
    for (size_t i = 0; i < s_got; i++) {
        if (s_log[i].past == s_past && s_log[i].id > s_boot)
            s_head = s_log[i].id;
        if (!s_is_lost (&s_log[i])) {
            s_last[s_log[i].topic] = s_log[i].id;
            s_heard_of[s_log[i].topic] = true;
        }
    }
}

static void s_restart_broker (bool durable)
{
    if (s_trace)
        print_message ("%llu: broker restarts, %s\n", (unsigned long long)s_now,
                       durable ? "durable" : "loses history");
    unsigned broker = s_broker;
    for (unsigned i = 0; i < WORKERS; i++)
        if (s_workers[i].broker == broker)
            s_unplug (&s_workers[i]);
    s_broker = broker;
    s_dropped = ZC_ID_NONE;
    if (!durable && s_broker_count == 1)
        s_lose_history ();
    else if (zc_line_known (&s_order) && s_chance (50))
        s_be_late ();
}

static void s_move (s_client_t *client)
{
    zc_slice_t topics[NAMES];
    bool had[TOPICS];
    if (!client->worker || client->verdict_due || client->cut)
        return;
    memcpy (had, client->topics, sizeof had);
    size_t count = s_choose (client, topics);
    for (unsigned i = 0; i < TOPICS; i++)
        if (client->topics[i] && !had[i])
            s_owe_from_now (client, i);
    zc_hub_move (client->worker->hub, &client->base, topics, count, NULL);
    s_pump (client);
}

static zc_slow_t s_slow_policy (void *arg, zc_slice_t topic)
{
    (void)arg;
    (void)topic;
    return s_policy;
}

static uint64_t s_wall (void)
{
    return s_now;
}

static zc_hub_config_t s_config (void)
{
    return (zc_hub_config_t){.max_held = s_chance (30) ? 1000 + s_random (8000) : 0,
                             .max_lag = 300,
                             .max_hold = s_chance (50) ? 1 + s_random (2000) : 0,
                             .retain = 300 + (s_chance (50) ? s_random (2000) : 0),
                             .retain_ms = 2000,
                             .linger_ms = s_random (500),
                             .heartbeat_ms = 700,
                             .max_topics = TOPICS,
                             .slow_policy = s_slow_policy,
                             .wall_ms = s_wall};
}

static unsigned s_random_broker (void)
{
    return s_broker_count == 1 ? 0 : s_random (s_broker_count);
}

static void s_start (s_worker_t *worker)
{
    zc_hub_config_t config = s_config ();
    zc_upstream_t upstream = {worker, s_subscribe, s_unsubscribe, s_sync, s_fetch, s_list};
    memset (worker, 0, sizeof *worker);
    worker->broker = s_random_broker ();
    worker->hub = zc_hub_new (&config, &upstream);
    zc_hub_tick (worker->hub, s_now);
    s_plug (worker);
}

static void s_kill (s_worker_t *worker)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (s_clients[i].worker == worker)
            s_leave (&s_clients[i]);
    zc_hub_destroy (&worker->hub);
}

/*  A subscriber's sockets: lib/peer/control.h, monitor.h, redial.h, and the functions of ZeroMQ
 *  that it uses. Each of them stands for its worker. */

static uint64_t s_mono;

uint64_t __wrap_zc_mono_ms (void);
void *__wrap_zmq_socket (void *context, int type);
int __wrap_zmq_close (void *socket);
int __wrap_zmq_setsockopt (void *socket, int option, const void *value, size_t len);
int __wrap_zmq_getsockopt (void *socket, int option, void *value, size_t *len);
int __wrap_zmq_msg_recv (zmq_msg_t *message, void *socket, int flags);
int __wrap_zmq_msg_more (const zmq_msg_t *message);

uint64_t __wrap_zc_mono_ms (void)
{
    return s_mono;
}

void *__wrap_zmq_socket (void *context, int type)
{
    (void)type;
    return context;
}

int __wrap_zmq_close (void *socket)
{
    (void)socket;
    return 0;
}

int __wrap_zmq_setsockopt (void *socket, int option, const void *value, size_t len)
{
    const char *text = value;
    if (option != ZMQ_SUBSCRIBE || (len > 0 && text[0] == 1)) /* a nonce comes after the others */
        return 0;
    for (unsigned i = 0; i < TEXTS; i++)
        if (zc_slice_compare (s_name (i), (zc_slice_t){text, len}) == 0)
            s_subscription (socket, i, true);
    return 0;
}

int __wrap_zmq_getsockopt (void *socket, int option, void *value, size_t *len)
{
    (void)socket, (void)option, (void)value, (void)len;
    return 0;
}

static zc_slice_t s_frames[3]; /* of the message that is being read */
static size_t s_frame_at;

static bool s_next_message (s_worker_t *worker)
{
    static zc_buf_t meta;
    static zc_message_t message;
    static char text[32];
    if ((worker->budget == 0 && !worker->fresh) || worker->pipe_first == worker->pipe_count)
        return false;
    worker->budget -= worker->budget > 0;
    const s_copy_t *copy = &worker->pipe[worker->pipe_first++];
    s_frame (&s_log[copy->index], copy->dropped, &message, text, &meta);
    if (s_trace)
        print_message ("%llu: subscriber %d reads M %u %s %llu-%llu, dropped %llu-%llu\n",
                       (unsigned long long)s_now, (int)(worker - s_workers),
                       s_log[copy->index].topic, text, (unsigned long long)zc_id_ms (message.id),
                       (unsigned long long)(message.id & 0xfffff),
                       (unsigned long long)zc_id_ms (copy->dropped),
                       (unsigned long long)(copy->dropped & 0xfffff));
    s_frames[0] = message.topic;
    s_frames[1] = message.payload;
    s_frames[2] = message.meta;
    return true;
}

int __wrap_zmq_msg_recv (zmq_msg_t *message, void *socket, int flags)
{
    (void)flags;
    if (s_frame_at == 0 && !s_next_message (socket))
        return -1;
    zc_slice_t frame = s_frames[s_frame_at];
    s_frame_at = (s_frame_at + 1) % 3;
    zmq_msg_close (message);
    zmq_msg_init_size (message, frame.len);
    memcpy (zmq_msg_data (message), frame.at, frame.len);
    return (int)frame.len;
}

int __wrap_zmq_msg_more (const zmq_msg_t *message)
{
    (void)message;
    return s_frame_at != 0;
}

zc_control_t *zc_control_new (void *context, const char *endpoint)
{
    (void)endpoint;
    return context;
}

void zc_control_destroy (zc_control_t **self_p)
{
    *self_p = NULL;
}

bool zc_control_connected (zc_control_t *self)
{
    return ((s_worker_t *)(void *)self)->connected;
}

uint64_t zc_control_request (zc_control_t *self, const zc_ask_t *ask, unsigned timeout_ms,
                             zc_control_fn fn, void *arg)
{
    static const s_request_kind_t kinds[ZC_VERBS] = {
        [ZC_SYNC] = REQUEST_SYNC, [ZC_FETCH] = REQUEST_FETCH, [ZC_TOPICS] = REQUEST_TOPICS};
    s_worker_t *worker = (s_worker_t *)(void *)self;
    (void)timeout_ms;
    assert_null (worker->answered); /* there is one request at a time */
    s_request_t *request =
        s_request (worker, kinds[ask->verb], 0, ask->list.at ? ask->list.at : "", ask->list.len);
    request->subscribed = ask->nonce.len ? worker->subscription_count : 0;
    request->modern = ask->line.len > 0;
    if (request->modern && !zc_slice_is (ask->line, "?"))
        zc_line_parse (&request->place.line, ask->line);
    request->place.position = ask->have;
    if (ask->since_text.len)
        memcpy (request->since, ask->since_text.at, ask->since_text.len);
    else
        zc_id_format (ask->since, request->since);
    for (size_t i = 0; i < ask->frame_count; i++)
        request->mask |= s_mask (ask->frames[i]);
    worker->answered = fn;
    worker->arg = arg;
    worker->fresh = false;
    if (s_trace)
        print_message ("%llu: subscriber %d asks %s %s %.*s\n", (unsigned long long)s_now,
                       (int)(worker - s_workers), zc_verb_name (ask->verb), request->since,
                       (int)ask->list.len, ask->list.at ? ask->list.at : "");
    return 1;
}

void zc_control_reset (zc_control_t *self)
{
    s_worker_t *worker = (s_worker_t *)(void *)self;
    worker->answered = NULL;
    worker->gives_up = false;
    worker->request_count = worker->answer_count = worker->heard = 0;
}

uint64_t zc_control_moved_ms (zc_control_t *self)
{
    (void)self;
    return s_mono;
}

size_t zc_control_pollitems (zc_control_t *self, zmq_pollitem_t items[2])
{
    (void)self, (void)items;
    return 0;
}

void zc_control_move (zc_control_t *self, const char *endpoint)
{
    (void)self, (void)endpoint;
    fail ();
}

long zc_control_timeout (const zc_control_t *self)
{
    (void)self;
    return -1;
}

static void s_reply (s_worker_t *worker, const zc_answer_t *answer)
{
    if (s_trace)
        print_message (
            "%llu: subscriber %d hears %d %.*s head %llu-%llu dropped %llu-%llu floor %llu-%llu "
            "line %.*s lasts %.*s%.*s\n",
            (unsigned long long)s_now, (int)(worker - s_workers), answer->kind,
            (int)answer->code.len, answer->code.at, (unsigned long long)zc_id_ms (answer->head),
            (unsigned long long)(answer->head & 0xfffff),
            (unsigned long long)zc_id_ms (answer->dropped),
            (unsigned long long)(answer->dropped & 0xfffff),
            (unsigned long long)zc_id_ms (answer->floor),
            (unsigned long long)(answer->floor & 0xfffff), (int)answer->line.len, answer->line.at,
            (int)answer->lasts.len, answer->lasts.at, (int)answer->listed.len, answer->listed.at);
    zc_control_fn fn = worker->answered;
    if (!answer->more)
        worker->answered = NULL;
    fn (worker->arg, answer);
}

static void s_reply_message (s_worker_t *worker, const s_answer_t *answer)
{
    zc_buf_t meta = ZC_BUF_INIT;
    char text[32];
    zc_answer_t part = {.verb = ZC_FETCH, .kind = ZC_MSG, .more = true};
    s_frame (&s_log[answer->messages[worker->heard++]], ZC_ID_NONE, &part.message, text, &meta);
    s_reply (worker, &part);
    zc_buf_clear (&meta);
}

static void s_reply_refusal (s_worker_t *worker, const s_answer_t *answer)
{
    zc_answer_t part = {
        .kind = ZC_ERR, .code = {answer->refusal, strlen (answer->refusal)}, .text = {"no", 2}};
    s_reply (worker, part.code.len ? &part : &zc_answer_none);
}

static void s_tell_begin (s_client_t *client, const s_answer_t *answer);
static void s_tell_blind (s_client_t *client, const s_answer_t *answer);

static s_client_t *s_owner (const s_worker_t *worker)
{
    return &s_clients[worker - s_workers];
}

static void s_reply_sync (s_worker_t *worker, const s_answer_t *answer)
{
    zc_buf_t lasts = ZC_BUF_INIT;
    zc_answer_t part = {.verb = ZC_SYNC, .kind = ZC_OK, .head = answer->head};
    for (size_t i = 0; i < answer->last_count; i++)
        zc_lasts_add (&lasts, answer->last[i]);
    part.dropped = answer->dropped;
    part.lasts = (zc_slice_t){(const char *)lasts.data, lasts.len};
    part.line = zc_line_slice (&answer->doubt.line);
    part.doubt = answer->doubt.position;
    if (answer->request.subscribed) {
        worker->past = answer->past;
        s_tell_begin (s_owner (worker), answer);
        s_tell_blind (s_owner (worker), answer);
    }
    s_reply (worker, &part);
    zc_buf_clear (&lasts);
}

static void s_reply_topics (s_worker_t *worker, const s_answer_t *answer)
{
    zc_buf_t list = ZC_BUF_INIT;
    zc_answer_t part = {.verb = ZC_TOPICS, .kind = ZC_OK, .head = answer->head};
    for (unsigned i = 0; i < TOPICS; i++)
        if (answer->last[i])
            zc_listed_add (&list, answer->last[i], s_name (i));
    part.forgotten = answer->floor;
    part.listed = (zc_slice_t){(const char *)list.data, list.len};
    s_reply (worker, &part);
    zc_buf_clear (&list);
}

static void s_reply_end (s_worker_t *worker, const s_answer_t *answer)
{
    zc_answer_t part = {.verb = ZC_FETCH,
                        .kind = ZC_END,
                        .head = answer->head,
                        .floor = answer->floor,
                        .since = answer->since,
                        .unknown = answer->unknown,
                        .remaining = answer->remaining};
    s_reply (worker, &part);
}

/*  One part of an answer. */
int zc_control_read (zc_control_t *self, int max)
{
    static void (*const ends[]) (s_worker_t * worker, const s_answer_t *answer) = {
        s_reply_sync, s_reply_end, s_reply_topics};
    s_worker_t *worker = (s_worker_t *)(void *)self;
    (void)max;
    if (worker->gives_up) {
        worker->gives_up = false;
        s_reply (worker, &zc_answer_none);
        return 1;
    }
    if (worker->parts == 0 || worker->answer_count == 0)
        return 0;
    worker->parts--;
    s_answer_t answer = worker->answers[0];
    if (!answer.refusal && worker->heard < answer.count) {
        s_reply_message (worker, &answer);
        return 1;
    }
    s_take_answer (worker);
    if (answer.refusal)
        s_reply_refusal (worker, &answer);
    else
        ends[answer.request.kind](worker, &answer);
    return 1;
}

zc_monitor_t *zc_monitor_new (void *context, void *socket)
{
    (void)socket;
    return context;
}

void zc_monitor_destroy (zc_monitor_t **self_p)
{
    *self_p = NULL;
}

void *zc_monitor_socket (zc_monitor_t *self)
{
    return self;
}

zc_monitor_event_t zc_monitor_read (zc_monitor_t *self)
{
    s_worker_t *worker = (s_worker_t *)(void *)self;
    if (worker->news_count == 0)
        return ZC_MONITOR_NOTHING;
    zc_monitor_event_t event = worker->news[0];
    memmove (worker->news, worker->news + 1, --worker->news_count * sizeof *worker->news);
    worker->fresh = event == ZC_MONITOR_UP;
    if (s_trace)
        print_message ("%llu: subscriber %d is %s\n", (unsigned long long)s_now,
                       (int)(worker - s_workers), worker->fresh ? "up" : "down");
    return event;
}

bool zc_monitor_is_sending (const zc_monitor_t *self)
{
    (void)self;
    return false;
}

bool zc_monitor_is_over (const zc_monitor_t *self)
{
    (void)self;
    return false;
}

void zc_give_up_sending (void *socket, int ms)
{
    (void)socket, (void)ms;
}

int zc_redial_connect (zc_redial_t *self, void *socket, const char *endpoint, unsigned attempt)
{
    (void)endpoint, (void)attempt;
    self->socket = socket;
    return 0;
}

void zc_redial_clear (zc_redial_t *self)
{
    (void)self;
}

zc_monitor_event_t zc_redial_event (const zc_redial_t *self, zc_monitor_t *monitor)
{
    (void)self;
    return zc_monitor_read (monitor);
}

void zc_redial_good (zc_redial_t *self)
{
    (void)self;
}

void zc_redial_now (zc_redial_t *self)
{
    ((s_worker_t *)self->socket)->useless = true;
}

/*  Here a subscriber knows one broker. */
void zc_redial_move (zc_redial_t *self, const char *endpoint)
{
    (void)self, (void)endpoint;
    fail ();
}

void zc_redial_try (zc_redial_t *self)
{
    (void)self;
}

long zc_redial_timeout (const zc_redial_t *self)
{
    (void)self;
    return -1;
}

/*  The owner of a subscriber. It may end after any message; a new one then goes on after the old
 *  one's position. */

/*  Without a position, it begins where the first answer says. */
static void s_tell_begin (s_client_t *client, const s_answer_t *answer)
{
    client->begun = client->begun || *client->last_id;
    if (client->begun)
        return;
    memset (client->owed, 0, sizeof client->owed);
    for (size_t i = 0; i < answer->got; i++)
        client->owed[s_log[i].topic] = s_log[i].number;
}

/*  A client with a position of an earlier past may be told nothing if the broker knows nothing
 *  of it: then the position counts as one of this past. */
static void s_tell_blind (s_client_t *client, const s_answer_t *answer)
{
    zc_id_t came = ZC_ID_NONE;
    zc_id_parse (client->came, strlen (client->came), &came);
    if (client->resuming && client->came_past < answer->past && came >= answer->doubt.position)
        s_excuse (client, (s_gap_t){came, came, ~0u, answer->past, true});
}

static void s_note_position (s_client_t *client)
{
    zc_id_t position = zc_subscriber_position (client->worker->subscriber);
    char text[ZC_ID_SIZE];
    zc_id_format (position, text);
    if (position == ZC_ID_NONE || strcmp (text, client->last_id) == 0)
        return;
    strcpy (client->last_id, text);
    client->past = client->worker->past;
}

/*  Messages after the position may come again. */
static void s_rewind (s_client_t *client, zc_id_t at, unsigned past)
{
    uint64_t newest[TOPICS] = {0};
    for (size_t i = 0; i < s_logged; i++) {
        const s_message_t *message = &s_log[i];
        if (message->past < past || (message->past == past && message->id <= at))
            newest[message->topic] = message->number;
    }
    for (unsigned i = 0; i < TOPICS; i++)
        if (client->seen[i] > newest[i])
            client->seen[i] = newest[i];
}

static void s_owner_message (void *arg, const zc_message_t *message)
{
    s_client_t *client = arg;
    unsigned topic = s_topic_of (message->topic.at, message->topic.len);
    uint64_t number = 0;
    if (client->cut)
        return;
    zc_text_u64 (message->payload.at, message->payload.len, UINT64_MAX, &number);
    snprintf (client->line, sizeof client->line, "M %u %llu", topic, (unsigned long long)number);
    if (s_trace)
        print_message ("%llu: subscriber %d: %s\n", (unsigned long long)s_now,
                       (int)(client - s_clients), client->line);
    assert_true (client->topics[topic]);
    client->resuming = false;
    s_see (client, topic, number);
    s_note_position (client);
    s_check_cursor (client);
    client->cut = s_cuts && s_random (60) == 0;
}

static void s_owner_gap (void *arg, zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to)
{
    s_client_t *client = arg;
    unsigned past = client->worker->past;
    if (client->cut)
        return;
    if (s_trace)
        print_message ("%llu: subscriber %d: gap %.*s%s %llu-%llu %llu-%llu\n",
                       (unsigned long long)s_now, (int)(client - s_clients), (int)topic.len,
                       topic.at, prefix ? "*" : "", (unsigned long long)zc_id_ms (from),
                       (unsigned long long)(from & 0xfffff), (unsigned long long)zc_id_ms (to),
                       (unsigned long long)(to & 0xfffff));
    /*  For a broker that is late, a position that it hasn't reached yet is from the future. */
    bool future = client->resuming && to < from;
    if (s_lossless && !future)
        fail_msg ("subscriber %d: a gap is stated where nothing was lost",
                  (int)(client - s_clients));
    unsigned topics = prefix ? s_mask (topic) : 1u << s_topic_of (topic.at, topic.len);
    bool brought = future || (client->resuming && client->came_past < past);
    if (future)
        s_rewind (client, to, past);
    if (client->past < past) /* it is of another line */
        from = ZC_ID_NONE;
    s_excuse (client, (s_gap_t){from, to, topics, past, brought});
}

static void s_owner_live (void *arg, bool live)
{
    s_client_t *client = arg;
    if (live)
        client->resuming = false;
}

static void s_owner_refused (void *arg, zc_slice_t code, zc_slice_t text)
{
    (void)arg, (void)text;
    fail_msg ("refused: %.*s", (int)code.len, code.at);
}

static void s_choose_texts (s_client_t *client)
{
    memset (client->topics, 0, sizeof client->topics);
    memset (client->texts, 0, sizeof client->texts);
    memset (client->prefixes, 0, sizeof client->prefixes);
    unsigned any = s_random (TEXTS);
    for (unsigned i = 0; i < TEXTS; i++) {
        client->texts[i] = i < TOPICS && (i == any || s_chance (30));
        client->prefixes[i] = (i == any && i >= TOPICS) || s_chance (i == TOPICS ? 5 : 15);
        unsigned mask = client->prefixes[i] ? s_mask (s_name (i)) : 0;
        mask |= client->texts[i] ? 1u << i : 0;
        for (unsigned topic = 0; topic < TOPICS; topic++)
            client->topics[topic] |= mask >> topic & 1;
    }
}

static void s_be_born (s_client_t *client)
{
    *client->last_id = 0;
    client->gap_count = 0;
    memset (client->seen, 0, sizeof client->seen);
    for (unsigned i = 0; i < TOPICS; i++)
        client->owed[i] = UINT64_MAX - 1; /* until it is told where it begins */
    s_choose_texts (client);
}

static void s_subscribe_anew (s_worker_t *worker)
{
    s_client_t *client = s_owner (worker);
    bool resumes = *client->last_id && s_chance (95);
    memset (worker, 0, sizeof *worker);
    client->worker = worker;
    client->cut = false;
    client->begun = client->resuming = resumes;
    if (resumes)
        s_rewind (client, s_id (client->last_id), client->past);
    else
        s_be_born (client);
    worker->past = client->came_past = client->past;
    strcpy (client->came, client->last_id);
    zc_subscriber_config_t config = {.subscribe = "",
                                     .control = "",
                                     .since = resumes ? client->came : NULL,
                                     .arg = client,
                                     .message = s_owner_message,
                                     .gap = s_owner_gap,
                                     .live = s_owner_live,
                                     .refused = s_owner_refused};
    if (s_trace)
        print_message ("%llu: subscriber %d begins after '%s'\n", (unsigned long long)s_now,
                       (int)(client - s_clients), client->last_id);
    worker->subscriber = zc_subscriber_new (worker, &config);
    for (unsigned i = 0; i < TEXTS; i++) {
        if (client->texts[i])
            zc_subscriber_add (worker->subscriber, s_name (i), false);
        if (client->prefixes[i])
            zc_subscriber_add (worker->subscriber, s_name (i), true);
    }
    s_plug (worker);
}

static void s_end_subscriber (s_worker_t *worker)
{
    zc_subscriber_destroy (&worker->subscriber);
}

static void s_subscriber_runs (s_worker_t *worker, size_t parts, size_t messages)
{
    s_client_t *client = s_owner (worker);
    if (s_chance (30))
        worker->full = false;
    worker->parts = parts;
    worker->budget = messages;
    zc_subscriber_run (worker->subscriber);
    worker->parts = worker->budget = 0;
    if (!client->cut) {
        strcpy (client->line, "a run");
        s_note_position (client);
        s_check_cursor (client);
    }
    if (worker->useless) {
        worker->useless = false;
        s_unplug (worker);
        s_plug (worker);
    }
}

/*  ERR, or no answer. */
static void s_subscriber_fails (s_worker_t *worker)
{
    static const char *const codes[] = {"", "busy", "history", "internal"};
    if (worker->answer_count)
        worker->answers[0].refusal = codes[s_random (4)];
}

static void s_subscriber_step (void)
{
    s_worker_t *worker = &s_workers[s_random (WORKERS)];
    unsigned what = s_random (1000);
    if (s_owner (worker)->cut && s_chance (50)) {
        s_end_subscriber (worker);
        s_subscribe_anew (worker);
    }
    if (what < 250) {
        s_publish (true);
    } else if (what < 560) {
        s_subscriber_runs (worker, s_random (5), s_random (4));
    } else if (what < 700) {
        s_broker_answers (worker);
    } else if (what < 800) {
        s_subscription_arrives (worker);
    } else if (what < 820) {
        worker->paused = !worker->paused;
        zc_subscriber_pause (worker->subscriber, worker->paused);
    } else if (what < 910) {
        unsigned ms = s_random (300);
        s_now += ms;
        s_mono += ms;
    } else if (what < 950) {
        s_plug (worker);
    } else if (what < 960) {
        if (s_trace)
            print_message ("%llu: unplug subscriber %d\n", (unsigned long long)s_now,
                           (int)(worker - s_workers));
        s_unplug (worker);
    } else if (what < 972) {
        if (!s_lossless)
            s_trim_history ();
    } else if (what < 977) {
        s_restart_broker (s_lossless || s_chance (70));
    } else if (what < 980) {
        s_end_subscriber (worker);
        s_subscribe_anew (worker);
    } else if (what < 990) {
        s_subscriber_fails (worker);
    } else {
        s_move_dropped ();
    }
    if (s_chance (10))
        s_broker_reads (true);
}

/*  All that is under way arrives; then nothing may be missing, and the position is after it. */
static void s_subscribers_quiesce (void)
{
    s_cuts = false;
    while (s_got < s_logged)
        s_broker_reads (false);
    s_move_dropped ();
    for (unsigned i = 0; i < WORKERS; i++) {
        s_worker_t *worker = &s_workers[i];
        worker->full = worker->paused = false;
        zc_subscriber_pause (worker->subscriber, false);
        if (s_owner (worker)->cut) {
            s_end_subscriber (worker);
            s_subscribe_anew (worker);
        }
        s_plug (worker);
    }
    for (unsigned turn = 0; turn < 400; turn++) {
        s_now += 100;
        s_mono += 100;
        for (unsigned i = 0; i < WORKERS; i++) {
            while (s_workers[i].subscription_done < s_workers[i].subscription_count)
                s_subscription_arrives (&s_workers[i]);
            s_broker_answers (&s_workers[i]);
            s_subscriber_runs (&s_workers[i], 10, 10);
        }
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        s_client_t *client = &s_clients[i];
        for (unsigned topic = 0; topic < TOPICS; topic++)
            if (client->topics[topic])
                s_check_hole (client, topic, s_numbers[topic] + 1);
        for (size_t k = 0; k < s_logged; k++)
            if (client->topics[s_log[k].topic] && s_log[k].past == s_past)
                assert_true (zc_subscriber_position (s_workers[i].subscriber) >= s_log[k].id);
    }
}

/*  The run. */

/*  A worker goes on at any broker once its connection is lost. */
static void s_go_away (s_worker_t *worker)
{
    s_unplug (worker);
    worker->broker = s_random_broker ();
    if (s_trace)
        print_message ("%llu: worker %d leaves for broker %u\n", (unsigned long long)s_now,
                       (int)(worker - s_workers), worker->broker);
}

static void s_step (void)
{
    s_broker = s_random_broker ();
    s_worker_t *worker = &s_workers[s_random (WORKERS)];
    s_client_t *client = &s_clients[s_random (CLIENTS)];
    unsigned what = s_random (1000);
    if (client->cut && s_chance (50))
        s_leave (client);
    if (what < 250) {
        s_publish (true);
    } else if (what < 430) {
        s_worker_receives (worker);
    } else if (what < 530) {
        s_broker_answers (worker);
    } else if (what < 630) {
        s_worker_hears (worker);
        if (worker->heard && s_chance (50)) { /* in the middle of a page */
            s_leave (client);
            s_join (client, worker);
        }
    } else if (what < 700) {
        s_subscription_arrives (worker);
    } else if (what < 800) {
        s_flush (worker);
    } else if (what < 840) {
        if (client->worker)
            s_leave (client);
        else
            s_join (client, worker);
    } else if (what < 860) {
        s_move (client);
    } else if (what < 880) {
        client->reading = !client->reading;
        s_pump (client);
    } else if (what < 940) {
        s_now += s_random (300);
        zc_hub_tick (worker->hub, s_now);
    } else if (what < 960) {
        s_plug (worker);
    } else if (what < 970) {
        s_go_away (worker);
    } else if (what < 980) {
        if (!s_lossless)
            s_trim_history ();
    } else if (what < 984) {
        s_restart_broker (s_lossless || s_chance (70));
    } else if (what < 988) {
        s_kill (worker);
        s_start (worker);
    } else if (what < 994) {
        s_answer_fails (worker);
    } else {
        s_move_dropped ();
    }
    s_broker = s_random_broker ();
    if (s_chance (10))
        s_broker_reads (true);
}

static void s_turns (unsigned count)
{
    while (count--) {
        s_now += 100;
        for (unsigned i = 0; i < WORKERS; i++) {
            s_worker_t *worker = &s_workers[i];
            if (!worker->hub)
                continue;
            s_subscription_arrives (worker);
            s_broker_answers (worker);
            s_worker_hears (worker);
            s_worker_receives (worker);
            zc_hub_tick (worker->hub, s_now);
            s_flush (worker);
        }
        for (unsigned i = 0; i < CLIENTS; i++)
            s_pump (&s_clients[i]);
    }
}

/*  A SYNC may be under way at any time. */
static bool s_is_idle (const s_worker_t *worker)
{
    for (size_t i = 0; i < worker->request_count; i++)
        if (worker->requests[i].kind == REQUEST_FETCH)
            return false;
    for (size_t i = 0; i < worker->answer_count; i++)
        if (worker->answers[i].request.kind == REQUEST_FETCH)
            return false;
    return worker->pipe_first == worker->pipe_count;
}

static bool s_is_under_way (void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (s_clients[i].worker && !zc_client_drained (&s_clients[i].base))
            return true;
    for (unsigned i = 0; i < WORKERS; i++)
        if (!s_is_idle (&s_workers[i]))
            return true;
    return false;
}

/*  All that is under way arrives; then nothing may be missing anywhere. */
static void s_quiesce (void)
{
    for (unsigned i = 0; i < WORKERS; i++)
        if (s_workers[i].hub)
            s_plug (&s_workers[i]);
    s_cuts = false;
    for (unsigned i = 0; i < CLIENTS; i++) {
        s_worker_t *worker = s_clients[i].worker;
        s_clients[i].reading = true;
        if (worker && s_clients[i].cut) {
            s_leave (&s_clients[i]);
            s_join (&s_clients[i], worker);
        }
    }
    for (unsigned i = 0; i < WORKERS; i++)
        s_workers[i].full = false;
    for (s_broker = 0; s_broker < s_broker_count; s_broker++) {
        while (s_got < s_logged)
            s_broker_reads (false);
        s_move_dropped ();
    }
    s_broker = 0;
    s_turns (400 * s_broker_count);
    for (unsigned i = 0; i < 20 * s_broker_count && s_is_under_way ();
         i++) /* a long replay, in small pieces */
        s_turns (100);
    for (unsigned i = 0; i < CLIENTS; i++) {
        const s_client_t *client = &s_clients[i];
        if (!client->worker)
            continue;
        assert_false (client->verdict_due);
        assert_null (client->base.join);
        for (unsigned topic = 0; topic < TOPICS; topic++)
            if (client->topics[topic] && s_policy != ZC_SLOW_LATEST)
                s_check_hole (client, topic, s_numbers[topic] + 1);
    }
}

static uint64_t s_seed;

static void s_begin (uint64_t seed)
{
    s_seed = seed;
    s_state = seed * 0x9e3779b97f4a7c15u + 1;
    s_now = S_BEGIN_MS;
    s_past = 0;
    s_cuts = s_selects = false;
    s_logged = 0;
    s_doubt = ZC_ID_NONE;
    s_given = zc_id_from_ms (s_now) - 1;
    s_lines = 0;
    zc_line_make (&s_order, s_begun = s_given, ++s_lines);
    memset (s_brokers, 0, sizeof s_brokers);
    for (s_broker = 0; s_broker < BROKERS; s_broker++) {
        s_head = s_boot = s_forgotten = s_given;
        for (unsigned i = 0; i < TOPICS; i++)
            s_last[i] = s_newest[i] = s_floor[i] = s_given;
    }
    s_broker = 0;
    s_broker_count = 1;
    memset (s_numbers, 0, sizeof s_numbers);
    memset (s_clients, 0, sizeof s_clients);
    memset (s_workers, 0, sizeof s_workers);
    s_mono = 1000;
    s_frame_at = 0;
}

static void s_be_older (void)
{
    s_order = (zc_line_t){""};
    s_begun = ZC_ID_NONE;
}

static void s_run_with (uint64_t seed, unsigned brokers)
{
    s_begin (seed);
    s_broker_count = brokers;
    s_policy = s_chance (60) ? ZC_SLOW_DISCONNECT : s_chance (50) ? ZC_SLOW_SKIP : ZC_SLOW_LATEST;
    s_lossless = s_chance (40);
    s_selects = seed % 2;
    s_cuts = s_chance (70);
    if (s_chance (20) && brokers == 1)
        s_be_older ();
    for (unsigned i = 0; i < WORKERS; i++)
        s_start (&s_workers[i]);
    for (unsigned i = 0; i < STEPS; i++)
        s_step ();
    s_quiesce ();
    for (unsigned i = 0; i < WORKERS; i++)
        s_kill (&s_workers[i]);
}

static void s_run (uint64_t seed)
{
    s_run_with (seed, 1);
}

static void s_run_two_brokers (uint64_t seed)
{
    s_run_with (seed, 2);
}

static void s_run_subscribers (uint64_t seed)
{
    s_begin (seed);
    s_policy = ZC_SLOW_DISCONNECT;
    s_lossless = s_chance (40);
    s_cuts = s_chance (70);
    if (s_chance (20))
        s_be_older ();
    for (unsigned i = 0; i < WORKERS; i++)
        s_subscribe_anew (&s_workers[i]);
    for (unsigned i = 0; i < STEPS; i++)
        s_subscriber_step ();
    s_subscribers_quiesce ();
    for (unsigned i = 0; i < WORKERS; i++)
        s_end_subscriber (&s_workers[i]);
}

static void s_run_all (void (*run) (uint64_t seed), uint64_t count)
{
    const char *seed = getenv ("SEED"), *runs = getenv ("RUNS"), *from = getenv ("FROM");
    s_trace = getenv ("TRACE") != NULL;
    if (seed) {
        run (strtoull (seed, NULL, 10));
        return;
    }
    uint64_t first = from ? strtoull (from, NULL, 10) : 1;
    count = runs ? strtoull (runs, NULL, 10) : count;
    for (uint64_t i = 0; i < count; i++)
        run (first + i);
}

static void s_random_workers (void **state)
{
    (void)state;
    s_run_all (s_run, 20000);
}

static void s_random_two_brokers (void **state)
{
    (void)state;
    s_run_all (s_run_two_brokers, 5000);
}

static void s_random_subscribers (void **state)
{
    (void)state;
    s_run_all (s_run_subscribers, 10000);
}

/*  Comes back with its last id and topics, on the channel of that encoding. */
static void s_come_back (s_client_t *client, s_worker_t *worker, const zc_encoding_t *encoding)
{
    zc_slice_t topics[NAMES];
    client->base = (zc_client_t){.transport = &s_transport, .fd = -1};
    client->worker = worker;
    client->reading = true;
    client->verdict_due = *client->last_id;
    strcpy (client->came, client->last_id);
    zc_hub_join (worker->hub, &client->base, encoding, topics, s_current (client, topics), NULL,
                 (zc_slice_t){client->came, strlen (client->came)});
}

static void s_publish_some (unsigned topic, unsigned count)
{
    while (count--)
        s_publish_on (topic, false);
}

static void s_receive_all (s_worker_t *worker)
{
    while (worker->pipe_first < worker->pipe_count)
        s_worker_receives (worker);
}

static void s_answer_all (s_worker_t *worker)
{
    while (worker->request_count || worker->answer_count) {
        s_broker_answers (worker);
        s_worker_hears (worker);
    }
}

/*  A channel that begins after another one has had a part of a page doesn't get that part: its
 *  feed begins after it. */
static void s_channel_within_a_page (void **state)
{
    (void)state;
    s_begin (1);
    s_policy = ZC_SLOW_DISCONNECT;
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    s_client_t *first = &s_clients[0], *second = &s_clients[1];
    first->topics[0] = true;
    s_come_back (first, worker, &s_encodings[0]);
    s_turns (50);
    s_publish_some (0, 1);
    s_turns (50);
    assert_int_equal (first->seen[0], 1);
    s_publish_some (0, 3);
    worker->pipe_first = worker->pipe_count; /* lost */
    s_publish_some (0, 1);
    s_receive_all (worker);
    for (; worker->answers[0].request.kind != REQUEST_FETCH; s_broker_answers (worker))
        s_worker_hears (worker);
    assert_int_equal (worker->answers[0].count, 4);
    s_hear_messages (worker, &worker->answers[0], 2);
    memcpy (second, first, sizeof *second);
    s_come_back (second, worker, &s_encodings[1]);
    s_quiesce ();
    assert_int_equal (second->seen[0], 5);
    s_kill (worker);
}

/*  For a history that begins after a topic's last message, there may have been messages before.
 *  The worker knows from a SYNC that there were none. */
static void s_history_begins_later (void **state)
{
    (void)state;
    s_begin (1);
    s_policy = ZC_SLOW_DISCONNECT;
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    s_client_t *client = &s_clients[0];
    client->topics[0] = true;
    s_come_back (client, worker, &s_encodings[0]);
    s_turns (50);
    s_publish_some (0, 1);
    s_publish_some (1, 3);
    s_turns (50);
    assert_int_equal (client->seen[0], 1);
    s_last[0] = s_newest[0] = s_floor[0] = s_head;
    for (unsigned i = 0; i < 2; i++) {
        s_unplug (worker);
        s_plug (worker);
        s_turns (50);
        s_publish_some (0, 1);
        s_turns (50);
    }
    assert_int_equal (client->gap_count, 0);
    assert_int_equal (client->seen[0], 3);
    s_kill (worker);
}

/*  A position of the previous line that lies within the feed of the new one. */
static void s_position_of_another_line (void **state)
{
    (void)state;
    s_begin (1);
    s_policy = ZC_SLOW_DISCONNECT;
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    s_client_t *stays = &s_clients[0], *leaves = &s_clients[1];
    stays->topics[0] = leaves->topics[0] = true;
    s_come_back (stays, worker, &s_encodings[0]);
    s_come_back (leaves, worker, &s_encodings[0]);
    s_turns (50);
    s_publish_some (0, 3);
    s_turns (50);
    assert_int_equal (leaves->seen[0], 3);
    s_leave (leaves);
    zc_id_format (s_log[2].id, leaves->last_id); /* not the id of a heartbeat */
    s_unplug (worker);
    s_past++;
    s_believes = true;
    s_now = zc_id_ms (s_log[2].id) - 10;
    s_given = zc_id_from_ms (s_now) - 1;
    s_begin_history (false);
    s_publish_some (0, 2);
    assert_true (s_head < s_log[2].id);
    s_plug (worker);
    s_turns (8); /* a feed keeps its messages for two seconds */
    s_publish_some (0, 2);
    s_turns (6);
    assert_int_equal (stays->gap_count, 1);
    assert_int_equal (stays->seen[0], 7);
    s_come_back (leaves, worker, &s_encodings[0]);
    leaves->came_past = 0;
    s_turns (50);
    assert_int_equal (leaves->gap_count, 1);
    assert_int_equal (leaves->seen[0], 7);
    for (unsigned i = 0; i < 2; i++)
        s_leave (&s_clients[i]);
    s_kill (worker);
}

/*  A client that came back while the broker is away gets heartbeats, whether others have a feed
 *  already or not. */
static void s_heartbeats_without_a_broker (void **state)
{
    (void)state;
    s_begin (1);
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    s_clients[0].topics[0] = true;
    s_come_back (&s_clients[0], worker, &s_encodings[0]); /* it has a feed */
    s_turns (50);
    s_unplug (worker);
    for (unsigned i = 1; i < 3; i++) {
        s_clients[i].topics[0] = true;
        strcpy (s_clients[i].last_id, "1-0");
        s_come_back (&s_clients[i], worker, &s_encodings[i - 1]);
        s_clients[i].verdict_due = false; /* not before the broker is back */
    }
    unsigned heartbeats[3];
    for (unsigned i = 0; i < 3; i++)
        heartbeats[i] = s_clients[i].heartbeats;
    s_turns (50);
    for (unsigned i = 0; i < 3; i++)
        assert_true (s_clients[i].heartbeats > heartbeats[i]);
    for (unsigned i = 0; i < 3; i++)
        s_leave (&s_clients[i]);
    s_kill (worker);
}

/*  The id that a stream's last event gives its client. */
static void s_last_ids (void **state)
{
    (void)state;
    s_begin (1);
    s_worker_t *worker = &s_workers[0];
    s_client_t *client = &s_clients[0];
    s_start (worker);
    assert_int_equal (zc_hub_last_id (&client->base), ZC_ID_NONE);
    client->topics[0] = true;
    s_come_back (client, worker, &s_encodings[0]);
    s_turns (50);
    s_publish_some (0, 2);
    s_turns (50);
    assert_int_equal (client->seen[0], 2);
    assert_true (zc_hub_last_id (&client->base) >= s_id (client->last_id));
    assert_int_equal (zc_hub_last_id (&client->base), zc_hub_position (&client->base));
    s_leave (client);
    s_unplug (worker);
    strcpy (client->last_id, "1-0");
    s_come_back (client, worker, &s_encodings[1]);
    client->verdict_due = false; /* the broker is away: it has the id that it came with */
    assert_int_equal (zc_hub_position (&client->base), ZC_ID_NONE);
    assert_int_equal (zc_hub_last_id (&client->base), s_id ("1-0"));
    s_leave (client);
    s_kill (worker);
}

/*  A transport keeps a client's bytes until its first event, which has its position: while the
 *  broker is there, and for a second at most. */
static void s_openings (void **state)
{
    (void)state;
    s_begin (1);
    s_worker_t *worker = &s_workers[0];
    s_client_t *first = &s_clients[0], *second = &s_clients[1], *third = &s_clients[2];
    first->topics[0] = second->topics[1] = third->topics[2] = true;
    s_start (worker);
    s_turns (50);

    s_come_back (first, worker, &s_encodings[0]);
    assert_true (zc_hub_opening (&first->base));
    s_turns (5);
    assert_false (zc_hub_opening (&first->base));
    assert_int_equal (first->heartbeats, 1);
    assert_int_not_equal (s_id (first->last_id), ZC_ID_NONE);

    s_come_back (second, worker, &s_encodings[0]);
    zc_client_add (&second->base, "H 0-0\n", 6); /* the head */
    for (unsigned i = 0; i < 12; i++) {          /* the broker doesn't answer */
        assert_int_equal (second->heartbeats, i < 10 ? 0 : 1);
        s_now += 100;
        zc_hub_tick (worker->hub, s_now);
        s_flush (worker);
    }
    assert_false (zc_hub_opening (&second->base));

    s_unplug (worker);
    strcpy (third->last_id, "5-0");
    s_come_back (third, worker, &s_encodings[0]);
    assert_false (zc_hub_opening (&third->base));
    s_flush (worker);
    assert_int_equal (third->heartbeats, 1);
    assert_string_equal (third->last_id, "5-0"); /* its own id: it keeps its place */
    for (unsigned i = 0; i < 3; i++)
        s_leave (&s_clients[i]);
    s_kill (worker);
}

static void s_publish_shared (unsigned topic, const char *own_id)
{
    s_publish_some (topic, 1);
    s_log[s_logged - 1].shared = own_id;
}

/*  An own id that several topics have stands for the earliest message, whichever topic is asked:
 *  the later one may be after messages that the client hasn't had. */
static void s_own_ids_that_repeat (void **state)
{
    (void)state;
    s_begin (1);
    s_policy = ZC_SLOW_DISCONNECT;
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    for (unsigned i = 0; i < 2; i++) {
        s_clients[i].topics[0] = s_clients[i].topics[1] = true;
        s_come_back (&s_clients[i], worker, &s_encodings[0]); /* one stays: there is a feed */
    }
    s_turns (50);
    s_publish_shared (0, "1");
    s_publish_shared (0, "2");
    s_client_t *client = &s_clients[0];
    while (client->seen[0] < s_numbers[0])
        s_turns (1);
    s_leave (client);
    strcpy (client->last_id, "2"); /* it ignores heartbeats */
    s_publish_shared (1, "1");
    s_publish_shared (1, "2");
    s_publish_shared (0, "3");
    s_receive_all (worker);
    s_come_back (client, worker, &s_encodings[0]);
    s_quiesce ();
    assert_int_equal (client->gap_count, 0);
    assert_int_equal (client->seen[0], s_numbers[0]);
    assert_int_equal (client->seen[1], s_numbers[1]);
    s_kill (worker);
}

static size_t s_fetches (const s_worker_t *worker, const char *newest)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->request_count; i++) {
        if (worker->requests[i].kind != REQUEST_FETCH)
            continue;
        count++;
        if (newest && i + 1 == worker->request_count)
            assert_string_equal (worker->requests[i].since, newest);
    }
    return count;
}

/*  A broker that came back late has fewer messages than the worker knows of: its page isn't all
 *  that the clients of a new channel have missed. */
static void s_page_of_a_late_broker (void **state)
{
    (void)state;
    s_begin (1);
    s_policy = ZC_SLOW_DISCONNECT;
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    s_publish_some (0, 3);
    s_client_t *client = &s_clients[0];
    client->topics[0] = true;
    client->seen[0] = 1;
    zc_id_format (s_log[0].id, client->last_id);
    s_come_back (client, worker, &s_encodings[0]);
    while (s_fetches (worker, NULL) == 0) {
        s_subscription_arrives (worker);
        s_broker_answers (worker);
        s_worker_hears (worker);
    }
    s_unplug (worker);
    s_got = 1;
    s_head = s_last[0] = s_log[0].id;
    s_plug (worker);
    s_subscription_arrives (worker);
    for (size_t i = 0; i < worker->request_count; i++) /* FETCH is answered before SYNC */
        worker->requests[i].subscribed = worker->requests[i].kind == REQUEST_FETCH ? 0 : SIZE_MAX;
    while (s_fetches (worker, NULL))
        s_broker_answers (worker);
    for (size_t i = 0; i < worker->request_count; i++)
        worker->requests[i].subscribed = 0;
    while (worker->answer_count)
        s_worker_hears (worker);
    s_quiesce ();
    assert_int_equal (client->gap_count, 0);
    assert_int_equal (client->seen[0], 3);
    s_kill (worker);
}

static void s_answer_one_fetch (s_worker_t *worker)
{
    size_t before = s_fetches (worker, NULL);
    while (s_fetches (worker, NULL) == before)
        s_broker_answers (worker);
    while (worker->answer_count)
        s_worker_hears (worker);
}

/*  More clients come with an old id than may fetch pages at once. The others get their turn in
 *  their order, and none is forgotten when some leave, an answer fails, or the link is lost. */
static void s_many_resume_at_once (void **state)
{
    (void)state;
    enum { MANY = 3 * FETCHES_MAX, LEAVES = FETCHES_MAX + 1, WAITS = FETCHES_MAX + 2 };
    static s_client_t clients[MANY];
    memset (clients, 0, sizeof clients);
    s_begin (1);
    s_policy = ZC_SLOW_DISCONNECT;
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    s_publish_some (0, MANY);
    s_client_t *first = &s_clients[0];
    first->topics[0] = true;
    s_come_back (first, worker, &s_encodings[0]); /* it keeps a feed that begins here */
    s_turns (50);
    s_answer_all (worker);
    for (size_t i = 0; i < MANY; i++) {
        clients[i].topics[0] = true;
        clients[i].owed[0] = clients[i].seen[0] = s_log[i].number;
        zc_id_format (s_log[i].id, clients[i].last_id);
        s_come_back (&clients[i], worker, &s_encodings[0]);
    }
    assert_int_equal (s_fetches (worker, clients[FETCHES_MAX - 1].last_id), FETCHES_MAX);
    s_answer_one_fetch (worker);
    assert_int_equal (s_fetches (worker, clients[FETCHES_MAX].last_id), FETCHES_MAX);
    s_leave (&clients[LEAVES]);
    s_answer_one_fetch (worker);
    assert_int_equal (s_fetches (worker, clients[WAITS].last_id), FETCHES_MAX);
    while (worker->answer_count == 0)
        s_broker_answers (worker);
    s_answer_fails (worker);
    s_unplug (worker);
    s_leave (&clients[WAITS]);
    s_plug (worker);
    for (size_t turn = 0; turn < 100 * MANY; turn++) {
        s_turns (1);
        assert_true (s_fetches (worker, NULL) <= FETCHES_MAX);
        for (size_t i = 0; i < MANY; i++)
            s_pump (&clients[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        if (clients[i].worker)
            assert_int_equal (clients[i].seen[0], MANY);
        s_leave (&clients[i]);
    }
    s_kill (worker);
}

/*  The messages held back while a topic waits for its repair are bounded: further ones are
 *  fetched once there is room for them. */
static void s_hold_is_bounded (void **state)
{
    (void)state;
    s_begin (1);
    s_policy = ZC_SLOW_DISCONNECT;
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    zc_hub_config_t config = s_config ();
    config.max_hold = 1000;
    zc_hub_configure (worker->hub, &config);
    s_client_t *client = &s_clients[0];
    client->topics[0] = client->topics[1] = true;
    s_come_back (client, worker, &s_encodings[0]);
    s_turns (50);
    s_answer_all (worker);
    s_publish_some (0, 1);
    worker->pipe_first = worker->pipe_count; /* lost */
    s_publish_some (0, 1);
    s_receive_all (worker);
    assert_int_equal (s_fetches (worker, NULL), 1);
    for (unsigned i = 0; i < 100; i++) {
        s_publish_some (1, 1);
        s_receive_all (worker);
        zc_hub_tick (worker->hub, ++s_now);
    }
    assert_int_equal (s_fetches (worker, NULL), 1);
    s_quiesce ();
    assert_int_equal (client->gap_count, 0);
    assert_int_equal (client->seen[0], 2);
    assert_int_equal (client->seen[1], 100);
    s_kill (worker);
}

/*  A client that doesn't take its page of history is slow by the same rule as one that follows
 *  the feed. */
static void s_replay_without_reading (zc_slow_t policy)
{
    s_begin (1);
    s_policy = policy;
    s_start (&s_workers[0]);
    s_client_t *client = &s_clients[0];
    zc_id_format (s_boot, client->last_id);
    client->topics[0] = true;
    for (unsigned i = 0; i < 200; i++)
        s_publish (false);
    s_come_back (client, &s_workers[0], &s_encodings[0]);
    client->reading = false;
    s_turns (50);
    assert_non_null (client->base.join);
    assert_true (client->base.blocked);
    for (unsigned i = 0; i < 200; i++)
        s_publish (false);
    s_turns (500);
    assert_int_equal (zc_hub_stats (s_workers[0].hub)->slow_dropped, policy == ZC_SLOW_DISCONNECT);
    assert_int_equal (zc_hub_stats (s_workers[0].hub)->slow_skipped, policy != ZC_SLOW_DISCONNECT);
    assert_int_equal (client->worker == NULL, policy == ZC_SLOW_DISCONNECT);
    s_quiesce ();
    assert_int_equal (client->gap_count, policy != ZC_SLOW_DISCONNECT);
    s_kill (&s_workers[0]);
}

static void s_replay_unread (void **state)
{
    (void)state;
    s_replay_without_reading (ZC_SLOW_DISCONNECT);
    s_replay_without_reading (ZC_SLOW_SKIP);
    s_replay_without_reading (ZC_SLOW_LATEST);
}

/*  The policy for slow clients is that of the current configuration. */
static void s_policy_is_reloaded (void **state)
{
    (void)state;
    s_begin (1);
    s_policy = ZC_SLOW_DISCONNECT;
    s_worker_t *worker = &s_workers[0];
    s_start (worker);
    s_client_t *client = &s_clients[0];
    client->topics[0] = true;
    s_come_back (client, worker, &s_encodings[0]);
    s_turns (50);
    s_policy = ZC_SLOW_LATEST;
    zc_hub_config_t config = s_config ();
    zc_hub_configure (worker->hub, &config);
    client->reading = false;
    s_publish_some (0, 100);
    s_turns (200);
    assert_int_equal (zc_hub_stats (worker->hub)->slow_dropped, 0);
    s_quiesce ();
    assert_true (client->gap_count > 0);
    assert_int_equal (client->seen[0], 100); /* the latest message is kept from now on */
    s_kill (worker);
}

/*  cmocka jumps out of a failing test: the seed is printed on the way. */
static int s_print_seed (void **state)
{
    (void)state;
    print_message ("the last run was SEED=%llu\n", (unsigned long long)s_seed);
    return 0;
}

int main (void)
{
    s_name_selectors ();
    zc_hash_repeatable = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_replay_unread),
        cmocka_unit_test (s_channel_within_a_page),
        cmocka_unit_test (s_history_begins_later),
        cmocka_unit_test (s_page_of_a_late_broker),
        cmocka_unit_test (s_position_of_another_line),
        cmocka_unit_test (s_many_resume_at_once),
        cmocka_unit_test (s_heartbeats_without_a_broker),
        cmocka_unit_test (s_last_ids),
        cmocka_unit_test (s_openings),
        cmocka_unit_test (s_own_ids_that_repeat),
        cmocka_unit_test (s_policy_is_reloaded),
        cmocka_unit_test (s_hold_is_bounded),
        cmocka_unit_test_teardown (s_random_workers, s_print_seed),
        cmocka_unit_test_teardown (s_random_two_brokers, s_print_seed),
        cmocka_unit_test_teardown (s_random_subscribers, s_print_seed),
    };
    cmocka_set_test_filter (getenv ("TEST"));
    return cmocka_run_group_tests (tests, NULL, NULL);
}
