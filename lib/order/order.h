/*  order.h - which messages of one topic are complete, and which are missing. A state machine
 *  without I/O, clock or memory of its own: its owner reports each event, and acts on the
 *  result.
 *
 *  A message names its `prev`: between the two, the broker published nothing on the topic. So a
 *  message whose `prev` is beyond the known part shows a hole. The known part ends at the last
 *  message, or where the broker said that nothing follows it, whichever is later: a history that
 *  begins after the last message calls everything before its beginning unknown. The missing
 *  messages are asked of history, and live messages are held back meanwhile. */
#ifndef ZC_ORDER_H
#define ZC_ORDER_H

#include "lib/wire/id.h"

typedef enum {
    ZC_ORDER_NEW,    /* the broker hasn't confirmed the subscription yet */
    ZC_ORDER_LIVE,   /* complete up to `complete`, and growing */
    ZC_ORDER_REPAIR, /* a hole after `complete` is being fetched */
} zc_order_state_t;

/*  Anyone may read it; only the functions below change it. All zero: NEW. */
typedef struct {
    zc_order_state_t state;
    zc_id_t complete; /* all messages up to here have been handed on */
    zc_id_t verified; /* the broker said that nothing follows `complete` up to here */
    zc_id_t need;     /* NEW, REPAIR: history must reach this far before the topic is LIVE */
    zc_id_t seen;     /* NEW, REPAIR: the newest live message that is held back */
    bool doubted;     /* of a selector: messages may be missing that no later one will show, so the
                         order     isn't LIVE until zc_order_is_sure */
    zc_id_t handed; /* REPAIR: all messages of the page under way up to here have been handed on */
} zc_order_t;

typedef enum {
    ZC_ORDER_REPEAT, /* a repeat, or within a gap that was told: dropped */
    ZC_ORDER_NEXT,   /* the next one: handed on where LIVE, else held back */
    ZC_ORDER_HOLE,   /* the next one, behind a hole: the topic is in REPAIR from now on */
} zc_order_step_t;

/*  A live message. Unless it is a repeat, zc_order_took or zc_order_need follows. */
zc_order_step_t zc_order_message (zc_order_t *self, zc_id_t id, zc_id_t prev);
/*  All followers have the message, or hold it back. */
void zc_order_took (zc_order_t *self, zc_id_t id);
/*  History must reach `need` before a later message is handed on. True where that begins the
 *  repair. */
bool zc_order_need (zc_order_t *self, zc_id_t need);
/*  A new follower hasn't got the messages that are held back: they too must come from history. */
void zc_order_need_held (zc_order_t *self);
/*  A message of a repair's page. False if it isn't missing: the page began before `complete`, or an
 *  earlier page, which broke off, had it already. */
bool zc_order_fetched (zc_order_t *self, zc_id_t id);
/*  All of history up to `upto` has been handed on. With the live messages, that may make the
 *  topic LIVE; where it doesn't, the next page is needed. */
void zc_order_reached (zc_order_t *self, zc_id_t upto);
/*  The broker says that the topic's last position was `last` when everything up to `head` had
 *  been published. True where that begins a repair. */
bool zc_order_synced (zc_order_t *self, zc_id_t last, zc_id_t head);
/*  Messages of any topic may be missing after the known part: for the order of a selector, whose
 *  topics have a `prev` each, so that none of its messages shows the hole of another topic. True
 *  where that ends LIVE. */
bool zc_order_doubt (zc_order_t *self);
/*  All messages up to `head` are known, but for those up to `last` (ZC_ID_NONE: none is missing).
 */
void zc_order_is_sure (zc_order_t *self, zc_id_t last, zc_id_t head);
/*  The broker has forgotten the topic's past: it begins anew. */
void zc_order_begin_anew (zc_order_t *self);
/*  The position up to which nothing is missing: all messages were handed on, or there are none. */
zc_id_t zc_order_known (const zc_order_t *self);

#endif
