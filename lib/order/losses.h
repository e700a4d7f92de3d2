/*  losses.h - over all topics: may something have been lost that no message on its own topic has
 *  shown yet? A state machine without I/O, clock or memory of its own.
 *
 *  Three things raise the suspicion: a lost connection; a `dropped` position, in a message or an
 *  answer, that is newer than what was reconciled; and a reconciling that came too early. It ends
 *  with a round of SYNCs about every topic. */
#ifndef ZC_LOSSES_H
#define ZC_LOSSES_H

#include "lib/wire/id.h"
#include "lib/wire/message.h"

/*  Read by anyone, changed only by the functions below. All zero: nothing is suspected. */
typedef struct {
    bool suspect;       /* something may be lost: what spans several topics is held back */
    bool reconcile;     /* every topic is to be asked about with the next round */
    bool reconciling;   /* the round under way asks about every topic */
    zc_id_t head;       /* the newest position heard of */
    zc_id_t received;   /* the last message that came live */
    zc_id_t dropped;    /* reconciled up to this drop of the broker's */
    zc_id_t open;       /* the first message that came live after it; ZC_ID_NONE: none yet */
    zc_id_t unproved;   /* reconciled up to this head, when the queue may have been full still; or
                         * ZC_ID_NONE */
    zc_id_t proof;      /* comes live next, or the queue was still full when it was reconciled */
    zc_id_t round_head; /* the least `head` of the round's answers */
    zc_id_t round_dropped; /* the least `dropped` of them */
    zc_id_t round_last;    /* the newest position of a topic in them */
} zc_losses_t;

/*  Something may be lost. */
void zc_losses_suspect (zc_losses_t *self);
/*  A live message, of whatever topic, before it is handed on. */
void zc_losses_message (zc_losses_t *self, const zc_message_t *message);
/*  SYNCs are sent: about every topic where `reconcile` is set. */
void zc_losses_begin_round (zc_losses_t *self);
/*  The answer to one of them: `last` has a position for each topic asked for. */
void zc_losses_answer (zc_losses_t *self, zc_id_t head, zc_id_t dropped, const zc_id_t *last,
                       size_t count);
/*  One of them wasn't answered. */
void zc_losses_failed (zc_losses_t *self);
/*  The last of them was answered, or failed. True where that ends the suspicion. */
bool zc_losses_end_round (zc_losses_t *self);
/*  The broker's positions went back: it is at `head`. */
void zc_losses_begin_anew (zc_losses_t *self, zc_id_t head);

#endif
