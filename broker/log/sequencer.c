/*  sequencer.c - the connections to the log.
 *
 *  A server is asked for INFO at the beginning of each connection: its run_id stays the same while
 *  the connection stands. If the connection for reads and the one for requests are with different
 *  servers, the one for reads is made anew. Rejected: Pub/Sub, since it drops messages of a slow
 *  reader; and one connection for both, since requests would wait behind a read that waits. */
#include "broker/log/sequencer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "broker/log/script.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define S_BLOCK_MS 400 /* for which a read waits */
#define S_TEXT(number) #number
#define S_DIGITS(number) S_TEXT (number)
#define S_COUNT_MAX 1000               /* entries of a read */
#define S_READ_BYTES ((size_t)2 << 20) /* of a read, about */
#define S_READ_MAX ((size_t)256 << 20)
#define S_BACKOFF_MS 1000 /* between attempts to connect: the log stays closed for two seconds */
#define S_PAUSE_MS 1000   /* after a read that brought nothing of use */

enum { S_STREAM, S_STATE, S_NAMES, S_OLDER, S_BROKERS, S_KEYS };

/*  The tags of replies. */
static char s_info, s_load, s_request, s_read;

typedef struct {
    zc_sequencer_t *sequencer;
    zc_redis_t *redis;
    char run[ZC_LOG_RUN_MAX + 1]; /* of the server; "": not known */
} s_link_t;

struct zc_sequencer {
    zc_log_state_t *state;
    s_link_t writer, reader;
    char broker[32], sha[64];
    char keys[S_KEYS][ZC_LOG_KEY_MAX + 16];
    bool listens;
    bool reading;       /* a read is under way */
    uint64_t asked;     /* the joins when it was sent, */
    uint64_t asked_ms;  /* and the time */
    uint64_t heard_ms;  /* all that the log had at this time has been read */
    unsigned count;     /* entries of the next read */
    uint64_t resume_ms; /* when to read next */
    char after[ZC_ID_SIZE], count_text[16];
    char beyond[48];   /* the last entry read, if its id is no position; or "" */
    zc_id_t beyond_id; /* and the last position before it */
    char complaint[512];
};

static void s_command (s_link_t *self, void *tag, int count, const char **words)
{
    zc_redis_command (self->redis, tag, count, words, NULL);
}

static void s_ready (void *arg)
{
    s_link_t *self = arg;
    const char *info[] = {"INFO"};
    const char *load[] = {"SCRIPT", "LOAD", zc_log_script};
    s_command (self, &s_info, 1, info);
    if (self == &self->sequencer->writer)
        s_command (self, &s_load, 3, load);
}

static void s_lost (void *arg)
{
    s_link_t *self = arg;
    self->run[0] = 0;
    if (self == &self->sequencer->writer) {
        self->sequencer->sha[0] = 0;
        zc_log_state_connected (self->sequencer->state, (zc_slice_t){"", 0});
    } else {
        self->sequencer->reading = false;
        self->sequencer->count = 1; /* perhaps too much was asked for */
    }
}

/*  Requests. */

static void s_informed (s_link_t *self, const redisReply *reply)
{
    zc_log_server_t server;
    const char *wrong = zc_log_server_parse (&server, reply);
    if (wrong)
        zc_redis_give_up (self->redis, wrong);
    else
        snprintf (self->run, sizeof self->run, "%.*s", (int)server.run.len, server.run.at);
}

/*  Both are to be with one server: a name may lead to several, or to another one by now. */
static void s_compare (zc_sequencer_t *self)
{
    if (self->reader.run[0] && self->writer.run[0] &&
        strcmp (self->reader.run, self->writer.run) != 0)
        zc_redis_give_up (self->reader.redis, "it is with another server than the writer");
}

static void s_loaded (zc_sequencer_t *self, const redisReply *reply)
{
    zc_slice_t sha = zc_reply_text (reply);
    if (sha.len == 0 || sha.len >= sizeof self->sha) {
        zc_redis_give_up (self->writer.redis, "its answer to SCRIPT LOAD makes no sense");
        return;
    }
    snprintf (self->sha, sizeof self->sha, "%.*s", (int)sha.len, sha.at);
    zc_log_state_connected (self->state, (zc_slice_t){self->writer.run, strlen (self->writer.run)});
    s_compare (self);
}

static void s_written (void *arg, void *tag, const redisReply *reply)
{
    s_link_t *link = arg;
    zc_sequencer_t *self = link->sequencer;
    zc_log_answer_t answer;
    if (zc_reply_fault (reply) != ZC_FAULT_NONE) {
        zc_redis_give_up_for (link->redis, reply);
    } else if (tag == &s_info) {
        s_informed (link, reply);
    } else if (tag == &s_load) {
        s_loaded (self, reply);
    } else {
        zc_log_verb_t asked = zc_log_state_asked (self->state);
        zc_log_answer_parse (&answer, asked, reply);
        zc_log_state_answered (self->state, &answer, zc_mono_ms ());
        /*  A join shows that Redis reads, and not that it takes messages. */
        if (answer.status == ZC_LOG_OK && asked != ZC_LOG_JOIN)
            zc_redis_works (link->redis);
    }
}

static void s_send (zc_sequencer_t *self, const zc_log_request_t *request)
{
    const char *first[ZC_LOG_WORDS_BEFORE] = {"EVALSHA", self->sha, "5"};
    for (size_t i = 0; i < S_KEYS; i++)
        first[3 + i] = self->keys[i];
    for (size_t i = 0; i < ZC_LOG_WORDS_BEFORE; i++) {
        request->words[i] = first[i];
        request->lengths[i] = strlen (first[i]);
    }
    zc_redis_command (self->writer.redis, &s_request, (int)request->count, request->words,
                      request->lengths);
}

static void s_ask (zc_sequencer_t *self)
{
    zc_log_request_t request;
    if (zc_redis_is_ready (self->writer.redis) &&
        zc_log_state_next (self->state, zc_mono_ms (), &request))
        s_send (self, &request);
}

/*  Reading. */

/*  The next read is to bring about as many bytes as are handled at a time. */
static void s_adapt (zc_sequencer_t *self, size_t entries, size_t bytes)
{
    if (bytes > S_READ_BYTES)
        self->count = (unsigned)(self->count * S_READ_BYTES / bytes);
    else if (entries == self->count && bytes < S_READ_BYTES / 2)
        self->count *= 2;
    if (self->count < 1)
        self->count = 1;
    if (self->count > S_COUNT_MAX)
        self->count = S_COUNT_MAX;
}

/*  After an entry whose id is no position, reading goes on from that id. */
static void s_look_beyond (zc_sequencer_t *self, zc_slice_t raw, zc_id_t after)
{
    zc_id_t id;
    self->beyond[0] = 0;
    self->beyond_id = after;
    if (raw.len && zc_id_parse (raw.at, raw.len, &id) != 0)
        snprintf (self->beyond, sizeof self->beyond, "%.*s", (int)raw.len, raw.at);
}

static void s_take_entries (zc_sequencer_t *self, const redisReply *entries, size_t count)
{
    zc_log_entry_t entry;
    zc_slice_t raw = {"", 0};
    size_t bytes = 0;
    zc_id_t before, after;
    zc_slice_t run = {self->reader.run, strlen (self->reader.run)};
    uint64_t wall_ms = zc_wall_ms ();
    if (!zc_log_state_reads (self->state, run, &before))
        return; /* of a log that is another one by now */
    for (size_t i = 0; i < count; i++) {
        if (zc_log_entry_parse (&entry, entries, i, &raw) != 0) {
            zc_redis_give_up (self->reader.redis, "it sends an entry that makes no sense");
            return;
        }
        bytes += entry.head.len + entry.payload.len;
        zc_log_state_entry (self->state, &entry, wall_ms);
    }
    zc_log_state_reads (self->state, run, &after);
    s_look_beyond (self, raw, after);
    if (after == before && !self->beyond[0])
        self->resume_ms = zc_mono_ms () + S_PAUSE_MS;
    s_adapt (self, count, bytes);
}

/*  A read brought all that the log had when it was sent; or nothing, so there was nothing for as
 *  long as it waited. An open log only: before, brokers may put back what it lacks. */
static void s_hear (zc_sequencer_t *self, size_t entries, unsigned most)
{
    if (zc_log_state_open (self->state) && entries < most)
        self->heard_ms = self->asked_ms + (entries ? 0 : S_BLOCK_MS - 1);
}

static void s_was_read (void *arg, void *tag, const redisReply *reply)
{
    s_link_t *link = arg;
    zc_sequencer_t *self = link->sequencer;
    size_t count;
    unsigned most = self->count;
    if (zc_reply_fault (reply) != ZC_FAULT_NONE) {
        zc_redis_give_up_for (link->redis, reply);
        return;
    }
    if (tag == &s_info) {
        s_informed (link, reply);
        s_compare (self);
        return;
    }
    self->reading = false;
    const redisReply *entries = zc_log_entries (reply, &count);
    if (!entries)
        zc_redis_give_up (link->redis, "its answer to XREAD makes no sense");
    else if (count)
        s_take_entries (self, entries, count);
    else
        zc_log_state_nothing (self->state, self->asked);
    if (entries)
        s_hear (self, count, most);
    if (link->run[0])
        zc_redis_works (link->redis);
}

static void s_read_on (zc_sequencer_t *self)
{
    zc_id_t after;
    if (self->reading || !self->listens || !zc_redis_is_ready (self->reader.redis) ||
        zc_mono_ms () < self->resume_ms ||
        !zc_log_state_reads (self->state, (zc_slice_t){self->reader.run, strlen (self->reader.run)},
                             &after))
        return;
    zc_id_format (after, self->after);
    snprintf (self->count_text, sizeof self->count_text, "%u", self->count);
    const char *from = self->beyond[0] && after == self->beyond_id ? self->beyond : self->after;
    const char *words[] = {"XREAD",
                           "COUNT",
                           self->count_text,
                           "BLOCK",
                           S_DIGITS (S_BLOCK_MS),
                           "STREAMS",
                           self->keys[S_STREAM],
                           from};
    s_command (&self->reader, &s_read, 8, words);
    self->asked = zc_log_state_joins (self->state);
    self->asked_ms = zc_mono_ms ();
    self->reading = true;
}

/*  The loop. */

void zc_sequencer_run (zc_sequencer_t *self)
{
    zc_redis_run (self->reader.redis);
    zc_redis_run (self->writer.redis);
    zc_log_state_tick (self->state, zc_mono_ms ());
    s_ask (self);
    s_read_on (self);
    zc_redis_flush (self->writer.redis);
    zc_redis_flush (self->reader.redis);
}

size_t zc_sequencer_pollitems (zc_sequencer_t *self, zmq_pollitem_t *items)
{
    size_t count = zc_redis_pollitems (self->writer.redis, items);
    return count + zc_redis_pollitems (self->reader.redis, items + count);
}

long zc_sequencer_timeout (const zc_sequencer_t *self)
{
    uint64_t now = zc_mono_ms ();
    long waits[] = {zc_redis_timeout (self->writer.redis), zc_redis_timeout (self->reader.redis),
                    zc_log_state_wait_ms (self->state, now)};
    long least = self->resume_ms > now ? (long)(self->resume_ms - now) : S_PAUSE_MS;
    for (size_t i = 0; i < 3; i++)
        if (waits[i] >= 0 && waits[i] < least)
            least = waits[i];
    return least;
}

/*  What others see. */

zc_log_state_t *zc_sequencer_state (zc_sequencer_t *self)
{
    return self->state;
}

void zc_sequencer_listen (zc_sequencer_t *self, const zc_log_state_config_t *hooks)
{
    zc_log_state_listen (self->state, hooks);
    self->listens = true;
}

uint64_t zc_sequencer_heard_ms (const zc_sequencer_t *self)
{
    return self->heard_ms;
}

bool zc_sequencer_idle (const zc_sequencer_t *self)
{
    return zc_log_state_waiting (self->state) == 0;
}

const char *zc_sequencer_complaint (zc_sequencer_t *self, bool *final)
{
    zc_log_status_t status;
    const char *refusal = zc_log_state_complaint (self->state, &status);
    const char *writer = zc_redis_complaint (self->writer.redis);
    const char *reader = zc_redis_complaint (self->reader.redis);
    *final = refusal && (status == ZC_LOG_TYPE || status == ZC_LOG_STRANGE ||
                         status == ZC_LOG_VERSION || status == ZC_LOG_SETTINGS);
    *final |= strstr (writer, "maxmemory-policy") != NULL;
    if (!refusal && !*writer && !*reader)
        return NULL;
    snprintf (self->complaint, sizeof self->complaint, "%s",
              refusal   ? refusal
              : *writer ? writer
                        : reader);
    return self->complaint;
}

void zc_sequencer_json (zc_sequencer_t *self, json_t *into)
{
    bool final;
    const char *complaint = zc_sequencer_complaint (self, &final);
    zc_log_state_figures_t figures = zc_log_state_figures (self->state);
    json_t *log = json_object ();
    bool open = zc_log_state_open (self->state);
    json_object_set_new (log, "state",
                         json_string (!open                                  ? "closed"
                                      : zc_log_state_caught_up (self->state) ? "ok"
                                                                             : "behind"));
    if (complaint)
        json_object_set_new (log, "error", json_string (complaint));
    json_object_set_new (log, "number", json_integer ((json_int_t)figures.number));
    json_object_set_new (log, "waiting",
                         json_integer ((json_int_t)zc_log_state_waiting (self->state)));
    json_object_set_new (log, "failed", json_integer ((json_int_t)figures.failed));
    json_object_set_new (log, "foreign", json_integer ((json_int_t)figures.foreign));
    json_object_set_new (log, "jumps", json_integer ((json_int_t)figures.jumps));
    json_object_set_new (log, "epochs", json_integer ((json_int_t)figures.epochs));
    json_object_set_new (log, "restored", json_integer ((json_int_t)figures.restored));
    json_object_set_new (into, "log", log);
}

/*  Beginning and end. */

static void s_open (zc_sequencer_t *self, s_link_t *link, const zc_sequencer_config_t *config,
                    const char *name, void (*reply) (void *, void *, const redisReply *))
{
    *link = (s_link_t){.sequencer = self};
    zc_redis_config_t setup = {.address = config->address,
                               .name = name,
                               .reply_max = S_READ_MAX + 2 * config->max_payload,
                               .many = true,
                               .backoff_ms = S_BACKOFF_MS,
                               .arg = link,
                               .ready = s_ready,
                               .reply = reply,
                               .lost = s_lost};
    link->redis = zc_redis_new (&setup);
}

zc_sequencer_t *zc_sequencer_new (const zc_sequencer_config_t *config)
{
    static const char *const parts[S_KEYS] = {"log", "state", "names", "older", "brokers"};
    zc_sequencer_t *self = calloc (1, sizeof *self);
    uint64_t random;
    if (!self)
        abort ();
    while (getrandom (&random, sizeof random, 0) != sizeof random)
        continue;
    snprintf (self->broker, sizeof self->broker, "%016" PRIx64, random);
    for (size_t i = 0; i < S_KEYS; i++)
        snprintf (self->keys[i], sizeof self->keys[i], "{%s}:%s", config->name, parts[i]);
    self->count = 1;
    zc_log_state_config_t state = config->state;
    state.broker = self->broker;
    self->state = zc_log_state_new (&state);
    s_open (self, &self->writer, config, "zcast-log", s_written);
    s_open (self, &self->reader, config, "zcast-log-reader", s_was_read);
    return self;
}

void zc_sequencer_destroy (zc_sequencer_t **self_p)
{
    zc_sequencer_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_log_request_t leave;
    if (zc_redis_is_ready (self->writer.redis) && zc_log_state_leave (self->state, &leave)) {
        s_send (self, &leave);
        zc_redis_flush (self->writer.redis);
    }
    zc_redis_destroy (&self->writer.redis);
    zc_redis_destroy (&self->reader.redis);
    zc_log_state_destroy (&self->state);
    free (self);
}
