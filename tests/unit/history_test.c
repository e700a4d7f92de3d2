/*  Both kinds of history run the same tests, against a model that does everything in the
 *  plainest way. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <lmdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "broker/history/lmdb.h"
#include "broker/history/memory.h"
#include "lib/base/clock.h"

#define TOPICS 6
#define MESSAGES_MAX 20000
#define LARGE 20000 /* bytes: shared in memory, a chunk of its own on disk */

typedef struct { /* a message that was published */
    unsigned topic, event;
    zc_id_t id;
    uint64_t expires_ms;
    size_t len; /* of the payload, whose bytes are all (char) id */
    bool there;
} s_message_t;

typedef struct {
    bool on_disk;
    char folder[64];
    zc_history_t *history;
    zc_topics_t *topics;
    zc_history_limits_t limits;
    zc_id_t last;
    uint64_t now_ms;
    unsigned seed, settled, refused;
    /*  the model */
    s_message_t messages[MESSAGES_MAX];
    size_t count;
    zc_id_t floors[TOPICS];
} s_world_t;

static unsigned s_random (s_world_t *self, unsigned below)
{
    return (unsigned)rand_r (&self->seed) % below;
}

static zc_slice_t s_name (unsigned topic)
{
    static const char *const names[] = {"a", "b/1", "b/11", "\xc3\xa4", "topic with spaces", "f"};
    return (zc_slice_t){names[topic], strlen (names[topic])};
}

/*  The loss that the file `position` notes: its third number. */
static zc_id_t s_noted (const s_world_t *self)
{
    char path[128];
    zc_id_t numbers[3] = {0};
    snprintf (path, sizeof path, "%s/position", self->folder);
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    assert_int_equal (fread (numbers, sizeof *numbers, 3, file), 3);
    fclose (file);
    return numbers[2];
}

static void s_settled (void *arg, zc_item_t *item, bool kept)
{
    s_world_t *self = arg;
    if (!kept)
        assert_true (s_noted (self) >= item->id); /* before it is delivered */
    self->settled++;
    self->refused += !kept;
    item->where->sent = item->id;
}

static void s_evict (void *history, zc_topic_t *topic)
{
    zc_history_evict (history, topic);
}

static void s_open (s_world_t *self, size_t max_topics)
{
    char error[512] = "";
    if (self->on_disk) {
        zc_history_lmdb_config_t config = {.path = self->folder,
                                           .sync = ZC_SYNC_INTERVAL,
                                           .sync_ms = 20,
                                           .map_bytes = 1 << 20,
                                           .max_topics = max_topics};
        self->history =
            zc_history_lmdb_new (&config, &self->topics, &self->last, error, sizeof error);
    } else {
        self->history = zc_history_memory_new (NULL, &self->last, error, sizeof error);
        self->last = zc_id_from_ms (self->now_ms) - 1;
        self->topics = zc_topics_new (max_topics, self->last, s_evict, self->history);
    }
    assert_string_equal (error, "");
    self->history->settled = s_settled;
    self->history->arg = self;
    self->history->limits = self->limits;
}

static void s_close (s_world_t *self)
{
    zc_history_destroy (&self->history);
    zc_topics_destroy (&self->topics);
}

static s_world_t *s_world (bool on_disk, size_t max_topics, zc_history_limits_t limits)
{
    s_world_t *self = calloc (1, sizeof *self);
    *self = (s_world_t){.on_disk = on_disk, .folder = "/tmp/zcast-history-XXXXXX", .seed = 5};
    self->limits = limits;
    self->now_ms = zc_wall_ms ();
    assert_non_null (mkdtemp (self->folder));
    s_open (self, max_topics);
    for (unsigned i = 0; i < TOPICS; i++)
        self->floors[i] = zc_topics_forgotten (self->topics);
    return self;
}

static void s_end (s_world_t *self)
{
    s_close (self);
    DIR *folder = opendir (self->folder);
    for (struct dirent *entry; (entry = readdir (folder));)
        unlinkat (dirfd (folder), entry->d_name, 0);
    closedir (folder);
    rmdir (self->folder);
    free (self);
}

/*  Until all messages have settled, and nothing is left to trim. */
static void s_quiet (s_world_t *self)
{
    bool more;
    do {
        zc_history_flush (self->history);
        more = zc_history_trim (self->history, self->now_ms);
        if (!zc_history_busy (self->history))
            continue;
        struct pollfd item = {self->history->fd, POLLIN, 0};
        assert_int_equal (poll (&item, 1, 20000), 1);
        zc_history_settle (self->history);
        more = true;
    } while (more);
}

static void s_append (s_world_t *self, s_message_t message)
{
    char text[64];
    zc_item_t item = {.id = message.id, .expires_ms = message.expires_ms};
    item.where = zc_topics_use (self->topics, s_name (message.topic));
    item.where->last = message.id;
    size_t len = (size_t)snprintf (text, sizeof text, "id: %llu\n", (unsigned long long)message.id);
    if (message.event) {
        item.event_at = (uint16_t)(len + 10);
        item.event_len =
            (uint16_t)(snprintf (text + len, sizeof text - len, "event-id: %u\n", message.event) -
                       11);
        len += 11u + item.event_len;
    }
    zmq_msg_init_size (&item.topic, 1);
    zmq_msg_init_size (&item.meta, len);
    memcpy (zmq_msg_data (&item.meta), text, len);
    zmq_msg_init_size (&item.payload, message.len);
    memset (zmq_msg_data (&item.payload), (int)(message.id & 0xff), message.len);
    zc_history_append (self->history, &item);
    zmq_msg_close (&item.topic);
    zmq_msg_close (&item.payload);
    zmq_msg_close (&item.meta);
}

/*  The model. */

static void s_model_drop (s_world_t *self, s_message_t *message)
{
    message->there = false;
    if (self->floors[message->topic] < message->id)
        self->floors[message->topic] = message->id;
}

static void s_model_trim (s_world_t *self)
{
    uint64_t all = 0, of_topic[TOPICS] = {0};
    zc_id_t before = zc_id_from_ms (self->now_ms - self->limits.age_ms);
    for (size_t i = self->count; i-- > 0;) {
        s_message_t *message = &self->messages[i];
        if (!message->there)
            continue;
        if (of_topic[message->topic] >= self->limits.topic_messages || message->id < before ||
            (message->expires_ms && message->expires_ms <= self->now_ms) ||
            all >= self->limits.messages) {
            s_model_drop (self, message);
        } else {
            of_topic[message->topic]++;
            all++;
        }
    }
}

/*  Trimming first what has expired, or first what is too much, keeps different messages, and
 *  both are right. So the model is asked at every step, and time moves in steps of its own. */
static void s_publish (s_world_t *self, unsigned topic)
{
    assert_true (self->count < MESSAGES_MAX);
    s_message_t *message = &self->messages[self->count++];
    self->last = zc_id_next (self->last, self->now_ms);
    *message = (s_message_t){.topic = topic,
                             .event = s_random (self, 4) ? 0 : 1 + s_random (self, 30),
                             .id = self->last,
                             .len = s_random (self, 40) ? s_random (self, 300) : LARGE,
                             .there = true};
    if (s_random (self, 5) == 0)
        message->expires_ms = self->now_ms + 1 + s_random (self, 5000);
    s_append (self, *message);
}

static zc_id_t s_random_position (s_world_t *self)
{
    switch (s_random (self, 10)) {
    case 0:
        return ZC_ID_NONE;
    case 1:
        return ZC_ID_MAX;
    default:
        return self->count
                   ? self->messages[s_random (self, (unsigned)self->count)].id - s_random (self, 2)
                   : 0;
    }
}

static void s_check_stored (const zc_stored_t *stored, const s_message_t *message)
{
    assert_int_equal (stored->id, message->id);
    assert_int_equal (stored->payload.len, message->len);
    for (size_t i = 0; i < message->len; i++)
        assert_int_equal ((uint8_t)stored->payload.at[i], message->id & 0xff);
    char text[64];
    int len = snprintf (text, sizeof text, "id: %llu\n", (unsigned long long)message->id);
    assert_memory_equal (stored->meta.at, text, (size_t)len);
    if (stored->shared)
        assert_int_equal (zmq_msg_size (stored->shared), message->len);
}

/*  Reads a topic from a position to the end, and counts to another. */
static void s_check_reading (s_world_t *self, unsigned number)
{
    zc_topic_t *topic = zc_topics_find (self->topics, s_name (number));
    if (!topic)
        return;
    zc_id_t after = s_random_position (self), upto = s_random_position (self), at = after;
    uint64_t count = 0;
    zc_stored_t stored;
    for (size_t i = 0; i < self->count; i++) {
        const s_message_t *message = &self->messages[i];
        if (message->topic != number || !message->there || message->id <= after)
            continue;
        assert_true (zc_history_next (self->history, topic, at, &stored));
        s_check_stored (&stored, message);
        at = message->id;
        count += message->id <= upto;
    }
    assert_false (zc_history_next (self->history, topic, at, &stored));
    assert_int_equal (zc_history_count (self->history, topic, after, upto), count);
    assert_int_equal (zc_history_floor (self->history, topic), self->floors[number]);
    zc_history_release (self->history);
}

/*  The last, or the first, of the messages that history still has of this name. */
static const s_message_t *s_named (const s_world_t *self, unsigned topic, unsigned event,
                                   zc_which_t which)
{
    const s_message_t *found = NULL;
    for (size_t i = 0; i < self->count && !(found && which == ZC_EARLIEST); i++) {
        const s_message_t *message = &self->messages[i];
        if (message->topic == topic && message->event == event && message->there)
            found = message;
    }
    return found;
}

static void s_check_name (s_world_t *self, unsigned number, unsigned event, zc_which_t which)
{
    char text[8];
    zc_slice_t slice = {text, (size_t)snprintf (text, sizeof text, "%u", event)};
    zc_topic_t *topic = zc_topics_find (self->topics, s_name (number));
    const s_message_t *message = s_named (self, number, event, which);
    zc_id_t id = 0;
    bool found = topic && zc_history_find (self->history, topic, slice, which, &id);
    assert_int_equal (found, message != NULL);
    if (found)
        assert_int_equal (id, message->id);
}

static void s_check_events (s_world_t *self, unsigned number)
{
    for (unsigned event = 1; event <= 31; event++) {
        s_check_name (self, number, event, ZC_EARLIEST);
        s_check_name (self, number, event, ZC_NEWEST);
    }
    zc_history_release (self->history);
}

static void s_check_totals (s_world_t *self)
{
    zc_history_stats_t stats;
    uint64_t count = 0;
    zc_history_stats (self->history, &stats);
    for (size_t i = 0; i < self->count; i++)
        count += self->messages[i].there;
    assert_int_equal (stats.messages, count);
    assert_int_equal (stats.messages + stats.trimmed, self->count);
    assert_int_equal (self->settled, self->count);
    assert_null (stats.error);
}

static void s_reopen (s_world_t *self)
{
    zc_id_t last = self->last;
    s_close (self);
    s_open (self, 100);
    assert_int_equal (self->last, last);
    for (unsigned i = 0; i < TOPICS; i++) {
        const zc_topic_t *topic = zc_topics_find (self->topics, s_name (i));
        zc_id_t newest = 0;
        for (size_t k = 0; k < self->count; k++)
            if (self->messages[k].topic == i)
                newest = self->messages[k].id;
        if (newest)
            assert_int_equal (topic->last, newest);
    }
}

/*  One message, or a whole batch: on disk many of a batch then share a chunk. With a limit in
 *  all, a batch is of one topic: otherwise, on disk, the messages of one commit are trimmed in
 *  the order of their chunks. */
static void s_step (s_world_t *self, bool limited_in_all)
{
    unsigned burst = s_random (self, 10) ? 1 : 1 + s_random (self, 60);
    unsigned topic = s_random (self, TOPICS);
    for (unsigned i = 0; i < burst; i++)
        s_publish (self, s_random (self, 5) && !limited_in_all ? s_random (self, TOPICS) : topic);
    s_model_trim (self);
    if (s_random (self, 3) == 0)
        self->now_ms += 1000 + s_random (self, 3000); /* on disk, age is looked at once a second */
    s_quiet (self);
    s_model_trim (self);
}

static void s_against_the_model (bool on_disk, unsigned steps, uint64_t messages_in_all)
{
    zc_history_limits_t limits = {.messages = messages_in_all ? messages_in_all : UINT64_MAX,
                                  .bytes = UINT64_MAX,
                                  .age_ms = 8000,
                                  .topic_messages = 40,
                                  .topic_bytes = UINT64_MAX,
                                  .topic_age_ms = UINT64_MAX};
    s_world_t *self = s_world (on_disk, 100, limits);
    for (unsigned step = 0; step < steps; step++) {
        s_step (self, messages_in_all != 0);
        s_check_reading (self, s_random (self, TOPICS));
        s_check_totals (self);
        if (step % 5 == 0)
            s_check_events (self, s_random (self, TOPICS));
        if (on_disk && step % 50 == 49)
            s_reopen (self);
    }
    s_end (self);
}

static void s_memory_against_the_model (void **state)
{
    (void)state;
    s_against_the_model (false, 3000, 150);
    s_against_the_model (false, 3000, 0);
}

static void s_disk_against_the_model (void **state)
{
    (void)state;
    s_against_the_model (true, 1500, 150);
    s_against_the_model (true, 1500, 0);
}

static void s_purged (void *arg, void *origin, uint64_t count, bool done)
{
    (void)arg;
    *(uint64_t *)origin += count + (done ? 1000000 : 2000000);
}

/*  All that was published on the topic before, on its way or not, is gone, and nothing else; the
 *  floor says so, also after a restart. */
static void s_a_purged_topic_is_empty (void **state)
{
    bool on_disk = *state != NULL;
    zc_history_limits_t all = {UINT64_MAX, UINT64_MAX, 100000000,
                               UINT64_MAX, UINT64_MAX, 100000000};
    s_world_t *self = s_world (on_disk, 100, all);
    uint64_t told[3] = {0}, bytes;
    zc_id_t upto[2] = {0};
    self->history->purged = s_purged;
    for (unsigned i = 0; i < 12000; i++) /* more than one commit lets go of */
        s_publish (self, i % 3);
    for (unsigned i = 0; i < 2; i++) {
        zc_topic_t *topic = zc_topics_find (self->topics, s_name (i));
        upto[i] = topic->last;
        zc_history_purge (self->history, topic, topic->last, &told[i]);
    }
    for (unsigned i = 0; i < 30; i++)
        s_publish (self, i % 3);
    s_quiet (self);
    for (size_t i = 0; i < self->count; i++)
        if (self->messages[i].topic < 2 && self->messages[i].id <= upto[self->messages[i].topic])
            s_model_drop (self, &self->messages[i]);
    assert_int_equal (told[0], 1004000);
    assert_int_equal (told[1], 1004000);
    for (int again = 0; again < 2; again++) {
        for (unsigned i = 0; i < 3; i++) {
            zc_topic_t *topic = zc_topics_find (self->topics, s_name (i));
            s_check_reading (self, i);
            s_check_events (self, i);
            assert_int_equal (zc_history_size (self->history, topic, &bytes), i < 2 ? 10 : 4010);
            assert_true (bytes > 0);
            assert_int_equal (topic->pins, 0);
            zc_history_release (self->history);
        }
        s_check_totals (self);
        if (on_disk)
            s_reopen (self);
        self->history->purged = s_purged;
    }
    /*  One that is under way when the broker ends is given back. */
    zc_history_purge (self->history, zc_topics_find (self->topics, s_name (2)), self->last,
                      &told[2]);
    s_end (self);
    assert_true (told[2] >= 1000000 && told[2] < 3000000);
}

/*  More purges than one commit takes, most of them of topics that have nothing left. */
static void s_many_purges_wait (void **state)
{
    enum { PURGES = 3000 };
    zc_history_limits_t all = {UINT64_MAX, UINT64_MAX, 100000000,
                               UINT64_MAX, UINT64_MAX, 100000000};
    s_world_t *self = s_world (*state != NULL, 100, all);
    static uint64_t told[PURGES];
    uint64_t removed = 0;
    memset (told, 0, sizeof told);
    self->history->purged = s_purged;
    for (unsigned i = 0; i < 300; i++)
        s_publish (self, i % 3);
    for (unsigned i = 0; i < PURGES; i++)
        zc_history_purge (self->history, zc_topics_find (self->topics, s_name (i % 3)), self->last,
                          &told[i]);
    s_publish (self, 0);
    s_quiet (self);
    for (unsigned i = 0; i < PURGES; i++) {
        assert_true (told[i] >= 1000000 && told[i] < 2000000);
        removed += told[i] - 1000000;
    }
    assert_int_equal (removed, 300);
    s_end (self);
}

static void s_bytes_are_bounded (void **state)
{
    bool on_disk = *state != NULL;
    zc_history_limits_t limits = {.messages = UINT64_MAX,
                                  .bytes = 400000,
                                  .age_ms = 100000,
                                  .topic_messages = UINT64_MAX,
                                  .topic_bytes = 100000,
                                  .topic_age_ms = 100000};
    s_world_t *self = s_world (on_disk, 100, limits);
    for (unsigned i = 0; i < 3000; i++)
        s_publish (self, i % TOPICS);
    s_quiet (self);
    zc_history_stats_t stats;
    zc_history_stats (self->history, &stats);
    assert_true (stats.bytes <= 400000);
    assert_true (stats.bytes > 300000);
    assert_int_equal (stats.messages + stats.trimmed, 3000);
    /*  The messages left of each topic are its newest, and complete. */
    for (unsigned number = 0; number < TOPICS; number++) {
        zc_topic_t *topic = zc_topics_find (self->topics, s_name (number));
        zc_id_t floor = zc_history_floor (self->history, topic);
        uint64_t kept = zc_history_count (self->history, topic, floor, ZC_ID_MAX), after = 0;
        for (size_t i = 0; i < self->count; i++)
            after += self->messages[i].topic == number && self->messages[i].id > floor;
        assert_int_equal (kept, after);
        zc_history_release (self->history);
    }
    s_end (self);
}

static void s_lower_limits_are_met_in_steps (void **state)
{
    bool on_disk = *state != NULL;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX, UINT64_MAX, 100000};
    s_world_t *self = s_world (on_disk, 100, limits);
    for (unsigned i = 0; i < 5000; i++)
        s_publish (self, i % TOPICS);
    s_quiet (self);
    self->history->limits.messages = 10;
    s_quiet (self);
    zc_history_stats_t stats;
    zc_history_stats (self->history, &stats);
    assert_int_equal (stats.messages, 10);
    s_end (self);
}

static void s_an_evicted_topic_is_gone (void **state)
{
    bool on_disk = *state != NULL;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX, UINT64_MAX, 100000};
    s_world_t *self = s_world (on_disk, 3, limits);
    for (unsigned topic = 0; topic < 5; topic++) {
        self->last = zc_id_next (self->last, self->now_ms);
        s_append (self, (s_message_t){.topic = topic, .id = self->last, .len = 5});
        s_quiet (self);
    }
    assert_null (zc_topics_find (self->topics, s_name (0)));
    zc_topic_t *again = zc_topics_use (self->topics, s_name (0));
    zc_stored_t stored;
    assert_false (zc_history_next (self->history, again, 0, &stored));
    assert_true (zc_history_floor (self->history, again) >= self->last - 3);
    zc_history_release (self->history);
    self->last = zc_id_next (self->last, self->now_ms);
    s_append (self, (s_message_t){.topic = 0, .id = self->last, .len = 5});
    s_quiet (self);
    assert_int_equal (zc_history_count (self->history, again, 0, ZC_ID_MAX), 1);
    zc_history_release (self->history);
    if (on_disk) {
        s_close (self);
        s_open (self, 100);
        assert_int_equal (zc_topics_size (self->topics), 3);
        again = zc_topics_find (self->topics, s_name (0));
        assert_int_equal (zc_history_count (self->history, again, 0, ZC_ID_MAX), 1);
        zc_history_release (self->history);
        /*  Nothing is left of the dead once their messages have grown old. */
        self->now_ms += 200000;
        s_quiet (self);
        zc_history_stats_t stats;
        zc_history_stats (self->history, &stats);
        assert_int_equal (stats.messages, 0);
    }
    s_end (self);
}

/*  Publishes, and doesn't wait for it to settle. */
static void s_put (s_world_t *self, unsigned topic, uint64_t expires_ms)
{
    self->last = zc_id_next (self->last, self->now_ms);
    s_append (self,
              (s_message_t){.topic = topic, .id = self->last, .len = 5, .expires_ms = expires_ms});
}

static void s_put_one (s_world_t *self, unsigned topic)
{
    s_put (self, topic, 0);
    s_quiet (self);
}

static void s_check_well (s_world_t *self)
{
    zc_history_stats_t stats;
    zc_history_stats (self->history, &stats);
    assert_null (stats.error);
    assert_int_equal (self->refused, 0);
}

/*  Of three messages in one batch, the first is one too many, and the others expire. */
static void s_cut_and_expire (s_world_t *self, unsigned topic)
{
    for (unsigned i = 0; i < 3; i++)
        s_put (self, topic, self->now_ms + 1000);
    s_quiet (self);
    self->now_ms += 2000;
    s_quiet (self);
}

static void s_a_chunk_goes_with_its_last_message (void **state)
{
    bool on_disk = *state != NULL;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, 2, UINT64_MAX, 100000};
    s_world_t *self = s_world (on_disk, 3, limits);
    s_put_one (self, 0); /* its chunk is the oldest, and isn't trimmed until the end */
    s_cut_and_expire (self, 1);
    s_put_one (self, 1);
    zc_topic_t *topic = zc_topics_find (self->topics, s_name (1));
    assert_int_equal (zc_history_count (self->history, topic, 0, ZC_ID_MAX), 1);
    zc_history_release (self->history);
    s_cut_and_expire (self, 2);
    s_put_one (self, 0);
    s_put_one (self, 1);
    s_put_one (self, 3);
    assert_null (zc_topics_find (self->topics, s_name (2)));
    for (unsigned i = 0; i < 3; i++) {
        s_put_one (self, 0);
        s_put_one (self, 1);
    }
    s_check_well (self);
    s_end (self);
}

/*  For changing a database as older brokers did. */
static MDB_txn *s_begin (const char *folder)
{
    MDB_env *env;
    MDB_txn *txn;
    assert_int_equal (mdb_env_create (&env), 0);
    mdb_env_set_maxdbs (env, 7);
    assert_int_equal (mdb_env_open (env, folder, MDB_NOTLS, 0640), 0);
    assert_int_equal (mdb_txn_begin (env, NULL, 0, &txn), 0);
    return txn;
}

static MDB_dbi s_table (MDB_txn *txn, const char *name)
{
    MDB_dbi table;
    assert_int_equal (mdb_dbi_open (txn, name, 0, &table), 0);
    return table;
}

static void s_commit (MDB_txn *txn)
{
    MDB_env *env = mdb_txn_env (txn);
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);
}

#define S_CHUNK_HEADER 16 /* bytes: of layout.h */

/*  A chunk whose topic is gone. */
static void s_write_stray (const char *folder)
{
    uint8_t key[] = {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    uint8_t swapped[] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0};
    /*  One message at position 1, whose meta is a byte. */
    uint8_t bytes[S_CHUNK_HEADER + 33] = {[8] = 1, [S_CHUNK_HEADER] = 1, [S_CHUNK_HEADER + 16] = 1};
    MDB_txn *txn = s_begin (folder);
    MDB_val at = {sizeof key, key}, value = {sizeof bytes, bytes}, none = {0, NULL};
    assert_int_equal (mdb_put (txn, s_table (txn, "chunks"), &at, &value, 0), 0);
    at.mv_data = swapped;
    assert_int_equal (mdb_put (txn, s_table (txn, "order"), &at, &none, 0), 0);
    s_commit (txn);
}

static void s_a_stray_chunk_is_let_go_of (void **state)
{
    (void)state;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, 2, UINT64_MAX, 100000};
    s_world_t *self = s_world (true, 10, limits);
    s_put_one (self, 0);
    s_close (self);
    s_write_stray (self->folder);
    s_open (self, 10);
    s_put_one (self, 0);
    s_check_well (self);
    zc_topic_t *topic = zc_topics_find (self->topics, s_name (0));
    assert_int_equal (zc_history_count (self->history, topic, 0, ZC_ID_MAX), 2);
    zc_history_release (self->history);
    s_end (self);
}

#define S_ROW_HOLE 48 /* bytes: where, in a row of layout.h */

/*  The row says how many messages were taken out, and not up to where. */
static void s_write_count_of_holes (const char *folder)
{
    uint8_t key[8] = {[7] = 1}, row[128];
    MDB_txn *txn = s_begin (folder);
    MDB_val at = {sizeof key, key}, value;
    assert_int_equal (mdb_get (txn, s_table (txn, "topics"), &at, &value), 0);
    assert_true (value.mv_size <= sizeof row);
    memcpy (row, value.mv_data, value.mv_size);
    memcpy (row + S_ROW_HOLE, &(uint64_t){1}, sizeof (uint64_t));
    value.mv_data = row;
    assert_int_equal (mdb_put (txn, s_table (txn, "topics"), &at, &value, 0), 0);
    s_commit (txn);
}

static void s_check_count (s_world_t *self, uint64_t count)
{
    zc_topic_t *topic = zc_topics_find (self->topics, s_name (0));
    assert_int_equal (zc_history_count (self->history, topic, 0, ZC_ID_MAX), count);
    zc_history_release (self->history);
}

static void s_holes_that_were_counted_are_known (void **state)
{
    (void)state;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX, UINT64_MAX, 100000};
    s_world_t *self = s_world (true, 10, limits);
    s_put (self, 0, 0);
    s_put (self, 0, self->now_ms + 1000);
    s_put (self, 0, 0);
    s_put_one (self, 0);
    s_put_one (self, 0);
    self->now_ms += 2000;
    s_quiet (self);
    s_check_count (self, 4);
    s_close (self);
    s_write_count_of_holes (self->folder);
    s_open (self, 10);
    s_check_count (self, 4);
    s_put_one (self, 0);
    s_check_count (self, 5);
    s_put_one (self, 0);
    s_check_count (self, 6);
    s_end (self);
}

/*  The format before this one: a name leads only to its newest message. `totals` begin with the
 *  format's number. With `stale`, an earlier version had the database in between: names are
 *  there, and wrong. */
static void s_write_old_format (const s_world_t *self, bool stale)
{
    MDB_dbi events, names;
    MDB_cursor *cursor;
    MDB_txn *txn = s_begin (self->folder);
    MDB_val key, value;
    assert_int_equal (mdb_dbi_open (txn, "events", MDB_CREATE, &events), 0);
    names = s_table (txn, "names");
    assert_int_equal (mdb_cursor_open (txn, names, &cursor), 0);
    while (mdb_cursor_get (cursor, &key, &value, MDB_NEXT) == 0) {
        uint64_t id = 0; /* its newest: the last one of each key overwrites the others */
        for (int i = 0; i < 8; i++)
            id = id << 8 | ((uint8_t *)value.mv_data)[i];
        MDB_val native = {sizeof id, &id};
        assert_int_equal (mdb_put (txn, events, &key, &native, 0), 0);
    }
    mdb_cursor_close (cursor);
    assert_int_equal (mdb_drop (txn, names, !stale), 0);
    key = (MDB_val){10, "\0\0\0\0\0\0\0\001"
                        "31"};
    value = (MDB_val){8, "\0\0\0\0\0\0\0\001"};
    if (stale)
        assert_int_equal (mdb_put (txn, names, &key, &value, 0), 0);
    uint64_t totals[8];
    key = (MDB_val){6, "totals"};
    assert_int_equal (mdb_get (txn, s_table (txn, "state"), &key, &value), 0);
    assert_int_equal (value.mv_size, sizeof totals);
    memcpy (totals, value.mv_data, sizeof totals);
    assert_int_equal (totals[0], 2);
    totals[0] = 1;
    value.mv_data = totals;
    assert_int_equal (mdb_put (txn, s_table (txn, "state"), &key, &value, 0), 0);
    s_commit (txn);
}

/*  A history of an earlier version: all messages that have a name are found, those that were
 *  trimmed or cut out of a chunk aren't, and the history goes on from there. */
static void s_an_older_history_is_upgraded (void **state)
{
    (void)state;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 8000, 40, UINT64_MAX, UINT64_MAX};
    s_world_t *self = s_world (true, 100, limits);
    for (unsigned step = 0; step < 600; step++) {
        s_step (self, false);
        if (step % 60 == 59) {
            s_close (self);
            s_write_old_format (self, step % 120 == 59);
            s_open (self, 100);
        }
        if (step % 20 == 19)
            for (unsigned topic = 0; topic < TOPICS; topic++) {
                s_check_events (self, topic);
                s_check_reading (self, topic);
            }
        s_check_totals (self);
    }
    s_end (self);
}

/*  The same if the map has no room for it: the map is made as large as the file. */
static void s_a_full_history_is_upgraded (void **state)
{
    (void)state;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX, UINT64_MAX, 100000};
    s_world_t *self = s_world (true, 100, limits);
    for (unsigned i = 0; i < MESSAGES_MAX; i++) {
        s_publish (self, i % TOPICS);
        if (i % 2000 == 0)
            s_quiet (self);
    }
    s_quiet (self);
    s_close (self);
    s_write_old_format (self, false);
    s_open (self, 100);
    for (unsigned topic = 0; topic < TOPICS; topic++)
        s_check_events (self, topic);
    s_check_well (self);
    s_end (self);
}

static void s_none_is_kept_where_none_may (void **state)
{
    bool on_disk = *state != NULL;
    zc_history_limits_t limits = {0, 0, 0, 0, 0, 0};
    s_world_t *self = s_world (on_disk, 10, limits);
    for (unsigned i = 0; i < 100; i++)
        s_publish (self, i % TOPICS);
    s_quiet (self);
    zc_history_stats_t stats;
    zc_history_stats (self->history, &stats);
    assert_int_equal (stats.messages, 0);
    assert_int_equal (stats.bytes, 0);
    assert_int_equal (self->settled, 100);
    s_end (self);
}

static void s_a_second_broker_is_refused (void **state)
{
    (void)state;
    zc_history_limits_t limits = {10, 10000, 1000, 10, 10000, 1000};
    s_world_t *self = s_world (true, 10, limits);
    zc_history_lmdb_config_t config = {.path = self->folder, .map_bytes = 1 << 20, .max_topics = 1};
    zc_topics_t *topics;
    zc_id_t last;
    char error[512];
    assert_null (zc_history_lmdb_new (&config, &topics, &last, error, sizeof error));
    assert_non_null (strstr (error, "another broker"));
    config.path = "/nonexistent/folder/history";
    assert_null (zc_history_lmdb_new (&config, &topics, &last, error, sizeof error));
    assert_non_null (strstr (error, "/nonexistent/folder/history"));
    s_end (self);
}

/*  A full disk: enlarging a file beyond two pages fails. */
static void s_limit_files (bool limited)
{
    struct rlimit limit;
    signal (SIGXFSZ, SIG_IGN);
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = limited ? 8192 : limit.rlim_max;
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &limit), 0);
}

static bool s_failed (s_world_t *self)
{
    zc_history_stats_t stats;
    zc_history_stats (self->history, &stats);
    return stats.error != NULL;
}

static void s_check_floor (s_world_t *self, unsigned topic, zc_id_t floor)
{
    assert_int_equal (
        zc_history_floor (self->history, zc_topics_find (self->topics, s_name (topic))), floor);
    zc_history_release (self->history);
}

static void s_what_was_lost_counts_before_the_first_commit (void **state)
{
    (void)state;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX, UINT64_MAX, 100000};
    s_world_t *self = s_world (true, 10, limits);
    s_put_one (self, 0);
    s_limit_files (true);
    for (unsigned i = 0; i < 3; i++)
        s_put (self, 0, 0);
    s_quiet (self);
    zc_id_t lost = self->last;
    assert_int_equal (self->refused, 3);
    s_check_floor (self, 0, lost);
    s_close (self);
    s_open (self, 10);
    s_check_floor (self, 0, lost);
    s_quiet (self);
    assert_true (s_failed (self));
    s_check_floor (self, 0, lost);
    s_limit_files (false);
    while (s_failed (self))
        s_quiet (self);
    s_check_floor (self, 0, lost);
    s_end (self);
}

static void s_write_file (const char *folder, long at, const void *bytes, size_t len, bool cut)
{
    char path[128];
    snprintf (path, sizeof path, "%s/data.mdb", folder);
    FILE *file = fopen (path, "r+");
    assert_non_null (file);
    if (cut)
        assert_int_equal (ftruncate (fileno (file), at), 0);
    fseek (file, at, SEEK_SET);
    fwrite (bytes, 1, len, file);
    fclose (file);
}

/*  Many kinds of damage: the file is refused, or the damage doesn't concern what can be read. It
 *  never crashes. */
static void s_a_damaged_file_is_refused (void **state)
{
    (void)state;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX, UINT64_MAX, 100000};
    unsigned refused = 0;
    uint8_t garbage[4096];
    for (unsigned kind = 0; kind < 12; kind++) {
        s_world_t *self = s_world (true, 100, limits);
        for (unsigned i = 0; i < 500; i++)
            s_publish (self, i % TOPICS);
        s_quiet (self);
        s_close (self);
        for (size_t i = 0; i < sizeof garbage; i++)
            garbage[i] = (uint8_t)s_random (self, 256);
        if (kind == 0)
            s_write_file (self->folder, 0, garbage, 0, true); /* empty: as if it were new */
        else if (kind == 1)
            s_write_file (self->folder, 0, garbage, sizeof garbage, true);
        else if (kind == 2)
            s_write_file (self->folder, 3 * 4096, "", 0, true);
        else
            s_write_file (self->folder, (long)(kind - 1) * 4096, garbage, sizeof garbage, false);
        zc_history_lmdb_config_t config = {
            .path = self->folder, .map_bytes = 1 << 20, .max_topics = 100};
        char error[512] = "";
        self->history =
            zc_history_lmdb_new (&config, &self->topics, &self->last, error, sizeof error);
        if (!self->history) {
            assert_non_null (strstr (error, "damaged"));
            assert_non_null (strstr (error, "move it away"));
            refused++;
        }
        s_end (self);
    }
    assert_true (refused >= 6);
}

/*  Sets a bit in every copy that the file has of the message's record. `byte` counts from the
 *  id, with which the record begins. */
static void s_damage_record (const s_world_t *self, zc_id_t id, int byte, uint8_t bit)
{
    static uint8_t data[1 << 20];
    char path[128];
    uint64_t begin[2] = {id, 0}; /* no ttl */
    unsigned found = 0;
    snprintf (path, sizeof path, "%s/data.mdb", self->folder);
    FILE *file = fopen (path, "r+");
    assert_non_null (file);
    size_t len = fread (data, 1, sizeof data, file);
    assert_true (len < sizeof data);
    for (size_t at = 0; at + sizeof begin <= len; at++)
        if (memcmp (data + at, begin, sizeof begin) == 0) {
            data[(long)at + byte] |= bit;
            found++;
        }
    assert_true (found > 0);
    rewind (file);
    assert_int_equal (fwrite (data, 1, len, file), len);
    fclose (file);
}

/*  One bit in the header of a record, or of its chunk. */
static void s_a_damaged_record_is_refused (void **state)
{
    (void)state;
    static const struct {
        int byte;
        uint8_t bit;
    } bits[] = {{-8, 64}, {1, 128},  {7, 128}, {17, 64}, {19, 64},
                {20, 8},  {23, 128}, {26, 64}, {27, 1}};
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX, UINT64_MAX, 100000};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        s_world_t *self = s_world (true, 10, limits);
        zc_id_t first = zc_id_next (self->last, self->now_ms);
        for (unsigned k = 0; k < 10; k++)
            s_put (self, 0, 0);
        s_quiet (self);
        s_close (self);
        s_damage_record (self, first, bits[i].byte, bits[i].bit);
        zc_history_lmdb_config_t config = {
            .path = self->folder, .map_bytes = 1 << 20, .max_topics = 10};
        char error[512] = "";
        assert_null (
            zc_history_lmdb_new (&config, &self->topics, &self->last, error, sizeof error));
        assert_non_null (strstr (error, "damaged"));
        s_end (self);
    }
}

/*  Errors that aren't damage aren't called so. */
static void s_a_sound_file_is_not_called_damaged (void **state)
{
    (void)state;
    zc_history_limits_t limits = {UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX, UINT64_MAX, 100000};
    char path[128], error[512];
    s_world_t *self = s_world (true, 10, limits);
    zc_history_lmdb_config_t config = {
        .path = self->folder, .map_bytes = 1 << 20, .max_topics = 10};
    s_put_one (self, 0);
    s_close (self);
    uint32_t version = 2; /* of LMDB: behind a page's header and the magic number */
    s_write_file (self->folder, 20, &version, sizeof version, false);
    assert_null (zc_history_lmdb_new (&config, &self->topics, &self->last, error, sizeof error));
    assert_non_null (strstr (error, "made by another version"));
    /*  As a broker leaves it that is killed right after making it. */
    s_write_file (self->folder, 0, "", 0, true);
    s_open (self, 10);
    s_put_one (self, 0);
    s_close (self);
    /*  Any error of the system. */
    snprintf (path, sizeof path, "%s/data.mdb", self->folder);
    assert_int_equal (unlink (path), 0);
    assert_int_equal (mkdir (path, 0755), 0);
    assert_null (zc_history_lmdb_new (&config, &self->topics, &self->last, error, sizeof error));
    assert_non_null (strstr (error, strerror (EISDIR)));
    assert_int_equal (rmdir (path), 0);
    s_end (self);
}

#define BOTH(name)                             \
    cmocka_unit_test (name),                   \
    {                                          \
#name "_on_disk", name, NULL, NULL, "" \
    }

/*  Going over to a successor. */

static void s_take_over (s_world_t *self, zc_history_t *heir, zc_topics_t *topics)
{
    zc_heirloom_t one;
    while (zc_history_memory_next (self->history, &one)) {
        zc_item_t item = {.where = zc_topics_inherit (
                              topics, (zc_slice_t){one.topic->name, one.topic->len}, true),
                          .id = one.stored.id,
                          .expires_ms = one.expires_ms,
                          .event_at = one.event_at,
                          .event_len = one.event_len};
        zmq_msg_init_size (&item.meta, one.stored.meta.len);
        memcpy (zmq_msg_data (&item.meta), one.stored.meta.at, one.stored.meta.len);
        zmq_msg_init_size (&item.payload, one.stored.payload.len);
        if (one.stored.payload.len)
            memcpy (zmq_msg_data (&item.payload), one.stored.payload.at, one.stored.payload.len);
        zc_history_memory_add (heir, &item);
        zmq_msg_close (&item.meta);
        zmq_msg_close (&item.payload);
    }
}

/*  Messages are given while others come and go, at both ends and in between; at the end the heir
 *  has what the model has. */
static void s_memory_goes_over (void **state)
{
    (void)state;
    const zc_history_limits_t limits = {300, UINT64_MAX, 100000, 100, UINT64_MAX, 100000};
    s_world_t *self = s_world (false, 100, limits);
    zc_history_t *heir = zc_history_memory_heir ();
    zc_topics_t *topics = zc_topics_new (SIZE_MAX, ZC_ID_NONE, s_evict, heir);
    size_t gone = 0;
    for (int step = 0; step < 500; step++)
        s_put_one (self, s_random (self, TOPICS));
    zc_history_memory_leave (self->history);
    for (int round = 0; round < 20; round++) {
        s_take_over (self, heir, topics);
        for (int step = 0; step < 40; step++)
            s_put (self, s_random (self, TOPICS), step % 4 ? 0 : self->now_ms + 1000);
        self->now_ms += 500;
        s_quiet (self);
    }
    s_take_over (self, heir, topics);
    const zc_id_t *ids = zc_history_memory_gone (self->history, &gone);
    assert_true (gone > 300);
    for (size_t i = 0; i < gone; i++) {
        assert_true (i == 0 || ids[i - 1] < ids[i]);
        zc_history_memory_remove (heir, ids[i]);
    }
    zc_memory_state_t rest = {.last = self->last, .floor = 7, .trimmed = 9, .position = -1};
    zc_history_memory_begin (heir, &rest);
    zc_history_stats_t ours = {0}, theirs = {0};
    zc_history_stats (self->history, &ours);
    zc_history_stats (heir, &theirs);
    assert_int_equal (theirs.messages, ours.messages);
    assert_int_equal (theirs.bytes, ours.bytes);
    assert_int_equal (theirs.floor, 7);
    assert_int_equal (theirs.trimmed, 9);
    zc_history_memory_stay (self->history);
    for (unsigned i = 0; i < TOPICS; i++) {
        zc_topic_t *topic = zc_topics_find (self->topics, s_name (i));
        zc_topic_t *other = zc_topics_find (topics, s_name (i));
        zc_stored_t one, two;
        zc_id_t after = ZC_ID_NONE;
        while (topic && zc_history_next (self->history, topic, after, &one)) {
            assert_true (zc_history_next (heir, other, after, &two));
            assert_int_equal (one.id, two.id);
            assert_int_equal (one.payload.len, two.payload.len);
            assert_memory_equal (one.payload.at, two.payload.at, one.payload.len);
            after = one.id;
        }
        assert_false (other && zc_history_next (heir, other, after, &two));
    }
    zc_history_destroy (&heir);
    zc_topics_destroy (&topics);
    s_end (self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_memory_against_the_model),
        cmocka_unit_test (s_memory_goes_over),
        cmocka_unit_test (s_disk_against_the_model),
        BOTH (s_a_purged_topic_is_empty),
        BOTH (s_many_purges_wait),
        BOTH (s_bytes_are_bounded),
        BOTH (s_lower_limits_are_met_in_steps),
        BOTH (s_an_evicted_topic_is_gone),
        BOTH (s_a_chunk_goes_with_its_last_message),
        cmocka_unit_test (s_a_stray_chunk_is_let_go_of),
        cmocka_unit_test (s_holes_that_were_counted_are_known),
        cmocka_unit_test (s_an_older_history_is_upgraded),
        cmocka_unit_test (s_a_full_history_is_upgraded),
        BOTH (s_none_is_kept_where_none_may),
        cmocka_unit_test (s_a_second_broker_is_refused),
        cmocka_unit_test (s_what_was_lost_counts_before_the_first_commit),
        cmocka_unit_test (s_a_damaged_file_is_refused),
        cmocka_unit_test (s_a_damaged_record_is_refused),
        cmocka_unit_test (s_a_sound_file_is_not_called_damaged),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
