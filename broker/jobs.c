/*  jobs.c - a replay is a merge of its topics by position: a heap of (next position, topic), each
 *  step of which is a seek in that topic's history. Nothing is scanned, and nothing but positions
 * is remembered between slices, so that messages may come and go meanwhile. */
#include "broker/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S_SLICE 100 /* messages of one job in one turn */
#define S_SLICE_BYTES (1u << 20)
#define S_RUN 10           /* jobs in one turn */
#define S_RUN_BLOCKED 1000 /* jobs in one turn that turn out to be blocked */
#define S_JOBS_MAX 10000
#define S_JOBS_PEER_MAX 5000
#define S_SOURCES_MAX 2000000 /* topics of all jobs */

typedef struct {
    zc_id_t next; /* its first message not yet sent */
    zc_topic_t *topic;
} s_source_t;

typedef struct s_job {
    struct s_job *next;
    zc_route_t route;
    bool fetch;
    bool unknown;          /* `since` is an own id that isn't in history */
    bool blocked;          /* its peer doesn't read */
    bool limited;          /* the page is full */
    zc_id_t since;         /* what the request meant */
    zc_id_t position;      /* sent up to here */
    zc_id_t head;          /* to be sent up to here */
    zc_id_t floor;         /* complete after this */
    uint64_t count, bytes; /* left of the page */
    bool any;              /* something was sent */
    size_t topic_count;
    zc_topic_t **topics; /* pinned; those that are known, each once */
    size_t heap_len;
    s_source_t heap[]; /* as many as topics */
} s_job_t;

struct zc_jobs {
    zc_history_t *history;
    zc_topics_t *known;
    zc_outbox_t *outbox;
    s_job_t *first, **end; /* a ring: each gets its turn */
    size_t size, sources, blocked;
    uint64_t messages;
    bool unreadable; /* history is, for now: all wait */
};

zc_jobs_t *zc_jobs_new (zc_history_t *history, zc_topics_t *topics, zc_outbox_t *outbox)
{
    zc_jobs_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->history = history;
    self->known = topics;
    self->outbox = outbox;
    self->end = &self->first;
    return self;
}

static void s_job_free (s_job_t *job)
{
    for (size_t i = 0; i < job->topic_count; i++)
        job->topics[i]->pins--;
    free (job->topics);
    free (job);
}

void zc_jobs_destroy (zc_jobs_t **self_p)
{
    zc_jobs_t *self = *self_p;
    if (!self)
        return;
    while (self->first) {
        s_job_t *job = self->first;
        self->first = job->next;
        s_job_free (job);
    }
    free (self);
    *self_p = NULL;
}

/*  The heap: the smallest position on top. */

static void s_down (s_job_t *job)
{
    s_source_t source = job->heap[0];
    size_t at = 0;
    for (size_t child; (child = at * 2 + 1) < job->heap_len; at = child) {
        if (child + 1 < job->heap_len && job->heap[child + 1].next < job->heap[child].next)
            child++;
        if (source.next <= job->heap[child].next)
            break;
        job->heap[at] = job->heap[child];
    }
    job->heap[at] = source;
}

static void s_add (s_job_t *job, s_source_t source)
{
    size_t at = job->heap_len++;
    for (; at > 0 && job->heap[(at - 1) / 2].next > source.next; at = (at - 1) / 2)
        job->heap[at] = job->heap[(at - 1) / 2];
    job->heap[at] = source;
}

/*  The source on top goes on after `next`, or is done with. */
static void s_advance (s_job_t *job, bool more, zc_id_t next)
{
    if (more && next <= job->head)
        job->heap[0].next = next;
    else
        job->heap[0] = job->heap[--job->heap_len];
    if (job->heap_len)
        s_down (job);
}

/*  The start of a job. */

static int s_by_address (const void *left, const void *right)
{
    uintptr_t a = (uintptr_t) * (zc_topic_t *const *)left;
    uintptr_t b = (uintptr_t) * (zc_topic_t *const *)right;
    return (a > b) - (a < b);
}

/*  Finds the topics that are known, each once, and pins them. Those that aren't have nothing in
 *  history; what is forgotten of them counts for the floor. */
static void s_find_topics (zc_jobs_t *self, s_job_t *job, const zc_ask_t *request)
{
    size_t at = 0, count = 0;
    zc_slice_t name;
    while (zc_ask_topic (request, &at, &name)) {
        zc_topic_t *topic = zc_topics_find (self->known, name);
        if (topic)
            job->topics[count++] = topic;
        else if (job->floor < zc_topics_forgotten (self->known))
            job->floor = zc_topics_forgotten (self->known);
    }
    qsort (job->topics, count, sizeof *job->topics, s_by_address);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || job->topics[i] != job->topics[i - 1]) {
            zc_topic_t *topic = job->topics[i];
            job->topics[job->topic_count++] = topic;
            topic->pins++;
        }
}

static void s_check_floor (zc_jobs_t *self, s_job_t *job)
{
    for (size_t i = 0; i < job->topic_count; i++) {
        zc_id_t floor = zc_history_floor (self->history, job->topics[i]);
        if (floor > job->position && floor > job->floor)
            job->floor = floor;
    }
}

/*  An own id that several of the topics have means the earliest: nothing is missed. */
static bool s_find_event (zc_jobs_t *self, s_job_t *job, zc_slice_t event)
{
    zc_id_t id, least = ZC_ID_MAX;
    for (size_t i = 0; i < job->topic_count; i++)
        if (zc_history_find (self->history, job->topics[i], event, &id) && id < least)
            least = id;
    job->since = least;
    return least != ZC_ID_MAX;
}

static void s_set_since (zc_jobs_t *self, s_job_t *job, const zc_ask_t *request)
{
    s_check_floor (self, job);
    if (request->since_kind == ZC_SINCE_POSITION) {
        job->since = job->position = request->since;
    } else if (request->since_kind == ZC_SINCE_EARLIEST) {
        /*  All there is of each topic; and nothing is missing of what was asked for. */
        job->since = job->floor;
        job->position = ZC_ID_NONE;
    } else if (s_find_event (self, job, request->since_event)) {
        job->position = job->since;
    } else {
        job->unknown = true;
        job->position = job->since = job->floor;
    }
}

static void s_find_sources (zc_jobs_t *self, s_job_t *job)
{
    zc_stored_t stored;
    for (size_t i = 0; i < job->topic_count; i++) {
        zc_topic_t *topic = job->topics[i];
        if (topic->sent > job->position &&
            zc_history_next (self->history, topic, job->position, &stored) &&
            stored.id <= job->head)
            s_add (job, (s_source_t){stored.id, topic});
    }
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

static s_job_t *s_job_new (zc_jobs_t *self, const zc_route_t *route, const zc_ask_t *request,
                           zc_id_t head)
{
    size_t topics = s_topic_count (request);
    s_job_t *job = calloc (1, sizeof *job + topics * sizeof job->heap[0]);
    if (!job || !(job->topics = malloc (topics * sizeof *job->topics)))
        abort ();
    job->route = *route;
    job->fetch = request->verb == ZC_FETCH;
    job->count = job->fetch ? request->count : UINT64_MAX;
    job->bytes = job->fetch ? request->bytes : UINT64_MAX;
    job->head = head;
    s_find_topics (self, job, request);
    s_set_since (self, job, request);
    s_find_sources (self, job);
    return job;
}

/*  Sending. */

static zc_sent_t s_send_message (zc_jobs_t *self, s_job_t *job, const zc_topic_t *topic,
                                 const zc_stored_t *stored)
{
    zmq_msg_t frames[4];
    zc_frame_set (&frames[0], "MSG", 3);
    zc_frame_set (&frames[1], topic->name, topic->len);
    if (stored->shared) {
        zmq_msg_init (&frames[2]);
        zmq_msg_copy (&frames[2], stored->shared);
    } else {
        zc_frame_set (&frames[2], stored->payload.at, stored->payload.len);
    }
    zc_frame_set (&frames[3], stored->meta.at, stored->meta.len);
    zc_sent_t sent = zc_outbox_send (self->outbox, &job->route, frames, 4);
    if (sent != ZC_SENT)
        for (size_t i = 0; i < 4; i++)
            zmq_msg_close (&frames[i]);
    return sent;
}

static void s_account (zc_jobs_t *self, s_job_t *job, const zc_stored_t *stored)
{
    self->messages++;
    job->any = true;
    job->position = stored->id;
    job->count--;
    job->bytes -= stored->payload.len < job->bytes ? stored->payload.len : job->bytes;
    job->limited = job->count == 0 || job->bytes == 0;
}

/*  Sends the message on top of the heap. */
static zc_sent_t s_step (zc_jobs_t *self, s_job_t *job, size_t *bytes)
{
    s_source_t source = job->heap[0];
    zc_stored_t stored;
    bool more = zc_history_next (self->history, source.topic, source.next - 1, &stored);
    if (more && stored.id == source.next) {
        zc_sent_t sent = s_send_message (self, job, source.topic, &stored);
        if (sent != ZC_SENT)
            return sent;
        *bytes += stored.payload.len;
        s_account (self, job, &stored);
        more = zc_history_next (self->history, source.topic, source.next, &stored);
    }
    s_advance (job, more, more ? stored.id : 0);
    return ZC_SENT;
}

static uint64_t s_remaining (zc_jobs_t *self, const s_job_t *job)
{
    uint64_t count = 0;
    for (size_t i = 0; i < job->topic_count; i++)
        count += zc_history_count (self->history, job->topics[i], job->position, job->head);
    return count;
}

static zc_sent_t s_send_end (zc_jobs_t *self, s_job_t *job)
{
    uint64_t remaining = job->heap_len ? s_remaining (self, job) : 0;
    char head[ZC_ID_SIZE], floor[ZC_ID_SIZE], since[ZC_ID_SIZE] = "?", left[24];
    zmq_msg_t frames[5];
    size_t count = job->fetch ? 5 : 3;
    zc_frame_set (&frames[0], "END", 3);
    zc_frame_set (&frames[1], head, zc_id_format (remaining ? job->position : job->head, head));
    zc_frame_set (&frames[2], floor, zc_id_format (job->floor, floor));
    if (job->fetch) {
        size_t len = job->unknown ? 1 : zc_id_format (job->since, since);
        zc_frame_set (&frames[3], since, len);
        len = (size_t)snprintf (left, sizeof left, "%llu", (unsigned long long)remaining);
        zc_frame_set (&frames[4], left, len);
    }
    zc_sent_t sent = zc_outbox_send (self->outbox, &job->route, frames, count);
    if (sent != ZC_SENT)
        for (size_t i = 0; i < count; i++)
            zmq_msg_close (&frames[i]);
    return sent;
}

/*  True when the job is done with. */
static bool s_slice (zc_jobs_t *self, s_job_t *job)
{
    zc_sent_t sent = ZC_SENT;
    size_t bytes = 0;
    for (int i = 0;
         i < S_SLICE && bytes < S_SLICE_BYTES && sent == ZC_SENT && job->heap_len && !job->limited;
         i++)
        sent = s_step (self, job, &bytes);
    bool done = false;
    if (sent == ZC_SENT && (job->heap_len == 0 || job->limited)) {
        sent = s_send_end (self, job);
        done = sent == ZC_SENT;
    }
    job->blocked = sent == ZC_BLOCKED;
    return done || sent == ZC_GONE;
}

static void s_enqueue (zc_jobs_t *self, s_job_t *job)
{
    job->next = NULL;
    *self->end = job;
    self->end = &job->next;
    self->size++;
    self->sources += job->topic_count;
    self->blocked += job->blocked;
}

static s_job_t *s_dequeue (zc_jobs_t *self)
{
    s_job_t *job = self->first;
    self->first = job->next;
    if (!self->first)
        self->end = &self->first;
    self->size--;
    self->sources -= job->topic_count;
    self->blocked -= job->blocked;
    return job;
}

static bool s_room (const zc_jobs_t *self, const zc_route_t *route)
{
    if (self->size >= S_JOBS_MAX || self->sources >= S_SOURCES_MAX)
        return false;
    if (self->size < S_JOBS_PEER_MAX)
        return true;
    size_t of_peer = 0;
    for (const s_job_t *job = self->first; job; job = job->next)
        of_peer += zc_route_same_peer (&job->route, route);
    return of_peer < S_JOBS_PEER_MAX;
}

bool zc_jobs_start (zc_jobs_t *self, const zc_route_t *route, const zc_ask_t *request, zc_id_t head)
{
    if (!s_room (self, route))
        return false;
    s_job_t *job = s_job_new (self, route, request, head);
    if (s_slice (self, job))
        s_job_free (job);
    else
        s_enqueue (self, job);
    zc_history_release (self->history);
    return true;
}

void zc_jobs_run (zc_jobs_t *self)
{
    size_t count = self->size, blocked = 0;
    self->unreadable = count && zc_history_unreadable (self->history);
    if (self->unreadable)
        return;
    for (size_t run = 0; count > 0 && run < S_RUN && blocked < S_RUN_BLOCKED; count--) {
        s_job_t *job = s_dequeue (self);
        s_check_floor (self, job);
        bool done = s_slice (self, job);
        if (job->blocked)
            blocked++;
        else
            run++;
        if (done)
            s_job_free (job);
        else
            s_enqueue (self, job);
    }
    zc_history_release (self->history);
}

zc_jobs_state_t zc_jobs_state (const zc_jobs_t *self)
{
    if (self->size == 0)
        return ZC_JOBS_NONE;
    return self->unreadable || self->size == self->blocked ? ZC_JOBS_BLOCKED : ZC_JOBS_READY;
}

size_t zc_jobs_size (const zc_jobs_t *self)
{
    return self->size;
}

uint64_t zc_jobs_messages (const zc_jobs_t *self)
{
    return self->messages;
}
