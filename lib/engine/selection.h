/*  selection.h - the selectors that match a topic.
 *
 *  Selectors are found by the text that they begin with. What was found for a topic is a route,
 * which is kept, so a message on a topic that was seen lately costs one look-up, however many
 * selectors there are. The number of routes is bounded, and a route may go at any time: nothing is
 * lost with it but time. No I/O. */
#ifndef ZC_SELECTION_H
#define ZC_SELECTION_H

#include <sys/queue.h>
#include "lib/base/slots.h"
#include "lib/base/table.h"
#include "lib/wire/id.h"
#include "lib/wire/selector.h"

typedef struct zc_selection zc_selection_t;

typedef struct zc_topic_route {
    zc_node_t node;
    zc_slice_t topic;                  /* key; owned */
    TAILQ_ENTRY (zc_topic_route) turn; /* in the order in which routes are to go */
    uint64_t version;                  /* of the selectors that it was made with */
    bool used;                         /* since it last had its turn */
    void *named;                       /* what `named` returned for the topic */
    void **items;                      /* owned: those of the selectors that match */
    size_t count;
    /*  Of the topic's messages: all in (since, last] came live. The owner fills these in. */
    zc_id_t since, last;
} zc_topic_route_t;

/*  A selector among the others. Its owner embeds it. */
typedef struct {
    zc_selector_t *selector; /* owned by whoever embeds it */
    void *item;              /* what a route tells of it; no other's */
    size_t slot;
} zc_selected_t;

/*  `named` is asked when a route is made. */
zc_selection_t *zc_selection_new (void *(*named) (void *arg, zc_slice_t topic), void *arg);
void zc_selection_destroy (zc_selection_t **self_p);
/*  Adds a selector. True if it is the first that begins with its text. */
bool zc_selection_add (zc_selection_t *self, zc_selected_t *selected);
/*  Removes a selector. True if no other begins with its text. */
bool zc_selection_remove (zc_selection_t *self, zc_selected_t *selected);
/*  Whether a selector begins with just this text. */
bool zc_selection_begins (const zc_selection_t *self, zc_slice_t text);
/*  The topic's route, valid until the next call. */
zc_topic_route_t *zc_selection_route (zc_selection_t *self, zc_slice_t topic);
/*  `named` would return something else now. */
void zc_selection_name (zc_selection_t *self, zc_slice_t topic, void *named);
/*  Drops all routes. */
void zc_selection_forget (zc_selection_t *self);
/*  Writes up to `max` texts, such that each selector in `among` begins with one of them, and none
 *  begins with another; or one empty text, if more were needed. They are borrowed. Returns their
 *  number. */
size_t zc_selection_beginnings (const zc_slots_t *among, zc_slice_t (*beginning) (const void *item),
                                zc_slice_t *out, size_t max);

#endif
