/*  timeouts.h - timeouts of many objects, in a few kinds that have one length each.
 *
 *  Within a kind, the object that began to wait first is the first whose time is over. So a kind
 *  is a queue, and looking for a timeout that is over costs nothing while there is none. There
 *  is no clock and no timer here: the owner passes the time, in milliseconds that never go back,
 *  and looks from time to time. */
#ifndef ZC_TIMEOUTS_H
#define ZC_TIMEOUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define ZC_TIMEOUT_KINDS 8

/*  Embedded in an object. All bytes zero: the object doesn't wait. */
typedef struct zc_timeout {
    TAILQ_ENTRY (zc_timeout) link;
    uint32_t since; /* when the object began to wait: the lower 32 bits of the time */
    uint8_t kind;
    bool on; /* the object waits */
} zc_timeout_t;

/*  The object that a timeout is embedded in. */
#define ZC_TIMEOUT_OWNER(timeout, type, field) \
    ((type *)(void *)((char *)(timeout)-offsetof (type, field)))

typedef struct {
    TAILQ_HEAD (zc_timeout_queue, zc_timeout) queues[ZC_TIMEOUT_KINDS];
    uint32_t length_ms[ZC_TIMEOUT_KINDS];
} zc_timeouts_t;

/*  The timeouts must not be moved afterwards. The length of every kind is 0. */
void zc_timeouts_init (zc_timeouts_t *self);
/*  Sets the length of a kind, up to 24 days, also for the objects that wait already. */
void zc_timeouts_set (zc_timeouts_t *self, unsigned kind, unsigned length_ms);
/*  The object waits from now on, in this kind, whether it waited before or not. */
void zc_timeouts_start (zc_timeouts_t *self, zc_timeout_t *timeout, unsigned kind, uint64_t now_ms);
/*  The object waits no more. Does nothing where it didn't wait. */
void zc_timeouts_stop (zc_timeouts_t *self, zc_timeout_t *timeout);
/*  A timeout that is over; NULL where there is none. The same one is returned until it is
 *  started again or stopped. */
zc_timeout_t *zc_timeouts_due (const zc_timeouts_t *self, uint64_t now_ms);
/*  The timeout of a kind that has waited longest, and the one after another; NULL at the end. */
zc_timeout_t *zc_timeouts_first (const zc_timeouts_t *self, unsigned kind);
zc_timeout_t *zc_timeouts_next (const zc_timeout_t *timeout);
/*  Whether no object waits, in any kind. */
bool zc_timeouts_idle (const zc_timeouts_t *self);
/*  The clock was set: all objects begin to wait now. */
void zc_timeouts_restart (zc_timeouts_t *self, uint64_t now_ms);

#endif
