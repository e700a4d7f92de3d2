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
 *  It depends on a secret of this process: nobody outside can make two messages with the same
 *  digest, and another process can't use it. */
zc_digest_t zc_dedup_digest (zc_dedup_t *self, zc_slice_t event, zc_slice_t payload);

/*  Notes that the message `name` was published on `topic` at `id`. */
void zc_dedup_add (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_digest_t digest,
                   zc_id_t id, uint64_t now_ms);
/*  Where a message of that name was published within the window, *id is the position of the last
 *  one. */
zc_seen_t zc_dedup_find (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_digest_t digest,
                         uint64_t now_ms, zc_id_t *id);
/*  The message wasn't published after all. */
void zc_dedup_remove (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_id_t id);
size_t zc_dedup_size (const zc_dedup_t *self);

#endif
