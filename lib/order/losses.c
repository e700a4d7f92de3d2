/*  losses.c - what the broker may have dropped, and when that is cleared up. */
#include "lib/order/losses.h"

void zc_losses_suspect (zc_losses_t *self)
{
    self->suspect = true;
    self->reconcile = true;
}

/*  Has the broker dropped something since it was last made sure that the drop didn't concern us?
 *  Where the last message that came is the one it dropped for another subscriber, we have it. */
static void s_check_dropped (zc_losses_t *self, zc_id_t dropped)
{
    if (dropped <= self->dropped)
        return;
    if (dropped != self->received)
        zc_losses_suspect (self);
    self->dropped = dropped;
}

/*  The broker says once that our queue is full; what it drops after that has the same `dropped`.
 *  When we reconciled, had it sent us something newer than what had come? Then that comes next:
 *  else the queue was still full, and more may have been lost since. */
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
    s_check_dropped (self, message->dropped);
    s_check_proof (self, message->id);
    self->received = message->id;
    if (message->id > self->head)
        self->head = message->id;
}

void zc_losses_begin_round (zc_losses_t *self)
{
    self->reconciling = self->reconcile;
    self->reconcile = false;
    self->round_dropped = ZC_ID_MAX;
    self->round_last = ZC_ID_NONE;
}

void zc_losses_answer (zc_losses_t *self, zc_id_t head, zc_id_t dropped, const zc_id_t *last,
                       size_t count)
{
    if (head > self->head)
        self->head = head;
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
    if (self->round_dropped > self->dropped)
        self->dropped = self->round_dropped;
    self->proof = self->round_last > self->received ? self->round_last : ZC_ID_NONE;
    self->reconciling = false;
    if (!self->suspect || self->reconcile)
        return false;
    self->suspect = false;
    return true;
}

void zc_losses_begin_anew (zc_losses_t *self, zc_id_t head)
{
    zc_losses_suspect (self);
    self->head = head;
    self->received = self->dropped = self->proof = ZC_ID_NONE;
}
