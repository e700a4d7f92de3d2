/*  dedup.h - the publishers' own ids of the last while: whether a message was published before. */
#ifndef ZC_DEDUP_H
#define ZC_DEDUP_H

#include "lib/wire/id.h"
#include "lib/base/text.h"

typedef struct zc_dedup zc_dedup_t;

zc_dedup_t *zc_dedup_new (void);
void zc_dedup_destroy (zc_dedup_t **self_p);
/*  Forgets what is older than window_ms, and the oldest beyond `max`. */
void zc_dedup_configure (zc_dedup_t *self, uint64_t window_ms, size_t max);

/*  Notes that `event` was published on `topic` at `id`. */
void zc_dedup_add (zc_dedup_t *self, zc_slice_t topic, zc_slice_t event, zc_id_t id,
                   uint64_t now_ms);
/*  True, with the position of the first, where it was published within the window. */
bool zc_dedup_find (zc_dedup_t *self, zc_slice_t topic, zc_slice_t event, uint64_t now_ms,
                    zc_id_t *id);
/*  It wasn't published after all. */
void zc_dedup_remove (zc_dedup_t *self, zc_slice_t topic, zc_slice_t event, zc_id_t id);
size_t zc_dedup_size (const zc_dedup_t *self);

#endif
