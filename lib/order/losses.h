/*  losses.h - whether a message may have been lost, on any topic, without a later message of its
 *  own topic having shown that yet. A state machine without I/O, clock or memory of its own.
 *
 *  Three events raise the suspicion: a lost connection; a `dropped` position, in a message or an
 *  answer, that is newer than the last reconciled one; and a reconciling that came too early. A
 *  round of SYNCs about every topic ends it. */
#ifndef ZC_LOSSES_H
#define ZC_LOSSES_H

#include "lib/wire/line.h"
#include "lib/wire/message.h"

/*  Anyone may read it; only the functions below change it. All zero: nothing is suspected. */
typedef struct {
    bool suspect;     /* a message may be lost: channels of several topics hold back */
    bool reconcile;   /* the next round is to ask about every topic */
    bool reconciling; /* the round under way asks about every topic */
    zc_id_t head;     /* the newest position in any message or answer */
    zc_id_t received; /* the last message that came live */
    zc_id_t dropped;  /* the `dropped` position up to which all is reconciled */
    zc_id_t open;     /* the first live message after `dropped`; ZC_ID_NONE: none yet */
    zc_id_t unproved; /* all is reconciled up to this head, but the queue may still have been full;
                         or ZC_ID_NONE */
    zc_id_t proof;    /* this message must come live next: else the queue was still full at the
                         reconciling */
    zc_id_t round_head;    /* the least `head` of the round's answers */
    zc_id_t round_dropped; /* the least `dropped` of them */
    zc_id_t round_last;    /* the newest position of a topic in them */
} zc_losses_t;

/*  A message may have been lost. */
void zc_losses_suspect (zc_losses_t *self);
/*  A live message of any topic, before it is handed on. */
void zc_losses_message (zc_losses_t *self, const zc_message_t *message);
/*  History has told of this position: by a message, as the end of a page, or by a list of topics.
 */
void zc_losses_fetched (zc_losses_t *self, zc_id_t position);
/*  SYNCs are being sent, about every topic where `reconcile` is set. */
void zc_losses_begin_round (zc_losses_t *self);
/*  A SYNC was answered: `last` has a position for each topic that it asked about. */
void zc_losses_answer (zc_losses_t *self, zc_id_t head, zc_id_t dropped, const zc_id_t *last,
                       size_t count);
/*  A SYNC failed. */
void zc_losses_failed (zc_losses_t *self);
/*  The last SYNC of the round was answered, or failed. True where that ends the suspicion. */
bool zc_losses_end_round (zc_losses_t *self);
/*  Whether the broker's positions have gone back: it has lost its history, and its clock was set
 *  back. `had`: the newest position that we had when we asked, of the line `ours`. `line` and
 * `head` are in the answer. */
bool zc_losses_went_back (const zc_line_t *ours, zc_id_t had, const zc_line_t *line, zc_id_t head);
/*  They have gone back to `head`. */
void zc_losses_begin_anew (zc_losses_t *self, zc_id_t head);

#endif
