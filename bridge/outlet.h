/*  outlet.h - the topics that go out to Redis, and the channel of each: a prefix, and the topic. No
 *  I/O.
 *
 *  An entry is a topic; or it ends in '*', and stands for all topics that begin with the text
 *  before the '*'. */
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
/*  The topic of an entry; or, if *prefix is set, the beginning of its topics. Borrowed. */
zc_slice_t zc_outlet_topic (const zc_outlet_t *self, size_t index, bool *prefix);
/*  Appends to `out` the name or pattern to (P)SUBSCRIBE to, to get the messages that other sites
 *  send on an entry's channels. */
void zc_outlet_subscription (const zc_outlet_t *self, size_t index, zc_buf_t *out);

/*  Appends the channel of a topic to `out`. */
void zc_outlet_channel (const zc_outlet_t *self, zc_slice_t topic, zc_buf_t *out);
/*  Whether the channel is that of a topic that goes out. *topic is that topic, borrowed. */
bool zc_outlet_find (const zc_outlet_t *self, zc_slice_t channel, zc_slice_t *topic);

#endif
