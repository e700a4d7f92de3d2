/*  lmdb.c - history on disk, and the threads that keep the broker from waiting for it.
 *
 *  The broker's thread gathers items in a batch while a second thread commits the batch before.
 *  So a slower disk gets larger commits, and the loop never waits. When too much would gather,
 *  zc_history_full makes publishers wait. The broker's thread reads: LMDB's readers and its one
 *  writer don't wait for each other. A third thread syncs.
 *
 *  Delivery waits for the commit, in every mode. So all messages that anybody has seen are in
 *  history, even after kill -9, and `prev` is right for those clients. If the disk fails,
 *  messages from PUB are delivered all the same; their topics are noted, the topics' floors are
 *  raised, and the next commit that succeeds stores the floors. */
#include "broker/history/lmdb.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "broker/history/position.h"
#include "broker/history/store.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define S_FULL_ITEMS 20000
#define S_FULL_BYTES (64u << 20)
#define S_PURGES 1000  /* topics at a time that are purged in a batch */
#define S_RETRY_MS 200 /* after a failure */
#define S_AGE_MS 1000  /* how often old messages are removed while nothing else is committed */

typedef struct { /* an array that grows at its end */
    void *at;
    size_t count, cap;
} s_list_t;

typedef struct {
    s_list_t items;  /* zc_item_t */
    s_list_t gone;   /* uint64_t */
    s_list_t lost;   /* zc_store_lost_t */
    s_list_t purges; /* zc_store_purge_t */
    uint64_t bytes;
    zc_store_batch_t store;
} s_batch_t;

typedef struct {
    zc_topic_t *topic; /* pinned */
    zc_id_t upto;
    uint64_t count; /* messages let go of so far */
    void *origin;
} s_purge_t;

typedef enum { S_IDLE, S_GIVEN, S_DONE, S_QUIT } s_state_t;

typedef struct {
    zc_history_t base;
    zc_store_t *store;
    zc_reader_t *reader; /* the store's */
    zc_position_t *position;
    zc_topics_t *topics; /* the broker's */
    zc_sync_t sync;
    unsigned sync_ms;
    /*  of the broker's thread */
    s_batch_t batches[2];
    s_batch_t *open; /* is being filled; the committer has the other one */
    s_list_t lost;   /* zc_store_lost_t: to be stored */
    s_list_t purges; /* s_purge_t: under way; a batch has the first ones of them */
    zc_id_t last, all_lost;
    uint64_t next_number;
    uint64_t wall_ms, aged_ms; /* wall clock: now; at the last commit */
    uint64_t now_ms, retry_ms; /* monotonic: now; the earliest time of a retry */
    bool failed, busy;
    char error[160];
    zc_history_stats_t stats;
    zc_store_totals_t totals; /* after the last commit */
    /*  shared by the threads, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    s_state_t state;
    int result;
    uint64_t commits, syncs; /* how many there were */
    int sync_result;
    bool quit;
    pthread_t committer, syncer;
} s_lmdb_t;

static void *s_list_add (s_list_t *list, size_t size)
{
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->at = realloc (list->at, list->cap * size);
        if (!list->at)
            abort ();
    }
    return (char *)list->at + list->count++ * size;
}

/*  The batch that isn't open. */
static s_batch_t *s_away (const s_lmdb_t *self)
{
    return (s_batch_t *)&self->batches[self->open == &self->batches[0]];
}

/*  The committing thread. */

static void s_signal (int fd)
{
    uint64_t one = 1;
    while (write (fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void *s_committer (void *arg)
{
    s_lmdb_t *self = arg;
    pthread_mutex_lock (&self->lock);
    while (self->state != S_QUIT) {
        if (self->state != S_GIVEN) {
            pthread_cond_wait (&self->wake, &self->lock);
            continue;
        }
        s_batch_t *batch = s_away (self);
        pthread_mutex_unlock (&self->lock);
        int rc = zc_store_commit (self->store, &batch->store);
        pthread_mutex_lock (&self->lock);
        self->result = rc;
        self->totals = *zc_store_totals (self->store);
        self->commits += rc == 0;
        self->state = S_DONE;
        pthread_cond_broadcast (&self->wake);
        s_signal (self->base.fd);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

/*  The syncing thread: syncs if there were commits since its last success. */

static void s_sleep (s_lmdb_t *self, unsigned ms)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!self->quit && pthread_cond_timedwait (&self->wake, &self->lock, &until) != ETIMEDOUT)
        ;
}

static void s_log_sync (int code, int before)
{
    static zc_log_limit_t limit;
    if (code != 0 && before == 0)
        zc_log_limited (
            &limit, ZC_LOG_ERROR,
            ZC_EVENT ("history.unsynced error",
                      "history can't be synced: %s: a power cut would lose the latest messages"),
            zc_store_strerror (code));
    else if (code == 0 && before != 0)
        zc_log_limited (&limit, ZC_LOG_WARN,
                        ZC_EVENT ("history.synced", "history is synced again"));
}

static void *s_syncer (void *arg)
{
    s_lmdb_t *self = arg;
    uint64_t synced = 0;
    pthread_mutex_lock (&self->lock);
    while (!self->quit) {
        s_sleep (self, self->sync_ms);
        uint64_t commits = self->commits;
        if (commits == synced)
            continue;
        pthread_mutex_unlock (&self->lock);
        int rc = zc_store_sync (self->store);
        s_log_sync (rc, self->sync_result);
        pthread_mutex_lock (&self->lock);
        self->sync_result = rc;
        self->syncs += rc == 0;
        synced = rc == 0 ? commits : synced;
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

/*  Handing over and taking back. */

static void s_append (zc_history_t *base, zc_item_t *item)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    if (!item->where->number)
        item->where->number = self->next_number++;
    item->where->pins++;
    self->last = item->id;
    zc_position_reserve (self->position, item->id);
    zc_item_t *kept = s_list_add (&self->open->items, sizeof *kept);
    *kept = *item;
    zmq_msg_t *from[] = {&item->topic, &item->payload, &item->meta};
    zmq_msg_t *to[] = {&kept->topic, &kept->payload, &kept->meta};
    for (int i = 0; i < 3; i++) {
        zmq_msg_init (to[i]);
        zmq_msg_move (to[i], from[i]);
    }
    self->open->bytes += zmq_msg_size (&kept->payload) + zmq_msg_size (&kept->meta);
}

static bool s_full (zc_history_t *base)
{
    const s_batch_t *open = ((s_lmdb_t *)base)->open;
    return open->items.count >= S_FULL_ITEMS || open->bytes >= S_FULL_BYTES;
}

static void s_lose (s_lmdb_t *self, zc_item_t *item)
{
    zc_topic_t *topic = item->where;
    self->stats.lost++;
    if (!topic->lost) {
        topic->pins++;
        *(zc_store_lost_t *)s_list_add (&self->lost, sizeof (zc_store_lost_t)) =
            (zc_store_lost_t){topic, 0};
    }
    topic->lost = item->id;
}

/*  The losses of a batch are stored now. Topics with later losses stay in the list. */
static void s_made_up (s_lmdb_t *self, const s_batch_t *batch)
{
    const zc_store_lost_t *written = batch->lost.at;
    for (size_t i = 0; i < batch->lost.count; i++)
        if (written[i].topic->lost == written[i].lost)
            written[i].topic->lost = ZC_ID_NONE;
    zc_store_lost_t *lost = self->lost.at;
    size_t left = 0;
    for (size_t i = 0; i < self->lost.count; i++) {
        if (lost[i].topic->lost)
            lost[left++] = lost[i];
        else
            lost[i].topic->pins--;
    }
    bool more = self->all_lost != batch->store.all_lost;
    if ((self->lost.count || self->all_lost) && !left && !more)
        zc_position_lose (self->position, ZC_ID_NONE);
    self->lost.count = left;
    if (!more)
        self->all_lost = ZC_ID_NONE;
}

static void s_empty (s_batch_t *batch)
{
    batch->items.count = batch->gone.count = batch->lost.count = batch->purges.count = 0;
    batch->bytes = 0;
}

/*  Notes messages that will be delivered though they weren't kept, before the delivery: the
 *  broker may be killed, and clients that have seen these messages come back to the next one. */
static void s_note_lost (s_lmdb_t *self, const s_batch_t *batch)
{
    const zc_item_t *items = batch->items.at;
    for (size_t i = batch->items.count; i-- > 0;)
        if (!items[i].origin) {
            zc_position_lose (self->position, items[i].id);
            return;
        }
}

/*  Tells the broker of each of a batch's items. */
static void s_tell (s_lmdb_t *self, s_batch_t *batch, bool kept)
{
    zc_item_t *items = batch->items.at;
    if (!kept)
        s_note_lost (self, batch);
    for (size_t i = 0; i < batch->items.count; i++) {
        zc_item_t *item = &items[i];
        if (!kept && !item->origin)
            s_lose (self, item);
        self->base.settled (self->base.arg, item, kept);
        zmq_msg_close (&item->topic);
        zmq_msg_close (&item->payload);
        zmq_msg_close (&item->meta);
        item->where->pins--;
    }
}

/*  Purges. */

static void s_purge (zc_history_t *base, zc_topic_t *topic, zc_id_t upto, void *origin)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    topic->pins++;
    *(s_purge_t *)s_list_add (&self->purges, sizeof (s_purge_t)) =
        (s_purge_t){.topic = topic, .upto = upto, .origin = origin};
}

static void s_purged (s_lmdb_t *self, const s_purge_t *purge, bool done)
{
    purge->topic->pins--;
    self->base.purged (self->base.arg, purge->origin, purge->count, done);
}

/*  A batch has gone on with the first purges: those that are done are told. */
static void s_count_purged (s_lmdb_t *self, const s_batch_t *batch)
{
    s_purge_t *purges = self->purges.at;
    const zc_store_purge_t *results = batch->purges.at;
    size_t left = 0;
    for (size_t i = 0; i < self->purges.count; i++) {
        bool done = i < batch->purges.count && results[i].done;
        purges[i].count += i < batch->purges.count ? results[i].count : 0;
        if (done)
            s_purged (self, &purges[i], true);
        else
            purges[left++] = purges[i];
    }
    self->purges.count = left;
}

static void s_hand_over_purges (const s_lmdb_t *self, s_batch_t *batch)
{
    const s_purge_t *purges = self->purges.at;
    for (size_t i = 0; i < self->purges.count && i < S_PURGES; i++)
        *(zc_store_purge_t *)s_list_add (&batch->purges, sizeof (zc_store_purge_t)) =
            (zc_store_purge_t){.number = purges[i].topic->number, .upto = purges[i].upto};
}

static void s_fail (s_lmdb_t *self, int code)
{
    static zc_log_limit_t limit;
    snprintf (self->error, sizeof self->error, "%s", zc_store_strerror (code));
    if (!self->failed)
        zc_log_limited (&limit, ZC_LOG_ERROR,
                        ZC_EVENT ("history.failed error",
                                  "history can't be written: %s: publishes are refused, or "
                                  "delivered without being kept, until it can"),
                        self->error);
    self->failed = true;
    self->retry_ms = zc_mono_ms () + S_RETRY_MS;
}

static void s_heal (s_lmdb_t *self)
{
    static zc_log_limit_t limit;
    if (self->failed)
        zc_log_limited (
            &limit, ZC_LOG_WARN,
            ZC_EVENT ("history.recovered lost", "history is written again: it lacks %llu messages"),
            (unsigned long long)self->stats.lost);
    self->failed = false;
}

/*  The committer has finished a batch. */
static void s_take_back (s_lmdb_t *self, int rc)
{
    s_batch_t *batch = s_away (self);
    self->busy = false;
    self->aged_ms = batch->store.now_ms;
    if (rc == 0) {
        s_heal (self);
        s_made_up (self, batch);
        s_tell (self, batch, true);
        s_count_purged (self, batch);
    } else {
        s_fail (self, rc);
        uint64_t *gone = batch->gone.at;
        for (size_t i = 0; i < batch->gone.count; i++)
            *(uint64_t *)s_list_add (&self->open->gone, sizeof *gone) = gone[i];
        batch->gone.count = 0;
        s_tell (self, batch, false);
    }
    s_empty (batch);
}

static void s_settle (zc_history_t *base)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    uint64_t count;
    if (!self->busy)
        return;
    pthread_mutex_lock (&self->lock);
    bool done = self->state == S_DONE;
    if (done)
        self->state = S_IDLE;
    int rc = self->result;
    pthread_mutex_unlock (&self->lock);
    if (!done)
        return;
    while (read (base->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    s_take_back (self, rc);
    base->ops->flush (base);
}

static void s_hand_over (s_lmdb_t *self)
{
    s_batch_t *batch = self->open;
    zc_store_lost_t *lost = self->lost.at;
    for (size_t i = 0; i < self->lost.count; i++)
        *(zc_store_lost_t *)s_list_add (&batch->lost, sizeof *lost) =
            (zc_store_lost_t){lost[i].topic, lost[i].topic->lost};
    s_hand_over_purges (self, batch);
    batch->store = (zc_store_batch_t){.items = batch->items.at,
                                      .count = batch->items.count,
                                      .gone = batch->gone.at,
                                      .gone_count = batch->gone.count,
                                      .lost = batch->lost.at,
                                      .lost_count = batch->lost.count,
                                      .purges = batch->purges.at,
                                      .purge_count = batch->purges.count,
                                      .all_lost = self->all_lost,
                                      .last = self->last,
                                      .forgotten = zc_topics_forgotten (self->topics),
                                      .next_number = self->next_number,
                                      .now_ms = self->wall_ms,
                                      .limits = self->base.limits};
    self->busy = true;
    pthread_mutex_lock (&self->lock);
    self->open = s_away (self);
    self->state = S_GIVEN;
    pthread_cond_broadcast (&self->wake);
    pthread_mutex_unlock (&self->lock);
}

static void s_flush (zc_history_t *base)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    self->now_ms = zc_mono_ms ();
    if (self->busy || self->open->items.count == 0)
        return;
    if (self->failed && self->now_ms < self->retry_ms) {
        s_tell (self, self->open, false);
        self->open->items.count = 0;
        self->open->bytes = 0;
    } else {
        s_hand_over (self);
    }
}

/*  If nothing is published, an empty batch does the trimming that is due. */
static bool s_trim (zc_history_t *base, uint64_t wall_ms)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    const zc_history_limits_t *limits = &base->limits;
    uint64_t age = limits->age_ms < limits->topic_age_ms ? limits->age_ms : limits->topic_age_ms;
    self->wall_ms = wall_ms;
    if (self->busy)
        return false;
    bool due = self->failed
                   ? self->now_ms >= self->retry_ms
                   : self->totals.over || self->open->gone.count || self->purges.count ||
                         self->totals.expires_ms <= wall_ms ||
                         self->totals.messages > limits->messages ||
                         self->totals.bytes > limits->bytes ||
                         (wall_ms - self->aged_ms >= S_AGE_MS && self->totals.oldest != ZC_ID_MAX &&
                          zc_id_ms (self->totals.oldest) + age < wall_ms);
    if (due)
        s_hand_over (self);
    return false;
}

static bool s_busy (zc_history_t *base)
{
    const s_lmdb_t *self = (s_lmdb_t *)base;
    return self->open->items.count || self->purges.count || self->busy;
}

/*  The topic has left the table: its number is removed. It isn't pinned, so none of its messages
 *  is on its way. */
static void s_evict (zc_history_t *base, zc_topic_t *topic)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    if (topic->number)
        *(uint64_t *)s_list_add (&self->open->gone, sizeof topic->number) = topic->number;
}

/*  Reading. */

static void s_lose_all (zc_history_t *base, zc_id_t upto)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    self->all_lost = upto;
    zc_position_lose (self->position, upto);
}

static int s_adopt (zc_history_t *base, const zc_line_t *line)
{
    return zc_position_adopt (((s_lmdb_t *)base)->position, line);
}

static zc_id_t s_floor (zc_history_t *base, zc_topic_t *topic)
{
    const s_lmdb_t *self = (s_lmdb_t *)base;
    zc_id_t floor = zc_reader_floor (self->reader, topic);
    zc_id_t lost = topic->lost < self->all_lost ? self->all_lost : topic->lost;
    return floor < lost ? lost : floor;
}

static bool s_next (zc_history_t *base, zc_topic_t *topic, zc_id_t after, zc_stored_t *stored)
{
    return zc_reader_next (((s_lmdb_t *)base)->reader, topic, after, stored);
}

static uint64_t s_count (zc_history_t *base, zc_topic_t *topic, zc_id_t after, zc_id_t upto)
{
    return zc_reader_count (((s_lmdb_t *)base)->reader, topic, after, upto);
}

static uint64_t s_size (zc_history_t *base, zc_topic_t *topic, uint64_t *bytes)
{
    return zc_reader_size (((s_lmdb_t *)base)->reader, topic, bytes);
}

static bool s_find (zc_history_t *base, zc_topic_t *topic, zc_slice_t name, zc_which_t which,
                    zc_id_t *id)
{
    return zc_reader_find (((s_lmdb_t *)base)->reader, topic, name, which, id);
}

static bool s_unreadable (zc_history_t *base)
{
    return !zc_reader_begin (((s_lmdb_t *)base)->reader);
}

static void s_release (zc_history_t *base)
{
    zc_reader_release (((s_lmdb_t *)base)->reader);
}

static void s_stats (zc_history_t *base, zc_history_stats_t *stats)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    *stats = self->stats;
    pthread_mutex_lock (&self->lock);
    stats->messages = self->totals.messages;
    stats->bytes = self->totals.bytes;
    stats->trimmed = self->totals.trimmed;
    stats->floor = self->totals.floor;
    stats->commits = self->commits;
    stats->syncs = self->sync == ZC_SYNC_ALWAYS ? self->commits : self->syncs;
    stats->error = self->sync_result ? zc_store_strerror (self->sync_result) : NULL;
    pthread_mutex_unlock (&self->lock);
    if (self->failed)
        stats->error = self->error;
}

/*  Beginning and end. */

static void s_wait_done (s_lmdb_t *self)
{
    pthread_mutex_lock (&self->lock);
    while (self->state == S_GIVEN)
        pthread_cond_wait (&self->wake, &self->lock);
    pthread_mutex_unlock (&self->lock);
}

static void s_start_threads (s_lmdb_t *self)
{
    pthread_condattr_t clock;
    pthread_condattr_init (&clock);
    pthread_condattr_setclock (&clock, CLOCK_MONOTONIC);
    pthread_cond_init (&self->wake, &clock);
    pthread_condattr_destroy (&clock);
    pthread_mutex_init (&self->lock, NULL);
    if (pthread_create (&self->committer, NULL, s_committer, self) != 0 ||
        (self->sync == ZC_SYNC_INTERVAL &&
         pthread_create (&self->syncer, NULL, s_syncer, self) != 0))
        abort ();
}

static void s_stop_threads (s_lmdb_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->state = S_QUIT;
    self->quit = true;
    pthread_cond_broadcast (&self->wake);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->committer, NULL);
    if (self->sync == ZC_SYNC_INTERVAL)
        pthread_join (self->syncer, NULL);
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->lock);
}

static void s_destroy (zc_history_t *base)
{
    s_lmdb_t *self = (s_lmdb_t *)base;
    while (self->busy || self->open->items.count) {
        s_flush (base);
        s_wait_done (self);
        s_settle (base);
    }
    s_stop_threads (self);
    for (size_t i = 0; i < self->purges.count; i++)
        s_purged (self, &((s_purge_t *)self->purges.at)[i], false);
    if (self->sync == ZC_SYNC_INTERVAL)
        s_log_sync (zc_store_sync (self->store), 0);
    if (base->left)
        zc_position_leave (&self->position);
    zc_position_destroy (&self->position, self->last);
    zc_store_destroy (&self->store);
    for (int i = 0; i < 2; i++) {
        free (self->batches[i].items.at);
        free (self->batches[i].gone.at);
        free (self->batches[i].lost.at);
        free (self->batches[i].purges.at);
    }
    free (self->lost.at);
    free (self->purges.at);
    close (base->fd);
    free (self);
}

static void s_topic_loaded (void *arg, zc_slice_t name, uint64_t number, zc_id_t last)
{
    s_lmdb_t *self = arg;
    zc_topic_t *topic = zc_topics_use (self->topics, name);
    topic->number = number;
    topic->mixed = last; /* nobody knows any more */
    topic->last = topic->sent = last < self->all_lost ? self->all_lost : last;
}

static void s_topic_evicted (void *arg, zc_topic_t *topic)
{
    s_evict (arg, topic);
}

/*  Loads the state of the broker that ended before. `restored`: it is that of a backup. */
static int s_load (s_lmdb_t *self, size_t max_topics, bool restored)
{
    const zc_store_totals_t *totals = zc_store_totals (self->store);
    bool made;
    zc_id_t reserved = zc_position_reserved (self->position);
    self->last = reserved > totals->last ? reserved : totals->last;
    self->all_lost = zc_position_lost (self->position);
    zc_id_t forgotten = totals->forgotten;
    if (totals->last == ZC_ID_NONE) {
        /*  A new database: nobody knows what was published before. */
        zc_id_t now = zc_id_from_ms (zc_wall_ms ()) - 1;
        self->last = forgotten = now > self->last ? now : self->last;
    }
    zc_position_line (self->position, self->last, &self->base.line, &made);
    if (restored) {
        /*  What came after the backup is missing. */
        zc_id_t now = zc_id_from_ms (zc_wall_ms ()) - 1;
        self->last = self->all_lost = now > self->last ? now : self->last;
        zc_position_lose (self->position, self->all_lost);
    }
    if (forgotten < self->all_lost)
        forgotten = self->all_lost;
    self->next_number = totals->next_number;
    self->totals = *totals;
    self->topics = zc_topics_new (max_topics, forgotten, s_topic_evicted, self);
    return zc_store_each_topic (self->store, s_topic_loaded, self);
}

static int s_open_files (s_lmdb_t *self, const zc_history_lmdb_config_t *config, char *error,
                         size_t size)
{
    char path[4200], mark[4200];
    snprintf (path, sizeof path, "%s/position", config->path);
    snprintf (mark, sizeof mark, "%s/restored", config->path);
    if (mkdir (config->path, 0750) != 0 && errno != EEXIST) {
        snprintf (error, size, "history: can't make the folder %s: %s", config->path,
                  strerror (errno));
        return -1;
    }
    self->position = config->succeeds ? zc_position_take (config->position)
                                      : zc_position_new (path, error, size);
    if (!self->position)
        return -1;
    self->base.position = zc_position_fd (self->position);
    self->store = zc_store_new (config->path, config->map_bytes, config->sync == ZC_SYNC_ALWAYS,
                                config->succeeds, error, size);
    if (!self->store)
        return -1;
    self->reader = zc_store_reader (self->store);
    bool restored = !config->succeeds && access (mark, F_OK) == 0;
    int rc = s_load (self, config->max_topics, restored);
    if (rc != 0)
        snprintf (error, size, "history: can't read %s: %s", config->path, zc_store_strerror (rc));
    return rc;
}

zc_history_t *zc_history_lmdb_new (const zc_history_lmdb_config_t *config, zc_topics_t **topics,
                                   zc_id_t *last, char *error, size_t size)
{
    static const zc_history_ops_t ops = {.kind = "lmdb",
                                         .destroy = s_destroy,
                                         .append = s_append,
                                         .flush = s_flush,
                                         .settle = s_settle,
                                         .full = s_full,
                                         .busy = s_busy,
                                         .trim = s_trim,
                                         .evict = s_evict,
                                         .purge = s_purge,
                                         .lose = s_lose_all,
                                         .adopt = s_adopt,
                                         .floor = s_floor,
                                         .next = s_next,
                                         .count = s_count,
                                         .size = s_size,
                                         .find = s_find,
                                         .unreadable = s_unreadable,
                                         .release = s_release,
                                         .stats = s_stats};
    s_lmdb_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->base.ops = &ops;
    self->base.fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->sync = config->sync;
    self->sync_ms = config->sync_ms;
    self->open = &self->batches[0];
    if (self->base.fd < 0 || s_open_files (self, config, error, size) != 0) {
        if (config->succeeds)
            zc_position_leave (&self->position);
        if (self->position)
            zc_position_destroy (&self->position, zc_position_reserved (self->position));
        zc_topics_destroy (&self->topics);
        zc_store_destroy (&self->store);
        if (self->base.fd >= 0)
            close (self->base.fd);
        free (self);
        return NULL;
    }
    s_start_threads (self);
    *topics = self->topics;
    *last = self->last;
    return &self->base;
}
