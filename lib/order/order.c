/*  order.c - the state of a topic. */
#include "lib/order/order.h"

static void s_raise (zc_id_t *position, zc_id_t to)
{
    if (*position < to)
        *position = to;
}

zc_order_step_t zc_order_message (zc_order_t *self, zc_id_t id, zc_id_t prev)
{
    if (id <= self->complete)
        return ZC_ORDER_REPEAT;
    if (self->state == ZC_ORDER_LIVE)
        return prev > zc_order_known (self) && zc_order_need (self, prev) ? ZC_ORDER_HOLE
                                                                          : ZC_ORDER_NEXT;
    if (id <= self->seen)
        return ZC_ORDER_REPEAT;
    if (prev > self->seen)
        s_raise (&self->need, prev);
    return ZC_ORDER_NEXT;
}

void zc_order_took (zc_order_t *self, zc_id_t id)
{
    if (self->state == ZC_ORDER_LIVE)
        self->complete = id;
    else
        self->seen = id;
}

bool zc_order_need (zc_order_t *self, zc_id_t need)
{
    bool begins = self->state == ZC_ORDER_LIVE;
    if (begins) {
        self->state = ZC_ORDER_REPAIR;
        self->need = need;
        self->seen = self->complete;
    }
    s_raise (&self->need, need);
    return begins;
}

void zc_order_need_held (zc_order_t *self)
{
    if (self->state != ZC_ORDER_LIVE)
        s_raise (&self->need, self->seen);
}

bool zc_order_fetched (zc_order_t *self, zc_id_t id)
{
    if (id <= self->complete || id <= self->handed)
        return false;
    self->handed = id;
    return true;
}

void zc_order_reached (zc_order_t *self, zc_id_t upto)
{
    s_raise (&self->complete, upto);
    if (self->need > zc_order_known (self) || self->doubted) {
        self->state = ZC_ORDER_REPAIR;
        return;
    }
    s_raise (&self->complete, self->seen);
    self->need = self->seen = ZC_ID_NONE;
    self->state = ZC_ORDER_LIVE;
}

bool zc_order_synced (zc_order_t *self, zc_id_t last, zc_id_t head)
{
    switch (self->state) {
    case ZC_ORDER_NEW:
        self->verified = head;
        zc_order_reached (self, last);
        break;
    case ZC_ORDER_LIVE:
        if (last > zc_order_known (self))
            return zc_order_need (self, last);
        s_raise (&self->verified, head);
        break;
    case ZC_ORDER_REPAIR:
        s_raise (&self->need, last);
        break;
    }
    return false;
}

bool zc_order_doubt (zc_order_t *self)
{
    self->doubted = true;
    return zc_order_need (self, ZC_ID_NONE);
}

void zc_order_is_sure (zc_order_t *self, zc_id_t last, zc_id_t head)
{
    self->doubted = false;
    if (self->state == ZC_ORDER_NEW)
        return;
    s_raise (&self->need, last);
    zc_order_reached (self, self->complete);
    if (self->state == ZC_ORDER_LIVE)
        s_raise (&self->verified, head);
}

void zc_order_begin_anew (zc_order_t *self)
{
    *self = (zc_order_t){.state = ZC_ORDER_NEW};
}

zc_id_t zc_order_known (const zc_order_t *self)
{
    return self->verified > self->complete ? self->verified : self->complete;
}
