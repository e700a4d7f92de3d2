/*  questions.c - requests to the broker: tokens, queues of FETCHes, rounds of SYNCs, a TOPICS. */
#include "lib/engine/questions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/base/buf.h"
#include "lib/base/table.h"
#include "lib/wire/ask.h"

#define S_SYNC_TOPICS 1000 /* topics in one SYNC */
#define S_FETCHES 64       /* pages under way, until zc_questions_allow says otherwise */
#define S_REPAIRS 4        /* repairs beyond that: live messages are held back for them */

typedef struct s_question {
    zc_node_t node;
    zc_slice_t key; /* the bytes of its token */
    uint64_t token;
    const zc_fetcher_t *fetcher;   /* NULL: a SYNC */
    void *asker;                   /* FETCH: borrowed */
    zc_buf_t since;                /* FETCH */
    bool ours;                     /* FETCH: `since` is a position of the broker's line */
    bool sent;                     /* FETCH */
    zc_slice_t topics;             /* FETCH: borrowed from the asker */
    TAILQ_ENTRY (s_question) turn; /* FETCH: in its queue, until it is sent */
    zc_slots_t subjects;           /* SYNC: the topics that it asks about, in order */
    zc_id_t head;                  /* SYNC: the newest position known when it was sent */
} s_question_t;

typedef TAILQ_HEAD (, s_question) s_queue_t;

struct zc_questions {
    zc_upstream_t upstream;
    zc_hub_stats_t *stats; /* borrowed */
    bool connected;
    bool trusted; /* connected, and a SYNC has been answered since */
    zc_line_t line;
    uint64_t last_token;
    zc_table_t all;                   /* owns s_question_t: sent, or waiting to be */
    s_queue_t queues[ZC_FETCH_KINDS]; /* FETCHes that wait, by kind */
    size_t fetching, syncing;         /* FETCHes and SYNCs that have been sent */
    size_t fetches_max;               /* bound of `fetching`, by the memory that pages take */
    size_t allowed;                   /* and its bound by the speed of the link */
    zc_slots_t wanted;                /* of zc_subject_t */
    uint64_t listing;                 /* token of the TOPICS under way, or 0 */
};

static void s_free (s_question_t *question)
{
    zc_slots_clear (&question->subjects);
    zc_buf_clear (&question->since);
    free (question);
}

static void s_forget_all (zc_questions_t *self)
{
    zc_table_cursor_t at = {0};
    s_question_t *question;
    while ((question = zc_table_next (&self->all, &at)))
        s_free (question);
    zc_table_clear (&self->all);
    for (size_t i = 0; i < ZC_FETCH_KINDS; i++)
        TAILQ_INIT (&self->queues[i]);
    zc_slots_clear (&self->wanted);
    self->fetching = self->syncing = 0;
    self->listing = 0;
}

zc_questions_t *zc_questions_new (const zc_upstream_t *upstream, zc_hub_stats_t *stats)
{
    zc_questions_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->upstream = *upstream;
    self->stats = stats;
    self->fetches_max = self->allowed = S_FETCHES;
    zc_table_init (&self->all);
    s_forget_all (self);
    return self;
}

void zc_questions_destroy (zc_questions_t **self_p)
{
    zc_questions_t *self = *self_p;
    if (!self)
        return;
    s_forget_all (self);
    free (self);
    *self_p = NULL;
}

void zc_questions_set_fetches (zc_questions_t *self, size_t max)
{
    self->fetches_max = max < 1 ? 1 : max > S_FETCHES ? S_FETCHES : max;
}

void zc_questions_connected (zc_questions_t *self, bool connected)
{
    if (!connected)
        s_forget_all (self);
    self->connected = connected;
    self->trusted = false;
}

void zc_questions_trust (zc_questions_t *self)
{
    self->trusted = true;
}

bool zc_questions_trusted (const zc_questions_t *self)
{
    return self->trusted;
}

void zc_questions_set_line (zc_questions_t *self, const zc_line_t *line)
{
    self->line = *line;
}

const zc_line_t *zc_questions_line (const zc_questions_t *self)
{
    return &self->line;
}

bool zc_questions_can_ask (const zc_questions_t *self)
{
    return self->connected;
}

static s_question_t *s_new (zc_questions_t *self)
{
    s_question_t *question = calloc (1, sizeof *question);
    if (!question)
        abort ();
    question->token = ++self->last_token;
    question->key = (zc_slice_t){(const char *)&question->token, sizeof question->token};
    zc_table_add (&self->all, question);
    return question;
}

static s_question_t *s_find (const zc_questions_t *self, uint64_t token)
{
    return zc_table_get (&self->all, (zc_slice_t){(const char *)&token, sizeof token});
}

/*  FETCH. */

uint64_t zc_questions_fetch (zc_questions_t *self, const zc_fetcher_t *fetcher, void *asker,
                             zc_slice_t since, bool ours, zc_slice_t topics)
{
    s_question_t *question = s_new (self);
    question->fetcher = fetcher;
    question->asker = asker;
    zc_buf_add (&question->since, since.at, since.len);
    question->ours = ours;
    question->topics = topics;
    TAILQ_INSERT_TAIL (&self->queues[fetcher->kind], question, turn);
    return question->token;
}

static s_question_t *s_find_fetch (const zc_questions_t *self, uint64_t token)
{
    s_question_t *question = s_find (self, token);
    return question && question->fetcher ? question : NULL;
}

static void s_forget_fetch (zc_questions_t *self, s_question_t *question)
{
    if (question->sent)
        self->fetching--;
    else
        TAILQ_REMOVE (&self->queues[question->fetcher->kind], question, turn);
    zc_table_remove (&self->all, &question->node);
    s_free (question);
}

void zc_questions_cancel (zc_questions_t *self, uint64_t token)
{
    s_question_t *question = token ? s_find_fetch (self, token) : NULL;
    if (question)
        s_forget_fetch (self, question);
}

static void s_send_fetch (zc_questions_t *self, s_question_t *question)
{
    TAILQ_REMOVE (&self->queues[question->fetcher->kind], question, turn);
    question->sent = true;
    self->fetching++;
    self->stats->fetches++;
    zc_slice_t since = {(const char *)question->since.data, question->since.len};
    static const zc_line_t unknown;
    self->upstream.fetch (self->upstream.self, question->token, since, question->topics.at,
                          question->topics.len, question->ours ? &self->line : &unknown);
}

void zc_questions_allow (zc_questions_t *self, size_t count)
{
    self->allowed = count;
}

void zc_questions_send (zc_questions_t *self)
{
    size_t kinds = self->trusted ? ZC_FETCH_KINDS : ZC_FETCH_RESUME;
    for (size_t kind = 0; kind < kinds; kind++) {
        s_queue_t *queue = &self->queues[kind];
        size_t most = self->allowed < self->fetches_max ? self->allowed : self->fetches_max;
        most += kind == ZC_FETCH_REPAIR ? S_REPAIRS : 0;
        while (self->connected && self->fetching < most && !TAILQ_EMPTY (queue))
            s_send_fetch (self, TAILQ_FIRST (queue));
    }
}

void zc_questions_message (zc_questions_t *self, uint64_t token, const zc_message_t *message)
{
    s_question_t *question = s_find_fetch (self, token);
    if (question)
        question->fetcher->message (question->asker, message);
}

void zc_questions_end (zc_questions_t *self, uint64_t token, const zc_page_end_t *end)
{
    s_question_t *question = s_find_fetch (self, token);
    if (!question)
        return;
    const zc_fetcher_t *fetcher = question->fetcher;
    void *asker = question->asker;
    s_forget_fetch (self, question);
    fetcher->end (asker, end);
}

bool zc_questions_fetch_failed (zc_questions_t *self, uint64_t token)
{
    s_question_t *question = s_find_fetch (self, token);
    if (!question)
        return false;
    const zc_fetcher_t *fetcher = question->fetcher;
    void *asker = question->asker;
    s_forget_fetch (self, question);
    fetcher->failed (asker);
    return true;
}

/*  SYNC. */

static void s_add_subject (zc_slots_t *to, zc_subject_t *subject)
{
    zc_slots_add (to, subject, &subject->slot);
    subject->in = to;
}

void zc_questions_want (zc_questions_t *self, zc_subject_t *subject)
{
    if (!subject->slot)
        s_add_subject (&self->wanted, subject);
}

void zc_questions_unwant (zc_questions_t *self, zc_subject_t *subject)
{
    if (subject->in == &self->wanted)
        zc_slots_take (subject->in, &subject->slot);
    else
        /* blanked, because the order of a question's topics counts */
        zc_slots_blank (subject->in, &subject->slot);
}

bool zc_questions_wanted (const zc_questions_t *self)
{
    return self->wanted.count > 0;
}

bool zc_questions_syncing (const zc_questions_t *self)
{
    return self->syncing > 0;
}

static void s_sync_some (zc_questions_t *self, zc_id_t head)
{
    zc_buf_t list = ZC_BUF_INIT;
    s_question_t *question = s_new (self);
    zc_subject_t *subject;
    question->head = head;
    while (question->subjects.count < S_SYNC_TOPICS && (subject = zc_slots_pop (&self->wanted))) {
        zc_ask_add_topic (&list, subject->name);
        s_add_subject (&question->subjects, subject);
    }
    self->syncing++;
    self->stats->syncs++;
    const zc_mark_t have = {self->line, head};
    self->upstream.sync (self->upstream.self, question->token, (const char *)list.data, list.len,
                         &have);
    zc_buf_clear (&list);
}

void zc_questions_sync (zc_questions_t *self, zc_id_t head)
{
    do
        s_sync_some (self, head);
    while (self->wanted.count > 0);
    zc_slots_clear (&self->wanted); /* frees its memory, which may be that of all topics */
}

bool zc_questions_synced (zc_questions_t *self, uint64_t token, zc_slots_t *subjects, zc_id_t *head)
{
    s_question_t *question = s_find (self, token);
    if (!question || question->fetcher)
        return false;
    *head = question->head;
    *subjects = question->subjects;
    question->subjects = (zc_slots_t){0};
    for (size_t i = 0; i < subjects->count; i++)
        if (subjects->at[i].item)
            ((zc_subject_t *)subjects->at[i].item)->in = subjects;
    zc_table_remove (&self->all, &question->node);
    s_free (question);
    self->syncing--;
    return true;
}

/*  TOPICS. */

void zc_questions_list (zc_questions_t *self, zc_id_t since, const zc_slice_t *prefixes,
                        size_t count)
{
    self->listing = ++self->last_token;
    self->stats->lists++;
    self->upstream.list (self->upstream.self, self->listing, since, prefixes, count);
}

bool zc_questions_listing (const zc_questions_t *self)
{
    return self->listing != 0;
}

bool zc_questions_listed (zc_questions_t *self, uint64_t token)
{
    if (!self->listing || token != self->listing)
        return false;
    self->listing = 0;
    return true;
}
