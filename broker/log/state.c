/*  state.c - see state.h.
 *
 *    away -> joining -> mending -> checking -> open
 *
 *  Messages have sequence numbers, which are in their entries: so the broker recognises a message
 *  that it reads back, whichever batch brought it. A batch is sent again, with its number, until
 *  its answer comes; the script repeats the answer instead of appending the batch twice.
 *
 *  The log is closed if it is on another server than it was, or a broker finds that it has fewer
 *  entries than were read. Then every broker reads what the log still has, and puts back, in order,
 *  what the log lacks of the entries that the broker has kept. After a while one of them adds an
 *  epoch, which opens the log for all.
 *
 *  If the log doesn't know this broker's last batch, or knows a batch that it shouldn't, then the
 *  broker checks: all that the log has is read, and messages that weren't in it are appended anew.
 *  That is certain, since the log takes no earlier batch once the broker has joined. */
#include "broker/log/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/log.h"
#include "lib/wire/line.h"
#include "lib/wire/message.h"

#define S_BATCH 500 /* messages of a request */
#define S_BATCH_BYTES ((size_t)1 << 20)
#define S_RESTORE 200        /* entries of a request */
#define S_LOOK_MS 100        /* while the log is closed */
#define S_AGAIN_MS 1000      /* after a refusal; and at least so often the log is asked */
#define S_AHEAD_MS 86400000  /* no clock is so far ahead */
#define S_TEXT 24            /* bytes of a number or a position */
#define S_MESSAGES_MIN 10000 /* the log keeps at least so many messages, ... */
#define S_AGE_MIN_MS 60000   /* for so long, ... */
#define S_BYTES_MIN ((uint64_t)64 << 20) /* of so many bytes: brokers have to read them */

typedef enum { S_AWAY, S_MENDING, S_CHECKING, S_OPEN } s_phase_t;

typedef struct { /* a message that waits; head NULL: it waits no more */
    char *head;  /* owned */
    size_t head_len;
    zmq_msg_t payload;
    size_t name_len;
    char name[ZC_LOG_NAME_SIZE];
    void *origin;
    uint64_t until_ms;
    bool given_up;  /* its origin was told that it failed */
    zc_id_t before; /* it wasn't appended: the message at this position has its name; or 0 */
    bool conflict;
    bool missing;  /* entries were missing after it was sent: it may be among them */
    uint64_t upto; /* it was appended, and its number is at most this; 0: not known */
} s_message_t;

typedef struct { /* an entry that was read lately */
    uint64_t number;
    zc_id_t id;
    char *head; /* owned */
    size_t head_len;
    zmq_msg_t payload;
    bool epoch;
} s_kept_t;

struct zc_log_state {
    zc_log_state_config_t config;
    zc_line_t line;
    char run[ZC_LOG_RUN_MAX + 1]; /* of the server that requests go to; "": none */
    s_phase_t phase;
    bool doubt;          /* messages that were sent may not be in the log, whatever it answered */
    zc_log_verb_t asked; /* the request under way */
    uint64_t retry_ms;   /* AWAY, MENDING: when to ask again */
    uint64_t spoke_ms;   /* when the last request was made */
    uint64_t joins;      /* how often it has joined */
    zc_log_status_t status;
    char complaint[512]; /* why the script refuses; "": it doesn't */
    /*  reading */
    zc_id_t from;    /* the last position read */
    zc_id_t last;    /* that of the last entry that has a number, */
    uint64_t number; /* and the number */
    bool unknown;    /* the log doesn't know that position: the next entry's number isn't known */
    bool ahead;      /* MENDING: that entry isn't in the log yet, as far as is known */
    uint64_t goal;   /* the log's last number and position at the last join */
    zc_id_t goal_id;
    zc_id_t owed;         /* an earlier goal that wasn't reached before the log lost it, */
    uint64_t owed_number; /* and its number */
    zc_id_t lost_before;  /* at the first join, entries before this were gone from the log */
    bool caught_up;
    zc_id_t given;       /* positions up to here may have been given */
    zc_id_t raise;       /* an epoch after this position is wanted; ZC_ID_NONE: none */
    bool raise_lost;     /* that epoch tells of a loss */
    uint64_t log_number; /* MENDING: the log has the entries up to this number */
    uint64_t restored;   /* the last number of the request under way, */
    size_t restoring;    /* and how many entries it has */
    /*  messages that wait: a ring, by sequence */
    s_message_t *at;
    uint64_t first, next, sent, due; /* sequences: the first one; the next one; not in a batch yet;
                                        not looked at for its time */
    uint64_t room;
    size_t waiting, bytes;
    size_t repeats; /* of them, those with `before` */
    /*  the batch */
    uint64_t batch; /* its number */
    bool flight;    /* it has no answer */
    uint64_t members[S_BATCH];
    size_t count;
    /*  entries read lately: a ring */
    s_kept_t *kept;
    size_t kept_first, kept_count, kept_room, kept_bytes;
    /*  the request */
    const char *words[ZC_LOG_WORDS_BEFORE + 24 + 5 * S_BATCH];
    size_t lengths[ZC_LOG_WORDS_BEFORE + 24 + 5 * S_BATCH];
    char texts[24 + 2 * S_RESTORE][S_TEXT];
    char names[S_RESTORE][ZC_LOG_NAME_SIZE];
    size_t word_count, text_count;
    zc_log_state_figures_t figures;
};

/*  Messages that wait. */

static s_message_t *s_at (const zc_log_state_t *self, uint64_t sequence)
{
    return &self->at[sequence & (self->room - 1)];
}

static void s_grow (zc_log_state_t *self)
{
    uint64_t room = self->room ? self->room * 2 : 64;
    s_message_t *at = calloc (room, sizeof *at);
    if (!at)
        abort ();
    for (uint64_t i = self->first; i < self->next; i++)
        at[i & (room - 1)] = *s_at (self, i);
    free (self->at);
    self->at = at;
    self->room = room;
}

static size_t s_size (const s_message_t *message)
{
    return sizeof *message + message->head_len + zmq_msg_size (&message->payload);
}

static bool s_waits (const zc_log_state_t *self, uint64_t sequence)
{
    return sequence >= self->first && sequence < self->next && s_at (self, sequence)->head;
}

static void s_finish (zc_log_state_t *self, uint64_t sequence)
{
    s_message_t *message = s_at (self, sequence);
    self->bytes -= s_size (message);
    self->waiting--;
    zmq_msg_close (&message->payload);
    free (message->head);
    message->head = NULL;
    message->origin = NULL;
    while (self->first < self->next && !s_at (self, self->first)->head)
        self->first++;
    if (self->sent < self->first)
        self->sent = self->first;
    if (self->due < self->first)
        self->due = self->first;
}

void zc_log_state_publish (zc_log_state_t *self, zc_slice_t topic, zmq_msg_t *payload,
                           zc_slice_t headers, zc_slice_t name, void *origin, uint64_t now_ms)
{
    zc_buf_t head = ZC_BUF_INIT;
    if (self->next - self->first == self->room)
        s_grow (self);
    zc_log_head_write (&head, self->config.broker, self->next, topic, headers);
    s_message_t *message = s_at (self, self->next++);
    *message = (s_message_t){.head = (char *)head.data,
                             .head_len = head.len,
                             .name_len = name.len,
                             .origin = origin,
                             .until_ms = now_ms + self->config.timeout_ms};
    if (name.len)
        memcpy (message->name, name.at, name.len);
    zmq_msg_init (&message->payload);
    zmq_msg_move (&message->payload, payload);
    self->waiting++;
    self->bytes += s_size (message);
}

bool zc_log_state_full (const zc_log_state_t *self)
{
    return self->bytes >= self->config.waiting_max;
}

size_t zc_log_state_waiting (const zc_log_state_t *self)
{
    return self->waiting;
}

/*  A message that is in a batch is kept: the batch must be the same when it is sent again. */
static void s_give_up (zc_log_state_t *self, uint64_t sequence)
{
    s_message_t *message = s_at (self, sequence);
    self->figures.failed++;
    self->config.failed (self->config.arg, message->origin);
    message->origin = NULL;
    message->given_up = true;
    if (sequence >= self->sent)
        s_finish (self, sequence);
}

void zc_log_state_tick (zc_log_state_t *self, uint64_t now_ms)
{
    while (self->due < self->next) {
        const s_message_t *message = s_at (self, self->due);
        bool timed = message->head && message->origin;
        if (timed && message->until_ms > now_ms)
            break;
        uint64_t sequence = self->due++;
        if (timed)
            s_give_up (self, sequence);
    }
}

/*  Entries that are kept. */

static s_kept_t *s_kept_at (const zc_log_state_t *self, size_t index)
{
    return &self->kept[(self->kept_first + index) % self->kept_room];
}

static size_t s_kept_size (const s_kept_t *kept)
{
    return sizeof *kept + kept->head_len + zmq_msg_size (&kept->payload);
}

static void s_drop_kept (zc_log_state_t *self)
{
    s_kept_t *kept = s_kept_at (self, 0);
    self->kept_bytes -= s_kept_size (kept);
    free (kept->head);
    zmq_msg_close (&kept->payload);
    self->kept_first = (self->kept_first + 1) % self->kept_room;
    self->kept_count--;
}

static void s_make_room (zc_log_state_t *self)
{
    size_t room = self->kept_room ? self->kept_room * 2 : 64;
    s_kept_t *kept = calloc (room, sizeof *kept);
    if (!kept)
        abort ();
    for (size_t i = 0; i < self->kept_count; i++)
        kept[i] = *s_kept_at (self, i);
    free (self->kept);
    self->kept = kept;
    self->kept_room = room;
    self->kept_first = 0;
}

static void s_keep (zc_log_state_t *self, const zc_log_entry_t *entry, zmq_msg_t *payload)
{
    if (self->kept_count == self->kept_room)
        s_make_room (self);
    s_kept_t *kept = s_kept_at (self, self->kept_count++);
    *kept = (s_kept_t){.number = entry->number,
                       .id = entry->id,
                       .head = malloc (entry->head.len),
                       .head_len = entry->head.len,
                       .epoch = entry->kind == ZC_ENTRY_EPOCH};
    if (!kept->head)
        abort ();
    memcpy (kept->head, entry->head.at, entry->head.len);
    zmq_msg_init (&kept->payload);
    if (payload)
        zmq_msg_copy (&kept->payload, payload);
    self->kept_bytes += s_kept_size (kept);
    while (self->kept_bytes > self->config.kept_max)
        s_drop_kept (self);
}

/*  Requests. */

static void s_word (zc_log_state_t *self, const char *text, size_t len)
{
    self->words[self->word_count] = text;
    self->lengths[self->word_count++] = len;
}

static void s_text (zc_log_state_t *self, const char *text)
{
    s_word (self, text, strlen (text));
}

static void s_number (zc_log_state_t *self, uint64_t number)
{
    char *text = self->texts[self->text_count++];
    snprintf (text, S_TEXT, "%" PRIu64, number);
    s_text (self, text);
}

static void s_position (zc_log_state_t *self, zc_id_t id)
{
    char *text = self->texts[self->text_count++];
    s_word (self, text, zc_id_format (id, text));
}

static void s_begin (zc_log_state_t *self, zc_log_verb_t verb, uint64_t now_ms)
{
    static const char *const verbs[ZC_LOG_VERBS] = {[ZC_LOG_JOIN] = "join",
                                                    [ZC_LOG_APPEND] = "append",
                                                    [ZC_LOG_RESTORE] = "restore",
                                                    [ZC_LOG_EPOCH] = "epoch",
                                                    [ZC_LOG_LEAVE] = "leave"};
    self->asked = verb;
    self->spoke_ms = now_ms;
    self->word_count = ZC_LOG_WORDS_BEFORE;
    self->text_count = 0;
    s_text (self, verbs[verb]);
    s_text (self, self->config.broker);
    s_text (self, self->run);
}

/*  Whether the log may not know the last batch: it has no answer, and none of it was read. */
static bool s_is_on_its_way (const zc_log_state_t *self)
{
    bool all = self->flight;
    for (size_t i = 0; all && i < self->count; i++)
        all = s_waits (self, self->members[i]);
    return all;
}

static void s_owe (zc_log_state_t *self)
{
    if (self->joins == 0 || self->number >= self->goal || self->goal_id <= self->owed)
        return;
    self->owed = self->goal_id;
    self->owed_number = self->goal;
}

/*  A log that is gone is made anew from the entries that are kept. */
static void s_join (zc_log_state_t *self)
{
    const zc_log_state_config_t *config = &self->config;
    const s_kept_t *first = self->kept_count ? s_kept_at (self, 0) : NULL;
    zc_id_t given = self->given > self->from ? self->given : self->from;
    s_text (self, ZC_LOG_VERSION_TEXT);
    s_text (self, config->settings);
    s_text (self, self->line.text);
    s_position (self, self->last);
    s_position (self, first ? first->id - 1 : given);
    s_number (self, first ? first->number - 1 : self->number);
    s_number (self, config->dedup_window_ms);
    s_number (self, config->dedup_max);
    s_number (self, config->messages < S_MESSAGES_MIN ? S_MESSAGES_MIN : config->messages);
    s_number (self, config->age_ms < S_AGE_MIN_MS ? S_AGE_MIN_MS : config->age_ms);
    s_number (self, config->bytes < S_BYTES_MIN ? S_BYTES_MIN : config->bytes);
    s_number (self, self->joins > 0);
    s_number (self, self->batch);
    s_number (self, s_is_on_its_way (self));
    /*  What the log had at a join, and was never read here, is missed, too. */
    s_owe (self);
    bool owes = self->owed > self->from;
    s_number (self, owes ? self->owed_number : self->joins ? self->number : 0);
    s_position (self, owes ? self->owed : self->last);
}

static void s_gather (zc_log_state_t *self)
{
    size_t bytes = 0;
    self->count = 0;
    while (self->sent < self->next && self->count < S_BATCH && bytes < S_BATCH_BYTES) {
        const s_message_t *message = s_at (self, self->sent);
        if (message->head) {
            bytes += s_size (message);
            self->members[self->count++] = self->sent;
        }
        self->sent++;
    }
    self->flight = self->count > 0;
    self->batch += self->flight;
}

/*  Without a new message, the number of the last batch asks whether the log is still the same. */
static void s_append (zc_log_state_t *self)
{
    s_number (self, self->batch);
    s_number (self, self->number);
    for (size_t i = 0; self->flight && i < self->count; i++) {
        s_message_t *message = s_at (self, self->members[i]);
        /*  What was read back before the answer came isn't needed: the log has the batch. */
        bool there = s_waits (self, self->members[i]);
        s_word (self, there ? message->head : "", there ? message->head_len : 0);
        s_word (self, there ? zmq_msg_data (&message->payload) : "",
                there ? zmq_msg_size (&message->payload) : 0);
        s_word (self, message->name, there ? message->name_len : 0);
    }
}

static void s_kept_name (zc_log_state_t *self, const s_kept_t *kept, size_t place)
{
    const char *line = memchr (kept->head, '\n', kept->head_len);
    const char *topic = line ? line + 1 : kept->head;
    const char *end = kept->head + kept->head_len;
    const char *headers = memchr (topic, '\n', (size_t)(end - topic));
    zc_message_t message;
    zc_slice_t payload = {zmq_msg_data ((zmq_msg_t *)&kept->payload),
                          zmq_msg_size (&kept->payload)};
    bool named =
        headers && !kept->epoch &&
        zc_publish_parse (&message, (zc_slice_t){topic, (size_t)(headers - topic)}, payload,
                          (zc_slice_t){headers + 1, (size_t)(end - headers - 1)}, SIZE_MAX) == 0 &&
        message.key.len;
    if (named)
        zc_log_name (self->names[place], message.topic, message.key, message.event, payload);
    if (kept->epoch)
        s_text (self, "e");
    else
        s_word (self, self->names[place], named ? ZC_LOG_NAME_SIZE : 0);
}

/*  Puts the next of the entries that the log lacks into the request. False if there is none. */
static bool s_restore (zc_log_state_t *self, uint64_t now_ms)
{
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < self->kept_count && count < S_RESTORE && bytes < S_BATCH_BYTES; i++) {
        const s_kept_t *kept = s_kept_at (self, i);
        if (kept->number <= self->log_number)
            continue;
        if (count == 0)
            s_begin (self, ZC_LOG_RESTORE, now_ms);
        self->restored = kept->number;
        s_number (self, kept->number);
        s_position (self, kept->id);
        s_word (self, kept->head, kept->head_len);
        s_word (self, zmq_msg_data ((zmq_msg_t *)&kept->payload), zmq_msg_size (&kept->payload));
        s_kept_name (self, kept, count++);
        bytes += s_kept_size (kept);
    }
    self->restoring = count;
    return count > 0;
}

static void s_epoch (zc_log_state_t *self, uint64_t now_ms)
{
    zc_id_t above = self->given > self->from ? self->given : self->from;
    s_begin (self, ZC_LOG_EPOCH, now_ms);
    s_position (self, self->raise > above ? self->raise : above);
    s_number (self, self->number);
    s_number (self, self->raise_lost);
    s_number (self, self->phase == S_OPEN);
}

static void s_fail (zc_log_state_t *self, uint64_t sequence)
{
    self->figures.failed++;
    if (s_at (self, sequence)->origin)
        self->config.failed (self->config.arg, s_at (self, sequence)->origin);
    s_finish (self, sequence);
}

/*  All that the log has was read: what still waits isn't in it. But what may have been there, and
 *  was trimmed, isn't appended again: another broker may have read it. */
static void s_append_anew (zc_log_state_t *self)
{
    for (uint64_t i = self->first, end = self->sent; i < end; i++) {
        if (s_waits (self, i) && s_at (self, i)->given_up) {
            s_finish (self, i);
        } else if (s_waits (self, i) && s_at (self, i)->missing) {
            s_fail (self, i);
        } else if (s_waits (self, i)) {
            s_at (self, i)->before = ZC_ID_NONE;
            s_at (self, i)->upto = 0;
        }
    }
    self->repeats = 0;
    self->sent = self->due = self->first;
    self->flight = self->doubt = false;
    self->phase = S_OPEN;
}

static bool s_next_of_open (zc_log_state_t *self, uint64_t now_ms)
{
    if (self->raise <= self->from && !self->raise_lost)
        self->raise = ZC_ID_NONE;
    if (!self->flight && self->raise && self->number >= self->goal) {
        s_epoch (self, now_ms);
        return true;
    }
    if (!self->flight)
        s_gather (self);
    if (!self->flight && now_ms - self->spoke_ms < S_AGAIN_MS)
        return false;
    s_begin (self, ZC_LOG_APPEND, now_ms);
    s_append (self);
    return true;
}

static bool s_next_of_mending (zc_log_state_t *self, uint64_t now_ms)
{
    if (self->number < self->goal || now_ms < self->retry_ms)
        return false;
    if (!s_restore (self, now_ms))
        s_epoch (self, now_ms);
    return true;
}

bool zc_log_state_next (zc_log_state_t *self, uint64_t now_ms, zc_log_request_t *request)
{
    bool any = false;
    if (self->asked != ZC_LOG_NOTHING || !*self->run)
        return false;
    if (self->phase == S_CHECKING && self->number >= self->goal)
        s_append_anew (self);
    if (self->phase == S_CHECKING) {
        any = false;
    } else if (self->phase == S_OPEN) {
        any = s_next_of_open (self, now_ms);
    } else if (self->phase == S_MENDING) {
        any = s_next_of_mending (self, now_ms);
    } else if (now_ms >= self->retry_ms) {
        s_begin (self, ZC_LOG_JOIN, now_ms);
        s_join (self);
        any = true;
    }
    *request = (zc_log_request_t){self->asked, self->word_count, self->words, self->lengths};
    return any;
}

bool zc_log_state_leave (zc_log_state_t *self, zc_log_request_t *request)
{
    if (self->asked != ZC_LOG_NOTHING || self->phase == S_AWAY)
        return false;
    s_begin (self, ZC_LOG_LEAVE, self->spoke_ms);
    *request = (zc_log_request_t){self->asked, self->word_count, self->words, self->lengths};
    return true;
}

void zc_log_state_connected (zc_log_state_t *self, zc_slice_t run)
{
    snprintf (self->run, sizeof self->run, "%.*s", (int)run.len, run.at);
    self->asked = ZC_LOG_NOTHING;
    self->phase = S_AWAY;
    self->retry_ms = 0;
}

void zc_log_state_raise (zc_log_state_t *self, zc_id_t id, bool lost)
{
    if (id <= self->from || id <= self->raise)
        return;
    self->raise = id;
    self->raise_lost |= lost;
}

/*  Answers. */

static void s_explain (zc_log_state_t *self, const zc_log_answer_t *answer)
{
    static const char *const texts[ZC_LOG_STATUSES] = {
        [ZC_LOG_TYPE] = "one of its keys is another program's, of another type",
        [ZC_LOG_STRANGE] = "its Stream is another program's: zcast keeps no state beside it",
        [ZC_LOG_VERSION] =
            "another version of zcast has made it, whose form isn't " ZC_LOG_VERSION_TEXT,
        [ZC_LOG_SETTINGS] = "it has other limits than this broker",
        [ZC_LOG_FUTURE] =
            "its last position is far ahead of the clock of Redis (delete what others "
            "added, and set the Stream's last id back by XSETID)",
        [ZC_LOG_NONSENSE] = "the script's answer makes no sense",
    };
    char before[sizeof self->complaint];
    memcpy (before, self->complaint, sizeof before);
    self->status = answer->status;
    snprintf (self->complaint, sizeof self->complaint, "%s%s%.*s", texts[answer->status],
              answer->detail.len ? ": " : "", (int)answer->detail.len, answer->detail.at);
    if (strcmp (before, self->complaint) != 0)
        zc_error (ZC_EVENT ("log.failed error", "the log refuses us: %s"), self->complaint);
}

static void s_heal (zc_log_state_t *self)
{
    if (self->complaint[0])
        zc_info (ZC_EVENT ("log.recovered", "the log takes messages again"));
    self->complaint[0] = 0;
    self->status = ZC_LOG_OK;
}

static void s_refused (zc_log_state_t *self, const zc_log_answer_t *answer, uint64_t now_ms)
{
    bool stale = answer->status == ZC_LOG_GONE || answer->status == ZC_LOG_RUN ||
                 answer->status == ZC_LOG_LOST || answer->status == ZC_LOG_BATCH ||
                 answer->status == ZC_LOG_WAIT;
    self->phase = S_AWAY;
    self->retry_ms = now_ms + (stale ? S_AGAIN_MS / 10 : S_AGAIN_MS);
    if (!stale)
        s_explain (self, answer);
}

static void s_look_whether_caught_up (zc_log_state_t *self)
{
    if (self->number >= self->goal)
        self->caught_up = true;
}

/*  Where reading begins. */
static void s_place (zc_log_state_t *self, const zc_log_answer_t *answer)
{
    self->number = answer->placed ? answer->place : answer->before_number;
    if (!answer->placed && self->from > answer->last) {
        self->number = answer->number; /* we are ahead of the log: it will be raised */
    } else if (!answer->placed && self->from > answer->before) {
        self->unknown = true; /* the log lost our last entry, and went on */
    } else if (!answer->placed) {
        self->from = self->last = answer->before;
        self->lost_before = answer->before;
    }
}

/*  Whether the log's last entry is another one than that which we have read with this number. */
static bool s_ends_differently (const zc_log_state_t *self, const zc_log_answer_t *answer)
{
    uint64_t first = self->kept_count ? s_kept_at (self, 0)->number : self->number;
    if (answer->number + 1 < first)
        return true; /* nobody knows */
    for (size_t i = 0; i < self->kept_count; i++)
        if (s_kept_at (self, i)->number == answer->number)
            return s_kept_at (self, i)->id != answer->last;
    return false;
}

/*  Whether the log went on without our last entry, with others in its place. */
static bool s_forked (const zc_log_state_t *self, const zc_log_answer_t *answer)
{
    if (answer->placed)
        return answer->place != self->number;
    if (self->last > answer->last)
        return answer->number >= self->number || s_ends_differently (self, answer);
    return self->last > answer->before && self->last < answer->last;
}

/*  What was read beyond the fork is nothing that the log lacks. It is lost, and nobody else may
 *  know: an epoch after `id` tells all. */
static void s_leave_fork (zc_log_state_t *self, zc_id_t id)
{
    self->raise_lost = true;
    if (self->raise <= id)
        self->raise = id + 1;
    while (self->kept_count)
        s_drop_kept (self);
}

static void s_joined (zc_log_state_t *self, const zc_log_answer_t *answer)
{
    bool first = self->joins++ == 0;
    bool closed = zc_slice_compare (answer->run, (zc_slice_t){self->run, strlen (self->run)}) != 0;
    if (self->status != ZC_LOG_FUTURE)
        s_heal (self);
    zc_line_parse (&self->line, answer->line);
    if (first) {
        s_place (self, answer);
    } else if (s_forked (self, answer)) {
        s_leave_fork (self, answer->last);
        self->unknown = true;
        self->number = 0;
    }
    self->goal = self->log_number = answer->number;
    self->goal_id = answer->last;
    s_look_whether_caught_up (self);
    self->doubt |= closed || answer->batch + s_is_on_its_way (self) < self->batch ||
                   answer->batch > self->batch;
    self->phase = closed ? S_MENDING : self->doubt ? S_CHECKING : S_OPEN;
    if (!closed)
        return;
    self->ahead = self->kept_count > 0 && !answer->placed && self->last > answer->last;
    self->retry_ms = 0;
    zc_warn (
        ZC_EVENT ("log.restored",
                  "the log is not as brokers left it: the entries that it lacks are put back"));
}

/*  What is said of a repeat is true once the first one was read: until then the log may lose it. */
static void s_tell_repeats (zc_log_state_t *self)
{
    for (uint64_t i = self->first, end = self->sent;
         self->phase == S_OPEN && self->repeats && i < end; i++) {
        s_message_t *message = s_at (self, i);
        if (!s_waits (self, i) || !message->before || message->before > self->from)
            continue;
        if (!message->given_up)
            self->config.told (self->config.arg, message->origin, message->before,
                               message->conflict);
        self->repeats--;
        s_finish (self, i);
    }
}

/*  Messages that were appended, and that reading has passed, were trimmed or deleted before they
 *  were read here. The loss is told on all topics; whoever waits for an answer gets that of a
 *  message of which nothing is known. */
static void s_give_up_passed (zc_log_state_t *self)
{
    for (uint64_t i = self->first, end = self->sent; !self->doubt && i < end; i++) {
        if (!s_waits (self, i) || !s_at (self, i)->upto || s_at (self, i)->upto > self->number)
            continue;
        s_fail (self, i);
    }
}

/*  Entries are missing. Each message that was sent may be among them. */
static void s_give_up_missing (zc_log_state_t *self)
{
    s_give_up_passed (self);
    for (uint64_t i = self->first, end = self->sent; i < end; i++)
        if (s_waits (self, i))
            s_at (self, i)->missing = true;
}

static void s_appended (zc_log_state_t *self, const zc_log_answer_t *answer)
{
    zc_log_told_t told;
    zc_slice_t detail = answer->detail;
    int rc = 0;
    for (size_t i = 0; self->flight && i < self->count; i++)
        if (s_waits (self, self->members[i]))
            s_at (self, self->members[i])->upto = answer->number;
    while (self->flight && (rc = zc_log_told_next (&detail, &told)) > 0) {
        if (told.index >= self->count || !s_waits (self, self->members[told.index]))
            continue;
        s_message_t *message = s_at (self, self->members[told.index]);
        message->before = told.id;
        message->upto = 0;
        message->conflict = told.conflict;
        self->repeats++;
    }
    if (rc < 0)
        zc_error (ZC_EVENT ("log.malformed", "the log's answer to a batch is malformed"));
    self->flight = false;
    s_tell_repeats (self);
    s_give_up_passed (self);
    s_heal (self);
}

/*  The log is open. After mending, others may have put back messages of this broker. */
static void s_began_epoch (zc_log_state_t *self, const zc_log_answer_t *answer)
{
    self->goal = answer->number;
    if (self->phase == S_MENDING)
        self->phase = self->doubt ? S_CHECKING : S_OPEN;
    self->figures.epochs++;
    s_heal (self);
    zc_info (ZC_EVENT ("log.epoch", "the log goes on with a new epoch"));
}

static void s_restored (zc_log_state_t *self)
{
    self->log_number = self->restored;
    self->ahead &= self->restored < self->number;
    self->figures.restored += self->restoring;
}

zc_log_verb_t zc_log_state_asked (const zc_log_state_t *self)
{
    return self->asked;
}

void zc_log_state_answered (zc_log_state_t *self, const zc_log_answer_t *answer, uint64_t now_ms)
{
    zc_log_verb_t asked = self->asked;
    self->asked = ZC_LOG_NOTHING;
    if (answer->status == ZC_LOG_WAIT && self->phase == S_MENDING)
        self->retry_ms = now_ms + (answer->wait_ms < S_LOOK_MS ? answer->wait_ms : S_LOOK_MS);
    else if (answer->status != ZC_LOG_OK)
        s_refused (self, answer, now_ms);
    else if (asked == ZC_LOG_JOIN)
        s_joined (self, answer);
    else if (asked == ZC_LOG_APPEND)
        s_appended (self, answer);
    else if (asked == ZC_LOG_RESTORE)
        s_restored (self);
    else if (asked == ZC_LOG_EPOCH)
        s_began_epoch (self, answer);
}

long zc_log_state_wait_ms (const zc_log_state_t *self, uint64_t now_ms)
{
    uint64_t until = now_ms + S_AGAIN_MS;
    bool idle = self->asked == ZC_LOG_NOTHING;
    if (idle && self->phase <= S_MENDING && *self->run && self->retry_ms < until)
        until = self->retry_ms;
    if (idle && self->phase == S_OPEN && self->spoke_ms + S_AGAIN_MS < until)
        until = self->spoke_ms + S_AGAIN_MS;
    if (self->due < self->next && s_at (self, self->due)->origin &&
        s_at (self, self->due)->until_ms < until)
        until = s_at (self, self->due)->until_ms;
    return until > now_ms ? (long)(until - now_ms) : 0;
}

/*  Reading. */

bool zc_log_state_reads (const zc_log_state_t *self, zc_slice_t run, zc_id_t *after)
{
    *after = self->from;
    return self->joins > 0 && run.len > 0 && zc_slice_is (run, self->run) &&
           self->phase != S_AWAY && !(self->phase == S_MENDING && self->ahead);
}

static void s_foreign (zc_log_state_t *self, const zc_log_entry_t *entry, const char *why)
{
    static zc_log_limit_t limit;
    char id[ZC_ID_SIZE];
    zc_id_format (entry->id, id);
    self->figures.foreign++;
    zc_log_limited (
        &limit, ZC_LOG_ERROR,
        ZC_EVENT ("entry.malformed entry error", "an entry of the log isn't passed on: %s: %s"), id,
        why);
}

/*  Whether the entry is the next one; a loss is told. */
static bool s_follows (zc_log_state_t *self, const zc_log_entry_t *entry)
{
    uint64_t expected = self->number + 1;
    if (entry->number == expected && !self->unknown)
        return true;
    if (entry->number < expected && !self->unknown) {
        s_foreign (self, entry, "its number was there before");
        s_leave_fork (self, entry->id);
        self->config.lost (self->config.arg, entry->id);
        return false;
    }
    zc_warn (ZC_EVENT ("log.gap number", "the log lacks entries before number %" PRIu64
                                         ": a gap is told on all topics"),
             entry->number);
    self->figures.jumps++;
    self->number = entry->number - 1;
    if (!self->unknown)
        s_give_up_missing (self);
    self->unknown = false;
    self->config.lost (self->config.arg, entry->id - 1);
    return true;
}

static void s_message (zc_log_state_t *self, const zc_log_entry_t *entry)
{
    zmq_msg_t payload;
    void *origin = NULL;
    bool ours = zc_slice_is (entry->broker, self->config.broker);
    if (zmq_msg_init_size (&payload, entry->payload.len) != 0)
        abort ();
    memcpy (zmq_msg_data (&payload), entry->payload.at, entry->payload.len);
    s_keep (self, entry, &payload);
    if (ours && s_waits (self, entry->sequence)) {
        origin = s_at (self, entry->sequence)->origin;
        s_finish (self, entry->sequence);
    }
    self->config.read (self->config.arg, entry, &payload, origin);
    zmq_msg_close (&payload);
}

static void s_read_epoch (zc_log_state_t *self, const zc_log_entry_t *entry)
{
    s_keep (self, entry, NULL);
    if (entry->lost) {
        self->raise_lost &= entry->id <= self->raise; /* it is told */
        self->config.lost (self->config.arg, entry->id - 1);
    }
    self->config.read (self->config.arg, entry, NULL, NULL);
}

void zc_log_state_entry (zc_log_state_t *self, const zc_log_entry_t *entry, uint64_t wall_ms)
{
    zc_message_t message;
    if (entry->id <= self->from)
        return;
    if (zc_id_ms (entry->id) > wall_ms + S_AHEAD_MS) {
        s_foreign (self, entry, "its position is far in the future");
        return;
    }
    self->from = entry->id;
    if (entry->kind == ZC_ENTRY_FOREIGN) {
        s_foreign (self, entry, "zcast didn't write it");
        return;
    }
    if (!s_follows (self, entry))
        return;
    self->last = entry->id;
    self->number = self->figures.number = entry->number;
    if (entry->kind == ZC_ENTRY_EPOCH)
        s_read_epoch (self, entry);
    else if (zc_publish_parse (&message, entry->topic, entry->payload, entry->headers, SIZE_MAX) !=
             0)
        s_foreign (self, entry, "it is no message");
    else
        s_message (self, entry);
    if (self->repeats)
        s_tell_repeats (self);
    s_look_whether_caught_up (self);
}

/*  All entries were read: those that are still missing were deleted. */
void zc_log_state_nothing (zc_log_state_t *self, uint64_t asked)
{
    if (asked != self->joins || self->number >= self->goal) {
        s_look_whether_caught_up (self);
        return;
    }
    zc_warn (
        ZC_EVENT ("log.truncated", "the log lacks its last entries: a gap is told on all topics"));
    self->figures.jumps++;
    self->config.lost (self->config.arg, self->goal_id);
    self->number = self->goal;
    s_give_up_missing (self);
    s_look_whether_caught_up (self);
}

uint64_t zc_log_state_joins (const zc_log_state_t *self)
{
    return self->joins;
}

bool zc_log_state_joined (const zc_log_state_t *self)
{
    return self->joins > 0;
}

bool zc_log_state_caught_up (const zc_log_state_t *self)
{
    return self->caught_up;
}

zc_slice_t zc_log_state_line (const zc_log_state_t *self)
{
    return zc_line_slice (&self->line);
}

const char *zc_log_state_complaint (const zc_log_state_t *self, zc_log_status_t *status)
{
    if (status)
        *status = self->status;
    return self->complaint[0] ? self->complaint : NULL;
}

bool zc_log_state_open (const zc_log_state_t *self)
{
    return self->phase == S_OPEN && *self->run && !self->complaint[0];
}

zc_log_state_figures_t zc_log_state_figures (const zc_log_state_t *self)
{
    return self->figures;
}

/*  Beginning and end. */

void zc_log_state_begin (zc_log_state_t *self, zc_slice_t line, zc_id_t complete, zc_id_t given)
{
    zc_line_parse (&self->line, line);
    self->from = self->last = complete;
    self->given = given;
}

void zc_log_state_listen (zc_log_state_t *self, const zc_log_state_config_t *hooks)
{
    self->config.arg = hooks->arg;
    self->config.read = hooks->read;
    self->config.told = hooks->told;
    self->config.failed = hooks->failed;
    self->config.lost = hooks->lost;
    if (self->lost_before)
        self->config.lost (self->config.arg, self->lost_before);
}

zc_log_state_t *zc_log_state_new (const zc_log_state_config_t *config)
{
    zc_log_state_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    return self;
}

void zc_log_state_destroy (zc_log_state_t **self_p)
{
    zc_log_state_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (uint64_t i = self->first, end = self->next; i < end; i++) {
        if (!s_waits (self, i))
            continue;
        if (s_at (self, i)->origin)
            self->config.failed (self->config.arg, s_at (self, i)->origin);
        s_finish (self, i);
    }
    while (self->kept_count)
        s_drop_kept (self);
    free (self->at);
    free (self->kept);
    free (self);
}
