/*  mapping.h - the Redis channels to subscribe to, and the topic that each of them becomes. No I/O.
 *
 *  An entry is "CHANNEL" or "CHANNEL -> TEMPLATE". In a template, {channel} stands for the
 *  channel's name; in that of a pattern, {1} stands for what its first '*' stands for, and so on
 *  (glob.h). */
#ifndef ZC_MAPPING_H
#define ZC_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include "lib/base/buf.h"
#include "lib/base/text.h"

typedef struct zc_mapping zc_mapping_t;

/*  `topic_template` (copied) is the template of entries without their own. Returns NULL with a
 *  sentence in `error` if the text is no template. */
zc_mapping_t *zc_mapping_new (const char *topic_template, char *error, size_t size);
void zc_mapping_destroy (zc_mapping_t **self_p);
/*  Returns 0; or -1 with a sentence in `error`. `pattern`: the entry is for PSUBSCRIBE. */
int zc_mapping_add (zc_mapping_t *self, const char *entry, bool pattern, char *error, size_t size);

size_t zc_mapping_count (const zc_mapping_t *self);
/*  The channel or pattern of an entry; borrowed. */
const char *zc_mapping_name (const zc_mapping_t *self, size_t index, bool *pattern);

/*  Appends to `topic` the topic of a message that came on `channel` through the subscription
 *  `name`. Returns 0; or -1 if there is no such entry (any more), or the result is no topic. */
int zc_mapping_topic (const zc_mapping_t *self, zc_slice_t name, bool pattern, zc_slice_t channel,
                      zc_buf_t *topic);

#endif
