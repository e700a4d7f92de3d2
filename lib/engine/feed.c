/*  feed.c - one contiguous run of bytes, and an index of its entries.
 *
 *  The bytes are contiguous, so that all bytes that a client lacks are one send. Bytes that are
 *  dropped become a dead prefix. The live bytes move to the front only when the space runs out
 *  and at least half of it is dead, so each byte is moved at most once on average. Rejected: a
 *  list of chunks, which needs an iovec for each chunk and client. */
#include "lib/engine/feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t position; /* of its first byte */
    zc_id_t id;        /* of a message; a control entry: the feed is complete up to here */
    bool message;      /* false: a control entry */
    uint64_t number;   /* messages that the feed had before this one */
} s_entry_t;

struct zc_feed {
    uint8_t *data;      /* owned */
    size_t cap;         /* bytes allocated */
    size_t dead;        /* bytes before tail in data */
    uint64_t tail;      /* position of data[dead] */
    uint64_t head;      /* position after the last byte */
    s_entry_t *entries; /* owned; first..count are live */
    size_t first, count, entries_cap;
    zc_id_t start, last;
    zc_id_t gap;       /* messages up to here are missing, and the gap was stated */
    uint64_t messages; /* appended since the feed began */
    uint64_t newest;   /* position of the newest message */
};

zc_feed_t *zc_feed_new (zc_id_t start)
{
    zc_feed_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->start = self->last = start;
    return self;
}

void zc_feed_destroy (zc_feed_t **self_p)
{
    zc_feed_t *self = *self_p;
    if (!self)
        return;
    free (self->data);
    free (self->entries);
    free (self);
    *self_p = NULL;
}

static size_t s_live (const zc_feed_t *self)
{
    return (size_t)(self->head - self->tail);
}

static void s_make_room (zc_feed_t *self, size_t len)
{
    size_t live = s_live (self);
    if (self->dead + live + len <= self->cap)
        return;
    if (self->dead < live || live + len > self->cap) {
        size_t cap = self->cap ? self->cap : 256;
        while (cap < live + len)
            cap *= 2;
        if (cap < 2 * live)
            cap *= 2;
        uint8_t *data = malloc (cap);
        if (!data)
            abort ();
        if (live)
            memcpy (data, self->data + self->dead, live);
        free (self->data);
        self->data = data;
        self->cap = cap;
    } else if (live) {
        memmove (self->data, self->data + self->dead, live);
    }
    self->dead = 0;
}

static s_entry_t *s_push (zc_feed_t *self)
{
    if (self->count == self->entries_cap) {
        size_t live = self->count - self->first;
        if (self->first >= live && self->first > 0) {
            memmove (self->entries, self->entries + self->first, live * sizeof *self->entries);
        } else {
            self->entries_cap = self->entries_cap ? self->entries_cap * 2 : 4;
            s_entry_t *entries = malloc (self->entries_cap * sizeof *entries);
            if (!entries)
                abort ();
            if (live)
                memcpy (entries, self->entries + self->first, live * sizeof *entries);
            free (self->entries);
            self->entries = entries;
        }
        self->first = 0;
        self->count = live;
    }
    return &self->entries[self->count++];
}

static void s_append (zc_feed_t *self, const void *bytes, size_t len, s_entry_t entry)
{
    assert (len > 0);
    s_make_room (self, len);
    memcpy (self->data + self->dead + s_live (self), bytes, len);
    entry.position = self->head;
    entry.number = self->messages;
    *s_push (self) = entry;
    self->head += len;
}

void zc_feed_append (zc_feed_t *self, const void *bytes, size_t len, zc_id_t id)
{
    assert (id > self->last);
    self->newest = self->head;
    s_append (self, bytes, len, (s_entry_t){.id = id, .message = true});
    self->messages++;
    self->last = id;
}

void zc_feed_append_control (zc_feed_t *self, const void *bytes, size_t len)
{
    s_append (self, bytes, len, (s_entry_t){.id = self->last});
}

void zc_feed_append_gap (zc_feed_t *self, const void *bytes, size_t len, zc_id_t until)
{
    zc_feed_append_control (self, bytes, len);
    if (until > self->gap)
        self->gap = until;
}

zc_id_t zc_feed_gap (const zc_feed_t *self)
{
    return self->gap;
}

uint64_t zc_feed_head (const zc_feed_t *self)
{
    return self->head;
}

uint64_t zc_feed_tail (const zc_feed_t *self)
{
    return self->tail;
}

zc_id_t zc_feed_last (const zc_feed_t *self)
{
    return self->last;
}

zc_id_t zc_feed_start (const zc_feed_t *self)
{
    return self->start;
}

void zc_feed_advance (zc_feed_t *self, zc_id_t id)
{
    if (id > self->last)
        self->last = id;
}

const uint8_t *zc_feed_bytes (const zc_feed_t *self, uint64_t position, size_t *len)
{
    assert (position >= self->tail && position <= self->head);
    *len = (size_t)(self->head - position);
    return *len ? self->data + self->dead + (position - self->tail) : NULL;
}

/*  The first live entry whose id is greater than `id`, or count. */
static size_t s_after_id (const zc_feed_t *self, zc_id_t id)
{
    size_t low = self->first, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->entries[middle].id > id)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/*  The first live entry that starts at `position` or later, or count. */
static size_t s_at_position (const zc_feed_t *self, uint64_t position)
{
    size_t low = self->first, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->entries[middle].position >= position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int zc_feed_seek (const zc_feed_t *self, zc_id_t id, uint64_t *position, uint64_t *count)
{
    if (id < self->start || id > self->last)
        return -1;
    size_t index = s_after_id (self, id);
    bool end = index == self->count;
    *position = end ? self->head : self->entries[index].position;
    *count = self->messages - (end ? self->messages : self->entries[index].number);
    return 0;
}

uint64_t zc_feed_boundary (const zc_feed_t *self, uint64_t position)
{
    size_t index = s_at_position (self, position);
    return index == self->count ? self->head : self->entries[index].position;
}

zc_id_t zc_feed_id_at (const zc_feed_t *self, uint64_t position)
{
    if (position == self->head)
        return self->last;
    size_t index = s_at_position (self, position);
    return index == self->first ? self->start : self->entries[index - 1].id;
}

static size_t s_entry_len (const zc_feed_t *self, size_t index)
{
    uint64_t end = index + 1 == self->count ? self->head : self->entries[index + 1].position;
    return (size_t)(end - self->entries[index].position);
}

bool zc_feed_has (const zc_feed_t *self, zc_id_t id)
{
    size_t index = s_after_id (self, id);
    while (index-- > self->first && self->entries[index].id == id)
        if (self->entries[index].message)
            return true;
    return false;
}

uint64_t zc_feed_newest (const zc_feed_t *self)
{
    return self->newest;
}

/*  Frees memory once the feed uses none of it, or little. */
static void s_shrink (zc_feed_t *self)
{
    if (self->first == self->count) {
        free (self->data);
        free (self->entries);
        self->data = NULL;
        self->entries = NULL;
        self->cap = self->dead = self->first = self->count = self->entries_cap = 0;
    } else if (self->cap > 65536 && s_live (self) < self->cap / 8) {
        size_t live = s_live (self);
        memmove (self->data, self->data + self->dead, live);
        self->dead = 0;
        uint8_t *data = realloc (self->data, 2 * live);
        if (data) {
            self->data = data;
            self->cap = 2 * live;
        }
    }
}

void zc_feed_trim (zc_feed_t *self, size_t bytes, zc_id_t oldest, uint64_t reader)
{
    size_t first = self->first;
    while (self->first < self->count) {
        const s_entry_t *entry = &self->entries[self->first];
        bool large = s_live (self) > bytes && entry->position < self->newest;
        if (!large && entry->id >= oldest)
            break;
        size_t len = s_entry_len (self, self->first);
        if (entry->position + len > reader)
            break;
        if (entry->id > self->start)
            self->start = entry->id;
        self->first++;
        self->tail += len;
        self->dead += len;
    }
    if (self->first != first)
        s_shrink (self);
}

size_t zc_feed_memory (const zc_feed_t *self)
{
    return sizeof *self + self->cap + self->entries_cap * sizeof *self->entries;
}
