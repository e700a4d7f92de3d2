/*  losses.c - what the broker may have dropped, and when that is cleared up. */
#include "lib/order/losses.h"

void zc_losses_suspect (zc_losses_t *self)
{
    self->suspect = true;
    self->reconcile = true;
}

/*  The broker says once that a queue is full. If it is ours, all that follows is lost in silence,
 *  with the same `dropped`, until there is room again: which a message shows that comes live after
 *  it. From then on nothing is lost but what another `dropped` tells of. */

/*  Has the broker dropped something since it was last made sure that the drop didn't concern us?
 *  Where the last message that came is the one it dropped for another subscriber, we have it. */
static void s_check_dropped (zc_losses_t *self, const zc_message_t *message)
{
    bool news = message->dropped > self->dropped;
    if (news && message->dropped != self->received)
        zc_losses_suspect (self);
    if (news)
        self->dropped = message->dropped;
    if (news || (self->open == ZC_ID_NONE && message->id > self->dropped))
        self->open = message->id;
}

/*  What the answers told of was all there was up to their head. What comes live after that shows
 * that there is room, but not since when. */
static void s_check_unproved (zc_losses_t *self)
{
    if (self->unproved == ZC_ID_NONE || self->open == ZC_ID_NONE)
        return;
    if (self->open > self->unproved)
        zc_losses_suspect (self);
    self->unproved = ZC_ID_NONE;
}

/*  When we reconciled, had the broker sent us something newer than what had come? Then that comes
 *  next: else the queue was still full, and more may have been lost since. */
static void s_check_proof (zc_losses_t *self, zc_id_t id)
{
    if (self->proof == ZC_ID_NONE || id < self->proof)
        return;
    if (id != self->proof)
        zc_losses_suspect (self);
    self->proof = ZC_ID_NONE;
}

void zc_losses_message (zc_losses_t *self, const zc_message_t *message)
{
    s_check_dropped (self, message);
    s_check_unproved (self);
    s_check_proof (self, message->id);
    self->received = message->id;
    if (message->id > self->head)
        self->head = message->id;
}

void zc_losses_begin_round (zc_losses_t *self)
{
    self->reconciling = self->reconcile;
    self->reconcile = false;
    self->round_head = self->round_dropped = ZC_ID_MAX;
    self->round_last = ZC_ID_NONE;
}

void zc_losses_answer (zc_losses_t *self, zc_id_t head, zc_id_t dropped, const zc_id_t *last,
                       size_t count)
{
    if (head > self->head)
        self->head = head;
    if (head < self->round_head)
        self->round_head = head;
    if (dropped < self->round_dropped)
        self->round_dropped = dropped;
    for (size_t i = 0; i < count; i++)
        if (last[i] > self->round_last)
            self->round_last = last[i];
}

/*  Nothing is taken for verified by the round that it belongs to. */
void zc_losses_failed (zc_losses_t *self)
{
    zc_losses_suspect (self);
    self->round_dropped = ZC_ID_NONE;
}

bool zc_losses_end_round (zc_losses_t *self)
{
    if (!self->reconciling) {
        if (self->round_dropped > self->dropped && self->round_dropped != ZC_ID_MAX)
            zc_losses_suspect (self);
        return false;
    }
    if (self->round_dropped > self->dropped) {
        self->dropped = self->round_dropped;
        self->open = ZC_ID_NONE; /* what comes after a drop tells of it */
    }
    self->proof = self->round_last > self->received ? self->round_last : ZC_ID_NONE;
    self->unproved = self->dropped != ZC_ID_NONE ? self->round_head : ZC_ID_NONE;
    self->reconciling = false;
    s_check_unproved (self); /* something may have come before the answers did */
    if (!self->suspect || self->reconcile)
        return false;
    self->suspect = false;
    return true;
}

void zc_losses_begin_anew (zc_losses_t *self, zc_id_t head)
{
    zc_losses_suspect (self);
    self->head = head;
    self->received = self->dropped = self->open = self->unproved = self->proof = ZC_ID_NONE;
}
