/*  questions.h - a hub's questions to the broker: those that are out, those that wait for their
 *  turn, and who gets the answers.
 *
 *  There are three kinds. FETCH asks for a page of history: for a topic's repair, for a channel's
 *  beginning, or for a client that comes back. SYNC asks for the last positions of topics; all
 *  topics that want one go out together. TOPICS asks on which topics something was published. */
#ifndef ZC_QUESTIONS_H
#define ZC_QUESTIONS_H

#include "lib/base/slots.h"
#include "lib/engine/settings.h"
#include "lib/wire/line.h"
#include "lib/wire/message.h"

typedef struct zc_questions zc_questions_t;

/*  The hooks by which questions reach the broker. Answers come as calls of zc_hub_… with the same
 *  token. Each question is answered once; or failed by zc_hub_failed; or dropped when the link
 *  calls zc_hub_disconnected. */
typedef struct {
    void *self;
    void (*subscribe) (void *self, const char *topic, size_t len);
    void (*unsubscribe) (void *self, const char *topic, size_t len);
    /*  Asks whether all subscriptions made so far are live, and for the last position of each of
     *  the topics (a list, separated by LF). `have` (borrowed): the last position that we have from
     *  a broker; its line is unknown if that broker was an older one. Answer: zc_hub_synced. */
    void (*sync) (void *self, uint64_t token, const char *topics, size_t len,
                  const zc_mark_t *have);
    /*  Asks for one page of history of these topics after `since` (text: an id, or a publisher's
     *  own id), which is of `line` (borrowed; may be unknown). Answer: zc_hub_fetched_message,
     *  repeated, then zc_hub_fetched. */
    void (*fetch) (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                   const zc_line_t *line);
    /*  Asks on which topics that begin with one of these texts (1 to ZC_PREFIXES_MAX, borrowed)
     *  something was published after `since`. Answer: zc_hub_listed. */
    void (*list) (void *self, uint64_t token, zc_id_t since, const zc_slice_t *prefixes,
                  size_t count);
} zc_upstream_t;

/*  `stats` is borrowed, and counts fetches and syncs. Not connected at first. */
zc_questions_t *zc_questions_new (const zc_upstream_t *upstream, zc_hub_stats_t *stats);
void zc_questions_destroy (zc_questions_t **self_p);
/*  Sets how many pages may be under way: 1 to 64 (other numbers are cut to this range); 64 at
 *  first. The smaller of this number and that of zc_questions_allow counts. */
void zc_questions_set_fetches (zc_questions_t *self, size_t max);
/*  Says whether the broker can be asked. If it can't, all questions are forgotten, sent or not. In
 *  either case the broker isn't trusted until zc_questions_trust. */
void zc_questions_connected (zc_questions_t *self, bool connected);
bool zc_questions_can_ask (const zc_questions_t *self);
/*  A SYNC was answered on this connection: the broker goes on at the positions where it was before.
 *  Until then no page is asked for on behalf of clients, because their positions may mean nothing
 *  to the broker any more. */
void zc_questions_trust (zc_questions_t *self);
bool zc_questions_trusted (const zc_questions_t *self);
/*  Sets the line of the broker's positions, which questions name from now on. */
void zc_questions_set_line (zc_questions_t *self, const zc_line_t *line);
const zc_line_t *zc_questions_line (const zc_questions_t *self);

/*  FETCH. */

/*  The waiting questions are sent in this order: first those for which live messages are held
 *  back. */
typedef enum {
    ZC_FETCH_REPAIR,
    ZC_FETCH_BEGINNING,
    ZC_FETCH_RESUME,
    ZC_FETCH_KINDS
} zc_fetch_kind_t;

/*  How a page ends. */
typedef struct {
    zc_id_t head, floor; /* complete after `floor` up to `head` */
    zc_id_t since;       /* the position that the broker understood by the question's `since` */
    bool unknown;        /* the broker knows no such event id */
    uint64_t remaining;  /* messages that follow on later pages */
    bool plain;          /* of those, none is private or of an update on several topics */
} zc_page_end_t;

/*  The functions that get the answer. When `end` or `failed` is called, the question is
 *  forgotten. */
typedef struct {
    zc_fetch_kind_t kind;
    void (*message) (void *asker, const zc_message_t *message);
    void (*end) (void *asker, const zc_page_end_t *end);
    /*  No answer comes, or no more of it. */
    void (*failed) (void *asker);
} zc_fetcher_t;

/*  Asks for a page of these topics, of which some may be selectors; zc_questions_send sends the
 * question in its turn. `since` is copied. `ours`: `since` is of the broker's line, and doesn't
 * come from a client. `topics` (separated by LF) is borrowed until the question is forgotten.
 * Returns the question's token. */
uint64_t zc_questions_fetch (zc_questions_t *self, const zc_fetcher_t *fetcher, void *asker,
                             zc_slice_t since, bool ours, zc_slice_t topics);
/*  Forgets a question. Does nothing if the token is 0, or its question is already forgotten. */
void zc_questions_cancel (zc_questions_t *self, uint64_t token);
/*  Sets how many pages may be under way, not counting a few more for repairs. */
void zc_questions_allow (zc_questions_t *self, size_t count);
void zc_questions_send (zc_questions_t *self);
void zc_questions_message (zc_questions_t *self, uint64_t token, const zc_message_t *message);
void zc_questions_end (zc_questions_t *self, uint64_t token, const zc_page_end_t *end);
/*  False if the token isn't that of a FETCH. */
bool zc_questions_fetch_failed (zc_questions_t *self, uint64_t token);

/*  SYNC. */

/*  The subject of a SYNC. A subscription embeds it, and fills in `about` and `name`. */
typedef struct {
    void *about;     /* borrowed; the subscription */
    zc_slice_t name; /* borrowed; the topic */
    zc_slots_t *in;  /* borrowed; the list with it: of the wanted, or of a question */
    size_t slot;     /* its slot in that list; 0: in none */
} zc_subject_t;

/*  Asks for a SYNC about the subject. Does nothing if one is wanted or out already. */
void zc_questions_want (zc_questions_t *self, zc_subject_t *subject);
/*  The subject goes away. */
void zc_questions_unwant (zc_questions_t *self, zc_subject_t *subject);
bool zc_questions_wanted (const zc_questions_t *self);
/*  Whether a round of SYNCs is out. */
bool zc_questions_syncing (const zc_questions_t *self);
/*  Sends the next round: SYNCs about all wanted subjects, or one SYNC if there are none. `head` is
 *  the newest position that was heard of. */
void zc_questions_sync (zc_questions_t *self, zc_id_t head);
/*  The answer to a SYNC came, or won't come. Moves the subjects of the question to *subjects, in
 *  the order of the names, with a blank for each subject that is gone (the caller clears the list),
 *  and sets *head to the head of the question. False if the token isn't that of a SYNC. */
bool zc_questions_synced (zc_questions_t *self, uint64_t token, zc_slots_t *subjects,
                          zc_id_t *head);

/*  TOPICS. One is asked at a time. */

void zc_questions_list (zc_questions_t *self, zc_id_t since, const zc_slice_t *prefixes,
                        size_t count);
bool zc_questions_listing (const zc_questions_t *self);
/*  The answer came, or won't come. False if the token isn't that of a TOPICS. */
bool zc_questions_listed (zc_questions_t *self, uint64_t token);

#endif
