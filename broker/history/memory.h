/*  memory.h - history in memory (history.h), and how it goes over to a successor of the process. */
#ifndef ZC_HISTORY_MEMORY_H
#define ZC_HISTORY_MEMORY_H

#include "broker/history/history.h"
#include "lib/base/buf.h"

/*  `file` keeps the last position and its line (position.h), so that positions don't go back even
 *  if the clock does; NULL: they aren't kept. *last becomes the last position that may have been
 *  given. Returns NULL with a sentence in `error`. */
zc_history_t *zc_history_memory_new (const char *file, zc_id_t *last, char *error, size_t size);

/*  In the predecessor. From zc_history_memory_leave on, each call of zc_history_memory_next gives
 *  the next message, by age, while others are appended and go. Returns false while there is none.
 */
typedef struct {
    zc_stored_t stored;
    const zc_topic_t *topic;
    uint64_t expires_ms;
    uint16_t event_at, event_len;
} zc_heirloom_t;
void zc_history_memory_leave (zc_history_t *self);
zc_id_t zc_history_memory_lost (const zc_history_t *self); /* zc_history_lose */
bool zc_history_memory_next (zc_history_t *self, zc_heirloom_t *kept);
/*  The messages that were given, and are gone since: `count` positions, in increasing order.
 *  Borrowed. */
const zc_id_t *zc_history_memory_gone (zc_history_t *self, size_t *count);
/*  Ends that. */
void zc_history_memory_stay (zc_history_t *self);

/*  In the successor. A history that is empty, to which messages are added, and from which those
 *  are removed that have gone; then it gets the rest. */
typedef struct {
    zc_id_t last, lost;
    zc_id_t floor;    /* of all topics */
    uint64_t trimmed; /* since the first of these processes began */
    zc_line_t line;
    int position; /* file of the position; taken; -1: none */
} zc_memory_state_t;
zc_history_t *zc_history_memory_heir (void);
void zc_history_memory_add (zc_history_t *self, zc_item_t *item);
/*  Positions come in increasing order. */
void zc_history_memory_remove (zc_history_t *self, zc_id_t id);
void zc_history_memory_begin (zc_history_t *self, const zc_memory_state_t *state);

#endif
