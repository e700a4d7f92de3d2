/*  pump.h - sends feeds to clients, and decides when: rounds, slices, the flush interval.
 *
 *  Light work is flushed at once. Under load, the interval between rounds keeps sending to a share
 *  of a core. The interval grows with the backlog on the far side, up to max_delay_ms. */
#ifndef ZC_PUMP_H
#define ZC_PUMP_H

#include <uv.h>
#include "lib/engine/hub.h"

typedef struct zc_pump zc_pump_t;

zc_pump_t *zc_pump_new (uv_loop_t *loop, zc_hub_t *hub, unsigned max_delay_ms);
/*  Stops its handles; the loop must run once more before it is closed. */
void zc_pump_destroy (zc_pump_t **self_p);
void zc_pump_configure (zc_pump_t *self, unsigned max_delay_ms);
/*  A send costs this machine `weight` times as much as it costs this process, because other
 *  processes on the machine pass the bytes on. */
void zc_pump_weigh (zc_pump_t *self, double weight);

/*  Sends in batches to clients whose transport has `begin`. Returns false with errno if the system
 *  has no io_uring. */
bool zc_pump_batch (zc_pump_t *self);

/*  `fn` is called before a round that was waited for, to bring in messages that can go out with
 *  it. */
void zc_pump_before (zc_pump_t *self, void (*fn) (void *arg), void *arg);
/*  Whether a round is waited for. Messages that come meanwhile go out with it, and not before. */
bool zc_pump_waiting (const zc_pump_t *self);

/*  There may be something to send: called by the link after it drained its sockets. */
void zc_pump_kick (zc_pump_t *self);
/*  Sends to one client now, as much as the socket takes. Call it after zc_client_add or
 *  zc_hub_join, and from the transport's own handle when a blocked socket has become writable. May
 *  call transport->gone. */
void zc_pump_send (zc_pump_t *self, zc_client_t *client);

typedef struct {
    uint64_t rounds, sends, blocked, bytes;
    uint64_t batches;               /* system calls that did several of the sends */
    unsigned interval_us;           /* now */
    zc_histogram_t publish_to_send; /* see ages.h */
} zc_pump_stats_t;
const zc_pump_stats_t *zc_pump_stats (const zc_pump_t *self);

#endif
