/*  memory.c - history in memory.
 *
 *  Each message is one allocation, and is in two orders: a list of all by age, and a ring of
 *  pointers for its topic, which is searched by halving. Small payloads are copied: a small
 *  message that ZeroMQ received is a view of the whole receive buffer (18 KB), so a reference to
 *  it would keep up to a hundred times its size. Large payloads are shared and never copied.
 *  Rejected: one log of large blocks, because a quiet topic's messages would pin the blocks of a
 *  busy one. */
#include "broker/history/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include "broker/history/position.h"
#include "lib/base/clock.h"

#define S_SHARE_FROM 8192 /* bytes; a payload larger than ZeroMQ's buffer has its own memory */
#define S_TRIM_MAX 1000   /* messages removed in one call of trim */
#define S_TRIM_APPEND 16  /* and with one append, for each limit */
#define S_NOT_QUEUED UINT32_MAX

typedef struct s_entry {
    zc_node_t event;           /* in the index of names, if it is the newest of its name */
    TAILQ_ENTRY (s_entry) age; /* of all topics */
    /*  A ring of the messages with the same topic and name: the newest one's newer is the
     *  oldest. */
    struct s_entry *same_older, *same_newer;
    zc_topic_t *topic;
    zc_id_t id;
    uint64_t expires_ms;
    uint32_t queued; /* place in the queue of expiry, or S_NOT_QUEUED */
    uint32_t meta_len, payload_len;
    uint16_t event_at, event_len;
    zmq_msg_t *shared; /* in `bytes`; NULL: the payload is copied */
    char bytes[];      /* meta, then the payload or the zmq_msg_t that shares it */
} s_entry_t;

typedef struct { /* a ring: the messages of a topic */
    s_entry_t **at;
    uint32_t mask, first, count;
    uint64_t bytes;
} s_store_t;

typedef struct s_purge { /* under way */
    STAILQ_ENTRY (s_purge) link;
    zc_topic_t *topic; /* pinned */
    zc_id_t upto;
    uint64_t count; /* messages let go of so far */
    void *origin;
} s_purge_t;

typedef struct {
    zc_history_t base;
    TAILQ_HEAD (s_ages, s_entry) all; /* by age */
    zc_table_t events;                /* topic and name (own id or key) -> the newest entry */
    /* a heap: messages that expire before their age, the first to expire on top */
    s_entry_t **queue;
    STAILQ_HEAD (, s_purge) purges; /* in the order of their requests */
    size_t queue_len, queue_cap;
    zc_history_stats_t stats;
    zc_position_t *position; /* owned; may be NULL */
    zc_id_t last, lost;
    /*  For a successor: messages up to `given` were given to it; `gone` has the positions of those
     *  that went since. */
    bool leaving;
    s_entry_t *walk; /* the last one given; NULL: none is left */
    zc_id_t given;
    zc_buf_t gone;     /* zc_id_t */
    s_entry_t *pruned; /* in the successor: no message before this one is to be removed */
} s_memory_t;

static size_t s_entry_size (const s_entry_t *entry)
{
    return sizeof *entry + entry->meta_len + entry->payload_len;
}

static s_entry_t *s_store_at (const s_store_t *store, uint32_t index)
{
    return store->at[(store->first + index) & store->mask];
}

/*  The index of the first entry after a position. */
static uint32_t s_store_seek (const s_store_t *store, zc_id_t after)
{
    uint32_t low = 0, high = store->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s_store_at (store, middle)->id > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void s_store_grow (s_store_t *store)
{
    uint32_t cap = store->at ? (store->mask + 1) * 2 : 4;
    s_entry_t **at = malloc (cap * sizeof *at);
    if (!at)
        abort ();
    for (uint32_t i = 0; i < store->count; i++)
        at[i] = s_store_at (store, i);
    free (store->at);
    *store = (s_store_t){at, cap - 1, 0, store->count, store->bytes};
}

static void s_store_push (s_store_t *store, s_entry_t *entry)
{
    if (!store->at || store->count > store->mask)
        s_store_grow (store);
    store->at[(store->first + store->count++) & store->mask] = entry;
    store->bytes += s_entry_size (entry);
}

static void s_store_remove (s_store_t *store, const s_entry_t *entry)
{
    /*  Mostly the first message goes: a search would read cold memory. */
    uint32_t place = s_store_at (store, 0) == entry ? 0 : s_store_seek (store, entry->id) - 1;
    if (place < store->count / 2) { /* the shorter side moves */
        for (uint32_t i = place; i > 0; i--)
            store->at[(store->first + i) & store->mask] = s_store_at (store, i - 1);
        store->first++;
    } else {
        for (uint32_t i = place + 1; i < store->count; i++)
            store->at[(store->first + i - 1) & store->mask] = s_store_at (store, i);
    }
    store->count--;
    store->bytes -= s_entry_size (entry);
}

static void s_topic_remove (zc_topic_t *topic, const s_entry_t *entry)
{
    s_store_t *store = topic->store;
    s_store_remove (store, entry);
    if (store->count == 0) {
        free (store->at);
        free (store);
        topic->store = NULL;
    }
}

/*  The queue of expiry. */

static void s_queue_set (s_memory_t *self, size_t index, s_entry_t *entry)
{
    self->queue[index] = entry;
    entry->queued = (uint32_t)index;
}

static void s_queue_up (s_memory_t *self, size_t index)
{
    s_entry_t *entry = self->queue[index];
    for (; index > 0; index = (index - 1) / 2) {
        s_entry_t *parent = self->queue[(index - 1) / 2];
        if (parent->expires_ms <= entry->expires_ms)
            break;
        s_queue_set (self, index, parent);
    }
    s_queue_set (self, index, entry);
}

static void s_queue_down (s_memory_t *self, size_t index)
{
    s_entry_t *entry = self->queue[index];
    for (size_t child; (child = index * 2 + 1) < self->queue_len; index = child) {
        if (child + 1 < self->queue_len &&
            self->queue[child + 1]->expires_ms < self->queue[child]->expires_ms)
            child++;
        if (entry->expires_ms <= self->queue[child]->expires_ms)
            break;
        s_queue_set (self, index, self->queue[child]);
    }
    s_queue_set (self, index, entry);
}

static void s_queue_add (s_memory_t *self, s_entry_t *entry)
{
    if (self->queue_len == self->queue_cap) {
        self->queue_cap = self->queue_cap ? self->queue_cap * 2 : 64;
        self->queue = realloc (self->queue, self->queue_cap * sizeof *self->queue);
        if (!self->queue)
            abort ();
    }
    s_queue_set (self, self->queue_len++, entry);
    s_queue_up (self, self->queue_len - 1);
}

static void s_queue_remove (s_memory_t *self, s_entry_t *entry)
{
    size_t index = entry->queued;
    s_entry_t *last = self->queue[--self->queue_len];
    if (last == entry)
        return;
    s_queue_set (self, index, last);
    s_queue_up (self, index);
    s_queue_down (self, last->queued);
}

/*  Names: own ids and keys. */

typedef struct {
    const zc_topic_t *topic;
    zc_slice_t name;
} s_name_t;

static uint64_t s_event_hash (const s_name_t *name)
{
    return zc_hash (name->name.at, name->name.len, name->topic->node.hash);
}

static bool s_event_same (const zc_node_t *node, const void *arg)
{
    const s_entry_t *entry = (const s_entry_t *)node;
    const s_name_t *name = arg;
    return entry->topic == name->topic && entry->event_len == name->name.len &&
           memcmp (entry->bytes + entry->event_at, name->name.at, name->name.len) == 0;
}

static s_entry_t *s_event_find (const s_memory_t *self, const s_name_t *name)
{
    return (s_entry_t *)zc_table_find (&self->events, s_event_hash (name), s_event_same, name);
}

static void s_event_add (s_memory_t *self, s_entry_t *entry)
{
    s_name_t name = {entry->topic, {entry->bytes + entry->event_at, entry->event_len}};
    s_entry_t *newest = s_event_find (self, &name);
    entry->same_older = entry->same_newer = entry;
    if (newest) {
        entry->same_older = newest;
        entry->same_newer = newest->same_newer;
        newest->same_newer->same_older = entry;
        newest->same_newer = entry;
        zc_table_remove (&self->events, &newest->event);
    }
    zc_table_insert (&self->events, &entry->event, s_event_hash (&name));
}

static void s_event_remove (s_memory_t *self, s_entry_t *entry)
{
    s_entry_t *older = entry->same_older;
    if (entry->same_newer->id <= entry->id) { /* it was the newest */
        uint64_t hash = entry->event.hash;
        zc_table_remove (&self->events, &entry->event);
        if (older != entry)
            zc_table_insert (&self->events, &older->event, hash);
    }
    older->same_newer = entry->same_newer;
    entry->same_newer->same_older = older;
}

static bool s_find (zc_history_t *base, zc_topic_t *topic, zc_slice_t name, zc_which_t which,
                    zc_id_t *id)
{
    s_name_t key = {topic, name};
    const s_entry_t *newest = s_event_find ((s_memory_t *)base, &key);
    if (newest)
        *id = which == ZC_NEWEST ? newest->id : newest->same_newer->id;
    return newest != NULL;
}

/*  Entries. */

static s_entry_t *s_entry_new (zc_item_t *item)
{
    size_t meta_len = zmq_msg_size (&item->meta), payload_len = zmq_msg_size (&item->payload);
    bool share = payload_len > S_SHARE_FROM;
    /*  The zmq_msg_t behind meta must be aligned. */
    size_t pad = share ? (sizeof (void *) - meta_len % sizeof (void *)) % sizeof (void *) : 0;
    s_entry_t *entry =
        malloc (sizeof *entry + meta_len + pad + (share ? sizeof (zmq_msg_t) : payload_len));
    if (!entry)
        abort ();
    *entry = (s_entry_t){.topic = item->where,
                         .id = item->id,
                         .expires_ms = item->expires_ms,
                         .queued = S_NOT_QUEUED,
                         .meta_len = (uint32_t)meta_len,
                         .payload_len = (uint32_t)payload_len,
                         .event_at = item->event_at,
                         .event_len = item->event_len};
    memcpy (entry->bytes, zmq_msg_data (&item->meta), meta_len);
    if (share) {
        entry->shared = (zmq_msg_t *)(entry->bytes + meta_len + pad);
        zmq_msg_init (entry->shared);
        zmq_msg_copy (entry->shared, &item->payload);
    } else if (payload_len) {
        memcpy (entry->bytes + meta_len, zmq_msg_data (&item->payload), payload_len);
    }
    return entry;
}

static void s_entry_free (s_entry_t *entry)
{
    if (entry->shared)
        zmq_msg_close (entry->shared);
    free (entry);
}

static void s_note_gone (s_memory_t *self, s_entry_t *entry)
{
    if (entry->id > self->given)
        return;
    zc_buf_add (&self->gone, &entry->id, sizeof entry->id);
    if (self->walk == entry)
        self->walk = TAILQ_PREV (entry, s_ages, age);
}

/*  Removes one message, wherever it is. */
static void s_drop (s_memory_t *self, s_entry_t *entry)
{
    zc_topic_t *topic = entry->topic;
    if (self->leaving)
        s_note_gone (self, entry);
    s_topic_remove (topic, entry);
    if (topic->floor < entry->id)
        topic->floor = entry->id;
    if (self->stats.floor < entry->id)
        self->stats.floor = entry->id;
    TAILQ_REMOVE (&self->all, entry, age);
    if (entry->event_len)
        s_event_remove (self, entry);
    if (entry->queued != S_NOT_QUEUED)
        s_queue_remove (self, entry);
    self->stats.messages--;
    self->stats.bytes -= s_entry_size (entry);
    self->stats.trimmed++;
    s_entry_free (entry);
}

/*  Whether so much more would exceed the limits. */
static bool s_topic_over (const s_memory_t *self, const zc_topic_t *topic, size_t messages,
                          size_t bytes)
{
    const zc_history_limits_t *limits = &self->base.limits;
    const s_store_t *store = topic->store;
    return store && (store->count + messages > limits->topic_messages ||
                     store->bytes + bytes > limits->topic_bytes);
}

static bool s_over (const s_memory_t *self, size_t messages, size_t bytes)
{
    const zc_history_limits_t *limits = &self->base.limits;
    return !TAILQ_EMPTY (&self->all) && (self->stats.messages + messages > limits->messages ||
                                         self->stats.bytes + bytes > limits->bytes);
}

static void s_trim_sizes (s_memory_t *self, zc_topic_t *topic, size_t messages, size_t bytes)
{
    for (int i = 0; i < S_TRIM_APPEND && s_topic_over (self, topic, messages, bytes); i++)
        s_drop (self, s_store_at (topic->store, 0));
    for (int i = 0; i < S_TRIM_APPEND && s_over (self, messages, bytes); i++)
        s_drop (self, TAILQ_FIRST (&self->all));
}

/*  Prefetches the next message that a full history will drop: its memory is cold by now. */
static void s_expect_drop (const s_memory_t *self, const zc_topic_t *topic)
{
    const s_store_t *store = topic->store;
    const s_entry_t *entry =
        store && store->count ? s_store_at (store, 0) : TAILQ_FIRST (&self->all);
    __builtin_prefetch (entry, 1);
    __builtin_prefetch ((const char *)entry + 64, 1);
}

static void s_add (s_memory_t *self, zc_item_t *item)
{
    zc_topic_t *topic = item->where;
    if (!topic->store && !(topic->store = calloc (1, sizeof (s_store_t))))
        abort ();
    s_entry_t *entry = s_entry_new (item);
    TAILQ_INSERT_TAIL (&self->all, entry, age);
    s_store_push (topic->store, entry);
    if (entry->event_len)
        s_event_add (self, entry);
    if (entry->expires_ms)
        s_queue_add (self, entry);
    self->stats.messages++;
    self->stats.bytes += s_entry_size (entry);
}

static void s_append (zc_history_t *base, zc_item_t *item)
{
    s_memory_t *self = (s_memory_t *)base;
    zc_topic_t *topic = item->where;
    self->last = item->id;
    if (self->position)
        zc_position_reserve (self->position, item->id);
    /*  Room is made first, so that malloc reuses the memory that has just been freed. */
    s_trim_sizes (self, topic, 1,
                  sizeof (s_entry_t) + zmq_msg_size (&item->meta) + zmq_msg_size (&item->payload));
    s_add (self, item);
    s_trim_sizes (self, topic, 0, 0); /* removes a message that alone exceeds a limit */
    s_expect_drop (self, topic);
    base->settled (base->arg, item, true);
}

/*  Purges. */

static void s_purge (zc_history_t *base, zc_topic_t *topic, zc_id_t upto, void *origin)
{
    s_purge_t *purge = malloc (sizeof *purge);
    if (!purge)
        abort ();
    topic->pins++;
    *purge = (s_purge_t){.topic = topic, .upto = upto, .origin = origin};
    STAILQ_INSERT_TAIL (&((s_memory_t *)base)->purges, purge, link);
}

static void s_end_purge (s_memory_t *self, bool done)
{
    s_purge_t *purge = STAILQ_FIRST (&self->purges);
    STAILQ_REMOVE_HEAD (&self->purges, link);
    purge->topic->pins--;
    self->base.purged (self->base.arg, purge->origin, purge->count, done);
    free (purge);
}

/*  Lets go of at most `most` messages; returns how many of these are left. */
static int s_go_on_purging (s_memory_t *self, int most)
{
    while (!STAILQ_EMPTY (&self->purges) && most > 0) {
        s_purge_t *purge = STAILQ_FIRST (&self->purges);
        const s_store_t *store = purge->topic->store;
        if (store && s_store_at (store, 0)->id <= purge->upto) {
            s_drop (self, s_store_at (store, 0));
            purge->count++;
            most--;
        } else {
            s_end_purge (self, true);
        }
    }
    return most;
}

static bool s_trim (zc_history_t *base, uint64_t now_ms)
{
    s_memory_t *self = (s_memory_t *)base;
    const zc_history_limits_t *limits = &base->limits;
    uint64_t age = limits->age_ms < limits->topic_age_ms ? limits->age_ms : limits->topic_age_ms;
    zc_id_t before = zc_id_from_ms (now_ms > age ? now_ms - age : 0);
    int left = s_go_on_purging (self, S_TRIM_MAX);
    for (; left > 0 && self->queue_len && self->queue[0]->expires_ms <= now_ms; left--)
        s_drop (self, self->queue[0]);
    for (; left > 0 && !TAILQ_EMPTY (&self->all) &&
           (TAILQ_FIRST (&self->all)->id < before || s_over (self, 0, 0));
         left--)
        s_drop (self, TAILQ_FIRST (&self->all));
    return left == 0;
}

static void s_evict (zc_history_t *base, zc_topic_t *topic)
{
    while (topic->store)
        s_drop ((s_memory_t *)base, s_store_at (topic->store, 0));
}

static void s_lose (zc_history_t *base, zc_id_t upto)
{
    ((s_memory_t *)base)->lost = upto;
}

static int s_adopt (zc_history_t *base, const zc_line_t *line)
{
    const s_memory_t *self = (s_memory_t *)base;
    return self->position ? zc_position_adopt (self->position, line) : 0;
}

static zc_id_t s_floor (zc_history_t *base, zc_topic_t *topic)
{
    const s_memory_t *self = (s_memory_t *)base;
    return topic->floor < self->lost ? self->lost : topic->floor;
}

static void s_read (s_entry_t *entry, zc_stored_t *stored)
{
    stored->id = entry->id;
    stored->meta = (zc_slice_t){entry->bytes, entry->meta_len};
    stored->shared = entry->shared;
    stored->payload.at =
        entry->shared ? zmq_msg_data (entry->shared) : entry->bytes + entry->meta_len;
    stored->payload.len = entry->payload_len;
}

static bool s_next (zc_history_t *base, zc_topic_t *topic, zc_id_t after, zc_stored_t *stored)
{
    (void)base;
    const s_store_t *store = topic->store;
    uint32_t index = store ? s_store_seek (store, after) : 0;
    if (!store || index == store->count)
        return false;
    s_read (s_store_at (store, index), stored);
    return true;
}

static uint64_t s_count (zc_history_t *base, zc_topic_t *topic, zc_id_t after, zc_id_t upto)
{
    (void)base;
    const s_store_t *store = topic->store;
    if (!store || upto <= after)
        return 0;
    return s_store_seek (store, upto) - s_store_seek (store, after);
}

static uint64_t s_size (zc_history_t *base, zc_topic_t *topic, uint64_t *bytes)
{
    (void)base;
    const s_store_t *store = topic->store;
    *bytes = store ? store->bytes : 0;
    return store ? store->count : 0;
}

static void s_nothing (zc_history_t *base)
{
    (void)base;
}

static bool s_never (zc_history_t *base)
{
    (void)base;
    return false;
}

static void s_stats (zc_history_t *base, zc_history_stats_t *stats)
{
    *stats = ((s_memory_t *)base)->stats;
}

static void s_destroy (zc_history_t *base)
{
    s_memory_t *self = (s_memory_t *)base;
    while (!STAILQ_EMPTY (&self->purges))
        s_end_purge (self, false);
    while (!TAILQ_EMPTY (&self->all))
        s_drop (self, TAILQ_FIRST (&self->all));
    zc_table_clear (&self->events);
    if (base->left)
        zc_position_leave (&self->position);
    zc_position_destroy (&self->position, self->last);
    zc_buf_clear (&self->gone);
    free (self->queue);
    free (self);
}

/*  Without a file, nobody knows what was published before now. */
static void s_begin (s_memory_t *self)
{
    zc_id_t now = zc_id_from_ms (zc_wall_ms ()) - 1;
    bool made = true;
    uint64_t random;
    if (self->position) {
        zc_id_t reserved = zc_position_reserved (self->position);
        self->last = now > reserved ? now : reserved;
        zc_position_line (self->position, self->last, &self->base.line, &made);
        self->last = made ? self->last : reserved;
    } else {
        self->last = now;
        while (getrandom (&random, sizeof random, 0) != sizeof random)
            continue;
        zc_line_make (&self->base.line, now, random);
    }
}

static s_memory_t *s_new (void)
{
    static const zc_history_ops_t ops = {.kind = "memory",
                                         .destroy = s_destroy,
                                         .append = s_append,
                                         .flush = s_nothing,
                                         .settle = s_nothing,
                                         .full = s_never,
                                         .busy = s_never,
                                         .trim = s_trim,
                                         .evict = s_evict,
                                         .purge = s_purge,
                                         .lose = s_lose,
                                         .adopt = s_adopt,
                                         .floor = s_floor,
                                         .next = s_next,
                                         .count = s_count,
                                         .size = s_size,
                                         .find = s_find,
                                         .unreadable = s_never,
                                         .release = s_nothing,
                                         .stats = s_stats};
    s_memory_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    TAILQ_INIT (&self->all);
    STAILQ_INIT (&self->purges);
    self->base.ops = &ops;
    self->base.fd = self->base.position = -1;
    zc_table_init (&self->events);
    return self;
}

zc_history_t *zc_history_memory_new (const char *file, zc_id_t *last, char *error, size_t size)
{
    s_memory_t *self = s_new ();
    if (file && !(self->position = zc_position_new (file, error, size))) {
        free (self);
        return NULL;
    }
    if (self->position)
        self->base.position = zc_position_fd (self->position);
    s_begin (self);
    *last = self->last;
    return &self->base;
}

/*  Going over to a successor. */

void zc_history_memory_leave (zc_history_t *base)
{
    s_memory_t *self = (s_memory_t *)base;
    self->leaving = true;
    self->walk = NULL;
    self->given = ZC_ID_NONE;
    self->gone.len = 0;
}

bool zc_history_memory_next (zc_history_t *base, zc_heirloom_t *kept)
{
    s_memory_t *self = (s_memory_t *)base;
    s_entry_t *entry = self->walk ? TAILQ_NEXT (self->walk, age) : TAILQ_FIRST (&self->all);
    if (!entry)
        return false;
    self->walk = entry;
    self->given = entry->id;
    kept->topic = entry->topic;
    kept->expires_ms = entry->expires_ms;
    kept->event_at = entry->event_at;
    kept->event_len = entry->event_len;
    s_read (entry, &kept->stored);
    return true;
}

zc_id_t zc_history_memory_lost (const zc_history_t *base)
{
    return ((const s_memory_t *)base)->lost;
}

static int s_compare (const void *a, const void *b)
{
    zc_id_t one, other;
    memcpy (&one, a, sizeof one);
    memcpy (&other, b, sizeof other);
    return (one > other) - (one < other);
}

const zc_id_t *zc_history_memory_gone (zc_history_t *base, size_t *count)
{
    s_memory_t *self = (s_memory_t *)base;
    *count = self->gone.len / sizeof (zc_id_t);
    if (*count)
        qsort (self->gone.data, *count, sizeof (zc_id_t), s_compare);
    return (const zc_id_t *)(const void *)self->gone.data;
}

void zc_history_memory_stay (zc_history_t *base)
{
    s_memory_t *self = (s_memory_t *)base;
    self->leaving = false;
    zc_buf_clear (&self->gone);
}

zc_history_t *zc_history_memory_heir (void)
{
    return &s_new ()->base;
}

void zc_history_memory_add (zc_history_t *base, zc_item_t *item)
{
    s_add ((s_memory_t *)base, item);
}

void zc_history_memory_remove (zc_history_t *base, zc_id_t id)
{
    s_memory_t *self = (s_memory_t *)base;
    s_entry_t *entry = self->pruned ? self->pruned : TAILQ_FIRST (&self->all);
    while (entry && entry->id < id)
        entry = TAILQ_NEXT (entry, age);
    self->pruned = entry;
    if (!entry || entry->id != id)
        return;
    self->pruned = TAILQ_NEXT (entry, age);
    s_drop (self, entry);
}

void zc_history_memory_begin (zc_history_t *base, const zc_memory_state_t *state)
{
    s_memory_t *self = (s_memory_t *)base;
    self->last = state->last;
    self->lost = state->lost;
    self->stats.floor = state->floor;
    self->stats.trimmed = state->trimmed;
    base->line = state->line;
    base->position = state->position;
    if (state->position >= 0)
        self->position = zc_position_take (state->position);
}
