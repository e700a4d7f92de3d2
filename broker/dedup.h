/*  dedup.h - recognises messages that were published before.
 *
 *  A message is named, within its topic, by its publisher's own id, or else by a key. A digest
 *  of its content is kept, so that a repeat is told from another message under the same name. */
#ifndef ZC_DEDUP_H
#define ZC_DEDUP_H

#include "lib/wire/id.h"
#include "lib/base/text.h"

typedef struct zc_dedup zc_dedup_t;

typedef enum {
    ZC_SEEN_NEVER,
    ZC_SEEN_SAME,  /* a repeat */
    ZC_SEEN_OTHER, /* another message has its name: a conflict */
} zc_seen_t;

typedef struct {
    uint64_t words[2];
} zc_digest_t;

/*  One thread uses it. */
zc_dedup_t *zc_dedup_new (void);
void zc_dedup_destroy (zc_dedup_t **self_p);
/*  Forgets messages older than window_ms, and the oldest ones beyond `max`. */
void zc_dedup_configure (zc_dedup_t *self, uint64_t window_ms, size_t max);

/*  A digest of the parts that subscribers see: the payload, and the event type (may be empty).
 *  It depends on a secret: nobody outside can make two messages with the same digest, and only a
 *  process with the same secret can use it. */
zc_digest_t zc_dedup_digest (zc_dedup_t *self, zc_slice_t event, zc_slice_t payload);

/*  Notes that the message `name` was published on `topic` at `id`. */
void zc_dedup_add (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_digest_t digest,
                   zc_id_t id, uint64_t now_ms);
/*  Where a message of that name was published within the window, *id is the position of the last
 *  one. */
zc_seen_t zc_dedup_find (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_digest_t digest,
                         uint64_t now_ms, zc_id_t *id);
/*  For a process and its successor: what is remembered, by age, and the secret (ZC_DEDUP_SECRET
 *  bytes) that its digests depend on. */
#define ZC_DEDUP_SECRET 16
typedef struct {
    zc_slice_t topic, name;
    zc_digest_t digest;
    zc_id_t id;
    uint64_t at_ms;
} zc_dedup_entry_t;
/*  *at is NULL at first. Returns false at the end. */
bool zc_dedup_each (const zc_dedup_t *self, const void **at, zc_dedup_entry_t *entry);
const uint8_t *zc_dedup_secret (const zc_dedup_t *self);
/*  While nothing is remembered. */
void zc_dedup_set_secret (zc_dedup_t *self, const uint8_t *secret);

/*  The message wasn't published after all. */
void zc_dedup_remove (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_id_t id);
size_t zc_dedup_size (const zc_dedup_t *self);

#endif
