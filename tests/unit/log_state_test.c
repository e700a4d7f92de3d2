/*  log_state_test.c - a broker's part in the log against a simulated log, at random: answers are
 * lost, the server comes back with an older state, it stands still, entries are trimmed, others
 * write into it, the broker ends and begins again. RUNS bounds it; a failure prints the seed.
 *
 *  What must hold: what was acknowledged is in the log, once; a repeat is told the position of the
 *  first; what is read comes in the log's order, each entry once, and positions never go back; what
 *  can't be read is told as lost. */
#include "tests/unit/unit.h"

#include "broker/log/state.h"
#include "lib/base/log.h"
#include "lib/wire/message.h"

#define ENTRIES_MAX 4096
#define MESSAGES_MAX 2048
#define NAMES 32

typedef struct {
    zc_id_t id;
    uint64_t number;
    char kind; /* m: message, e: epoch, f: another's */
    bool lost;
    unsigned message;  /* m: what it says */
    char broker[16];   /* who has added it */
    uint64_t sequence; /* m */
} s_entry_t;

typedef struct { /* what a name stands for */
    bool known;
    unsigned content;
    zc_id_t id;
} s_name_t;

typedef struct { /* the server's state; copied for a snapshot */
    bool there;
    s_entry_t entries[ENTRIES_MAX];
    size_t count, trimmed; /* entries before `trimmed` are gone */
    uint64_t number, base_number, batch;
    zc_id_t last, base;
    char run[16], owner[16], answer[4096];
    s_name_t names[NAMES];
} s_server_t;

typedef struct {
    unsigned name;    /* NAMES: none */
    unsigned content; /* of messages of the same name */
    bool acknowledged, failed, conflict;
    zc_id_t id; /* that it was acknowledged with */
} s_message_t;

typedef struct {
    unsigned seed;
    char run[16]; /* of the server as it is now */
    unsigned runs, brokers;
    uint64_t now_ms;
    s_server_t server, snapshot;
    s_message_t messages[MESSAGES_MAX];
    size_t count;
    zc_log_state_t *state;
    char broker[16];
    bool connected, listens;
    zc_log_state_config_t config;
    zc_id_t read[ENTRIES_MAX]; /* messages and epochs, by this broker's life */
    size_t read_count;
    zc_id_t lost; /* told as lost, by this broker's life */
    zc_log_request_t request;
    bool asked;
    zc_id_t acknowledged; /* the newest */
} s_world_t;

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
    assert_true (at < self->request.count);
    snprintf (word, sizeof words[0], "%.*s", (int)self->request.lengths[at],
              self->request.words[at] ? self->request.words[at] : "");
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

static void s_serve_join (s_world_t *self, zc_log_answer_t *answer)
{
    s_server_t *server = &self->server;
    zc_id_t complete = s_id_of (self, 6);
    answer->left = server->owner[0] == 0;
    if (!server->there) {
        memset (server, 0, sizeof *server);
        *server = (s_server_t){.there = true};
        server->number = server->base_number = s_number_of (self, 8);
        server->last = server->base = s_id_of (self, 7);
        strcpy (server->run, s_number_of (self, 14) ? "?" : self->run);
        strcpy (server->owner, self->broker);
        answer->left = true;
    }
    if (strcmp (server->owner, self->broker) != 0) {
        strcpy (server->owner, self->broker);
        server->batch = 0;
        server->answer[0] = 0;
    }
    const s_entry_t *found = s_find (server, complete);
    answer->line = SLICE ("1-0.abc");
    answer->run = (zc_slice_t){server->run, strlen (server->run)};
    answer->number = server->number;
    answer->last = server->last;
    answer->batch = server->batch;
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

static void s_serve_append (s_world_t *self, zc_log_answer_t *answer)
{
    s_server_t *server = &self->server;
    uint64_t batch = s_number_of (self, 3);
    answer->status = strcmp (server->run, self->run) != 0                   ? ZC_LOG_RUN
                     : s_number_of (self, 4) > server->number               ? ZC_LOG_LOST
                     : batch != server->batch && batch != server->batch + 1 ? ZC_LOG_BATCH
                                                                            : ZC_LOG_OK;
    if (answer->status != ZC_LOG_OK)
        return;
    if (batch != server->batch) {
        size_t len = 0, index = 0;
        server->answer[0] = 0;
        for (size_t i = 5; ZC_LOG_WORDS_BEFORE + i < self->request.count; i += 3, index++) {
            unsigned message;
            const char *payload = s_word (self, i + 1);
            assert_int_equal (sscanf (payload, "%u", &message), 1);
            const s_name_t *before = self->messages[message].name < NAMES
                                         ? &server->names[self->messages[message].name]
                                         : NULL;
            if (before && before->known) {
                char id[ZC_ID_SIZE];
                zc_id_format (before->id, id);
                len += (size_t)snprintf (
                    server->answer + len, sizeof server->answer - len, "%s%zu%c%s", len ? " " : "",
                    index, before->content == self->messages[message].content ? '=' : '!', id);
            } else {
                s_add_message (self, s_step (self), server->number + 1, s_word (self, i));
            }
        }
        server->batch = batch;
    }
    answer->detail = (zc_slice_t){server->answer, strlen (server->answer)};
}

static void s_serve_restore (s_world_t *self)
{
    for (size_t i = 3; ZC_LOG_WORDS_BEFORE + i < self->request.count; i += 5) {
        uint64_t number = s_number_of (self, i);
        zc_id_t id = s_id_of (self, i + 1);
        if (number > self->server.number && id > self->server.last)
            s_add_message (self, id, number, s_word (self, i + 2));
    }
}

static void s_serve_epoch (s_world_t *self)
{
    s_server_t *server = &self->server;
    zc_id_t named = s_id_of (self, 3);
    uint64_t number = s_number_of (self, 4);
    if (server->last < named)
        server->last = named;
    zc_id_t id = s_step (self);
    s_entry_t *entry =
        s_add (self, id, (number > server->number ? number : server->number) + 1, 'e');
    entry->lost = *s_word (self, 6) == '1';
    strcpy (entry->broker, self->broker);
    server->number = entry->number;
    server->last = id;
    server->batch = s_number_of (self, 5);
    server->answer[0] = 0;
    strcpy (server->run, self->run);
}

static void s_serve (s_world_t *self, zc_log_answer_t *answer)
{
    *answer = (zc_log_answer_t){.status = ZC_LOG_OK, .detail = {"", 0}};
    zc_log_verb_t verb = self->request.verb;
    if (verb == ZC_LOG_JOIN)
        s_serve_join (self, answer);
    else if (!self->server.there)
        answer->status = ZC_LOG_GONE;
    else if (strcmp (self->server.owner, self->broker) != 0)
        answer->status = ZC_LOG_OWNER;
    else if (verb == ZC_LOG_APPEND)
        s_serve_append (self, answer);
    else if (verb == ZC_LOG_RESTORE)
        s_serve_restore (self);
    else
        s_serve_epoch (self);
    if (verb == ZC_LOG_RESTORE || verb == ZC_LOG_EPOCH)
        answer->number = self->server.number;
}

/*  The broker. */

static void s_acknowledge (s_world_t *self, unsigned index, zc_id_t id)
{
    s_message_t *message = &self->messages[index];
    assert_false (message->acknowledged);
    message->acknowledged = true;
    message->id = id;
    if (id > self->acknowledged)
        self->acknowledged = id;
}

static void s_on_read (void *arg, const zc_log_entry_t *entry, zmq_msg_t *payload, void *origin)
{
    s_world_t *self = arg;
    assert_true (entry->kind != ZC_ENTRY_FOREIGN);
    assert_true (self->read_count == 0 || entry->id > self->read[self->read_count - 1]);
    self->read[self->read_count++] = entry->id;
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
    s_world_t *self = arg;
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
    s_world_t *self = arg;
    if (upto > self->lost)
        self->lost = upto;
}

static void s_begin_broker (s_world_t *self)
{
    snprintf (self->broker, sizeof self->broker, "b%u", self->brokers++);
    self->config = (zc_log_state_config_t){.broker = self->broker,
                                           .settings = "s",
                                           .waiting_max = 1 << 20,
                                           .kept_max = 1 << 24,
                                           .timeout_ms = 5000,
                                           .arg = self,
                                           .read = s_on_read,
                                           .told = s_on_told,
                                           .failed = s_on_failed,
                                           .lost = s_on_lost};
    self->listens = false;
    self->state = zc_log_state_new (&self->config);
    zc_log_state_begin (self->state, SLICE ("1-0.abc"), ZC_ID_NONE, zc_id_from_ms (self->now_ms));
    self->read_count = 0;
    self->lost = ZC_ID_NONE;
    self->asked = self->connected = false;
}

static void s_connect (s_world_t *self, bool on)
{
    self->connected = on;
    self->asked = false;
    zc_log_state_connected (self->state, (zc_slice_t){self->run, on ? strlen (self->run) : 0});
}

static void s_publish (s_world_t *self)
{
    if (self->count == MESSAGES_MAX || zc_log_state_full (self->state))
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
        self->state, SLICE ("t"), &payload, (zc_slice_t){headers, strlen (headers)},
        (zc_slice_t){name, message->name < NAMES ? sizeof name : 0}, message, self->now_ms);
    zmq_msg_close (&payload);
}

/*  One request goes to the log, and its answer comes back or is lost with the connection. */
static void s_write (s_world_t *self, bool faults)
{
    zc_log_answer_t answer;
    if (!self->connected) {
        s_connect (self, true);
        return;
    }
    if (!zc_log_state_next (self->state, self->now_ms, &self->request))
        return;
    if (faults && s_random (self, 20) == 0) { /* it never arrives */
        s_connect (self, false);
        return;
    }
    s_serve (self, &answer);
    if (faults && s_random (self, 20) == 0)
        s_connect (self, false);
    else
        zc_log_state_answered (self->state, &answer, self->now_ms);
    if (!self->listens && zc_log_state_joined (self->state)) {
        self->listens = true;
        zc_log_state_listen (self->state, &self->config);
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
    told.head = (zc_slice_t){head, strlen (head)};
    told.headers = (zc_slice_t){strstr (head, "x: "), strlen (strstr (head, "x: "))};
    told.payload = (zc_slice_t){payload, strlen (payload)};
    zc_log_state_entry (self->state, &told, self->now_ms);
}

static void s_read (s_world_t *self)
{
    zc_id_t after;
    zc_slice_t run = {self->run, strlen (self->run)};
    if (!self->connected || !zc_log_state_reads (self->state, run, &after))
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
        zc_log_state_nothing (self->state, zc_log_state_joins (self->state));
}

/*  Faults. */

static void s_new_run (s_world_t *self)
{
    s_connect (self, false);
    snprintf (self->run, sizeof self->run, "run%u", self->runs++);
}

static void s_foreign (s_world_t *self)
{
    if (!self->connected || !zc_log_state_open (self->state))
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
    if (left > 100)
        server->trimmed += s_random (self, (unsigned)left - 100);
}

static void s_fault (s_world_t *self, bool crashes)
{
    unsigned fault = s_random (self, 9);
    if (getenv ("SEED"))
        fprintf (stderr, "fault %u at %llu\n", fault, (unsigned long long)self->now_ms);
    switch (fault) {
    case 0: /* the server comes back as it was a while ago */
        self->server = self->snapshot;
        s_new_run (self);
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
            zc_log_state_destroy (&self->state);
            self->now_ms += 10;
            s_begin_broker (self);
        }
        break;
    case 7: /* A worker knows of a position that the log hasn't reached. A broker that begins anew
             * would have to hear of it again, and this world has no workers that remember. */
        if (self->listens && !crashes)
            zc_log_state_raise (self->state, zc_id_from_ms (self->now_ms + s_random (self, 5000)),
                                false);
        break;
    default:
        self->snapshot = self->server;
        break;
    }
}

/*  All that is acknowledged is in the log, or was trimmed. */
static void s_check (s_world_t *self)
{
    const s_server_t *server = &self->server;
    static unsigned times[MESSAGES_MAX];
    memset (times, 0, sizeof times);
    size_t read = 0;
    for (size_t i = 0; i < server->count; i++) {
        const s_entry_t *entry = &server->entries[i];
        if (entry->kind == 'm')
            times[entry->message]++;
        if (i < server->trimmed || entry->kind == 'f')
            continue;
        while (read < self->read_count && self->read[read] < entry->id)
            read++;
        if (read == self->read_count || self->read[read] != entry->id)
            assert_true (entry->id <= self->lost);
    }
    for (size_t i = 0; i < self->count; i++) {
        const s_message_t *message = &self->messages[i];
        assert_true (times[i] <= 1);
        if (message->acknowledged + message->failed + message->conflict != 1)
            fail_msg ("message %zu: acknowledged %d, failed %d, conflict %d", i,
                      message->acknowledged, message->failed, message->conflict);
        if (!message->acknowledged || self->lost >= message->id)
            continue;
        bool found = false;
        for (size_t j = 0; j < server->count; j++)
            found |= server->entries[j].id == message->id && server->entries[j].kind == 'm';
        if (!found)
            fail_msg (
                "message %zu was acknowledged at %llu (%llu ms) and isn't there; lost up to %llu",
                i, (unsigned long long)message->id, (unsigned long long)zc_id_ms (message->id),
                (unsigned long long)zc_id_ms (self->lost));
        if (message->name == NAMES)
            assert_int_equal (times[i], 1);
    }
}

static void s_live (unsigned seed, bool crashes)
{
    s_world_t *self = calloc (1, sizeof *self);
    self->seed = seed;
    self->now_ms = 1000000;
    s_begin_broker (self);
    s_new_run (self);
    for (unsigned i = 0; i < 600; i++) {
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
        zc_log_state_tick (self->state, self->now_ms);
    }
    for (unsigned i = 0; i < 2000 && (zc_log_state_waiting (self->state) || i < 200); i++) {
        self->now_ms += 10;
        s_write (self, false);
        s_read (self);
    }
    assert_int_equal (zc_log_state_waiting (self->state), 0);
    assert_true (zc_log_state_open (self->state) && zc_log_state_caught_up (self->state));
    s_check (self);
    zc_log_state_destroy (&self->state);
    free (self);
}

static unsigned s_seed; /* of the run that fails */

static void s_lives (bool crashes)
{
    const char *runs = getenv ("RUNS"), *seed = getenv ("SEED");
    unsigned begin = seed ? (unsigned)atoi (seed) : 1;
    unsigned count = seed ? 1 : runs ? (unsigned)atoi (runs) : 400;
    for (s_seed = begin; s_seed < begin + count; s_seed++)
        s_live (s_seed, crashes);
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
    s_lives (false);
}

static void test_brokers_that_end (void **state)
{
    (void)state;
    s_lives (true);
}

int main (void)
{
    zc_log_level (ZC_LOG_ERROR - 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown (test_one_broker, s_show_seed),
        cmocka_unit_test_teardown (test_brokers_that_end, s_show_seed),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
