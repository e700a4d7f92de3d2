/*  losses.c - messages that the broker may have dropped, and when that is cleared up.
 *
 *  The broker says once that a subscriber's queue is full. If the queue is ours, all messages
 *  that follow are lost in silence, with the same `dropped`, until the queue has room again. A
 *  live message that comes after the drop shows that there is room. From then on, only another
 *  `dropped` tells of a loss. */
#include "lib/order/losses.h"

void zc_losses_suspect (zc_losses_t *self)
{
    self->suspect = true;
    self->reconcile = true;
}

/*  Whether the broker has dropped a message since the last drop that was found not to concern
 *  us. If the dropped message is the last one that came here, it was dropped for another
 *  subscriber. */
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

/*  The answers told of all messages up to their head. A later live message shows that the queue
 *  has room, but not since when. */
static void s_check_unproved (zc_losses_t *self)
{
    if (self->unproved == ZC_ID_NONE || self->open == ZC_ID_NONE)
        return;
    if (self->open > self->unproved)
        zc_losses_suspect (self);
    self->unproved = ZC_ID_NONE;
}

/*  If the broker had already sent us something newer when we reconciled, then that message comes
 *  next. If another one comes first, the queue was still full, and more may be lost. */
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
    zc_losses_fetched (self, message->id);
}

void zc_losses_fetched (zc_losses_t *self, zc_id_t position)
{
    if (position > self->head)
        self->head = position;
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

/*  Such a round verifies nothing. */
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
        self->open = ZC_ID_NONE; /* a message that comes after a drop tells of it */
    }
    bool ever = self->dropped != ZC_ID_NONE;
    self->proof = ever && self->round_last > self->received ? self->round_last : ZC_ID_NONE;
    self->unproved = ever ? self->round_head : ZC_ID_NONE;
    self->reconciling = false;
    s_check_unproved (self); /* such a message may have come before the answers */
    if (!self->suspect || self->reconcile)
        return false;
    self->suspect = false;
    return true;
}

/*  Another line says so, unless it begins after all that we have. An older broker names no line. */
bool zc_losses_went_back (const zc_line_t *ours, zc_id_t had, const zc_line_t *line, zc_id_t head)
{
    if (!zc_line_known (ours) || !zc_line_known (line))
        return head < had;
    return !zc_line_same (ours, line) && !zc_line_follows (line, had);
}

void zc_losses_begin_anew (zc_losses_t *self, zc_id_t head)
{
    zc_losses_suspect (self);
    self->head = head;
    self->received = self->dropped = self->open = self->unproved = self->proof = ZC_ID_NONE;
}
