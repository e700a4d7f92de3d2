/*  replays.c - merges the messages of topics by position.
 *
 *  A replay has a heap of (next position, topic); each step is a seek in that topic's history.
 *  No history is scanned, and only positions are kept between slices, so messages may come and
 *  go meanwhile.
 *
 *  Peers take turns, and so do the replays of a peer. In most turns the peer hasn't read yet, so
 *  the expensive parts, payload and floors, come after the peer has taken a message. */
#include "broker/replays.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "broker/peers.h"
#include "lib/wire/selector.h"

#define S_SLICE 100 /* messages of one replay in one turn */
#define S_SLICE_BYTES (1u << 20)
#define S_AHEAD (4u << 20) /* bytes that ZeroMQ may have for a peer that takes none */
#define S_RUN 10           /* replays in one turn */
#define S_RUN_TOPICS 1000  /* so many topics count as one more replay */
#define S_RUN_BLOCKED 1000 /* blocked replays tried in one turn */
#define S_REPLAYS_MAX 10000
#define S_SOURCES_MAX 2000000 /* topics of all replays */

typedef struct {
    zc_id_t next; /* its first message not yet sent */
    zc_topic_t *topic;
} s_source_t;

typedef struct s_replay {
    STAILQ_ENTRY (s_replay) turn;
    zc_route_t route;
    bool fetch;
    bool unknown;          /* `since` is an own id that isn't in history */
    bool limited;          /* the page is full */
    bool checked;          /* the floors were checked in this turn */
    zc_id_t since;         /* the position that the request stands for */
    zc_id_t position;      /* sent up to here */
    zc_id_t head;          /* to be sent up to here */
    zc_id_t floor;         /* history is complete after this */
    uint64_t count, bytes; /* left in the page */
    size_t topic_count;
    zc_topic_t **topics; /* pinned; known topics, each once */
    s_source_t *heap;    /* those of the topics with messages to send */
    size_t heap_len;
} s_replay_t;

/*  A peer with replays. */
typedef struct {
    zc_peer_t peer;
    STAILQ_HEAD (, s_replay) replays; /* they take turns */
    size_t size, sources;
    bool blocked;   /* its peer doesn't read */
    int fd;         /* of its connection; -1: unknown */
    uint64_t ahead; /* bytes given to ZeroMQ since its queue was last known to be empty */
} s_peer_t;

struct zc_replays {
    zc_history_t *history;
    zc_topics_t *known;
    zc_outbox_t *outbox;
    zc_peers_t peers;
    size_t size, sources;
    size_t blocked; /* blocked peers */
    uint64_t messages;
    bool unreadable; /* history can't be read at present: all replays wait */
};

zc_replays_t *zc_replays_new (zc_history_t *history, zc_topics_t *topics, zc_outbox_t *outbox)
{
    zc_replays_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->history = history;
    self->known = topics;
    self->outbox = outbox;
    zc_peers_init (&self->peers);
    return self;
}

static void s_replay_free (s_replay_t *replay)
{
    for (size_t i = 0; i < replay->topic_count; i++)
        replay->topics[i]->pins--;
    free (replay->topics);
    free (replay->heap);
    free (replay);
}

/*  Peers and their replays. */

static s_peer_t *s_peer_new (zc_replays_t *self, const zc_route_t *route)
{
    s_peer_t *peer = calloc (1, sizeof *peer);
    if (!peer)
        abort ();
    STAILQ_INIT (&peer->replays);
    peer->fd = route->fd;
    zc_peers_add (&self->peers, &peer->peer, zc_route_peer (route));
    return peer;
}

/*  Notes the result of the peer's last send. The peer goes with its last replay. */
static void s_peer_settle (zc_replays_t *self, s_peer_t *peer, zc_sent_t sent)
{
    bool blocked = sent == ZC_BLOCKED;
    self->blocked += blocked;
    self->blocked -= peer->blocked;
    peer->blocked = blocked;
    if (peer->size == 0) {
        zc_peers_remove (&self->peers, &peer->peer);
        free (peer);
    }
}

static void s_enqueue (zc_replays_t *self, s_peer_t *peer, s_replay_t *replay)
{
    STAILQ_INSERT_TAIL (&peer->replays, replay, turn);
    peer->size++;
    peer->sources += replay->topic_count;
    self->size++;
    self->sources += replay->topic_count;
}

static s_replay_t *s_dequeue (zc_replays_t *self, s_peer_t *peer)
{
    s_replay_t *replay = STAILQ_FIRST (&peer->replays);
    STAILQ_REMOVE_HEAD (&peer->replays, turn);
    peer->size--;
    peer->sources -= replay->topic_count;
    self->size--;
    self->sources -= replay->topic_count;
    return replay;
}

void zc_replays_destroy (zc_replays_t **self_p)
{
    zc_replays_t *self = *self_p;
    if (!self)
        return;
    while (zc_peers_size (&self->peers)) {
        s_peer_t *peer = (s_peer_t *)zc_peers_turn (&self->peers);
        while (peer->size)
            s_replay_free (s_dequeue (self, peer));
        s_peer_settle (self, peer, ZC_GONE);
    }
    zc_peers_clear (&self->peers);
    free (self);
    *self_p = NULL;
}

/*  The heap: the smallest position on top. */

static void s_down (s_replay_t *replay)
{
    s_source_t source = replay->heap[0];
    size_t at = 0;
    for (size_t child; (child = at * 2 + 1) < replay->heap_len; at = child) {
        if (child + 1 < replay->heap_len && replay->heap[child + 1].next < replay->heap[child].next)
            child++;
        if (source.next <= replay->heap[child].next)
            break;
        replay->heap[at] = replay->heap[child];
    }
    replay->heap[at] = source;
}

static void s_add (s_replay_t *replay, s_source_t source)
{
    size_t at = replay->heap_len++;
    for (; at > 0 && replay->heap[(at - 1) / 2].next > source.next; at = (at - 1) / 2)
        replay->heap[at] = replay->heap[(at - 1) / 2];
    replay->heap[at] = source;
}

/*  The source on top goes on after `next`, or is finished. */
static void s_advance (s_replay_t *replay, bool more, zc_id_t next)
{
    if (more && next <= replay->head)
        replay->heap[0].next = next;
    else
        replay->heap[0] = replay->heap[--replay->heap_len];
    if (replay->heap_len)
        s_down (replay);
}

/*  Starting. */

static int s_by_address (const void *left, const void *right)
{
    uintptr_t a = (uintptr_t) * (zc_topic_t *const *)left;
    uintptr_t b = (uintptr_t) * (zc_topic_t *const *)right;
    return (a > b) - (a < b);
}

static size_t s_topic_count (const zc_ask_t *request)
{
    if (request->frame_count)
        return request->frame_count;
    size_t count = 1;
    for (size_t i = 0; i < request->list.len; i++)
        count += request->list.at[i] == '\n';
    return count;
}

/*  Shrinks an array to its contents: a request may repeat one topic ten thousand times. */
static void *s_room_for (void *array, size_t count, size_t size)
{
    void *room = realloc (array, (count ? count : 1) * size);
    if (!room)
        abort ();
    return room;
}

/*  The selectors of a request. */
typedef struct {
    zc_selector_t **at; /* owned */
    size_t count;
} s_selectors_t;

static void s_add_selector (s_selectors_t *self, zc_slice_t name)
{
    const char *error;
    self->at = s_room_for (self->at, self->count + 1, sizeof *self->at);
    self->at[self->count] = zc_selector_of (name, &error);
    self->count += self->at[self->count] != NULL; /* the request was checked */
}

static void s_clear_selectors (s_selectors_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        zc_selector_destroy (&self->at[i]);
    free (self->at);
}

static bool s_select (const s_selectors_t *self, const zc_topic_t *topic)
{
    for (size_t i = 0; i < self->count; i++)
        if (zc_selector_match (self->at[i], (zc_slice_t){topic->name, topic->len}))
            return true;
    return false;
}

/*  Adds, from `count` on, the topics that match and have messages after the request's position.
 *  The topics published on last come first, so the loop ends at the first that is too old. */
static size_t s_find_selected (zc_replays_t *self, s_replay_t *replay, const zc_ask_t *request,
                               const s_selectors_t *selectors, size_t count)
{
    bool after = request->since_kind == ZC_SINCE_POSITION;
    size_t room = count;
    zc_topic_t *topic = NULL;
    while ((topic = zc_topics_previous (self->known, topic)) &&
           (!after || topic->last > request->since)) {
        if (!topic->published || !s_select (selectors, topic))
            continue;
        if (count >= room) {
            room = 2 * count + 64;
            replay->topics = s_room_for (replay->topics, room, sizeof *replay->topics);
        }
        replay->topics[count++] = topic;
    }
    return count;
}

/*  Finds the topics that are known, each once, and pins them. An unknown topic has nothing in
 *  history; the position up to which topics were forgotten counts for the floor. A selector may
 *  match a topic that was forgotten. */
static void s_find_topics (zc_replays_t *self, s_replay_t *replay, const zc_ask_t *request)
{
    size_t at = 0, count = 0;
    bool unknown = false;
    zc_slice_t name;
    s_selectors_t selectors = {NULL, 0};
    replay->topics = s_room_for (NULL, s_topic_count (request), sizeof *replay->topics);
    while (zc_ask_topic (request, &at, &name)) {
        bool selector = zc_names_selector (name);
        zc_topic_t *topic = selector ? NULL : zc_topics_find (self->known, name);
        if (selector)
            s_add_selector (&selectors, name);
        if (topic)
            replay->topics[count++] = topic;
        unknown |= !topic;
    }
    if (unknown && replay->floor < zc_topics_forgotten (self->known))
        replay->floor = zc_topics_forgotten (self->known);
    if (selectors.count)
        count = s_find_selected (self, replay, request, &selectors, count);
    s_clear_selectors (&selectors);
    qsort (replay->topics, count, sizeof *replay->topics, s_by_address);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || replay->topics[i] != replay->topics[i - 1]) {
            zc_topic_t *topic = replay->topics[i];
            replay->topics[replay->topic_count++] = topic;
            topic->pins++;
        }
    replay->topics = s_room_for (replay->topics, replay->topic_count, sizeof *replay->topics);
}

static void s_check_floor (zc_replays_t *self, s_replay_t *replay)
{
    replay->checked = true;
    for (size_t i = 0; i < replay->topic_count; i++) {
        zc_id_t floor = zc_history_floor (self->history, replay->topics[i]);
        if (floor > replay->position && floor > replay->floor)
            replay->floor = floor;
    }
}

/*  An own id that several messages have stands for the earliest of them over all topics: a
 *  client that has seen a later one gets some messages again, and misses none. */
static bool s_find_event (zc_replays_t *self, s_replay_t *replay, zc_slice_t event)
{
    zc_id_t id, least = ZC_ID_MAX;
    for (size_t i = 0; i < replay->topic_count; i++)
        if (zc_history_find (self->history, replay->topics[i], event, ZC_EARLIEST, &id) &&
            id < least)
            least = id;
    replay->since = least;
    return least != ZC_ID_MAX;
}

static void s_set_since (zc_replays_t *self, s_replay_t *replay, const zc_ask_t *request)
{
    s_check_floor (self, replay);
    if (request->since_kind == ZC_SINCE_POSITION) {
        replay->since = replay->position = request->since;
    } else if (request->since_kind == ZC_SINCE_EVENT &&
               s_find_event (self, replay, request->since_text)) {
        replay->position = replay->since;
    } else { /* all messages of each topic */
        replay->unknown = request->since_kind == ZC_SINCE_EVENT;
        replay->since = replay->floor;
        replay->position = ZC_ID_NONE;
    }
}

static void s_find_sources (zc_replays_t *self, s_replay_t *replay)
{
    zc_stored_t stored;
    replay->heap = s_room_for (NULL, replay->topic_count, sizeof *replay->heap);
    for (size_t i = 0; i < replay->topic_count; i++) {
        zc_topic_t *topic = replay->topics[i];
        if (topic->sent > replay->position &&
            zc_history_next (self->history, topic, replay->position, &stored) &&
            stored.id <= replay->head)
            s_add (replay, (s_source_t){stored.id, topic});
    }
    replay->heap = s_room_for (replay->heap, replay->heap_len, sizeof *replay->heap);
}

static s_replay_t *s_replay_new (zc_replays_t *self, const zc_route_t *route,
                                 const zc_ask_t *request, zc_id_t head, zc_id_t doubt)
{
    s_replay_t *replay = calloc (1, sizeof *replay);
    if (!replay)
        abort ();
    replay->route = *route;
    replay->fetch = request->verb == ZC_FETCH;
    replay->count = replay->fetch ? request->count : UINT64_MAX;
    replay->bytes = replay->fetch ? request->bytes : UINT64_MAX;
    replay->head = head;
    if (request->since_kind == ZC_SINCE_POSITION && request->line.len == 0 &&
        request->since < doubt)
        replay->floor = doubt;
    s_find_topics (self, replay, request);
    s_set_since (self, replay, request);
    s_find_sources (self, replay);
    return replay;
}

/*  Sending. */

static void s_send_message (zc_replays_t *self, const zc_topic_t *topic, const zc_stored_t *stored)
{
    zc_answer_t answer = {.kind = ZC_MSG,
                          .message = {.topic = {topic->name, topic->len},
                                      .payload = stored->payload,
                                      .meta = stored->meta}};
    zc_outbox_finish (self->outbox, &answer, stored->shared);
}

/*  History may have dropped messages meanwhile. They are missing if they are after the replay's
 *  position, so the floors are checked before the position moves. */
static void s_account (zc_replays_t *self, s_replay_t *replay, zc_id_t id, size_t len)
{
    if (!replay->checked)
        s_check_floor (self, replay);
    self->messages++;
    replay->position = id;
    replay->count--;
    replay->bytes -= len < replay->bytes ? len : replay->bytes;
    replay->limited = replay->count == 0 || replay->bytes == 0;
}

/*  Sends the message on top of the heap. */
static zc_sent_t s_step (zc_replays_t *self, s_replay_t *replay, size_t *bytes)
{
    s_source_t source = replay->heap[0];
    zc_stored_t stored;
    bool more = zc_history_next (self->history, source.topic, source.next - 1, &stored);
    if (more && stored.id == source.next) {
        zc_sent_t sent = zc_outbox_begin (self->outbox, &replay->route);
        if (sent != ZC_SENT)
            return sent;
        s_send_message (self, source.topic, &stored);
        *bytes += stored.payload.len;
        s_account (self, replay, source.next, stored.payload.len);
        more = zc_history_next (self->history, source.topic, source.next, &stored);
    }
    s_advance (replay, more, more ? stored.id : 0);
    return ZC_SENT;
}

static uint64_t s_remaining (zc_replays_t *self, const s_replay_t *replay)
{
    uint64_t count = 0;
    for (size_t i = 0; i < replay->topic_count; i++)
        count +=
            zc_history_count (self->history, replay->topics[i], replay->position, replay->head);
    return count;
}

/*  Whether a message that is left may be private, or one of an update on several topics. */
static bool s_is_mixed (const s_replay_t *replay)
{
    for (size_t i = 0; i < replay->topic_count; i++)
        if (replay->topics[i]->mixed > replay->position)
            return true;
    return false;
}

static zc_sent_t s_send_end (zc_replays_t *self, s_replay_t *replay)
{
    zc_sent_t sent = zc_outbox_begin (self->outbox, &replay->route);
    if (sent != ZC_SENT)
        return sent;
    if (!replay->checked)
        s_check_floor (self, replay);
    uint64_t remaining = replay->heap_len ? s_remaining (self, replay) : 0;
    zc_answer_t answer = {.verb = replay->fetch ? ZC_FETCH : ZC_REPLAY,
                          .kind = ZC_END,
                          .head = remaining ? replay->position : replay->head,
                          .floor = replay->floor,
                          .since = replay->since,
                          .unknown = replay->unknown,
                          .remaining = remaining,
                          .plain = remaining == 0 || !s_is_mixed (replay)};
    zc_outbox_finish (self->outbox, &answer, NULL);
    return ZC_SENT;
}

/*  *done: the replay is finished. *bytes: the bytes sent. */
static zc_sent_t s_slice (zc_replays_t *self, s_replay_t *replay, bool *done, size_t *bytes)
{
    zc_sent_t sent = ZC_SENT;
    *bytes = 0;
    for (int i = 0; i < S_SLICE && *bytes < S_SLICE_BYTES && sent == ZC_SENT && replay->heap_len &&
                    !replay->limited;
         i++)
        sent = s_step (self, replay, bytes);
    bool end = sent == ZC_SENT && (replay->heap_len == 0 || replay->limited);
    if (end)
        sent = s_send_end (self, replay);
    *done = sent == ZC_GONE || (end && sent == ZC_SENT);
    return sent;
}

/*  A peer may have as many replays as all others could still start, so there is always room for
 *  one more peer. */
static bool s_room (const zc_replays_t *self, const s_peer_t *peer)
{
    size_t size = peer ? peer->size : 0, sources = peer ? peer->sources : 0;
    return self->size + size < S_REPLAYS_MAX && self->sources + sources < S_SOURCES_MAX;
}

bool zc_replays_start (zc_replays_t *self, const zc_route_t *route, const zc_ask_t *request,
                       zc_id_t head, zc_id_t doubt)
{
    s_peer_t *peer = (s_peer_t *)zc_peers_find (&self->peers, zc_route_peer (route));
    if (!s_room (self, peer))
        return false;
    s_replay_t *replay = s_replay_new (self, route, request, head, doubt);
    bool done = false, wait = peer && peer->blocked;
    size_t bytes = 0;
    zc_sent_t sent = wait ? ZC_BLOCKED : s_slice (self, replay, &done, &bytes);
    if (done) {
        s_replay_free (replay);
    } else {
        peer = peer ? peer : s_peer_new (self, route);
        peer->ahead += bytes;
        s_enqueue (self, peer, replay);
        s_peer_settle (self, peer, sent);
    }
    zc_history_release (self->history);
    return true;
}

/*  A connection that is writable has emptied ZeroMQ's queue, which is bounded in messages only. */
static bool s_takes (s_peer_t *peer)
{
    struct pollfd item = {peer->fd, POLLOUT, 0};
    if (peer->ahead < S_AHEAD)
        return true;
    if (peer->fd >= 0 && poll (&item, 1, 0) == 0)
        return false;
    peer->ahead = 0;
    return true;
}

/*  Continues the next replay of a peer. Returns its weight, or 0 if the peer takes nothing. */
static size_t s_turn (zc_replays_t *self, s_peer_t *peer)
{
    s_replay_t *replay = s_dequeue (self, peer);
    size_t weight = 1 + replay->topic_count / S_RUN_TOPICS;
    uint64_t messages = self->messages;
    bool done = false;
    size_t bytes = 0;
    replay->checked = false;
    zc_sent_t sent = s_takes (peer) ? s_slice (self, replay, &done, &bytes) : ZC_BLOCKED;
    peer->ahead += bytes;
    if (done)
        s_replay_free (replay);
    else
        s_enqueue (self, peer, replay);
    s_peer_settle (self, peer, sent);
    return sent == ZC_BLOCKED && self->messages == messages ? 0 : weight;
}

void zc_replays_run (zc_replays_t *self)
{
    self->unreadable = self->size && zc_history_unreadable (self->history);
    if (self->unreadable)
        return;
    size_t run = 0, blocked = 0, in_a_row = 0;
    while (run < S_RUN && blocked < S_RUN_BLOCKED && in_a_row < zc_peers_size (&self->peers)) {
        size_t weight = s_turn (self, (s_peer_t *)zc_peers_turn (&self->peers));
        run += weight;
        blocked += weight == 0;
        in_a_row = weight ? 0 : in_a_row + 1;
    }
    zc_history_release (self->history);
}

zc_replays_state_t zc_replays_state (const zc_replays_t *self)
{
    size_t peers = zc_peers_size (&self->peers);
    if (peers == 0)
        return ZC_REPLAYS_NONE;
    return self->unreadable || peers == self->blocked ? ZC_REPLAYS_BLOCKED : ZC_REPLAYS_READY;
}

size_t zc_replays_size (const zc_replays_t *self)
{
    return self->size;
}

uint64_t zc_replays_messages (const zc_replays_t *self)
{
    return self->messages;
}
