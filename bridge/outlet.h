/*  outlet.h - which topics go out to Redis, and on which channel: a prefix and the topic. No I/O.
 *
 *  An entry is a topic, or one that ends in '*' and stands for all topics that begin with what is
 *  before it. */
#ifndef ZC_OUTLET_H
#define ZC_OUTLET_H

#include <stdbool.h>
#include "lib/base/buf.h"
#include "lib/base/text.h"

typedef struct zc_outlet zc_outlet_t;

zc_outlet_t *zc_outlet_new (const char *channel_prefix);
void zc_outlet_destroy (zc_outlet_t **self_p);
/*  Returns 0, or -1 with a sentence in `error`. */
int zc_outlet_add (zc_outlet_t *self, const char *entry, char *error, size_t size);

size_t zc_outlet_count (const zc_outlet_t *self);
/*  The topic, or the beginning of topics, of an entry; borrowed. */
zc_slice_t zc_outlet_topic (const zc_outlet_t *self, size_t index, bool *prefix);
/*  What to (P)SUBSCRIBE to for what other sites send on an entry's channels, appended to `out`. */
void zc_outlet_subscription (const zc_outlet_t *self, size_t index, zc_buf_t *out);

/*  The channel of a topic, appended to `out`. */
void zc_outlet_channel (const zc_outlet_t *self, zc_slice_t topic, zc_buf_t *out);
/*  Whether the channel is that of a topic that goes out, and which; the topic is borrowed. */
bool zc_outlet_find (const zc_outlet_t *self, zc_slice_t channel, zc_slice_t *topic);

#endif
