/*  publisher.c - a queue of messages and one connection at a time.
 *
 *  A connection of zc_control_new_once delivers a prefix of the requests: all up to some point,
 *  in order, and none after it. When the connection is lost, its socket is thrown away with all
 *  that is still in it, and all messages without an answer are sent again, from the oldest on,
 *  over a new connection. So each connection begins at or before the first message that may be
 *  missing, and the broker sees each message for the first time in the right order. It
 *  recognises repeats by their key. Rejected: letting ZeroMQ reconnect by itself, which would
 *  send the messages in its queue before the repeats. A broker that takes nothing for a while, as
 *  on a full disk, is asked with one message at a time until it takes the oldest.
 *
 *  A broker ends the connection on a frame that is far too large instead of refusing it. Sent
 *  again and again, such a message would hold up all later ones. So the first large message on
 *  each connection waits until the broker has told its limit (LIMITS), and a message beyond the
 *  limit is refused here. An older broker doesn't know LIMITS: then a message that has ended
 *  several connections in turn is refused.
 *
 *  Several brokers share one log, which recognises repeats whichever broker brings them: to go on
 *  at the next one is to make the next connection elsewhere. */
#include "lib/peer/publisher.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include "lib/base/buf.h"
#include "lib/peer/control.h"
#include "lib/peer/places.h"
#include "lib/base/clock.h"
#include "lib/wire/message.h"

#define S_WINDOW 200
#define S_ANSWER_MS 10000
#define S_CONNECT_MS 5000 /* for an attempt to connect; then the next one begins */
#define S_BACKOFF_MIN_MS 100
#define S_BACKOFF_MAX_MS 2000
#define S_MOVE_MS 700  /* for an attempt to connect to one of several brokers, */
#define S_ROUND_MS 500 /* and between two of them, at most */
#define S_PAUSE_MS 200 /* after "not now" from the broker */
#define S_FULL_MS 20   /* after ZeroMQ's queue was full */
#define S_KEY_CHARS 11 /* 66 bits: no two runs share a key */
#define S_LARGE 65536  /* bytes; a larger payload is sent only once the broker's limit is known */
#define S_CUTS 3       /* connections that a message may have ended */

typedef enum { S_WAITING, S_SENT, S_DONE } s_state_t;
typedef enum { S_UNASKED, S_ASKED, S_KNOWN } s_limit_t;

typedef struct s_entry {
    TAILQ_ENTRY (s_entry) turn;
    zc_publisher_t *publisher;
    void *tag; /* the owner's; or NULL */
    s_state_t state;
    bool repeated;                  /* was sent before */
    bool alone;                     /* was sent with none beside it, as the oldest that waits */
    uint64_t added_ms;              /* monotonic */
    size_t topic, payload, headers; /* lengths; the bytes follow the struct in this order */
    size_t size;                    /* of the payload, even if the bytes aren't kept */
    unsigned cuts;                  /* connections that ended while it was the first unanswered */
    char *code, *text;              /* of the outcome, once S_DONE; owned */
    char bytes[];
} s_entry_t;

struct zc_publisher {
    zc_publisher_config_t config;
    void *context;
    zc_places_t *places;
    zc_control_t *control; /* NULL between two connections */
    unsigned attempt;      /* attempts in a row that failed */
    bool connected, told;  /* told: the owner knows the present state */
    uint64_t opened_ms;    /* when this connection was begun, or when the next one may be */
    /* time of the last answer, or of the first message sent with none in flight */
    uint64_t progress_ms;
    uint64_t moved_ms; /* when a byte last moved, on this connection or an earlier one */
    uint64_t paused_until;
    unsigned backoff_ms;
    s_limit_t limit;    /* of this connection: whether the limit is known */
    size_t max_payload; /* S_KNOWN: the broker's; SIZE_MAX: the broker is too old to tell */
    TAILQ_HEAD (s_queue, s_entry) queue; /* owned */
    s_entry_t *next;                     /* no entry before it is S_WAITING; NULL: none waits */
    s_entry_t *spare;                    /* no entry before it may be dropped; NULL: none may */
    size_t in_flight;
    bool cautious; /* the broker said "not now", and has taken no message since that went alone */
    char key[S_KEY_CHARS + 1]; /* prefix of the keys made here */
    uint64_t keys;
    zc_publisher_stats_t stats;
};

static void s_random_key (char *key)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char random[S_KEY_CHARS];
    while (getrandom (random, sizeof random, 0) != sizeof random)
        ;
    for (size_t i = 0; i < S_KEY_CHARS; i++)
        key[i] = alphabet[random[i] & 63];
    key[S_KEY_CHARS] = 0;
}

static int s_open (zc_publisher_t *self)
{
    unsigned round = self->attempt / (unsigned)zc_places_count (self->config.control);
    self->control = zc_control_new_once (self->context, zc_places_control (self->places), round);
    self->opened_ms = zc_mono_ms ();
    self->progress_ms = self->opened_ms;
    return self->control ? 0 : -1;
}

zc_publisher_t *zc_publisher_new (void *context, const zc_publisher_config_t *config)
{
    zc_publisher_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    if (!self->config.window)
        self->config.window = S_WINDOW;
    if (!self->config.max_bytes)
        self->config.max_bytes = SIZE_MAX;
    if (!self->config.answer_timeout)
        self->config.answer_timeout = S_ANSWER_MS;
    self->context = context;
    self->config.control = strdup (config->control);
    self->places = zc_places_new (config->control, config->control, zc_mono_ms ());
    TAILQ_INIT (&self->queue);
    self->backoff_ms = S_BACKOFF_MIN_MS;
    s_random_key (self->key);
    if (s_open (self) != 0) {
        int error = errno;
        zc_publisher_destroy (&self);
        errno = error;
    }
    return self;
}

static void s_free_entry (s_entry_t *entry)
{
    free (entry->code);
    free (entry->text);
    free (entry);
}

void zc_publisher_destroy (zc_publisher_t **self_p)
{
    zc_publisher_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->control)
        zc_control_reset (self->control);
    zc_control_destroy (&self->control);
    s_entry_t *entry;
    while ((entry = TAILQ_FIRST (&self->queue))) {
        TAILQ_REMOVE (&self->queue, entry, turn);
        s_free_entry (entry);
    }
    zc_places_destroy (&self->places);
    free ((char *)self->config.control);
    free (self);
}

static size_t s_weight (const s_entry_t *entry)
{
    return sizeof *entry + entry->topic + entry->payload + entry->headers;
}

static s_entry_t *s_add (zc_publisher_t *self, zc_slice_t topic, zc_slice_t payload, size_t size,
                         zc_slice_t key, zc_slice_t headers)
{
    size_t total = topic.len + payload.len + key.len + headers.len;
    s_entry_t *entry = malloc (sizeof *entry + total);
    if (!entry)
        abort ();
    *entry = (s_entry_t){.publisher = self,
                         .added_ms = zc_mono_ms (),
                         .topic = topic.len,
                         .payload = payload.len,
                         .headers = key.len + headers.len,
                         .size = size};
    char *to = entry->bytes;
    zc_slice_t parts[] = {topic, payload, key, headers};
    for (size_t i = 0; i < 4; i++) {
        if (parts[i].len)
            memcpy (to, parts[i].at, parts[i].len);
        to += parts[i].len;
    }
    TAILQ_INSERT_TAIL (&self->queue, entry, turn);
    self->stats.waiting++;
    self->stats.bytes += s_weight (entry);
    return entry;
}

__attribute__ ((format (printf, 3, 4))) static void s_refuse (s_entry_t *entry, const char *code,
                                                              const char *format, ...)
{
    char text[160];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    entry->state = S_DONE;
    entry->code = strdup (code);
    entry->text = strdup (text);
}

/*  Refuses an entry that is too large. Returns whether it was refused. */
static bool s_is_too_large (s_entry_t *entry)
{
    const zc_publisher_t *self = entry->publisher;
    if (self->limit == S_KNOWN && entry->size > self->max_payload)
        s_refuse (entry, "payload", "%zu bytes are more than the broker's max-payload, %zu",
                  entry->size, self->max_payload);
    else if (entry->cuts >= S_CUTS)
        s_refuse (entry, "payload", "the broker ends the connection on a payload of %zu bytes",
                  entry->size);
    return entry->state == S_DONE;
}

/*  An entry for a message that is refused before it was sent, without its bytes, of which there
 *  may be any number. */
static s_entry_t *s_add_refused (zc_publisher_t *self, zc_slice_t topic, size_t size)
{
    zc_slice_t none = {"", 0};
    if (topic.len > ZC_TOPIC_MAX)
        topic.len = ZC_TOPIC_MAX;
    return s_add (self, topic, none, size, none, none);
}

void zc_publisher_add (zc_publisher_t *self, zc_slice_t topic, zc_slice_t payload,
                       zc_slice_t headers)
{
    char key[64];
    size_t key_len = 0;
    zc_slice_t own;
    if (!zc_header_find (headers, "id", &own) && !zc_header_find (headers, "key", &own))
        key_len = (size_t)snprintf (key, sizeof key, "key: %s%llu\n", self->key,
                                    (unsigned long long)self->keys++);
    size_t weight = sizeof (s_entry_t) + topic.len + payload.len + key_len + headers.len;
    if (topic.len > ZC_TOPIC_MAX) {
        s_refuse (s_add_refused (self, topic, payload.len), "topic", "%s",
                  zc_message_strerror (ZC_ETOPIC));
    } else if (headers.len > ZC_HEADERS_MAX) {
        s_refuse (s_add_refused (self, topic, payload.len), "headers", "%s",
                  zc_message_strerror (ZC_ESIZE));
    } else if (weight > self->config.max_bytes) {
        s_refuse (s_add_refused (self, topic, payload.len), "payload",
                  "%zu bytes are more than the %zu that may wait here", payload.len,
                  self->config.max_bytes);
    } else if (self->limit == S_KNOWN && payload.len > self->max_payload) {
        s_is_too_large (s_add_refused (self, topic, payload.len));
    } else {
        s_entry_t *entry =
            s_add (self, topic, payload, payload.len, (zc_slice_t){key, key_len}, headers);
        if (!self->next)
            self->next = entry;
        if (!self->spare)
            self->spare = entry;
    }
}

void zc_publisher_add_tagged (zc_publisher_t *self, zc_slice_t topic, zc_slice_t payload,
                              zc_slice_t headers, void *tag)
{
    zc_publisher_add (self, topic, payload, headers);
    TAILQ_LAST (&self->queue, s_queue)->tag = tag;
}

static zc_slice_t s_topic (const s_entry_t *entry)
{
    return (zc_slice_t){entry->bytes, entry->topic};
}

static zc_slice_t s_payload (const s_entry_t *entry)
{
    return (zc_slice_t){entry->bytes + entry->topic, entry->payload};
}

/*  Takes the entry out of the queue and reports its outcome. */
static void s_end (zc_publisher_t *self, s_entry_t *entry, const char *code, const char *text)
{
    if (self->next == entry)
        self->next = TAILQ_NEXT (entry, turn);
    if (self->spare == entry)
        self->spare = TAILQ_NEXT (entry, turn);
    TAILQ_REMOVE (&self->queue, entry, turn);
    self->stats.waiting--;
    self->stats.bytes -= s_weight (entry);
    zc_published_t published = {s_topic (entry),       s_payload (entry),     entry->size,
                                {code, strlen (code)}, {text, strlen (text)}, entry->tag};
    self->config.published (self->config.arg, &published);
    s_free_entry (entry);
}

static void s_report (zc_publisher_t *self)
{
    s_entry_t *entry;
    while ((entry = TAILQ_FIRST (&self->queue)) && entry->state == S_DONE) {
        bool good = strcmp (entry->code, "OK") == 0;
        *(good ? &self->stats.published : &self->stats.refused) += 1;
        s_end (self, entry, entry->code, entry->text);
    }
}

static void s_answer (void *arg, const zc_answer_t *answer)
{
    s_entry_t *entry = arg;
    zc_publisher_t *self = entry->publisher;
    char id[ZC_ID_SIZE];
    if (answer->more)
        return;
    self->in_flight--;
    self->progress_ms = zc_mono_ms ();
    if (zc_answer_is_passing (answer)) {
        zc_places_behind (self->places, zc_mono_ms ());
        entry->state = S_WAITING;
        self->next = self->spare = TAILQ_FIRST (&self->queue);
        self->cautious = true;
        self->paused_until = zc_mono_ms () + S_PAUSE_MS;
        if (self->config.put_off)
            self->config.put_off (self->config.arg, answer->code, answer->text);
        return;
    }
    zc_places_good (self->places);
    if (entry->alone)
        self->cautious = false;
    entry->state = S_DONE;
    if (answer->kind == ZC_OK) {
        entry->code = strdup ("OK");
        entry->text = strndup (id, zc_id_format (answer->id, id));
    } else {
        entry->code = strndup (answer->code.at, answer->code.len);
        entry->text = strndup (answer->text.at, answer->text.len);
    }
}

static void s_limits (void *arg, const zc_answer_t *answer)
{
    zc_publisher_t *self = arg;
    self->in_flight--;
    self->progress_ms = zc_mono_ms ();
    self->max_payload = SIZE_MAX;
    int rc = zc_answer_limits (answer, &self->max_payload);
    self->limit = rc < 0 ? S_UNASKED : S_KNOWN;
    if (rc < 0)
        self->paused_until = zc_mono_ms () + S_PAUSE_MS;
    else
        zc_control_allow (self->control, self->max_payload);
}

static void s_count_in_flight (zc_publisher_t *self)
{
    if (self->in_flight++ == 0)
        self->progress_ms = zc_mono_ms ();
}

static void s_ask_limits (zc_publisher_t *self)
{
    static const zc_ask_t ask = {.verb = ZC_LIMITS};
    if (zc_control_request (self->control, &ask, 0, s_limits, self) == 0)
        return;
    self->limit = S_ASKED;
    s_count_in_flight (self);
}

static bool s_send (zc_publisher_t *self, s_entry_t *entry)
{
    zc_ask_t ask = {.verb = ZC_PUBLISH,
                    .message = {.topic = s_topic (entry), .payload = s_payload (entry)},
                    .headers = {entry->bytes + entry->topic + entry->payload, entry->headers}};
    if (zc_control_request (self->control, &ask, 0, s_answer, entry) == 0)
        return false;
    s_count_in_flight (self);
    self->stats.repeated += entry->repeated;
    entry->repeated = true;
    entry->alone = self->cautious;
    entry->state = S_SENT;
    return true;
}

/*  Whether nothing can be sent until the broker has told its limit. */
static bool s_waits_for_limit (const zc_publisher_t *self)
{
    return self->next && self->limit == S_ASKED && self->next->size > S_LARGE;
}

/*  Sends an entry that waits, or refuses it. Returns false if no more can be sent for now. */
static bool s_send_next (zc_publisher_t *self, s_entry_t *entry)
{
    if (entry->size > S_LARGE && self->limit != S_KNOWN) {
        if (self->limit == S_UNASKED)
            s_ask_limits (self);
        return false;
    }
    return s_is_too_large (entry) || s_send (self, entry);
}

/*  How many may be without an answer. After "not now" it is one: of several, the broker might
 *  refuse the first ones and take a later one. */
static size_t s_window (const zc_publisher_t *self)
{
    return self->cautious ? 1 : self->config.window;
}

static void s_send_waiting (zc_publisher_t *self)
{
    if (!self->connected || zc_mono_ms () < self->paused_until)
        return;
    while (self->next && self->in_flight < s_window (self)) {
        if (self->next->state == S_WAITING && !s_send_next (self, self->next)) {
            if (!s_waits_for_limit (self))
                /* the queue is full, or the connection is gone, as we'll soon hear */
                self->paused_until = zc_mono_ms () + S_FULL_MS;
            return;
        }
        self->next = TAILQ_NEXT (self->next, turn);
    }
}

static void s_tell (zc_publisher_t *self, bool connected)
{
    if (self->told && self->connected == connected)
        return;
    self->stats.losses += self->connected && !connected;
    self->told = true;
    self->connected = connected;
    if (self->config.connected)
        self->config.connected (self->config.arg, connected);
}

/*  Throws the connection away; all messages without an answer wait again. */
static void s_close (zc_publisher_t *self)
{
    if (self->in_flight)
        self->moved_ms = zc_control_moved_ms (self->control);
    zc_control_reset (self->control);
    zc_control_destroy (&self->control);
    self->in_flight = 0;
    if (!self->connected)
        self->attempt++;
    else
        self->attempt = zc_places_several (self->places) ? 0 : self->attempt & 1;
    bool first = self->limit == S_KNOWN && self->max_payload == SIZE_MAX;
    self->limit = S_UNASKED;
    s_entry_t *entry;
    TAILQ_FOREACH (entry, &self->queue, turn)
    {
        if (entry->state != S_SENT)
            continue;
        entry->state = S_WAITING;
        entry->cuts += first && entry->size > ZC_FRAME_SURE;
        first = false;
    }
    self->next = self->spare = TAILQ_FIRST (&self->queue);
    self->opened_ms = zc_mono_ms () + zc_random_between (self->backoff_ms / 2, self->backoff_ms);
    unsigned most = zc_places_several (self->places) ? S_ROUND_MS : S_BACKOFF_MAX_MS;
    self->backoff_ms = self->backoff_ms * 2 > most ? most : self->backoff_ms * 2;
    s_tell (self, false);
    if (zc_places_several (self->places))
        zc_places_move (self->places, zc_mono_ms ());
}

static void s_heard (void *arg, const zc_answer_t *answer)
{
    zc_publisher_t *self = arg;
    (void)answer;
    zc_places_heard (self->places);
}

/*  Among several brokers, whether this one stands still, or takes nothing. Messages may wait long
 *  for a log that is away, as at every other broker: so a PING is asked beside them. It waits
 * behind a large message, whose bytes are the sign of life then. */
static bool s_is_left (zc_publisher_t *self, uint64_t now)
{
    static const zc_ask_t ping = {.verb = ZC_PING};
    if (!self->in_flight)
        zc_places_heard (self->places);
    if (zc_control_is_sending (self->control))
        zc_places_moved (self->places, zc_control_moved_ms (self->control));
    if (zc_places_leaves (self->places, now))
        return true;
    if (self->in_flight && zc_places_asks (self->places, now))
        zc_control_request (self->control, &ping, 0, s_heard, self);
    return false;
}

static uint64_t s_connect_ms (const zc_publisher_t *self)
{
    return self->opened_ms + (zc_places_several (self->places) ? S_MOVE_MS : S_CONNECT_MS);
}

static bool s_is_dead (zc_publisher_t *self)
{
    uint64_t now = zc_mono_ms ();
    if (zc_control_lost (self->control))
        return true;
    if (!self->connected)
        return now >= s_connect_ms (self);
    if (zc_places_several (self->places) && s_is_left (self, now))
        return true;
    if (!self->in_flight || now < self->progress_ms + self->config.answer_timeout)
        return false;
    /*  A large message on its way over a narrow link has no answer yet. */
    uint64_t moved_ms = zc_control_moved_ms (self->control);
    if (moved_ms > self->progress_ms)
        self->progress_ms = moved_ms;
    return now >= self->progress_ms + self->config.answer_timeout;
}

void zc_publisher_run (zc_publisher_t *self)
{
    if (!self->control && (zc_mono_ms () < self->opened_ms || s_open (self) != 0))
        return;
    while (zc_control_read (self->control, 1000) > 0)
        ;
    if (s_is_dead (self)) {
        s_close (self);
    } else if (!self->connected && zc_control_connected (self->control)) {
        self->backoff_ms = S_BACKOFF_MIN_MS;
        zc_places_connected (self->places, true, zc_mono_ms ());
        s_tell (self, true);
    }
    s_send_waiting (self);
    s_report (self);
}

bool zc_publisher_drop (zc_publisher_t *self)
{
    s_entry_t *entry = self->spare;
    while (entry && (entry->state != S_WAITING || entry->tag))
        entry = TAILQ_NEXT (entry, turn);
    self->spare = entry;
    if (!entry)
        return false;
    self->stats.dropped++;
    s_end (self, entry, "dropped", "the queue was full");
    return true;
}

const char *zc_publisher_place (const zc_publisher_t *self)
{
    return zc_places_control (self->places);
}

bool zc_publisher_is_connected (const zc_publisher_t *self)
{
    return self->connected;
}

const zc_publisher_stats_t *zc_publisher_stats (const zc_publisher_t *self)
{
    return &self->stats;
}

uint64_t zc_publisher_age (const zc_publisher_t *self)
{
    const s_entry_t *oldest = TAILQ_FIRST (&self->queue);
    return oldest ? zc_mono_ms () - oldest->added_ms : 0;
}

uint64_t zc_publisher_quiet_ms (zc_publisher_t *self)
{
    uint64_t age = zc_publisher_age (self);
    if (self->connected && self->in_flight)
        self->moved_ms = zc_control_moved_ms (self->control);
    uint64_t quiet = zc_mono_ms () - self->moved_ms;
    return quiet < age ? quiet : age;
}

size_t zc_publisher_pollitems (zc_publisher_t *self, zmq_pollitem_t items[2])
{
    return self->control ? zc_control_pollitems (self->control, items) : 0;
}

static long s_until (uint64_t when_ms)
{
    uint64_t now = zc_mono_ms ();
    return when_ms > now ? (long)(when_ms - now) : 0;
}

long zc_publisher_timeout (const zc_publisher_t *self)
{
    const s_entry_t *oldest = TAILQ_FIRST (&self->queue);
    if (oldest && oldest->state == S_DONE)
        return 0;
    if (!self->control)
        return s_until (self->opened_ms);
    if (!self->connected)
        return s_until (s_connect_ms (self));
    long wait = self->in_flight ? s_until (self->progress_ms + self->config.answer_timeout) : -1;
    if (self->next && self->in_flight < s_window (self) && !s_waits_for_limit (self)) {
        long pause = s_until (self->paused_until);
        wait = wait < 0 || pause < wait ? pause : wait;
    }
    bool looks = self->in_flight && zc_places_several (self->places);
    return looks && wait > ZC_PLACES_LOOK_MS / 2 ? ZC_PLACES_LOOK_MS / 2 : wait;
}
