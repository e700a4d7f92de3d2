/*  order.h - of one topic: what is complete, and what is missing. A state machine without I/O,
 *  clock or memory of its own: its owner tells it what came, and does what it says.
 *
 *  A message names its `prev`: the broker published nothing on the topic between the two. So one
 *  whose prev is beyond what is complete shows a hole. History is asked for what is missing, and
 *  meanwhile what comes live is held back. */
#ifndef ZC_ORDER_H
#define ZC_ORDER_H

#include "lib/wire/id.h"

typedef enum {
    ZC_ORDER_NEW,    /* the broker hasn't confirmed the subscription yet */
    ZC_ORDER_LIVE,   /* complete up to `complete`, and growing */
    ZC_ORDER_REPAIR, /* a hole after `complete` is being fetched */
} zc_order_state_t;

/*  Read by anyone, changed only by the functions below. All zero: NEW. */
typedef struct {
    zc_order_state_t state;
    zc_id_t complete; /* everything up to here has been handed on */
    zc_id_t verified; /* the broker said that nothing follows `complete` up to here */
    zc_id_t need;     /* NEW, REPAIR: history must reach this far before the topic is LIVE */
    zc_id_t seen;     /* NEW, REPAIR: the newest live message that is held back */
    zc_id_t handed;   /* REPAIR: of the page under way, everything up to here has been handed on */
} zc_order_t;

typedef enum {
    ZC_ORDER_REPEAT, /* had before, or within a gap that was stated: dropped */
    ZC_ORDER_NEXT,   /* goes to who follows: handed on where LIVE, else held back */
    ZC_ORDER_HOLE,   /* the same, and from now on the topic is in REPAIR */
} zc_order_step_t;

/*  A live message. Unless it is a repeat, zc_order_took or zc_order_need follows. */
zc_order_step_t zc_order_message (zc_order_t *self, zc_id_t id, zc_id_t prev);
/*  All who follow have the message, or hold it back. */
void zc_order_took (zc_order_t *self, zc_id_t id);
/*  History must reach up to `need` before anything later is handed on. True where that is what
 *  begins the repair. */
bool zc_order_need (zc_order_t *self, zc_id_t need);
/*  Somebody follows who hasn't had what is held back: that too must come from history. */
void zc_order_need_held (zc_order_t *self);
/*  A message of a repair's page. False where a page that broke off had it already. */
bool zc_order_fetched (zc_order_t *self, zc_id_t id);
/*  History has been handed on up to `upto`: with what came live, that may make it LIVE. Where it
 *  doesn't, the next page is needed. */
void zc_order_reached (zc_order_t *self, zc_id_t upto);
/*  The broker says that the topic's last position is `last`, when all was published up to `head`.
 *  True where that begins a repair. */
bool zc_order_synced (zc_order_t *self, zc_id_t last, zc_id_t head);
/*  Nothing of its past means anything to the broker any more. */
void zc_order_begin_anew (zc_order_t *self);
/*  Up to here nothing is missing: handed on, or there is nothing. */
zc_id_t zc_order_known (const zc_order_t *self);

#endif
