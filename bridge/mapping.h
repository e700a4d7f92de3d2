/*  mapping.h - which Redis channels are subscribed, and the topic that each becomes. No I/O.
 *
 *  An entry is "CHANNEL" or "CHANNEL -> TEMPLATE"; in a template {channel} stands for the channel's
 *  name. */
#ifndef ZC_MAPPING_H
#define ZC_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include "lib/base/buf.h"
#include "lib/base/text.h"

typedef struct zc_mapping zc_mapping_t;

/*  `topic_template` is for entries without their own (copied). Returns NULL with a sentence in
 *  `error` where it is no template. */
zc_mapping_t *zc_mapping_new (const char *topic_template, char *error, size_t size);
void zc_mapping_destroy (zc_mapping_t **self_p);
/*  Returns 0, or -1 with a sentence in `error`. pattern: for PSUBSCRIBE. */
int zc_mapping_add (zc_mapping_t *self, const char *entry, bool pattern, char *error, size_t size);

size_t zc_mapping_count (const zc_mapping_t *self);
/*  The channel or pattern of an entry; borrowed. */
const char *zc_mapping_name (const zc_mapping_t *self, size_t index, bool *pattern);

/*  The topic of a message that came on `channel` by the subscription `name`, appended to `topic`.
 *  Returns 0; -1 where there is no such entry (any more), or the result is not a topic. */
int zc_mapping_topic (const zc_mapping_t *self, zc_slice_t name, bool pattern, zc_slice_t channel,
                      zc_buf_t *topic);

#endif
