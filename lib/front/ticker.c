/*  ticker.c - see ticker.h.
 *
 *  Each process has a topic of its own. With one topic for all, each of them would get the figures
 * of every other one, and with a log those of other brokers, too. Rejected: bytes that are added to
 * each client's stream past its feed, for which this file would have to know of chunks, slow
 * clients and upgrades. */
#include "lib/front/ticker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/front/events.h"
#include "lib/front/inquiry.h"
#include "lib/wire/message.h"

#define S_PERIOD_MS 2000
#define S_TIMEOUT_MS 3000 /* for the broker's answer */

/*  One for each process. */
typedef struct {
    zc_front_t *front; /* borrowed */
    char topic[96];
    uv_timer_t *timer; /* owned by the loop */
    bool asking;       /* a question or a message is under way */
} s_ticker_t;

static s_ticker_t *s_ticker; /* owned; made by the first stream */

static zc_slice_t s_topic (const s_ticker_t *self)
{
    return (zc_slice_t){self->topic, strlen (self->topic)};
}

/*  Nobody is told of a failure: who gets no figures asks for them. */
static void s_on_published (void *arg, const zc_answer_t *answer)
{
    (void)arg, (void)answer;
    if (s_ticker)
        s_ticker->asking = false;
}

static void s_on_stats (void *arg, const zc_answer_t *answer)
{
    s_ticker_t *self = s_ticker;
    (void)arg;
    if (!self)
        return;
    zc_link_t *link = zc_worker_link (self->front->worker);
    zc_ask_t ask = {.verb = ZC_PUBLISH,
                    .message = {.topic = s_topic (self), .payload = answer->text},
                    .headers = {"ttl: 0\nvia: http\n", 17}};
    self->asking = answer->kind == ZC_OK && answer->text.len <= zc_link_max_payload (link) &&
                   zc_link_publish (link, &ask, S_TIMEOUT_MS, s_on_published, NULL);
}

static void s_on_tick (uv_timer_t *timer)
{
    static const zc_ask_t ask = {.verb = ZC_STATS};
    s_ticker_t *self = timer->data;
    zc_link_t *link = zc_worker_link (self->front->worker);
    if (zc_hub_clients_of (zc_worker_hub (self->front->worker), s_topic (self)) == 0) {
        uv_timer_stop (timer);
        return;
    }
    if (!self->asking && zc_link_connected (link))
        self->asking = zc_link_publish (link, &ask, S_TIMEOUT_MS, s_on_stats, NULL);
}

static s_ticker_t *s_new (zc_front_t *front)
{
    s_ticker_t *self = calloc (1, sizeof *self);
    char host[48] = "";
    if (!self || !(self->timer = calloc (1, sizeof *self->timer)))
        abort ();
    gethostname (host, sizeof host - 1);
    self->front = front;
    snprintf (self->topic, sizeof self->topic, ZC_CANARY_TOPIC "console/%s.%d", host,
              (int)getpid ());
    uv_timer_init (zc_worker_loop (front->worker), self->timer);
    self->timer->data = self;
    return self;
}

void zc_ticker_stream (zc_exchange_t *exchange)
{
    if (exchange->front->draining) {
        zc_events_stream (exchange, NULL, 0, false, (zc_slice_t){NULL, 0}); /* refuses */
        return;
    }
    if (!s_ticker)
        s_ticker = s_new (exchange->front);
    if (!uv_is_active ((uv_handle_t *)s_ticker->timer))
        uv_timer_start (s_ticker->timer, s_on_tick, 0, S_PERIOD_MS);
    zc_slice_t topic = s_topic (s_ticker);
    zc_events_stream (exchange, &topic, 1, false, (zc_slice_t){NULL, 0});
}

static void s_free_timer (uv_handle_t *handle)
{
    free (handle);
}

void zc_ticker_rest (zc_front_t *front)
{
    s_ticker_t *self = s_ticker;
    if (!self || self->front != front)
        return;
    uv_close ((uv_handle_t *)self->timer, s_free_timer);
    free (self);
    s_ticker = NULL;
}
