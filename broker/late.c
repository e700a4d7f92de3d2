/*  late.c - a queue by age, since all requests wait for the same time. */
#include "broker/late.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define S_MAX 1000
#define S_MAX_BYTES (16u << 20) /* of the lists of topics */

typedef struct s_wait {
    TAILQ_ENTRY (s_wait) turn;
    uint64_t until_ms;
    zc_route_t route;
    zc_ask_t request; /* its slices are in `bytes`, or empty */
    char bytes[];
} s_wait_t;

struct zc_late {
    zc_late_hooks_t hooks;
    TAILQ_HEAD (, s_wait) queue;
    size_t count, bytes;
    zc_id_t head; /* at the last check, */
    uint64_t heard_ms;
};

zc_late_t *zc_late_new (const zc_late_hooks_t *hooks)
{
    zc_late_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->hooks = *hooks;
    TAILQ_INIT (&self->queue);
    return self;
}

static void s_remove (zc_late_t *self, s_wait_t *wait)
{
    TAILQ_REMOVE (&self->queue, wait, turn);
    self->count--;
    self->bytes -= wait->request.list.len;
    free (wait);
}

void zc_late_destroy (zc_late_t **self_p)
{
    zc_late_t *self = *self_p;
    if (!self)
        return;
    while (!TAILQ_EMPTY (&self->queue))
        s_remove (self, TAILQ_FIRST (&self->queue));
    free (self);
    *self_p = NULL;
}

bool zc_late_add (zc_late_t *self, const zc_route_t *route, const zc_ask_t *request,
                  uint64_t now_ms)
{
    size_t list = request->list.len, line = request->line.len;
    if (self->count >= S_MAX || self->bytes + list > S_MAX_BYTES)
        return false;
    s_wait_t *wait = malloc (sizeof *wait + list + line);
    if (!wait)
        abort ();
    *wait = (s_wait_t){.until_ms = now_ms + ZC_LATE_MS, .route = *route};
    wait->request = (zc_ask_t){.verb = request->verb,
                               .since_kind = request->since_kind,
                               .since = request->since,
                               .list = {wait->bytes, list},
                               .line = {wait->bytes + list, line},
                               .count = request->count,
                               .bytes = request->bytes};
    memcpy (wait->bytes, request->list.at, list);
    if (line)
        memcpy (wait->bytes + list, request->line.at, line);
    TAILQ_INSERT_TAIL (&self->queue, wait, turn);
    self->count++;
    self->bytes += list;
    return true;
}

/*  The broker has reached the position, or nobody has given it. */
static bool s_is_settled (const s_wait_t *self, zc_id_t head, uint64_t heard_ms)
{
    return self->request.since <= head ||
           (self->request.line.len == 0 && heard_ms > self->until_ms - ZC_LATE_MS);
}

void zc_late_turn (zc_late_t *self, zc_id_t head, uint64_t heard_ms, uint64_t now_ms)
{
    s_wait_t *wait, *next;
    for (; (wait = TAILQ_FIRST (&self->queue)) && wait->until_ms <= now_ms; s_remove (self, wait)) {
        if (s_is_settled (wait, head, heard_ms))
            self->hooks.reached (self->hooks.arg, &wait->route, &wait->request);
        else
            self->hooks.behind (self->hooks.arg, &wait->route);
    }
    if (head == self->head && heard_ms == self->heard_ms)
        return;
    self->head = head;
    self->heard_ms = heard_ms;
    for (wait = TAILQ_FIRST (&self->queue); wait; wait = next) {
        next = TAILQ_NEXT (wait, turn);
        if (!s_is_settled (wait, head, heard_ms))
            continue;
        self->hooks.reached (self->hooks.arg, &wait->route, &wait->request);
        s_remove (self, wait);
    }
}
