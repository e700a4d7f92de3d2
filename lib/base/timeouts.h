/*  timeouts.h - timeouts of many objects, in a few kinds that each have one length.
 *
 *  Whoever began to wait first within a kind is the first whose time is over, so a kind is a queue,
 *  and looking after it costs nothing while nobody's time is over. No clock and no timer of its
 *  own: the owner says what time it is, in milliseconds that never go back, and looks now and then.
 */
#ifndef ZC_TIMEOUTS_H
#define ZC_TIMEOUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define ZC_TIMEOUT_KINDS 8

/*  Embedded in an object. All zero: it doesn't wait. */
typedef struct zc_timeout {
    TAILQ_ENTRY (zc_timeout) link;
    uint32_t since; /* when it began to wait; the clock's lower 32 bits */
    uint8_t kind;
    bool on; /* it waits */
} zc_timeout_t;

/*  The object that a timeout is embedded in. */
#define ZC_TIMEOUT_OWNER(timeout, type, field) \
    ((type *)(void *)((char *)(timeout)-offsetof (type, field)))

typedef struct {
    TAILQ_HEAD (zc_timeout_queue, zc_timeout) queues[ZC_TIMEOUT_KINDS];
    uint32_t length_ms[ZC_TIMEOUT_KINDS];
} zc_timeouts_t;

/*  Must not be moved afterwards. Every kind's length is 0. */
void zc_timeouts_init (zc_timeouts_t *self);
/*  How long a kind waits, up to 24 days; holds for those that wait already. */
void zc_timeouts_set (zc_timeouts_t *self, unsigned kind, unsigned length_ms);
/*  It waits from now on, in this kind, whether it did before or not. */
void zc_timeouts_start (zc_timeouts_t *self, zc_timeout_t *timeout, unsigned kind, uint64_t now_ms);
/*  It waits no more; nothing where it doesn't. */
void zc_timeouts_stop (zc_timeouts_t *self, zc_timeout_t *timeout);
/*  One whose time is over; NULL where there is none. It stays the first until it is started again
 *  or stopped. */
zc_timeout_t *zc_timeouts_due (const zc_timeouts_t *self, uint64_t now_ms);
/*  The one that has waited longest in a kind, and the next; NULL where there is none. */
zc_timeout_t *zc_timeouts_first (const zc_timeouts_t *self, unsigned kind);
zc_timeout_t *zc_timeouts_next (const zc_timeout_t *timeout);
/*  Nobody waits, in any kind. */
bool zc_timeouts_idle (const zc_timeouts_t *self);
/*  The clock was set: all begin to wait now. */
void zc_timeouts_restart (zc_timeouts_t *self, uint64_t now_ms);

#endif
