/*  dedup.h - by what publishers say their messages are known: whether one was published before.
 *
 *  The own id of its publisher, or else a key, names a message within its topic; what it says is
 *  kept as a digest, so that a repeat is told from another message under the same name. */
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
/*  Forgets what is older than window_ms, and the oldest beyond `max`. */
void zc_dedup_configure (zc_dedup_t *self, uint64_t window_ms, size_t max);

/*  Of what a subscriber is shown: the payload, and the event type (may be empty). Nobody outside
 * can make two messages with the same one: it depends on a secret of this process, and so means
 * nothing to another. */
zc_digest_t zc_dedup_digest (zc_dedup_t *self, zc_slice_t event, zc_slice_t payload);

/*  Notes that the message `name` was published on `topic` at `id`. */
void zc_dedup_add (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_digest_t digest,
                   zc_id_t id, uint64_t now_ms);
/*  Where it was published within the window, *id is the position of the last one of that name. */
zc_seen_t zc_dedup_find (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_digest_t digest,
                         uint64_t now_ms, zc_id_t *id);
/*  It wasn't published after all. */
void zc_dedup_remove (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_id_t id);
size_t zc_dedup_size (const zc_dedup_t *self);

#endif
