/*  feed.h - a log of bytes that grows only at its end and knows where each message begins.
 *
 *  It holds, once, all that the subscribers of a set of topics in one encoding receive. A client
 *  is a 64-bit position in it. Positions count bytes since the feed began and never wrap; bytes
 *  before zc_feed_tail are gone. Entries are appended in the order in which clients see them,
 *  which is the order of their ids. */
#ifndef ZC_FEED_H
#define ZC_FEED_H

#include "lib/base/buf.h"
#include "lib/wire/id.h"

typedef struct zc_feed zc_feed_t;

/*  `start`: the feed will hold all messages on its topics after this id. */
zc_feed_t *zc_feed_new (zc_id_t start);
void zc_feed_destroy (zc_feed_t **self_p);

/*  Appends one message's encoded bytes (copied). `id` is above zc_feed_last. */
void zc_feed_append (zc_feed_t *self, const void *bytes, size_t len, zc_id_t id);
/*  Appends bytes that are not a message (heartbeat, stated gap): they are sent in their turn, and
 *  never found by zc_feed_seek. */
void zc_feed_append_control (zc_feed_t *self, const void *bytes, size_t len);
/*  Appends the bytes of a gap that ends at `until`. */
void zc_feed_append_gap (zc_feed_t *self, const void *bytes, size_t len, zc_id_t until);
/*  The greatest `until`: a client that resumes from an earlier id may have missed messages that
 *  the feed never had, and must be told. ZC_ID_NONE: nothing is missing. */
zc_id_t zc_feed_gap (const zc_feed_t *self);

uint64_t zc_feed_head (const zc_feed_t *self); /* the position after the last byte */
uint64_t zc_feed_tail (const zc_feed_t *self); /* the oldest position still held */
zc_id_t zc_feed_last (const zc_feed_t *self);  /* the id up to which all is in the feed */
zc_id_t zc_feed_start (const zc_feed_t *self); /* all messages after this id are in the feed */
/*  Nothing was published up to `id`: moves zc_feed_last on without bytes. */
void zc_feed_advance (zc_feed_t *self, zc_id_t id);

/*  The bytes from `position` (tail..head) on: contiguous, borrowed until the next append or trim.
 *  *len is head - position. */
const uint8_t *zc_feed_bytes (const zc_feed_t *self, uint64_t position, size_t *len);
/*  Finds the position after all messages up to and including `id`; *count is the number of
 *  messages from there to head. Returns -1 where `id` is before start, or after last. */
int zc_feed_seek (const zc_feed_t *self, zc_id_t id, uint64_t *position, uint64_t *count);
/*  The first boundary at or after `position`: other bytes may be sent there in between. */
uint64_t zc_feed_boundary (const zc_feed_t *self, uint64_t position);
/*  The id up to which a client at boundary `position` is complete. */
zc_id_t zc_feed_id_at (const zc_feed_t *self, uint64_t position);
/*  Whether the feed holds the message with this id. */
bool zc_feed_has (const zc_feed_t *self, zc_id_t id);
/*  The position where the newest message begins: a client there waits for one message only. */
uint64_t zc_feed_newest (const zc_feed_t *self);

/*  Frees entries before `reader`, the lowest position that a client still reads from: keeps at
 *  most `bytes` of them (but always the newest message), and none older than `oldest`. Cheap
 *  when there is nothing to free. */
void zc_feed_trim (zc_feed_t *self, size_t bytes, zc_id_t oldest, uint64_t reader);
/*  Bytes of memory held. */
size_t zc_feed_memory (const zc_feed_t *self);

#endif
