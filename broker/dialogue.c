/*  dialogue.c - one function for each verb. */
#include "broker/dialogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "broker/barriers.h"
#include "broker/late.h"
#include "broker/replays.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/wire/update.h"

#define S_REQUESTS 100  /* handled in one turn */
#define S_TURN_MS 5     /* or until the turn has taken so long: one request may ask for much */
#define S_REPLAYED 2000 /* messages replayed in one turn; beyond that, requests wait */
#define S_COPIES_MAX 10000
#define S_LIST_BYTES (1u << 20) /* of TOPICS: ten thousand names of eighty bytes */
#define S_LOOK 10000            /* topics that LIST looks at in one answer */
#define S_PURGES_MAX 100        /* requests that wait */
#define S_TICK_MS 250           /* the loop sleeps at most so long */
#define S_AHEAD_MS 86400000 /* others' positions are believed if they are so far ahead at most */
#define S_MISSED_MS 5000    /* we are behind for so long; then missing messages are given up */

/*  A request whose answer waits for history. */
typedef struct {
    zc_node_t node; /* in the table of copies */
    zc_id_t id;     /* position of the message with the same name */
    bool conflict;  /* that message differs */
    zc_route_t route;
} s_origin_t;

struct zc_dialogue {
    zc_flow_t *flow; /* borrowed */
    void *router;    /* borrowed */
    zc_outbox_t *outbox;
    zc_replays_t *replays;
    zc_barriers_t *barriers;
    zc_late_t *late;
    zc_id_t doubt;         /* positions before this may belong to another line, too */
    zc_id_t missed;        /* workers have positions of our line up to here, and history doesn't */
    uint64_t missed_at_ms; /* when that was found */
    zmq_msg_t *frames;     /* of the request being handled */
    zc_slice_t *slices;    /* their bytes */
    /* PUBLISHes, by id, whose name belongs to a message that isn't settled yet */
    zc_table_t copies;
    size_t purges; /* PURGEs that wait */
};

static void s_published (zc_dialogue_t *self, const zc_route_t *route, zc_id_t id)
{
    zc_answer_t answer = {.verb = ZC_PUBLISH, .kind = ZC_OK, .id = id};
    zc_outbox_answer (self->outbox, route, &answer);
}

static void s_error (zc_dialogue_t *self, const zc_route_t *route, const char *code,
                     const char *text)
{
    self->flow->counters->errors++;
    zc_outbox_error (self->outbox, route, code, text);
}

/*  PUBLISH. */

static const char s_unkept[] = "history can't take it now: try again";

static const char s_unlogged[] =
    "the log doesn't answer: it isn't known whether this was published";

static s_origin_t *s_origin (const zc_route_t *route, zc_id_t id, bool conflict)
{
    s_origin_t *origin = malloc (sizeof *origin);
    if (!origin)
        abort ();
    *origin = (s_origin_t){{NULL, 0}, id, conflict, *route};
    return origin;
}

static void s_refuse (zc_dialogue_t *self, const zc_route_t *route, int code)
{
    const zc_refusal_t *refusal = zc_message_refusal (code);
    s_error (self, route, refusal->code, refusal->text);
}

static uint64_t s_hash (zc_id_t id)
{
    return zc_hash (&id, sizeof id, 3);
}

/*  The message, or another one with its name, was published before. While that one is on its way
 *  into history, the answer waits: if history doesn't take that message, the name is free again. */
static void s_duplicate (zc_dialogue_t *self, const zc_route_t *route, zc_id_t id, bool conflict)
{
    if (id <= self->flow->head && conflict) {
        s_refuse (self, route, ZC_ECONFLICT);
    } else if (id <= self->flow->head) {
        s_published (self, route, id);
    } else if (self->copies.size >= S_COPIES_MAX) {
        s_error (self, route, "busy", "too many requests at once: try again");
    } else {
        zc_table_insert (&self->copies, &s_origin (route, id, conflict)->node, s_hash (id));
    }
}

/*  Every message of an update tells all of its topics. False where that is too much. */
static bool s_write_topics (const zc_ask_t *request, zc_buf_t *headers)
{
    zc_slice_t given = request->headers, topic;
    size_t at = 0;
    zc_buf_add (headers, given.at, given.len);
    if (given.len && given.at[given.len - 1] != '\n')
        zc_buf_addc (headers, '\n');
    zc_buf_adds (headers, "topics: ");
    size_t begin = headers->len;
    while (zc_ask_topic (request, &at, &topic))
        zc_update_add (headers, begin, topic);
    zc_buf_addc (headers, '\n');
    return headers->len <= ZC_HEADERS_MAX;
}

/*  All messages are ordered in one turn of the loop. History takes them in their order, so the last
 *  one is answered for. */
static void s_publish_all (zc_dialogue_t *self, const zc_ask_t *request, zc_slice_t headers,
                           zmq_msg_t *payload, s_origin_t *origin)
{
    zc_message_t message = request->message;
    size_t at = 0;
    bool more = zc_ask_topic (request, &at, &message.topic);
    zc_header_find (headers, "topics", &message.topics);
    while (more) {
        zmq_msg_t name, copy;
        zc_slice_t next;
        zmq_msg_init_size (&name, message.topic.len);
        memcpy (zmq_msg_data (&name), message.topic.at, message.topic.len);
        zmq_msg_init (&copy);
        zmq_msg_copy (&copy, payload);
        more = zc_ask_topic (request, &at, &next);
        self->flow->publish (self->flow, &name, &copy, &message, headers, more ? NULL : origin);
        zmq_msg_close (&name);
        zmq_msg_close (&copy);
        message.topic = next;
    }
}

static bool s_may_publish (zc_dialogue_t *self, const zc_ask_t *request)
{
    const zc_certificate_t *sender = zc_gate_sender (self->flow->gate, &self->frames[1]);
    zc_slice_t topic = request->message.topic;
    size_t at = 0;
    bool may = zc_gate_publish (self->flow->gate, sender, topic, request->headers);
    while (may && zc_ask_topic (request, &at, &topic))
        may = zc_gate_publish (self->flow->gate, sender, topic, request->headers);
    return may;
}

static void s_publish_update (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request,
                              zmq_msg_t *payload)
{
    zc_buf_t headers = ZC_BUF_INIT;
    if (s_write_topics (request, &headers))
        s_publish_all (self, request, (zc_slice_t){(const char *)headers.data, headers.len},
                       payload, s_origin (route, 0, false));
    else
        s_error (self, route, "topic",
                 "the topics and headers of an update have at most 8192 bytes together");
    zc_buf_clear (&headers);
}

static void s_publish (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    if (self->flow->full && self->flow->full (self->flow)) {
        s_error (self, route, "log", "too much waits for the log: try again");
        return;
    }
    const zc_message_t *message = &request->message;
    zc_id_t id;
    self->flow->counters->received++;
    if (!s_may_publish (self, request)) {
        s_refuse (self, route, ZC_EFORBIDDEN);
        return;
    }
    zc_seen_t seen = self->flow->seen (self->flow, message, &id);
    if (seen != ZC_SEEN_NEVER) {
        s_duplicate (self, route, id, seen == ZC_SEEN_OTHER);
        return;
    }
    /*  Topic and payload follow the identity, the delimiter, the tag and the verb. */
    zmq_msg_t *topic = self->frames + 2 + request->delimiter + (request->tag.len > 0);
    if (request->list.len)
        s_publish_update (self, route, request, topic + 1);
    else
        self->flow->publish (self->flow, topic, topic + 1, message, request->headers,
                             s_origin (route, 0, false));
}

static void s_answer (zc_dialogue_t *self, const s_origin_t *origin, const zc_item_t *item,
                      bool kept)
{
    if (!kept)
        s_error (self, &origin->route, "history", s_unkept);
    else if (origin->conflict)
        s_refuse (self, &origin->route, ZC_ECONFLICT);
    else
        s_published (self, &origin->route, item->id);
}

/*  A message that wasn't kept, and whose publisher is told so, counts as never published: its
 *  name is free again. */
static void s_unpublish (zc_dialogue_t *self, zc_item_t *item)
{
    self->flow->counters->failed++;
    if (item->event_len)
        zc_dedup_remove (
            self->flow->dedup, (zc_slice_t){item->where->name, item->where->len},
            (zc_slice_t){(char *)zmq_msg_data (&item->meta) + item->event_at, item->event_len},
            item->id);
}

static bool s_same (const zc_node_t *node, const void *id)
{
    return ((const s_origin_t *)node)->id == *(const zc_id_t *)id;
}

static s_origin_t *s_copy (const zc_dialogue_t *self, zc_id_t id)
{
    if (self->copies.size == 0)
        return NULL;
    return (s_origin_t *)zc_table_find (&self->copies, s_hash (id), s_same, &id);
}

void zc_dialogue_settled (zc_dialogue_t *self, zc_item_t *item, bool kept)
{
    s_origin_t *origin = item->origin;
    if (!kept && origin)
        s_unpublish (self, item);
    /*  If the message was delivered without being kept, its copies count as published, too. */
    for (s_origin_t *copy; (copy = s_copy (self, item->id));) {
        s_answer (self, copy, item, kept || !origin);
        zc_table_remove (&self->copies, &copy->node);
        free (copy);
    }
    if (origin)
        s_answer (self, origin, item, kept);
    free (origin);
}

/*  The same with a log. */

void zc_dialogue_read_back (zc_dialogue_t *self, void *origin, zc_id_t id)
{
    s_origin_t *one = origin;
    one->id = id;
    zc_table_insert (&self->copies, &one->node, s_hash (id));
}

void zc_dialogue_told (zc_dialogue_t *self, void *origin, zc_id_t id, bool conflict)
{
    s_origin_t *one = origin;
    s_duplicate (self, &one->route, id, conflict);
    free (one);
}

void zc_dialogue_failed (zc_dialogue_t *self, void *origin)
{
    s_error (self, &((s_origin_t *)origin)->route, "log", s_unlogged);
    free (origin);
}

/*  REPLAY and FETCH. */

static void s_start_replay (void *arg, const zc_route_t *route, const zc_ask_t *request)
{
    zc_dialogue_t *self = arg;
    if (zc_history_unreadable (self->flow->history))
        s_error (self, route, "history", "history can't be read now: try again");
    else if (!zc_replays_start (self->replays, route, request, self->flow->head, self->doubt))
        s_error (self, route, "busy", "too many replays at once: try again");
    zc_history_release (self->flow->history);
}

static bool s_is_our_line (const zc_dialogue_t *self, zc_slice_t line)
{
    return zc_slice_compare (line, zc_line_slice (&self->flow->history->line)) == 0;
}

static void s_behind (void *arg, const zc_route_t *route)
{
    s_error (arg, route, "behind", "this broker hasn't got to that position of its line");
}

/*  Whether a position after our head may be one that another broker of the log has read before us.
 * A position without a line comes from a client, and may be anything. */
static bool s_may_come (const zc_dialogue_t *self, const zc_ask_t *request)
{
    return request->line.len || (request->verb == ZC_FETCH && self->flow->raise &&
                                 zc_id_ms (request->since) <= self->flow->wall_ms + S_AHEAD_MS);
}

static void s_replay (zc_dialogue_t *self, const zc_route_t *asker, const zc_ask_t *request)
{
    zc_route_t route = *asker;
    route.fd = zmq_msg_get (&self->frames[1], ZMQ_SRCFD);
    if (self->flow->behind)
        s_behind (self, &route);
    else if (request->line.len && !s_is_our_line (self, request->line))
        s_error (self, &route, "line", "positions here are of another line: SYNC tells which");
    else if (request->since_kind != ZC_SINCE_POSITION || request->since <= self->flow->head ||
             !s_may_come (self, request))
        s_start_replay (self, &route, request);
    else if (!zc_late_add (self->late, &route, request, self->flow->mono_ms))
        s_behind (self, &route);
}

/*  SYNC. */

static void s_synced (void *arg, const zc_route_t *route, zc_slice_t topics)
{
    zc_dialogue_t *self = arg;
    zc_ask_t list = {.list = topics};
    zc_buf_t lasts = ZC_BUF_INIT;
    size_t at = 0;
    zc_slice_t name;
    while (zc_ask_topic (&list, &at, &name)) {
        const zc_topic_t *topic = zc_topics_find (self->flow->topics, name);
        zc_lasts_add (&lasts, topic ? topic->sent : zc_topics_forgotten (self->flow->topics));
    }
    zc_answer_t answer = {.verb = ZC_SYNC,
                          .kind = ZC_OK,
                          .head = self->flow->head,
                          .dropped = self->flow->dropped,
                          .lasts = {(char *)lasts.data, lasts.len},
                          .line = zc_line_slice (&self->flow->history->line),
                          .doubt = self->doubt,
                          .left_out = !route->names_line};
    zc_outbox_answer (self->outbox, route, &answer);
    zc_buf_clear (&lasts);
}

static void s_unsynced (void *arg, const zc_route_t *route, zc_slice_t topics)
{
    (void)topics;
    s_error (arg, route, "internal", "no subscription to this nonce has come within ten seconds");
}

/*  Lets all later positions be after `have`, which others got from a broker. Positions that
 *  clients bring are never told here. A position too far ahead isn't believed: one false
 *  position near the largest possible one would be the end of the order. */
static bool s_raise (zc_dialogue_t *self, zc_id_t have)
{
    if (zc_id_ms (have) > self->flow->wall_ms + S_AHEAD_MS)
        return false;
    if (self->flow->raise)
        self->flow->raise (self->flow, have, false);
    else if (self->flow->last <= have)
        self->flow->last = have + 1;
    return true;
}

/*  A worker has positions of another line. Some of them may be positions of ours, too. */
static void s_meet_line (zc_dialogue_t *self, zc_id_t have)
{
    static zc_log_limit_t limit;
    if (zc_line_follows (&self->flow->history->line, have) || have < self->doubt ||
        !s_raise (self, have))
        return;
    self->doubt = have + 1;
    zc_log_limited (&limit, ZC_LOG_WARN,
                    ZC_EVENT ("positions.repeated",
                              "positions were given twice: the clock was set back, and "
                              "history was lost; clients that come back are told a gap"));
}

/*  The log may still bring it. */
static void s_wait_for_log (zc_dialogue_t *self, zc_id_t have)
{
    if (have <= self->missed || zc_id_ms (have) > self->flow->wall_ms + S_AHEAD_MS)
        return;
    self->missed = have;
    self->missed_at_ms = self->flow->mono_ms;
}

/*  A worker has more of our own line than history has: an older copy of history was put back, or
 *  the disk has lost messages that it had confirmed. Nobody can say on which topics. */
static void s_miss (zc_dialogue_t *self, zc_id_t have)
{
    if (self->flow->raise) {
        s_wait_for_log (self, have);
        return;
    }
    if (have < self->flow->last || !s_raise (self, have))
        return;
    self->missed = self->flow->last;
    self->missed_at_ms = self->flow->mono_ms;
    zc_history_lose (self->flow->history, self->missed);
    zc_topics_lose (self->flow->topics, self->missed);
    zc_warn (
        ZC_EVENT ("positions.unknown",
                  "workers have positions that history doesn't have: all clients are told a gap"));
}

/*  Without a log this broker gives the positions, so no other source can bring the missing
 * messages. If the log was read and lacks them, nobody has them. */
static void s_give_up_missed (zc_dialogue_t *self)
{
    if (self->flow->head < self->missed && !zc_history_busy (self->flow->history) &&
        self->flow->mono_ms - self->missed_at_ms >= S_MISSED_MS) {
        if (!self->flow->raise)
            self->flow->head = self->missed;
        else if (!self->flow->behind)
            self->flow->raise (self->flow, self->missed, true);
    }
}

/*  Compares the position of a SYNC with ours. Returns true if we are behind it. */
static bool s_hear (zc_dialogue_t *self, const zc_ask_t *request)
{
    if (!request->line.len)
        return false;
    if (!s_is_our_line (self, request->line)) {
        s_meet_line (self, request->have);
        return false;
    }
    if (request->have <= self->flow->head)
        return false;
    s_miss (self, request->have);
    return true;
}

static void s_sync (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    if (s_hear (self, request) || self->flow->behind)
        s_behind (self, route);
    else if (request->nonce.len == 0)
        s_synced (self, route, request->list);
    else if (!zc_barriers_ask (self->barriers, request->nonce, route, request->list,
                               self->flow->mono_ms))
        s_error (self, route, "busy", "too many SYNCs wait: try again");
}

/*  TOPICS. */

/*  Sorted, and none is the beginning of another. So only the last one before a topic can be its
 *  prefix. */
typedef struct {
    zc_slice_t prefixes[ZC_PREFIXES_MAX];
    size_t count;
} s_prefixes_t;

static int s_by_bytes (const void *left, const void *right)
{
    return zc_slice_compare (*(const zc_slice_t *)left, *(const zc_slice_t *)right);
}

static void s_set_prefixes (s_prefixes_t *self, const zc_ask_t *request)
{
    zc_slice_t all[ZC_PREFIXES_MAX];
    memcpy (all, request->frames, request->frame_count * sizeof *all);
    qsort (all, request->frame_count, sizeof *all, s_by_bytes);
    self->count = 0;
    for (size_t i = 0; i < request->frame_count; i++)
        if (self->count == 0 || !zc_slice_begins (all[i], self->prefixes[self->count - 1]))
            self->prefixes[self->count++] = all[i];
}

static bool s_match (const s_prefixes_t *self, const zc_topic_t *topic)
{
    zc_slice_t name = {topic->name, topic->len};
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zc_slice_compare (self->prefixes[middle], name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && zc_slice_begins (name, self->prefixes[low - 1]);
}

/*  Topics come in the order of their last publication, newest first, so the loop ends at the
 *  first that is too old. A list that is too long is cut, and the rest counts as forgotten:
 *  nothing was published there after the first topic left out. */
static void s_topics (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    zc_buf_t list = ZC_BUF_INIT;
    size_t count = 0;
    zc_id_t upto = zc_topics_forgotten (self->flow->topics);
    s_prefixes_t prefixes;
    if (self->flow->behind) {
        s_behind (self, route);
        return;
    }
    s_set_prefixes (&prefixes, request);
    zc_topic_t *topic = NULL;
    while ((topic = zc_topics_previous (self->flow->topics, topic)) &&
           topic->last > request->since) {
        if (!topic->published || topic->sent <= request->since || !s_match (&prefixes, topic))
            continue;
        if (count++ == ZC_TOPICS_MAX || list.len + topic->len > S_LIST_BYTES) {
            zc_id_t last = topic->last < self->flow->head ? topic->last : self->flow->head;
            upto = last > upto ? last : upto;
            break;
        }
        zc_listed_add (&list, topic->sent, (zc_slice_t){topic->name, topic->len});
    }
    zc_answer_t answer = {.verb = ZC_TOPICS,
                          .kind = ZC_OK,
                          .head = self->flow->head,
                          .forgotten = upto,
                          .listed = {(char *)list.data, list.len}};
    zc_outbox_answer (self->outbox, route, &answer);
    zc_buf_clear (&list);
}

/*  LIST. */

/*  Where to go on: behind the topic that the answer before named. If it was published on since, it
 *  stands elsewhere, and whatever was listed before it was published on later than it was. */
static zc_topic_t *s_list_from (const zc_dialogue_t *self, const zc_ask_t *request)
{
    zc_topic_t *topic = NULL;
    if (request->next.len == 0)
        return zc_topics_previous (self->flow->topics, NULL);
    topic = zc_topics_find (self->flow->topics, request->after);
    if (topic && topic->last == request->since)
        return zc_topics_previous (self->flow->topics, topic);
    for (topic = NULL; (topic = zc_topics_previous (self->flow->topics, topic));)
        if (topic->last <= request->since)
            break;
    return topic;
}

/*  Writes the list, and leaves in `from` the topic that the next one begins with. */
static zc_topic_t *s_list_kept (zc_dialogue_t *self, const zc_ask_t *request, zc_buf_t *list,
                                zc_topic_t *topic, zc_buf_t *next)
{
    uint64_t count = 0;
    for (int looked = 0; topic; topic = zc_topics_previous (self->flow->topics, topic)) {
        if (looked++ == S_LOOK || count == request->count || list->len > S_LIST_BYTES)
            break;
        zc_topic_kept_t kept = {.last = topic->sent, .topic = {topic->name, topic->len}};
        next->len = 0;
        zc_lasts_add (next, topic->last);
        zc_buf_addc (next, ' ');
        zc_buf_add (next, topic->name, topic->len);
        if (!topic->published || !zc_slice_begins (kept.topic, request->prefix))
            continue;
        kept.messages = zc_history_size (self->flow->history, topic, &kept.bytes);
        zc_topic_kept_add (list, &kept);
        count++;
    }
    return topic;
}

static void s_list (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    zc_buf_t list = ZC_BUF_INIT, next = ZC_BUF_INIT;
    if (self->flow->behind) {
        s_behind (self, route);
        return;
    }
    if (zc_history_unreadable (self->flow->history)) {
        s_error (self, route, "history", "history can't be read now: try again");
        return;
    }
    zc_topic_t *rest = s_list_kept (self, request, &list, s_list_from (self, request), &next);
    zc_history_release (self->flow->history);
    zc_answer_t answer = {.verb = ZC_LIST,
                          .kind = ZC_OK,
                          .head = self->flow->head,
                          .kept = {(char *)list.data, list.len},
                          .next = {(char *)next.data, rest ? next.len : 0}};
    zc_outbox_answer (self->outbox, route, &answer);
    zc_buf_clear (&list);
    zc_buf_clear (&next);
}

/*  PURGE. */

typedef struct {
    zc_route_t route;
    size_t topics; /* whose purge is under way */
    uint64_t count;
} s_purge_t;

static void s_answer_purge (zc_dialogue_t *self, s_purge_t *purge)
{
    zc_answer_t answer = {
        .verb = ZC_PURGE, .kind = ZC_OK, .head = self->flow->head, .purged = purge->count};
    zc_outbox_answer (self->outbox, &purge->route, &answer);
    self->purges--;
    free (purge);
}

void zc_dialogue_purged (zc_dialogue_t *self, void *origin, uint64_t count, bool done)
{
    s_purge_t *purge = origin;
    purge->count += count;
    if (--purge->topics)
        return;
    if (done)
        s_answer_purge (self, purge);
    else
        free (purge); /* the broker ends, and nobody gets an answer */
}

static void s_purge (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    size_t at = 0;
    zc_slice_t name;
    if (self->flow->raise) {
        s_error (self, route, "forbidden", "the log has the messages: they can't be purged");
        return;
    }
    if (self->purges >= S_PURGES_MAX) {
        s_error (self, route, "busy", "too many purges at once: try again");
        return;
    }
    s_purge_t *purge = malloc (sizeof *purge);
    if (!purge)
        abort ();
    *purge = (s_purge_t){.route = *route, .topics = 1};
    self->purges++;
    while (zc_ask_topic (request, &at, &name)) {
        zc_topic_t *topic = zc_topics_find (self->flow->topics, name);
        if (!topic)
            continue;
        purge->topics++;
        zc_history_purge (self->flow->history, topic, topic->last, purge);
    }
    zc_dialogue_purged (self, purge, 0, true);
}

/*  INSTRUCT and INSTRUCTIONS. */

static void s_told (zc_dialogue_t *self, const zc_route_t *route, zc_id_t number)
{
    zc_answer_t answer = {.verb = ZC_INSTRUCT, .kind = ZC_OK, .id = number};
    zc_outbox_answer (self->outbox, route, &answer);
}

void zc_dialogue_instructed (zc_dialogue_t *self, void *origin, zc_id_t number)
{
    s_told (self, &((s_origin_t *)origin)->route, number);
    free (origin);
}

static void s_tell (zc_dialogue_t *self, const zc_route_t *route,
                    const zc_instruction_t *instruction)
{
    zc_flow_t *flow = self->flow;
    if (flow->instruct) {
        flow->instruct (flow, instruction, s_origin (route, 0, false));
        return;
    }
    zc_id_t number = zc_id_next (zc_instructions_head (flow->instructions), flow->wall_ms);
    if (zc_instructions_take (flow->instructions, number, 0, instruction, flow->mono_ms) == 0)
        s_told (self, route, number);
    else
        s_error (self, route, "file", "it holds until the broker ends: its file can't be written");
}

/*  Why an instruction can't be followed: the code, and in *text the words. NULL: it can. */
static const char *s_objection (zc_dialogue_t *self, const zc_instruction_t *instruction,
                                const char **text)
{
    zc_flow_t *flow = self->flow;
    if (flow->full && flow->full (flow)) {
        *text = "too much waits for the log: try again";
        return "log";
    }
    if (zc_instructions_full (flow->instructions, instruction)) {
        *text = "10000 revocations are in force: there is no room for more";
        return "full";
    }
    if (instruction->kind == ZC_INSTRUCTION_REVOKE && !flow->instruct &&
        !zc_instructions_has_file (flow->instructions)) {
        *text = "the broker would forget it when it ends: it needs the option revocations";
        return "file";
    }
    return NULL;
}

static void s_instruct (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    zc_instruction_t instruction;
    const char *error;
    if (zc_instruction_parse (&instruction, request->json, &error) != 0) {
        s_error (self, route, "arguments", error);
        return;
    }
    if (instruction.name.len && !instruction.at_ms)
        instruction.at_ms = self->flow->wall_ms;
    const char *code = s_objection (self, &instruction, &error);
    if (code)
        s_error (self, route, code, error);
    else
        s_tell (self, route, &instruction);
    zc_instruction_clear (&instruction);
}

static void s_instructions (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    zc_flow_t *flow = self->flow;
    zc_buf_t list = ZC_BUF_INIT;
    zc_slice_t line = zc_line_slice (&flow->instructed);
    bool ours = zc_slice_compare (request->line, line) == 0;
    if (flow->behind) {
        s_behind (self, route);
        return;
    }
    zc_id_t from =
        zc_instructions_list (flow->instructions, ours ? request->since : ZC_ID_NONE, &list);
    zc_id_t head = zc_instructions_head (flow->instructions);
    zc_answer_t answer = {.verb = ZC_INSTRUCTIONS,
                          .kind = ZC_OK,
                          .head = ours && head < request->since ? request->since : head,
                          .since = from,
                          .line = line,
                          .listed = {(char *)list.data, list.len}};
    zc_outbox_answer (self->outbox, route, &answer);
    zc_buf_clear (&list);
}

/*  STATS, REPORT, PING. */

static void s_say (zc_dialogue_t *self, const zc_route_t *route, zc_verb_t verb, zc_slice_t text)
{
    zc_answer_t answer = {.verb = verb, .kind = ZC_OK, .text = text};
    zc_outbox_answer (self->outbox, route, &answer);
}

static void s_json_position (json_t *json, const char *name, zc_id_t id)
{
    char text[ZC_ID_SIZE];
    zc_id_format (id, text);
    json_object_set_new (json, name, json_string (text));
}

/*  Fills in the figures that aren't counted as they happen. */
static void s_take_stock (zc_dialogue_t *self, const zc_history_stats_t *history)
{
    zc_backlog_stats_t subscribers = zc_backlog_stats (self->flow->backlog);
    zc_broker_figures_t *figures = self->flow->counters;
    figures->topics = zc_topics_size (self->flow->topics);
    figures->replays = zc_replays_size (self->replays);
    figures->replayed = zc_replays_messages (self->replays);
    figures->barriers = zc_barriers_waiting (self->barriers);
    figures->unread = zc_outbox_waiting (self->outbox);
    figures->unanswered = zc_outbox_dropped (self->outbox);
    figures->remembered = zc_dedup_size (self->flow->dedup);
    figures->max_payload = self->flow->max_payload;
    figures->unauthorized = zc_gate_refused (self->flow->gate);
    figures->subscribers = subscribers.connections;
    figures->subscribers_behind = subscribers.behind;
    figures->subscribers_bytes = subscribers.bytes;
    figures->subscribers_disconnected = subscribers.cut;
    figures->history_messages = history->messages;
    figures->history_bytes = history->bytes;
    figures->history_trimmed = history->trimmed;
    figures->history_lost = history->lost;
    figures->history_commits = history->commits;
    figures->history_syncs = history->syncs;
}

static json_t *s_busy (const zc_busy_t *busy)
{
    json_t *list = json_array ();
    zc_busy_row_t row;
    for (size_t i = 0; zc_busy_row (busy, i, &row); i++) {
        json_t *topic = json_stringn (row.topic.at, row.topic.len);
        json_array_append_new (list, json_pack ("{s:o,s:f}", "topic", topic, "rate", row.rate));
    }
    return list;
}

static json_t *s_json (zc_dialogue_t *self)
{
    zc_history_stats_t history = {0};
    zc_history_stats (self->flow->history, &history);
    s_take_stock (self, &history);
    json_t *json = zc_stats_json (self->flow->stats, self->flow->mono_ms);
    json_t *of_history = json_object_get (json, "history");
    json_object_set_new (json, "version", json_string (PACKAGE_VERSION));
    s_json_position (json, "head", self->flow->head);
    json_object_set_new (json, "line", json_string (self->flow->history->line.text));
    json_t *dropped = json_object_get (json, "dropped");
    s_json_position (dropped, "position", self->flow->dropped);
    json_object_set (dropped, "episodes", json_object_get (dropped, "count"));
    json_object_set_new (of_history, "kind", json_string (self->flow->history->ops->kind));
    json_object_set_new (of_history, "state", json_string (history.error ? "failed" : "ok"));
    if (history.error)
        json_object_set_new (of_history, "error", json_string (history.error));
    s_json_position (of_history, "floor", history.floor);
    if (self->flow->tell)
        self->flow->tell (self->flow, json);
    json_object_set_new (json, "busy", s_busy (zc_topics_busy (self->flow->topics)));
    json_object_set_new (json, "reported",
                         zc_stats_reported (self->flow->stats, self->flow->mono_ms));
    return json;
}

static void s_stats (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    (void)request;
    json_t *json = s_json (self);
    char *text = json_dumps (json, JSON_COMPACT);
    zc_buf_t answer = ZC_BUF_INIT;
    zc_buf_add (&answer, text, strlen (text) - 1);
    zc_buf_adds (&answer, ",\"workers\":");
    zc_stats_workers (self->flow->stats, &answer, self->flow->mono_ms);
    zc_buf_addc (&answer, '}');
    s_say (self, route, ZC_STATS, (zc_slice_t){(char *)answer.data, answer.len});
    zc_buf_clear (&answer);
    free (text);
    json_decref (json);
}

static void s_report (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    const char *error = NULL;
    const char *code = zc_stats_report (self->flow->stats, zc_route_peer (route), request->name,
                                        request->json, self->flow->mono_ms, &error);
    if (code) {
        s_error (self, route, code, error);
    } else {
        s_say (self, route, ZC_REPORT, (zc_slice_t){"", 0});
    }
}

static void s_ping (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    (void)request;
    s_say (self, route, ZC_PING, (zc_slice_t){PACKAGE_VERSION, strlen (PACKAGE_VERSION)});
}

static void s_limits (zc_dialogue_t *self, const zc_route_t *route, const zc_ask_t *request)
{
    zc_answer_t answer = {.verb = ZC_LIMITS, .kind = ZC_OK, .max_payload = self->flow->max_payload};
    (void)request;
    zc_outbox_answer (self->outbox, route, &answer);
}

/*  Requests. */

static void (*const s_verbs[ZC_VERBS]) (zc_dialogue_t *self, const zc_route_t *route,
                                        const zc_ask_t *request) = {
    [ZC_PUBLISH] = s_publish,
    [ZC_REPLAY] = s_replay,
    [ZC_FETCH] = s_replay,
    [ZC_SYNC] = s_sync,
    [ZC_TOPICS] = s_topics,
    [ZC_STATS] = s_stats,
    [ZC_REPORT] = s_report,
    [ZC_PING] = s_ping,
    [ZC_LIMITS] = s_limits,
    [ZC_LIST] = s_list,
    [ZC_PURGE] = s_purge,
    [ZC_INSTRUCT] = s_instruct,
    [ZC_INSTRUCTIONS] = s_instructions};

/*  Returns whether the request may have taken long. A PUBLISH on one topic never does, and reading
 *  the clock after each would make it a tenth dearer. */
static bool s_handle (zc_dialogue_t *self, size_t count)
{
    zc_ask_t request;
    zc_route_t route;
    const char *text;
    const char *code =
        zc_ask_parse (&request, self->slices + 1, count - 1, self->flow->max_payload, &text);
    zc_route_set (&route, &self->frames[0], &request);
    if (code) {
        static zc_log_limit_t limit;
        zc_log_limited (&limit, ZC_LOG_DEBUG,
                        ZC_EVENT ("request.refused code error", "refused a request: %s: %s"), code,
                        text);
        s_error (self, &route, code, text);
    } else if (!zc_gate_ask (self->flow->gate, zc_gate_sender (self->flow->gate, &self->frames[1]),
                             request.verb)) {
        s_error (self, &route, "forbidden", "this certificate doesn't allow that request");
    } else {
        self->flow->counters->requests[request.verb]++;
        s_verbs[request.verb](self, &route, &request);
    }
    return code || request.verb != ZC_PUBLISH || request.list.len;
}

/*  The identity, the frames of the longest request, and one more, which shows that a request is
 *  too long. */
#define S_FRAMES (ZC_ASK_FRAMES + 2)

/*  Receives a request into frames and slices. Returns its count of frames with the identity, 0
 *  if there is no request. Frames beyond S_FRAMES are lost. */
static size_t s_receive (zc_dialogue_t *self)
{
    size_t count = 0, at;
    do {
        at = count < S_FRAMES ? count++ : S_FRAMES - 1;
        int rc;
        do
            rc = zmq_msg_recv (&self->frames[at], self->router, ZMQ_DONTWAIT);
        while (rc < 0 && errno == EINTR);
        if (rc < 0)
            return 0;
        self->slices[at] =
            (zc_slice_t){zmq_msg_data (&self->frames[at]), zmq_msg_size (&self->frames[at])};
    } while (zmq_msg_more (&self->frames[at]));
    return count;
}

/*  Closes the frames, which may be large. */
static void s_release (zc_dialogue_t *self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        zmq_msg_close (&self->frames[i]);
        zmq_msg_init (&self->frames[i]);
    }
}

bool zc_dialogue_serve (zc_dialogue_t *self)
{
    uint64_t replayed = zc_replays_messages (self->replays);
    for (int i = 0; i < S_REQUESTS; i++) {
        if (zc_history_full (self->flow->history))
            return false;
        size_t count = s_receive (self);
        if (count == 0)
            return false;
        bool long_one = s_handle (self, count);
        s_release (self, count);
        if (zc_replays_messages (self->replays) - replayed > S_REPLAYED ||
            (long_one && zc_mono_ms () - self->flow->mono_ms >= S_TURN_MS))
            break;
    }
    return true;
}

void zc_dialogue_turn (zc_dialogue_t *self)
{
    zc_outbox_retry (self->outbox);
    zc_replays_run (self->replays);
    zc_barriers_turn (self->barriers, self->flow->mono_ms);
    s_give_up_missed (self);
    zc_late_turn (self->late, self->flow->head, self->flow->heard_ms, self->flow->mono_ms);
}

bool zc_dialogue_busy (const zc_dialogue_t *self)
{
    return zc_replays_size (self->replays) || zc_outbox_waiting (self->outbox);
}

bool zc_dialogue_awaits (const zc_dialogue_t *self)
{
    return self->copies.size > 0;
}

void zc_dialogue_nonce (zc_dialogue_t *self, zc_slice_t nonce)
{
    zc_barriers_seen (self->barriers, nonce, self->flow->mono_ms);
}

int zc_dialogue_wait_ms (const zc_dialogue_t *self)
{
    zc_replays_state_t state = zc_replays_state (self->replays);
    if (state == ZC_REPLAYS_READY || zc_barriers_ready (self->barriers))
        return 0;
    /*  ZeroMQ doesn't tell when a ROUTER's peer reads again. */
    return state == ZC_REPLAYS_BLOCKED || zc_outbox_waiting (self->outbox) ? 1 : S_TICK_MS;
}

zc_dialogue_t *zc_dialogue_new (zc_flow_t *flow, void *router)
{
    zc_dialogue_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->flow = flow;
    self->router = router;
    self->outbox = zc_outbox_new (self->router);
    self->replays = zc_replays_new (self->flow->history, self->flow->topics, self->outbox);
    self->barriers = zc_barriers_new (s_synced, s_unsynced, self);
    zc_late_hooks_t hooks = {self, s_start_replay, s_behind};
    self->late = zc_late_new (&hooks);
    zc_table_init (&self->copies);
    self->frames = malloc (S_FRAMES * sizeof *self->frames);
    self->slices = malloc (S_FRAMES * sizeof *self->slices);
    if (!self->frames || !self->slices)
        abort ();
    for (size_t i = 0; i < S_FRAMES; i++)
        zmq_msg_init (&self->frames[i]);
    return self;
}

void zc_dialogue_destroy (zc_dialogue_t **self_p)
{
    zc_dialogue_t *self = *self_p;
    zc_table_cursor_t at = {0};
    zc_node_t *copy;
    if (!self)
        return;
    s_release (self, S_FRAMES);
    free (self->frames);
    free (self->slices);
    zc_replays_destroy (&self->replays);
    zc_outbox_destroy (&self->outbox);
    zc_barriers_destroy (&self->barriers);
    zc_late_destroy (&self->late);
    while ((copy = zc_table_next (&self->copies, &at)))
        free (copy);
    zc_table_clear (&self->copies);
    free (self);
    *self_p = NULL;
}
