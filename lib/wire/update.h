/*  update.h - an update on several topics: as many messages with consecutive positions, each with
 *  the list of all topics in its header `topics`. No I/O.
 *
 *  The list has a space between topics; in a topic, `%` and space are %25 and %20. */
#ifndef ZC_UPDATE_H
#define ZC_UPDATE_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

#define ZC_UPDATE_TOPICS_MAX 1000

/*  Appends a topic to a list that begins at the buffer's byte `begin`. */
void zc_update_add (zc_buf_t *list, size_t begin, zc_slice_t topic);
/*  Takes the next topic off a list, which shrinks. `text` gets its bytes if it has escapes, and has
 *  room for ZC_TOPIC_MAX. False at the end, or where the list is malformed. */
bool zc_update_next (zc_slice_t *list, char *text, zc_slice_t *topic);
/*  Whether the topic is in the list. */
bool zc_update_names (zc_slice_t list, zc_slice_t topic);

#endif
