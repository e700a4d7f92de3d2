/*  pump.c - rounds: every client of every channel that has new bytes gets one send.
 *
 *  One send costs about the same whether it carries one message or thirty, so a worker that must
 *  carry more sends less often. Flushing each message at once would take `wanted sends a second
 *  x cost of one send` of a core. While that is little, messages are flushed at once. Beyond
 *  that, the interval is the cost of the last rounds divided by the share of a core that sending
 *  may take. So a few clients get short intervals and many clients long ones. The share shrinks
 *  as more is wanted, because waiting then saves more.
 *
 *  Costs are CPU time of this thread and not elapsed time, so that a busy machine doesn't look
 *  like expensive sends. Where a web server passes our bytes on, its work is counted, too
 *  (zc_pump_weigh). If the peers haven't taken the bytes of the last round (SIOCOUTQ of a
 *  sample), the interval grows further. */
#include "lib/engine/pump.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/engine/ring.h"

#define S_SLICE 256        /* sends before the loop turns to other events */
#define S_LOAD_FREE 0.60   /* of a core: up to here every message is flushed at once */
#define S_LOAD_LEAST 0.25  /* of a core: the least that sending may take */
#define S_LOAD_SLOPE 0.12  /* times the weight: by which the share shrinks for each core wanted */
#define S_WINDOW_US 100000 /* over which the rate is measured */
#define S_SAMPLE 8         /* clients whose send queue is sampled */

struct zc_pump {
    uv_idle_t idle;        /* continues a round that was cut */
    uv_timer_t timer;      /* starts the next round */
    unsigned open_handles; /* while it is destroyed */
    zc_ring_t *ring;       /* owned; NULL: each send is a call of its own */
    zc_hub_t *hub;         /* borrowed */
    zc_rounds_t *rounds;   /* the hub's */
    bool cut;              /* the round under way takes more than one slice */
    zc_ages_t ages;        /* of the messages that the cut round sends */
    uint64_t wall_us;      /* how far the wall clock is ahead of ours; checked in each window */
    void (*before) (void *arg); /* called before a timed round; may be NULL */
    void *before_arg;
    uint64_t max_delay_us;
    uint64_t round_us; /* when the last round began */
    double weight;     /* the machine's cost of a send, in units of our own cost */
    double cost_us;    /* of one send, smoothed, weighted */
    double round_cost; /* µs of a round, smoothed, weighted */
    double spent_us;   /* in the round under way */
    double rate;       /* wanted sends a second, smoothed */
    uint64_t window_us, window_wanted;
    double far_us; /* interval that the peers need */
    unsigned sampled, behind;
    zc_pump_stats_t stats;
};

static uint64_t s_now_us (void)
{
    return uv_hrtime () / 1000;
}

/*  CPU time of this thread. */
static double s_cpu_us (void)
{
    struct timespec time;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/*  One client. */

static void s_set_blocked (zc_pump_t *self, zc_client_t *client, bool was, bool blocked)
{
    if (client->blocked != blocked)
        zc_rounds_set_blocked (self->rounds, client, blocked);
    if (was != blocked)
        client->transport->want_write (client, blocked);
}

static void s_fail (zc_client_t *client)
{
    client->leaving = true;
    client->transport->gone (client, ZC_GONE_ERROR);
}

static void s_took (zc_pump_t *self, zc_client_t *client, size_t sent)
{
    self->stats.bytes += sent;
    zc_client_sent (client, sent);
}

void zc_pump_send (zc_pump_t *self, zc_client_t *client)
{
    if (client->leaving)
        return;
    bool was = client->blocked, blocked = false;
    if (was)
        zc_rounds_set_blocked (self->rounds, client, false);
    struct iovec iov[2];
    for (;;) {
        size_t count = zc_client_gather (client, iov);
        if (count == 0 && client->join) {
            zc_hub_client_drained (self->hub, client);
            count = zc_client_gather (client, iov);
        }
        if (count == 0)
            break;
        size_t total = iov[0].iov_len + (count > 1 ? iov[1].iov_len : 0);
        long sent = client->transport->write (client, iov, (int)count);
        self->stats.sends++;
        if (sent < 0) {
            s_fail (client);
            return;
        }
        s_took (self, client, (size_t)sent);
        blocked = (size_t)sent < total;
        self->stats.blocked += blocked;
        if (blocked || !client->join)
            break; /* that was all; only a join may bring more */
    }
    s_set_blocked (self, client, was, blocked);
}

/*  Many clients at once. */

static void s_batched (void *arg, void *what, size_t len, int sent)
{
    zc_pump_t *self = arg;
    zc_client_t *client = what;
    self->stats.sends++;
    if (sent < 0 && sent != -EAGAIN && sent != -EINTR) {
        errno = -sent;
        s_fail (client);
        return;
    }
    size_t taken = client->transport->end (client, len, sent > 0 ? (size_t)sent : 0);
    s_took (self, client, taken);
    self->stats.blocked += taken < len;
    s_set_blocked (self, client, client->blocked, taken < len);
}

static void s_submit (zc_pump_t *self)
{
    if (!self->ring || zc_ring_size (self->ring) == 0)
        return;
    self->stats.batches++;
    if (!zc_ring_submit (self->ring, s_batched, self)) {
        zc_warn (ZC_EVENT ("uring.failed error", "io_uring: %s; going on without"),
                 strerror (errno));
        zc_ring_destroy (&self->ring);
    }
}

/*  Adds a client to the batch if one piece of the feed is all that it needs. Returns false for
 *  any other client, and submits the batch first: serving that client may move the feed's bytes. */
static bool s_add_to_batch (zc_pump_t *self, zc_client_t *client)
{
    const zc_transport_t *transport = client->transport;
    struct iovec iov[2];
    uint8_t head[ZC_CLIENT_HEAD];
    int len = -1;
    if (transport->begin && !client->leaving && !client->join &&
        zc_client_gather (client, iov) == 1)
        len = transport->begin (client, iov[0].iov_len, head);
    if (len >= 0)
        zc_ring_add (self->ring, client->fd, head, (size_t)len, iov[0].iov_base, iov[0].iov_len,
                     client);
    else
        s_submit (self);
    return len >= 0;
}

/*  The interval. */

static void s_measure_rate (zc_pump_t *self, uint64_t now)
{
    uint64_t passed = now - self->window_us;
    if (passed < S_WINDOW_US)
        return;
    uint64_t wanted = zc_hub_stats (self->hub)->wanted;
    double rate = (double)(wanted - self->window_wanted) * 1e6 / (double)passed;
    self->rate = passed > 10 * S_WINDOW_US ? rate : (self->rate + rate) / 2;
    self->window_us = now;
    self->window_wanted = wanted;
    self->wall_us = zc_wall_ms () * 1000 - now;
}

static void s_measure_far_side (zc_pump_t *self)
{
    if (self->sampled == 0)
        return;
    if (2 * self->behind > self->sampled)
        self->far_us += (double)self->max_delay_us / 8;
    else
        self->far_us -= (double)self->max_delay_us / 16;
    double max = (double)self->max_delay_us;
    self->far_us = self->far_us < 0 ? 0 : self->far_us > max ? max : self->far_us;
    self->sampled = self->behind = 0;
}

static uint64_t s_interval_us (zc_pump_t *self)
{
    double wanted = self->rate * self->cost_us / 1e6, interval = 0;
    if (wanted > S_LOAD_FREE) {
        double share = S_LOAD_FREE - S_LOAD_SLOPE * self->weight * (wanted - S_LOAD_FREE);
        interval = self->round_cost / (share > S_LOAD_LEAST ? share : S_LOAD_LEAST);
    }
    if (interval < self->far_us)
        interval = self->far_us;
    if (interval > (double)self->max_delay_us)
        interval = (double)self->max_delay_us;
    self->stats.interval_us = (unsigned)interval;
    return (uint64_t)interval;
}

/*  Checks whether a client has read the bytes that it got in the last round. */
static void s_sample (zc_pump_t *self, const zc_client_t *client)
{
    int queued = 0;
    if (self->sampled >= S_SAMPLE || client->fd < 0)
        return;
    self->sampled++;
    /* TCP acknowledges late, and counts bytes as queued until then. So on TCP only the bytes
     * count that the peer has no room for. On a Unix socket all queued bytes are bytes that the
     * peer hasn't read. */
    if ((ioctl (client->fd, SIOCOUTQNSD, &queued) == 0 ||
         ioctl (client->fd, SIOCOUTQ, &queued) == 0) &&
        queued > 0)
        self->behind++;
}

/*  Rounds. */

static void s_idle (uv_idle_t *idle);
static void s_timer (uv_timer_t *timer);

/*  The round goes on later; bytes that are appended meanwhile belong to the next round. */
static void s_cut_round (zc_pump_t *self)
{
    if (!self->cut)
        zc_ages_take (zc_hub_ages (self->hub), &self->ages);
    self->cut = true;
    uv_idle_start (&self->idle, s_idle);
}

/*  The stamps are as exact as a slice is long, so no clock is read after a round of one slice. */
static void s_end_round (zc_pump_t *self)
{
    zc_ages_t *ages = self->cut ? &self->ages : zc_hub_ages (self->hub);
    uint64_t now = self->cut ? s_now_us () : self->round_us;
    zc_ages_sent (ages, (now + self->wall_us) / 1000, &self->stats.publish_to_send);
    if (self->cut)
        uv_idle_stop (&self->idle);
    self->cut = false;
}

/*  Continues the round; after a slice, leaves the rest to the next turn of the loop. */
static void s_slice (zc_pump_t *self)
{
    double began = s_cpu_us ();
    unsigned sends = 0;
    zc_client_t *client = NULL;
    while (sends < S_SLICE && (client = zc_rounds_next (self->rounds))) {
        s_sample (self, client);
        if (!self->ring || !s_add_to_batch (self, client))
            zc_pump_send (self, client);
        sends++;
    }
    s_submit (self);
    double spent = (s_cpu_us () - began) * self->weight;
    self->spent_us += spent;
    if (sends >= 16)
        self->cost_us += (spent / sends - self->cost_us) / 16;
    if (client)
        s_cut_round (self);
    else
        s_end_round (self);
}

static void s_begin_round (zc_pump_t *self, uint64_t now)
{
    self->round_us = now;
    self->stats.rounds++;
    s_measure_far_side (self);
    self->round_cost += (self->spent_us - self->round_cost) / 4;
    self->spent_us = 0;
    zc_rounds_begin (self->rounds);
    s_slice (self);
}

static void s_send_ready (zc_pump_t *self)
{
    zc_client_t *client;
    while ((client = zc_rounds_next_ready (self->rounds)))
        zc_pump_send (self, client);
}

/*  Clients hold too many bytes: sends all that the clients take now, and lets other events wait. */
static void s_make_room (zc_pump_t *self)
{
    do {
        s_send_ready (self);
        if (!zc_rounds_under_way (self->rounds) && zc_rounds_dirty (self->rounds))
            s_begin_round (self, s_now_us ());
        while (zc_rounds_under_way (self->rounds))
            s_slice (self);
    } while (zc_rounds_busy (self->rounds));
    zc_hub_settle (self->hub);
}

void zc_pump_kick (zc_pump_t *self)
{
    s_send_ready (self);
    while (zc_hub_full (self->hub))
        s_make_room (self);
    if (zc_rounds_under_way (self->rounds) || !zc_rounds_dirty (self->rounds))
        return;
    uint64_t now = s_now_us ();
    s_measure_rate (self, now);
    uint64_t due = self->round_us + s_interval_us (self);
    if (now >= due)
        s_begin_round (self, now);
    else if (!uv_is_active ((uv_handle_t *)&self->timer))
        uv_timer_start (&self->timer, s_timer, (due - now + 999) / 1000, 0);
}

static void s_idle (uv_idle_t *idle)
{
    zc_pump_t *self = idle->data;
    s_slice (self);
    if (!zc_rounds_under_way (self->rounds))
        zc_pump_kick (self);
}

static void s_timer (uv_timer_t *timer)
{
    zc_pump_t *self = timer->data;
    if (self->before)
        self->before (self->before_arg);
    zc_pump_kick (self);
}

zc_pump_t *zc_pump_new (uv_loop_t *loop, zc_hub_t *hub, unsigned max_delay_ms)
{
    zc_pump_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->hub = hub;
    self->rounds = zc_hub_rounds (hub);
    self->max_delay_us = (uint64_t)max_delay_ms * 1000;
    self->weight = 1;
    self->cost_us = 3;
    self->window_us = s_now_us ();
    self->wall_us = zc_wall_ms () * 1000 - self->window_us;
    uv_idle_init (loop, &self->idle);
    uv_timer_init (loop, &self->timer);
    self->idle.data = self->timer.data = self;
    return self;
}

static void s_closed (uv_handle_t *handle)
{
    zc_pump_t *self = handle->data;
    if (--self->open_handles == 0)
        free (self);
}

void zc_pump_destroy (zc_pump_t **self_p)
{
    zc_pump_t *self = *self_p;
    if (!self)
        return;
    zc_ring_destroy (&self->ring);
    self->open_handles = 2;
    uv_close ((uv_handle_t *)&self->idle, s_closed);
    uv_close ((uv_handle_t *)&self->timer, s_closed);
    *self_p = NULL;
}

void zc_pump_configure (zc_pump_t *self, unsigned max_delay_ms)
{
    self->max_delay_us = (uint64_t)max_delay_ms * 1000;
}

bool zc_pump_batch (zc_pump_t *self)
{
    self->ring = zc_ring_new (S_SLICE);
    return self->ring != NULL;
}

void zc_pump_before (zc_pump_t *self, void (*fn) (void *arg), void *arg)
{
    self->before = fn;
    self->before_arg = arg;
}

bool zc_pump_waiting (const zc_pump_t *self)
{
    return uv_is_active ((const uv_handle_t *)&self->timer);
}

void zc_pump_weigh (zc_pump_t *self, double weight)
{
    self->weight = weight;
}

const zc_pump_stats_t *zc_pump_stats (const zc_pump_t *self)
{
    return &self->stats;
}
