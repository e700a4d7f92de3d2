/*  log_state_test.c - brokers' parts in one simulated log, at random: answers are lost, the server
 * comes back with an older state, it stands still, entries are trimmed, others write into it,
 * brokers end and begin, are cut off and come back. RUNS bounds it; a failure prints the seed.
 *
 *  What must hold: what was acknowledged is in the log, once; a repeat is told the position of the
 * first; every broker reads the same messages in the same order, each once, and positions never go
 * back; what a broker can't read, or what it has read and the log lost, is told as lost. */
#include "tests/unit/unit.h"

#include "broker/log/state.h"
#include "lib/base/log.h"
#include "lib/wire/message.h"

#define ENTRIES_MAX 4096
#define MESSAGES_MAX 2048
#define NAMES 32
#define BROKERS 2
#define RECORDS 64
#define CLOSED_MS 2000
#define MARK_MS 1000

typedef struct {
    zc_id_t id;
    uint64_t number;
    char kind;         /* m: message, e: epoch, f: another's */
    unsigned lost;     /* e */
    unsigned message;  /* m: what it says */
    char broker[16];   /* who has added it */
    uint64_t sequence; /* m */
} s_entry_t;

typedef struct { /* what a name stands for */
    bool known;
    unsigned content;
    zc_id_t id;
} s_name_t;

typedef struct { /* what the log knows of a broker */
    char broker[16], answer[4096];
    uint64_t seen, joined, current, batch, reached;
} s_record_t;

typedef struct { /* the server's state; copied for a snapshot */
    bool there;
    s_entry_t entries[ENTRIES_MAX];
    size_t count, trimmed; /* entries before `trimmed` are gone */
    uint64_t number, base_number, closed, opened, tail_number, mark, mark_number;
    zc_id_t last, base, tail;
    char run[16], closing[16];
    s_record_t records[RECORDS];
    size_t record_count;
    s_name_t names[NAMES];
} s_server_t;

typedef struct {
    unsigned name;    /* NAMES: none */
    unsigned content; /* of messages of the same name */
    bool acknowledged, failed, conflict;
    zc_id_t id;          /* that it was acknowledged with */
    char broker[16];     /* which has acknowledged it, */
    uint64_t joined;     /* and had joined the log then */
    bool before_joining; /* the server came back as it was before */
} s_message_t;

typedef struct s_world s_world_t;

typedef struct {
    s_world_t *world;
    zc_log_state_t *state;
    char broker[16], run[16]; /* `run`: of the server that it talks to */
    bool connected, listens;
    zc_log_state_config_t config;
    zc_id_t read[ENTRIES_MAX]; /* messages and epochs, by this broker's life */
    size_t read_count;
    zc_id_t lost; /* told as lost, by this broker's life */
    zc_log_request_t request;
    uint64_t away_ms; /* it is cut off until then */
} s_broker_t;

struct s_world {
    unsigned seed;
    char run[16]; /* of the server as it is now */
    unsigned runs, lives;
    uint64_t now_ms;
    s_server_t server, snapshot;
    s_message_t messages[MESSAGES_MAX];
    size_t count;
    s_broker_t brokers[BROKERS], *b; /* `b`: the one that acts now */
    size_t broker_count;
};

static unsigned s_random (s_world_t *self, unsigned below)
{
    return (unsigned)rand_r (&self->seed) % below;
}

/*  The script, in the plainest way. */

static const char *s_word (const s_world_t *self, size_t index)
{
    static char words[8][512];
    static unsigned turn;
    char *word = words[turn++ % 8];
    size_t at = ZC_LOG_WORDS_BEFORE + index;
    assert_true (at < self->b->request.count);
    snprintf (word, sizeof words[0], "%.*s", (int)self->b->request.lengths[at],
              self->b->request.words[at] ? self->b->request.words[at] : "");
    return word;
}

static uint64_t s_number_of (const s_world_t *self, size_t index)
{
    return strtoull (s_word (self, index), NULL, 10);
}

static zc_id_t s_id_of (const s_world_t *self, size_t index)
{
    zc_id_t id = 0;
    const char *word = s_word (self, index);
    assert_int_equal (zc_id_parse (word, strlen (word), &id), 0);
    return id;
}

static s_entry_t *s_add (s_world_t *self, zc_id_t id, uint64_t number, char kind)
{
    s_server_t *server = &self->server;
    assert_true (server->count < ENTRIES_MAX);
    assert_true (server->count == 0 || id > server->entries[server->count - 1].id);
    s_entry_t *entry = &server->entries[server->count++];
    *entry = (s_entry_t){.id = id, .number = number, .kind = kind};
    return entry;
}

static zc_id_t s_step (const s_world_t *self)
{
    zc_id_t clock = zc_id_from_ms (self->now_ms), next = self->server.last + 2;
    return clock > next ? clock : next - next % 2;
}

/*  A head is: broker, sequence, topic "t", the header "id: MESSAGE". */
static void s_add_message (s_world_t *self, zc_id_t id, uint64_t number, const char *head)
{
    s_entry_t *entry = s_add (self, id, number, 'm');
    unsigned long long sequence;
    if (sscanf (head, "%15s %llu\nt\nx: %u", entry->broker, &sequence, &entry->message) != 3)
        fail_msg ("bad head: %s", head);
    entry->sequence = sequence;
    self->server.number = number;
    self->server.last = id;
    s_message_t *message = &self->messages[entry->message];
    if (message->name < NAMES)
        self->server.names[message->name] = (s_name_t){true, message->content, id};
}

static const s_entry_t *s_find (const s_server_t *server, zc_id_t id)
{
    for (size_t i = server->trimmed; i < server->count; i++)
        if (server->entries[i].id == id)
            return &server->entries[i];
    return NULL;
}

static s_record_t *s_record (s_world_t *self)
{
    s_server_t *server = &self->server;
    for (size_t i = 0; i < server->record_count; i++)
        if (strcmp (server->records[i].broker, self->b->broker) == 0)
            return &server->records[i];
    return NULL;
}

static void s_close_log (s_world_t *self)
{
    s_server_t *server = &self->server;
    if (server->closed && strcmp (server->closing, self->b->run) == 0)
        return;
    server->closed = self->now_ms;
    strcpy (server->closing, self->b->run);
}

/*  The last batch that is known of the broker, or a later number. */
static uint64_t s_batch_of (const s_world_t *self, const s_record_t *record, uint64_t batch)
{
    if (record && record->joined >= self->server.opened && record->answer[0] != '?')
        return record->batch;
    return batch ? batch + 1 : 0;
}

static void s_keep_record (s_world_t *self, uint64_t batch, uint64_t flight)
{
    s_server_t *server = &self->server;
    s_record_t *record = s_record (self);
    uint64_t known = s_batch_of (self, record, batch);
    if (!record) {
        assert_true (server->record_count < RECORDS);
        record = &server->records[server->record_count++];
        *record = (s_record_t){.batch = 0};
        strcpy (record->broker, self->b->broker);
    }
    record->seen = record->joined = self->now_ms;
    if (known + flight < batch || known > batch) {
        record->batch = batch;
        strcpy (record->answer, batch ? "?" : "");
        record->reached = 0;
    }
}

static void s_serve_join (s_world_t *self, zc_log_answer_t *answer)
{
    s_server_t *server = &self->server;
    zc_id_t complete = s_id_of (self, 6), tail = s_id_of (self, 18);
    if (!server->there) {
        memset (server, 0, sizeof *server);
        *server = (s_server_t){.there = true};
        server->number = server->base_number = s_number_of (self, 8);
        server->last = server->base = s_id_of (self, 7);
        strcpy (server->run, s_number_of (self, 14) ? "?" : self->b->run);
    }
    if (s_number_of (self, 17) > server->number || tail > server->last)
        strcpy (server->run, "?");
    if (strcmp (server->run, self->b->run) != 0) {
        s_close_log (self);
        server->tail = tail > server->tail ? tail : server->tail;
        server->tail_number = s_number_of (self, 17) > server->tail_number ? s_number_of (self, 17)
                                                                           : server->tail_number;
    }
    const s_record_t *record = s_record (self);
    answer->batch = s_batch_of (self, record, s_number_of (self, 15));
    s_keep_record (self, s_number_of (self, 15), s_number_of (self, 16));
    const s_entry_t *found = s_find (server, complete);
    answer->line = SLICE ("1-0.abc");
    answer->run = (zc_slice_t){server->run, strlen (server->run)};
    answer->number = server->number;
    answer->last = server->last;
    answer->before = server->last;
    answer->before_number = server->number;
    if (server->trimmed == 0 &&
        (server->count ? server->entries[0].kind != 'f' : server->number == server->base_number)) {
        answer->before = server->base;
        answer->before_number = server->base_number;
    } else if (server->trimmed < server->count) {
        const s_entry_t *first = &server->entries[server->trimmed];
        answer->before = first->id - 1;
        answer->before_number = first->kind == 'f' ? 0 : first->number - 1;
    }
    answer->placed = found && found->kind != 'f';
    answer->place = answer->placed ? found->number : 0;
    if (!answer->placed && complete && answer->before == server->base && complete <= server->base) {
        answer->placed = true;
        answer->place = server->base_number;
    } else if (!answer->placed && complete && complete == server->last) {
        answer->placed = true;
        answer->place = server->number;
    }
}

static void s_add_batch (s_world_t *self, s_record_t *record)
{
    size_t len = 0, index = 0;
    record->answer[0] = 0;
    for (size_t i = 5; ZC_LOG_WORDS_BEFORE + i < self->b->request.count; i += 3, index++) {
        unsigned message;
        const char *payload = s_word (self, i + 1);
        assert_int_equal (sscanf (payload, "%u", &message), 1);
        const s_name_t *before = self->messages[message].name < NAMES
                                     ? &self->server.names[self->messages[message].name]
                                     : NULL;
        if (before && before->known) {
            char id[ZC_ID_SIZE];
            zc_id_format (before->id, id);
            len += (size_t)snprintf (
                record->answer + len, sizeof record->answer - len, "%s%zu%c%s", len ? " " : "",
                index, before->content == self->messages[message].content ? '=' : '!', id);
        } else {
            s_add_message (self, s_step (self), self->server.number + 1, s_word (self, i));
        }
    }
    record->reached = self->server.number;
}

static void s_serve_append (s_world_t *self, zc_log_answer_t *answer)
{
    s_server_t *server = &self->server;
    s_record_t *record = s_record (self);
    uint64_t batch = s_number_of (self, 3), read = s_number_of (self, 4);
    answer->status = strcmp (server->run, self->b->run) != 0                ? ZC_LOG_RUN
                     : read > server->number                                ? ZC_LOG_LOST
                     : batch != record->batch && batch != record->batch + 1 ? ZC_LOG_BATCH
                                                                            : ZC_LOG_OK;
    if (answer->status != ZC_LOG_OK)
        return;
    if (read >= server->mark_number && server->mark > record->current)
        record->current = server->mark;
    if (self->now_ms - server->mark >= MARK_MS) {
        server->mark = self->now_ms;
        server->mark_number = server->number;
    }
    record->seen = self->now_ms;
    if (batch != record->batch)
        s_add_batch (self, record);
    record->batch = batch;
    answer->detail = (zc_slice_t){record->answer, strlen (record->answer)};
    answer->number = record->reached;
}

static void s_wait (const s_world_t *self, zc_log_answer_t *answer)
{
    answer->status = ZC_LOG_WAIT;
    answer->wait_ms = self->server.closed + CLOSED_MS - self->now_ms;
}

static bool s_waits_for_others (const s_world_t *self)
{
    return self->now_ms < self->server.closed + CLOSED_MS;
}

static void s_serve_restore (s_world_t *self, zc_log_answer_t *answer)
{
    for (size_t i = 3; ZC_LOG_WORDS_BEFORE + i < self->b->request.count; i += 5) {
        uint64_t number = s_number_of (self, i);
        zc_id_t id = s_id_of (self, i + 1);
        if (number <= self->server.number || id <= self->server.last) {
            const s_entry_t *there = s_find (&self->server, id);
            if (there && there->number == number)
                continue;
            answer->status = ZC_LOG_GONE;
            return;
        }
        if (number > self->server.number + 1 && s_waits_for_others (self)) {
            s_wait (self, answer);
            return;
        }
        if (strcmp (s_word (self, i + 4), "e") != 0) {
            s_add_message (self, id, number, s_word (self, i + 2));
            continue;
        }
        s_entry_t *entry = s_add (self, id, number, 'e');
        assert_int_equal (sscanf (s_word (self, i + 2), "%u %15s", &entry->lost, entry->broker), 2);
        self->server.number = number;
        self->server.last = id;
    }
}

static bool s_misses_one (const s_server_t *server)
{
    uint64_t current = 0;
    bool misses = false;
    for (size_t i = 0; i < server->record_count; i++)
        if (server->records[i].joined >= server->closed && server->records[i].current > current)
            current = server->records[i].current;
    for (size_t i = 0; i < server->record_count; i++)
        misses |= server->records[i].joined < server->closed && server->records[i].seen >= current;
    return misses;
}

static void s_serve_epoch (s_world_t *self, zc_log_answer_t *answer)
{
    s_server_t *server = &self->server;
    zc_id_t named = s_id_of (self, 3), tail = server->tail;
    uint64_t number = s_number_of (self, 4);
    unsigned lost = *s_word (self, 5) == '1';
    if (strcmp (server->run, self->b->run) != 0) {
        if (s_waits_for_others (self)) {
            s_wait (self, answer);
            return;
        }
        lost |=
            s_misses_one (server) || tail > server->last || server->tail_number > server->number;
        if (number < server->tail_number)
            number = server->tail_number;
        if (named < tail)
            named = tail;
    }
    if (server->last < named)
        server->last = named;
    zc_id_t id = s_step (self);
    s_entry_t *entry =
        s_add (self, id, (number > server->number ? number : server->number) + 1, 'e');
    entry->lost = lost;
    strcpy (entry->broker, self->b->broker);
    server->number = entry->number;
    server->last = id;
    if (strcmp (server->run, self->b->run) != 0)
        server->opened = self->now_ms;
    strcpy (server->run, self->b->run);
    server->closed = server->tail_number = 0;
    server->tail = ZC_ID_NONE;
}

static bool s_is_closed (const s_world_t *self)
{
    return strcmp (self->server.run, self->b->run) != 0;
}

static void s_serve (s_world_t *self, zc_log_answer_t *answer)
{
    *answer = (zc_log_answer_t){.status = ZC_LOG_OK, .detail = {"", 0}};
    zc_log_verb_t verb = self->b->request.verb;
    bool raises = verb == ZC_LOG_EPOCH && *s_word (self, 6) == '1';
    if (verb == ZC_LOG_JOIN)
        s_serve_join (self, answer);
    else if (!self->server.there || !s_record (self))
        answer->status = ZC_LOG_GONE;
    else if (verb == ZC_LOG_APPEND)
        s_serve_append (self, answer);
    else if (s_is_closed (self) ? !self->server.closed : !raises)
        answer->status = ZC_LOG_GONE;
    else if (verb == ZC_LOG_RESTORE)
        s_serve_restore (self, answer);
    else
        s_serve_epoch (self, answer);
    if (verb == ZC_LOG_RESTORE || verb == ZC_LOG_EPOCH)
        answer->number = self->server.number;
}

/*  The broker. */

static void s_acknowledge (s_world_t *self, unsigned index, zc_id_t id)
{
    s_message_t *message = &self->messages[index];
    assert_false (message->acknowledged);
    const s_record_t *record = s_record (self);
    message->acknowledged = true;
    message->id = id;
    strcpy (message->broker, self->b->broker);
    message->joined = record ? record->joined : 0;
}

static void s_on_read (void *arg, const zc_log_entry_t *entry, zmq_msg_t *payload, void *origin)
{
    s_broker_t *broker = arg;
    s_world_t *self = broker->world;
    assert_true (entry->kind != ZC_ENTRY_FOREIGN);
    assert_true (broker->read_count == 0 || entry->id > broker->read[broker->read_count - 1]);
    broker->read[broker->read_count++] = entry->id;
    if (entry->kind == ZC_ENTRY_MESSAGE) {
        char text[16];
        unsigned message;
        snprintf (text, sizeof text, "%.*s", (int)zmq_msg_size (payload),
                  (char *)zmq_msg_data (payload));
        assert_int_equal (sscanf (text, "%u", &message), 1);
        if (origin) {
            assert_ptr_equal (origin, &self->messages[message]);
            s_acknowledge (self, message, entry->id);
        }
    }
}

static void s_on_told (void *arg, void *origin, zc_id_t id, bool conflict)
{
    s_broker_t *broker = arg;
    s_world_t *self = broker->world;
    s_message_t *message = origin;
    const s_name_t *name = &self->server.names[message->name];
    assert_true (name->known);
    assert_int_equal (name->content != message->content, conflict);
    if (conflict)
        message->conflict = true;
    else
        s_acknowledge (self, (unsigned)(message - self->messages), id);
}

static void s_on_failed (void *arg, void *origin)
{
    (void)arg;
    s_message_t *message = origin;
    assert_false (message->acknowledged || message->failed);
    message->failed = true;
}

static void s_on_lost (void *arg, zc_id_t upto)
{
    s_broker_t *self = arg;
    if (upto > self->lost)
        self->lost = upto;
}

static void s_begin_broker (s_world_t *self)
{
    snprintf (self->b->broker, sizeof self->b->broker, "b%u", self->lives++);
    self->b->config = (zc_log_state_config_t){.broker = self->b->broker,
                                              .settings = "s",
                                              .waiting_max = 1 << 20,
                                              .kept_max = 1 << 24,
                                              .timeout_ms = 5000,
                                              .arg = self->b,
                                              .read = s_on_read,
                                              .told = s_on_told,
                                              .failed = s_on_failed,
                                              .lost = s_on_lost};
    self->b->listens = false;
    self->b->state = zc_log_state_new (&self->b->config);
    zc_log_state_begin (self->b->state, SLICE ("1-0.abc"), ZC_ID_NONE,
                        zc_id_from_ms (self->now_ms));
    self->b->read_count = 0;
    self->b->lost = ZC_ID_NONE;
    self->b->connected = false;
}

static void s_connect (s_world_t *self, bool on)
{
    self->b->connected = on;
    strcpy (self->b->run, self->run);
    zc_log_state_connected (self->b->state,
                            (zc_slice_t){self->b->run, on ? strlen (self->b->run) : 0});
}

static void s_publish (s_world_t *self)
{
    if (self->count == MESSAGES_MAX || zc_log_state_full (self->b->state))
        return;
    s_message_t *message = &self->messages[self->count];
    *message = (s_message_t){.name = s_random (self, 2 * NAMES)};
    if (message->name > NAMES)
        message->name = NAMES;
    message->content = s_random (self, 4) == 0;
    char text[16], headers[64], name[ZC_LOG_NAME_SIZE];
    int len = snprintf (text, sizeof text, "%zu", self->count);
    snprintf (headers, sizeof headers, "x: %zu\n", self->count);
    memset (name, 'a', sizeof name);
    zmq_msg_t payload;
    zmq_msg_init_size (&payload, (size_t)len);
    memcpy (zmq_msg_data (&payload), text, (size_t)len);
    self->count++;
    zc_log_state_publish (
        self->b->state, SLICE ("t"), &payload, (zc_slice_t){headers, strlen (headers)},
        (zc_slice_t){name, message->name < NAMES ? sizeof name : 0}, message, self->now_ms);
    zmq_msg_close (&payload);
}

/*  One request goes to the log, and its answer comes back or is lost with the connection. */
static void s_write (s_world_t *self, bool faults)
{
    zc_log_answer_t answer;
    if (self->b->connected && strcmp (self->b->run, self->run) != 0)
        s_connect (self, false);
    if (!self->b->connected && self->now_ms < self->b->away_ms)
        return;
    if (!self->b->connected) {
        s_connect (self, true);
        return;
    }
    if (!zc_log_state_next (self->b->state, self->now_ms, &self->b->request))
        return;
    if (faults && s_random (self, 20) == 0) { /* it never arrives */
        s_connect (self, false);
        return;
    }
    s_serve (self, &answer);
    if (faults && s_random (self, 20) == 0)
        s_connect (self, false);
    else
        zc_log_state_answered (self->b->state, &answer, self->now_ms);
    if (!self->b->listens && zc_log_state_joined (self->b->state)) {
        self->b->listens = true;
        zc_log_state_listen (self->b->state, &self->b->config);
    }
}

static void s_tell_entry (s_world_t *self, const s_entry_t *entry)
{
    char head[64], payload[16];
    zc_log_entry_t told = {.id = entry->id,
                           .kind = entry->kind == 'm'   ? ZC_ENTRY_MESSAGE
                                   : entry->kind == 'e' ? ZC_ENTRY_EPOCH
                                                        : ZC_ENTRY_FOREIGN,
                           .number = entry->number,
                           .lost = entry->lost,
                           .broker = {entry->broker, strlen (entry->broker)},
                           .sequence = entry->sequence,
                           .topic = SLICE ("t")};
    snprintf (head, sizeof head, "%s %llu\nt\nx: %u\n", entry->broker,
              (unsigned long long)entry->sequence, entry->message);
    snprintf (payload, sizeof payload, "%u", entry->message);
    if (entry->kind == 'e')
        snprintf (head, sizeof head, "%u %s 0-0", entry->lost, entry->broker);
    told.head = (zc_slice_t){head, strlen (head)};
    if (entry->kind == 'm')
        told.headers = (zc_slice_t){strstr (head, "x: "), strlen (strstr (head, "x: "))};
    told.payload = (zc_slice_t){payload, strlen (payload)};
    zc_log_state_entry (self->b->state, &told, self->now_ms);
}

static void s_read (s_world_t *self)
{
    zc_id_t after;
    zc_slice_t run = {self->b->run, strlen (self->b->run)};
    if (!self->b->connected || !zc_log_state_reads (self->b->state, run, &after))
        return;
    const s_server_t *server = &self->server;
    unsigned most = 1 + s_random (self, 30);
    bool any = false;
    for (size_t i = server->trimmed; i < server->count && most > 0; i++)
        if (server->entries[i].id > after) {
            s_entry_t entry = server->entries[i];
            s_tell_entry (self, &entry);
            any = true;
            most--;
        }
    if (!any)
        zc_log_state_nothing (self->b->state, zc_log_state_joins (self->b->state));
}

/*  Faults. */

static void s_new_run (s_world_t *self)
{
    snprintf (self->run, sizeof self->run, "run%u", self->runs++);
    for (size_t i = 0; i < self->broker_count; i++) {
        self->b = &self->brokers[i];
        s_connect (self, false);
    }
}

static void s_roll_back (s_world_t *self)
{
    self->server = self->snapshot;
    for (size_t i = 0; i < self->count; i++) {
        s_message_t *message = &self->messages[i];
        bool known = false;
        for (size_t j = 0; j < self->server.record_count; j++)
            known |= strcmp (self->server.records[j].broker, message->broker) == 0 &&
                     self->server.records[j].joined >= message->joined;
        message->before_joining |= message->acknowledged && !known;
    }
    s_new_run (self);
}

static void s_foreign (s_world_t *self)
{
    if (!self->b->connected || !zc_log_state_open (self->b->state))
        return; /* else it may make putting back impossible: that is told */
    zc_id_t top = self->server.count ? self->server.entries[self->server.count - 1].id : 0;
    zc_id_t id = s_step (self);
    if (id > top) {
        s_add (self, id, 0, 'f');
        self->server.last = id; /* as XADD would make the script find out */
    }
}

static void s_trim (s_world_t *self)
{
    s_server_t *server = &self->server;
    size_t left = server->count - server->trimmed;
    if (left > 30)
        server->trimmed += s_random (self, (unsigned)left - 30);
}

static void s_fault (s_world_t *self, bool crashes)
{
    unsigned fault = s_random (self, 10);
    if (getenv ("SEED"))
        fprintf (stderr, "fault %u at %llu, broker %s\n", fault, (unsigned long long)self->now_ms,
                 self->b->broker);
    switch (fault) {
    case 0: /* the server comes back as it was a while ago. If brokers end, too, and the log is
             * gone, nobody is left who knows of it. */
        if (crashes && !self->snapshot.there)
            break;
        s_roll_back (self);
        break;
    case 1:
        s_new_run (self);
        break; /* ... or whole */
    case 2:
        self->now_ms += 6000;
        break;
    case 3:
        s_foreign (self);
        break;
    case 4:
        s_trim (self);
        break;
    case 5:
        s_connect (self, false);
        break;
    case 6:
        if (crashes) {
            zc_log_state_destroy (&self->b->state);
            self->now_ms += 10;
            s_begin_broker (self);
        }
        break;
    case 7: /* A worker knows of a position that the log hasn't reached. A broker that begins anew
             * would have to hear of it again, and this world has no workers that remember. */
        if (self->b->listens && !crashes)
            zc_log_state_raise (self->b->state,
                                zc_id_from_ms (self->now_ms + s_random (self, 5000)), false);
        break;
    case 8:
        s_connect (self, false);
        self->b->away_ms = self->now_ms + s_random (self, 8000);
        break;
    default:
        self->snapshot = self->server;
        break;
    }
}

static const s_entry_t *s_entry_at (const s_server_t *server, zc_id_t id)
{
    for (size_t i = 0; i < server->count; i++)
        if (server->entries[i].id == id && server->entries[i].kind != 'f')
            return &server->entries[i];
    return NULL;
}

/*  A broker has read what the log has, and nothing else, or it was told of a loss. */
static void s_check_reading (const s_world_t *self, const s_broker_t *broker)
{
    const s_server_t *server = &self->server;
    size_t read = 0;
    for (size_t i = server->trimmed; i < server->count; i++) {
        const s_entry_t *entry = &server->entries[i];
        if (entry->kind == 'f')
            continue;
        while (read < broker->read_count && broker->read[read] < entry->id)
            read++;
        if ((read == broker->read_count || broker->read[read] != entry->id) &&
            entry->id > broker->lost)
            fail_msg ("broker %s hasn't read %llu", broker->broker, (unsigned long long)entry->id);
    }
    zc_id_t others = ZC_ID_MAX; /* were told of a loss up to here, what this one has read */
    for (size_t i = 0; i < self->broker_count; i++)
        if (&self->brokers[i] != broker && self->brokers[i].lost < others)
            others = self->brokers[i].lost;
    for (size_t i = 0; i < broker->read_count; i++)
        if (broker->read[i] > broker->lost && broker->read[i] > others &&
            !s_entry_at (server, broker->read[i]))
            fail_msg ("broker %s has read %llu, which isn't there", broker->broker,
                      (unsigned long long)broker->read[i]);
}

static bool s_has_read (const s_broker_t *broker, zc_id_t id)
{
    for (size_t i = 0; i < broker->read_count; i++)
        if (broker->read[i] == id)
            return true;
    return false;
}

/*  Each broker has read it, or was told of a loss. */
static bool s_is_told (const s_world_t *self, zc_id_t id)
{
    bool told = true;
    for (size_t i = 0; i < self->broker_count; i++)
        told &= self->brokers[i].lost >= id || s_has_read (&self->brokers[i], id);
    return told;
}

/*  Its broker has ended, and no other one has read it, and the server doesn't know that the broker
 * had joined. */
static bool s_is_unknown (const s_world_t *self, const s_message_t *message)
{
    bool unknown = message->before_joining;
    for (size_t i = 0; i < self->broker_count; i++)
        unknown &= strcmp (self->brokers[i].broker, message->broker) != 0 &&
                   !s_has_read (&self->brokers[i], message->id);
    return unknown;
}

/*  All that is acknowledged is in the log, or was trimmed, or is told; or nobody knows of it. */
static void s_check (s_world_t *self)
{
    const s_server_t *server = &self->server;
    static unsigned times[MESSAGES_MAX];
    memset (times, 0, sizeof times);
    for (size_t i = 0; i < server->count; i++)
        if (server->entries[i].kind == 'm')
            times[server->entries[i].message]++;
    for (size_t i = 0; i < self->broker_count; i++)
        s_check_reading (self, &self->brokers[i]);
    for (size_t i = 0; i < self->count; i++) {
        const s_message_t *message = &self->messages[i];
        assert_true (times[i] <= 1);
        if (message->acknowledged + message->failed + message->conflict != 1)
            fail_msg ("message %zu: acknowledged %d, failed %d, conflict %d", i,
                      message->acknowledged, message->failed, message->conflict);
        if (!message->acknowledged)
            continue;
        const s_entry_t *entry = s_entry_at (server, message->id);
        if ((!entry || entry->kind != 'm') && !s_is_told (self, message->id) &&
            !s_is_unknown (self, message))
            fail_msg ("message %zu was acknowledged at %llu and isn't there", i,
                      (unsigned long long)message->id);
    }
}

static bool s_is_busy (const s_world_t *self)
{
    bool busy = false;
    for (size_t i = 0; i < self->broker_count; i++)
        busy |= zc_log_state_waiting (self->brokers[i].state) > 0 ||
                !zc_log_state_open (self->brokers[i].state);
    return busy;
}

static void s_act (s_world_t *self, bool crashes)
{
    unsigned what = s_random (self, 100);
    if (what < 40)
        s_publish (self);
    else if (what < 65)
        s_write (self, true);
    else if (what < 85)
        s_read (self);
    else if (what < 95)
        self->now_ms += s_random (self, 300);
    else if (what < 97)
        s_fault (self, crashes);
    zc_log_state_tick (self->b->state, self->now_ms);
}

static s_world_t *s_begin_world (unsigned seed, size_t brokers)
{
    s_world_t *self = calloc (1, sizeof *self);
    self->seed = seed;
    self->now_ms = 1000000;
    self->broker_count = brokers;
    for (size_t i = 0; i < brokers; i++) {
        self->b = &self->brokers[i];
        self->b->world = self;
        s_begin_broker (self);
    }
    s_new_run (self);
    return self;
}

static void s_end_world (s_world_t *self)
{
    size_t brokers = self->broker_count;
    for (unsigned i = 0; i < 4000 && (s_is_busy (self) || i < 400); i++) {
        self->b = &self->brokers[i % brokers];
        self->now_ms += 10;
        s_write (self, false);
        s_read (self);
    }
    for (size_t i = 0; i < 100 * brokers; i++) {
        self->b = &self->brokers[i % brokers];
        s_read (self);
    }
    for (size_t i = 0; i < brokers; i++) {
        assert_int_equal (zc_log_state_waiting (self->brokers[i].state), 0);
        assert_true (zc_log_state_open (self->brokers[i].state) &&
                     zc_log_state_caught_up (self->brokers[i].state));
    }
    s_check (self);
    for (size_t i = 0; i < brokers; i++)
        zc_log_state_destroy (&self->brokers[i].state);
    free (self);
}

static void s_live (unsigned seed, size_t brokers, bool crashes)
{
    s_world_t *self = s_begin_world (seed, brokers);
    for (unsigned i = 0; i < 600 * brokers; i++) {
        self->b = &self->brokers[s_random (self, (unsigned)brokers)];
        s_act (self, crashes);
    }
    s_end_world (self);
}

static unsigned s_seed; /* of the run that fails */

static void s_lives (size_t brokers, bool crashes)
{
    const char *runs = getenv ("RUNS"), *seed = getenv ("SEED");
    unsigned begin = seed ? (unsigned)atoi (seed) : 1;
    unsigned count = seed ? 1 : runs ? (unsigned)atoi (runs) : 200;
    for (s_seed = begin; s_seed < begin + count; s_seed++)
        s_live (s_seed, brokers, crashes);
}

static int s_show_seed (void **state)
{
    (void)state;
    fprintf (stderr, "seed %u\n", s_seed);
    return 0;
}

static void test_one_broker (void **state)
{
    (void)state;
    s_lives (1, false);
}

static void test_a_broker_that_ends (void **state)
{
    (void)state;
    s_lives (1, true);
}

static void test_two_brokers (void **state)
{
    (void)state;
    s_lives (2, false);
}

static void test_two_brokers_that_end (void **state)
{
    (void)state;
    s_lives (2, true);
}

static void s_turns (s_world_t *self, size_t index, size_t messages)
{
    self->b = &self->brokers[index];
    for (size_t i = 0; i < messages; i++)
        s_publish (self);
    for (unsigned i = 0; i < 100; i++) {
        self->now_ms += 100;
        s_write (self, false);
        s_read (self);
    }
}

static void s_write_times (s_world_t *self, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        for (size_t j = 0; j < self->broker_count; j++) {
            self->b = &self->brokers[j];
            s_write (self, false);
        }
}

/*  Each broker has read another continuation of what the server comes back with, and both join
 * before one of them puts its own back. The other one's isn't put behind it: its beginning would be
 * missing, and nobody would be told. */
static void test_two_forks_of_which_neither_is_in_the_log (void **state)
{
    (void)state;
    s_world_t *self = s_begin_world (1, 2);
    s_turns (self, 0, 5);
    s_turns (self, 1, 5);
    self->snapshot = self->server;
    s_turns (self, 0, 20);
    s_roll_back (self);
    s_turns (self, 1, 40);
    size_t read = self->brokers[1].read_count;
    s_roll_back (self);
    s_write_times (self, 3); /* they connect, join and put back */
    assert_true (read > self->brokers[0].read_count);
    s_end_world (self);
}

/*  The same, but the first one puts its own back and opens the log before the other one, which has
 * read more, asks again: the epoch's number is the next one for both. */
static void test_a_fork_behind_which_the_log_was_opened (void **state)
{
    (void)state;
    s_world_t *self = s_begin_world (1, 2);
    s_turns (self, 0, 5);
    s_turns (self, 1, 5);
    self->snapshot = self->server;
    s_turns (self, 0, 5);
    s_roll_back (self);
    s_turns (self, 1, 20);
    s_roll_back (self);
    s_write_times (self, 2); /* they connect and join */
    self->b = &self->brokers[0];
    for (unsigned i = 0; i < 50; i++) {
        self->now_ms += 100;
        s_write (self, false);
        s_read (self);
    }
    uint64_t opened = self->server.number;
    self->b = &self->brokers[1];
    s_read (self);
    assert_true (zc_log_state_figures (self->b->state).number < opened);
    s_end_world (self);
}

/*  A broker that has read nothing of it is all that is left of the log's last seconds: see
 * doc/scale.md, what the log promises. */
static void test_a_loss_that_nobody_knows (void **state)
{
    (void)state;
    s_live (821, 2, true);
}

/*  The log is gone; a broker that had read nothing makes it anew, and the numbers begin again. The
 * one that had read it comes back to others' entries with these numbers. */
static void test_a_log_that_a_newcomer_makes_anew (void **state)
{
    (void)state;
    s_live (10805, 2, false);
}

/*  The log takes the epoch that tells of a loss, and loses it before it was read. */
static void test_an_epoch_that_is_lost (void **state)
{
    (void)state;
    s_live (19447, 2, false);
}

int main (void)
{
    zc_log_level (ZC_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown (test_one_broker, s_show_seed),
        cmocka_unit_test_teardown (test_a_broker_that_ends, s_show_seed),
        cmocka_unit_test_teardown (test_two_brokers, s_show_seed),
        cmocka_unit_test_teardown (test_two_brokers_that_end, s_show_seed),
        cmocka_unit_test (test_two_forks_of_which_neither_is_in_the_log),
        cmocka_unit_test (test_a_fork_behind_which_the_log_was_opened),
        cmocka_unit_test (test_a_loss_that_nobody_knows),
        cmocka_unit_test (test_a_log_that_a_newcomer_makes_anew),
        cmocka_unit_test (test_an_epoch_that_is_lost),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
