/*  timeouts.c - a queue for each kind. All timeouts of a kind are equally long, so the queue is
 *  in the order in which they end, and restarting one moves it to the end in constant time.
 *  Rejected: a heap or a wheel, which do more than that. */
#include "lib/base/timeouts.h"

void zc_timeouts_init (zc_timeouts_t *self)
{
    for (unsigned kind = 0; kind < ZC_TIMEOUT_KINDS; kind++) {
        TAILQ_INIT (&self->queues[kind]);
        self->length_ms[kind] = 0;
    }
}

void zc_timeouts_set (zc_timeouts_t *self, unsigned kind, unsigned length_ms)
{
    self->length_ms[kind] = length_ms;
}

void zc_timeouts_start (zc_timeouts_t *self, zc_timeout_t *timeout, unsigned kind, uint64_t now_ms)
{
    if (timeout->on)
        TAILQ_REMOVE (&self->queues[timeout->kind], timeout, link);
    timeout->on = true;
    timeout->kind = (uint8_t)kind;
    timeout->since = (uint32_t)now_ms;
    TAILQ_INSERT_TAIL (&self->queues[kind], timeout, link);
}

void zc_timeouts_stop (zc_timeouts_t *self, zc_timeout_t *timeout)
{
    if (timeout->on)
        TAILQ_REMOVE (&self->queues[timeout->kind], timeout, link);
    timeout->on = false;
}

zc_timeout_t *zc_timeouts_due (const zc_timeouts_t *self, uint64_t now_ms)
{
    for (unsigned kind = 0; kind < ZC_TIMEOUT_KINDS; kind++) {
        zc_timeout_t *first = TAILQ_FIRST (&self->queues[kind]);
        if (first && (uint32_t)now_ms - first->since >= self->length_ms[kind])
            return first;
    }
    return NULL;
}

zc_timeout_t *zc_timeouts_first (const zc_timeouts_t *self, unsigned kind)
{
    return TAILQ_FIRST (&self->queues[kind]);
}

zc_timeout_t *zc_timeouts_next (const zc_timeout_t *timeout)
{
    return TAILQ_NEXT (timeout, link);
}

bool zc_timeouts_idle (const zc_timeouts_t *self)
{
    for (unsigned kind = 0; kind < ZC_TIMEOUT_KINDS; kind++)
        if (!TAILQ_EMPTY (&self->queues[kind]))
            return false;
    return true;
}

void zc_timeouts_restart (zc_timeouts_t *self, uint64_t now_ms)
{
    for (unsigned kind = 0; kind < ZC_TIMEOUT_KINDS; kind++) {
        zc_timeout_t *one;
        TAILQ_FOREACH (one, &self->queues[kind], link)
        one->since = (uint32_t)now_ms;
    }
}
