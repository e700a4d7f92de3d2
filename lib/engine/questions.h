/*  questions.h - what a hub asks of the broker: which questions are out, which wait for their turn,
 *  and whose the answers are.
 *
 *  Two kinds. FETCH: a page of history, for a topic's repair, a channel's beginning, or a client
 *  that comes back. SYNC: the last positions of topics; those that are wanted go out together. */
#ifndef ZC_QUESTIONS_H
#define ZC_QUESTIONS_H

#include "lib/base/slots.h"
#include "lib/engine/settings.h"
#include "lib/wire/line.h"
#include "lib/wire/message.h"

typedef struct zc_questions zc_questions_t;

/*  How they reach the broker. Answers come as calls of zc_hub_… with the same token; each question
 *  is answered once, or failed by zc_hub_failed, or dropped when the link says
 *  zc_hub_disconnected. */
typedef struct {
    void *self;
    void (*subscribe) (void *self, const char *topic, size_t len);
    void (*unsubscribe) (void *self, const char *topic, size_t len);
    /*  All subscriptions made so far are live, and the last position of each of the topics (a
     *  list, LF between them). `have` (borrowed): the last position that we have from a broker; of
     *  an older one we know no line. Answer: zc_hub_synced. */
    void (*sync) (void *self, uint64_t token, const char *topics, size_t len,
                  const zc_mark_t *have);
    /*  One page of history of these topics after `since` (text: an id, or a publisher's own id),
     *  which is of `line` (borrowed; may not be known). Answer: zc_hub_fetched_message, repeated,
     *  then zc_hub_fetched. */
    void (*fetch) (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                   const zc_line_t *line);
} zc_upstream_t;

/*  `stats` is borrowed; fetches and syncs are counted there. Not connected at first. */
zc_questions_t *zc_questions_new (const zc_upstream_t *upstream, zc_hub_stats_t *stats);
void zc_questions_destroy (zc_questions_t **self_p);
/*  So many pages may be under way: 1 to 64, which is what it begins with. */
void zc_questions_set_fetches (zc_questions_t *self, size_t max);
/*  Whether the broker can be asked. Connected or not, all questions are forgotten, sent or not. */
void zc_questions_connected (zc_questions_t *self, bool connected);
bool zc_questions_can_ask (const zc_questions_t *self);
/*  A SYNC was answered since it is connected: the broker goes on where it was before. Until then no
 *  page is asked for clients, who may be at positions that mean nothing to it any more. */
void zc_questions_trust (zc_questions_t *self);
bool zc_questions_trusted (const zc_questions_t *self);
/*  The line that the broker's positions are of, which questions name from now on. */
void zc_questions_set_line (zc_questions_t *self, const zc_line_t *line);
const zc_line_t *zc_questions_line (const zc_questions_t *self);

/*  FETCH. */

/*  In the order in which those that wait are sent: what holds live messages back goes first. */
typedef enum {
    ZC_FETCH_REPAIR,
    ZC_FETCH_BEGINNING,
    ZC_FETCH_RESUME,
    ZC_FETCH_KINDS
} zc_fetch_kind_t;

/*  How a page ends. */
typedef struct {
    zc_id_t head, floor; /* complete after `floor` up to `head` */
    zc_id_t since;       /* what the broker understood by the question's `since` */
    bool unknown;        /* or it knows no such event id */
    uint64_t remaining;  /* messages that follow on later pages */
} zc_page_end_t;

/*  What happens with the answer. Where `end` or `failed` is called, the question is forgotten. */
typedef struct {
    zc_fetch_kind_t kind;
    void (*message) (void *asker, const zc_message_t *message);
    void (*end) (void *asker, const zc_page_end_t *end);
    /*  No answer comes, or no more of it. */
    void (*failed) (void *asker);
} zc_fetcher_t;

/*  Asks for a page; sent by zc_questions_send in its turn. `since` is copied; `ours`: it is of the
 *  broker's line, and not what a client brought. `topics` (LF between them) is borrowed until the
 *  question is forgotten. Returns its token. */
uint64_t zc_questions_fetch (zc_questions_t *self, const zc_fetcher_t *fetcher, void *asker,
                             zc_slice_t since, bool ours, zc_slice_t topics);
/*  Forgets a question; nothing where the token is 0 or forgotten already. */
void zc_questions_cancel (zc_questions_t *self, uint64_t token);
/*  How many pages may be under way, beside a few more of repairs. */
void zc_questions_allow (zc_questions_t *self, size_t count);
void zc_questions_send (zc_questions_t *self);
void zc_questions_message (zc_questions_t *self, uint64_t token, const zc_message_t *message);
void zc_questions_end (zc_questions_t *self, uint64_t token, const zc_page_end_t *end);
/*  False where the token isn't one of a FETCH. */
bool zc_questions_fetch_failed (zc_questions_t *self, uint64_t token);

/*  SYNC. */

/*  What it is about; embedded in a subscription, which fills in `about` and `name`. */
typedef struct {
    void *about;     /* borrowed; the subscription */
    zc_slice_t name; /* borrowed; the topic */
    zc_slots_t *in;  /* those that are wanted, or those of a question that is out */
    size_t slot;     /* there; 0: in none */
} zc_subject_t;

/*  A SYNC about it is wanted; nothing where one is wanted or out already. */
void zc_questions_want (zc_questions_t *self, zc_subject_t *subject);
/*  The subject goes away. */
void zc_questions_unwant (zc_questions_t *self, zc_subject_t *subject);
bool zc_questions_wanted (const zc_questions_t *self);
/*  SYNCs are out: a round of them. */
bool zc_questions_syncing (const zc_questions_t *self);
/*  Sends the next round: SYNCs about all subjects that are wanted; one where there are none.
 *  `head` is the newest position heard of. */
void zc_questions_sync (zc_questions_t *self, zc_id_t head);
/*  The answer to a SYNC came, or won't: takes over what it was about, in the order of the names,
 *  blank where a subject is gone (the caller clears it), and the head that it was asked with. False
 *  where the token isn't one of a SYNC. */
bool zc_questions_synced (zc_questions_t *self, uint64_t token, zc_slots_t *subjects,
                          zc_id_t *head);

#endif
