/*  barriers.c - a table of nonces, and a queue of them by age. SYNCs that can be answered leave
 *  both for a queue of their own. */
#include "broker/barriers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "lib/base/table.h"

#define S_KEEP_MS 10000
#define S_SEEN_MAX 20000
#define S_WAITING_MAX 10000
#define S_WAITING_BYTES (64u << 20) /* of the lists of topics that wait */
/* of the lists answered in one turn; each list counts S_ANSWER_BYTES more */
#define S_TURN_BYTES 100000
#define S_ANSWER_BYTES 100

typedef struct s_nonce {
    zc_node_t node;
    TAILQ_ENTRY (s_nonce) turn;
    uint64_t at_ms;
    zc_route_t *route; /* of a SYNC that waits; NULL: only the nonce has come */
    size_t topics_len;
    uint8_t len;
    char bytes[]; /* nonce, topics */
} s_nonce_t;

struct zc_barriers {
    zc_table_t index;
    TAILQ_HEAD (, s_nonce) queue; /* by age */
    TAILQ_HEAD (, s_nonce) ready; /* SYNCs to be answered */
    size_t waiting, waiting_bytes, seen;
    zc_barriers_fn answer, expire;
    void *arg;
};

typedef struct {
    zc_slice_t nonce;
    bool waiting;
} s_key_t;

zc_barriers_t *zc_barriers_new (zc_barriers_fn answer, zc_barriers_fn expire, void *arg)
{
    zc_barriers_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    zc_table_init (&self->index);
    TAILQ_INIT (&self->queue);
    TAILQ_INIT (&self->ready);
    self->answer = answer;
    self->expire = expire;
    self->arg = arg;
    return self;
}

/*  Takes a nonce out of table and queue. */
static void s_detach (zc_barriers_t *self, s_nonce_t *nonce)
{
    TAILQ_REMOVE (&self->queue, nonce, turn);
    zc_table_remove (&self->index, &nonce->node);
}

static void s_free (zc_barriers_t *self, s_nonce_t *nonce)
{
    if (nonce->route) {
        self->waiting--;
        self->waiting_bytes -= nonce->topics_len;
    } else {
        self->seen--;
    }
    free (nonce->route);
    free (nonce);
}

static void s_remove (zc_barriers_t *self, s_nonce_t *nonce)
{
    s_detach (self, nonce);
    s_free (self, nonce);
}

static s_nonce_t *s_take_ready (zc_barriers_t *self)
{
    s_nonce_t *nonce = TAILQ_FIRST (&self->ready);
    TAILQ_REMOVE (&self->ready, nonce, turn);
    return nonce;
}

void zc_barriers_destroy (zc_barriers_t **self_p)
{
    zc_barriers_t *self = *self_p;
    if (!self)
        return;
    while (!TAILQ_EMPTY (&self->queue))
        s_remove (self, TAILQ_FIRST (&self->queue));
    while (!TAILQ_EMPTY (&self->ready))
        s_free (self, s_take_ready (self));
    zc_table_clear (&self->index);
    free (self);
    *self_p = NULL;
}

static void s_add (zc_barriers_t *self, zc_slice_t nonce, const zc_route_t *route,
                   zc_slice_t topics, uint64_t now_ms)
{
    s_nonce_t *added = malloc (sizeof *added + nonce.len + topics.len);
    if (!added)
        abort ();
    *added = (s_nonce_t){.at_ms = now_ms, .topics_len = topics.len, .len = (uint8_t)nonce.len};
    memcpy (added->bytes, nonce.at, nonce.len);
    if (topics.len)
        memcpy (added->bytes + nonce.len, topics.at, topics.len);
    if (route) {
        if (!(added->route = malloc (sizeof *route)))
            abort ();
        *added->route = *route;
        self->waiting++;
        self->waiting_bytes += topics.len;
    } else {
        self->seen++;
    }
    TAILQ_INSERT_TAIL (&self->queue, added, turn);
    zc_table_insert (&self->index, &added->node, zc_hash (nonce.at, nonce.len, 1));
}

static bool s_same (const zc_node_t *node, const void *arg)
{
    const s_nonce_t *nonce = (const s_nonce_t *)node;
    const s_key_t *key = arg;
    return (nonce->route != NULL) == key->waiting && nonce->len == key->nonce.len &&
           memcmp (nonce->bytes, key->nonce.at, nonce->len) == 0;
}

static s_nonce_t *s_find (const zc_barriers_t *self, zc_slice_t nonce, bool waiting)
{
    s_key_t key = {nonce, waiting};
    return (s_nonce_t *)zc_table_find (&self->index, zc_hash (nonce.at, nonce.len, 1), s_same,
                                       &key);
}

static zc_slice_t s_topics (const s_nonce_t *nonce)
{
    return (zc_slice_t){nonce->bytes + nonce->len, nonce->topics_len};
}

void zc_barriers_seen (zc_barriers_t *self, zc_slice_t nonce, uint64_t now_ms)
{
    s_nonce_t *found;
    while ((found = s_find (self, nonce, true))) {
        s_detach (self, found);
        TAILQ_INSERT_TAIL (&self->ready, found, turn);
    }
    if ((found = s_find (self, nonce, false)))
        s_remove (self, found);
    for (s_nonce_t *old = TAILQ_FIRST (&self->queue); old && self->seen >= S_SEEN_MAX;) {
        s_nonce_t *newer = TAILQ_NEXT (old, turn);
        if (!old->route)
            s_remove (self, old);
        old = newer;
    }
    s_add (self, nonce, NULL, (zc_slice_t){NULL, 0}, now_ms);
}

bool zc_barriers_ask (zc_barriers_t *self, zc_slice_t nonce, const zc_route_t *route,
                      zc_slice_t topics, uint64_t now_ms)
{
    if (s_find (self, nonce, false)) {
        self->answer (self->arg, route, topics);
        return true;
    }
    if (self->waiting >= S_WAITING_MAX || self->waiting_bytes + topics.len > S_WAITING_BYTES)
        return false;
    s_add (self, nonce, route, topics, now_ms);
    return true;
}

static void s_answer (zc_barriers_t *self)
{
    for (size_t bytes = 0; !TAILQ_EMPTY (&self->ready) && bytes < S_TURN_BYTES;) {
        s_nonce_t *nonce = s_take_ready (self);
        bytes += nonce->topics_len + S_ANSWER_BYTES;
        self->answer (self->arg, nonce->route, s_topics (nonce));
        s_free (self, nonce);
    }
}

void zc_barriers_turn (zc_barriers_t *self, uint64_t now_ms)
{
    s_answer (self);
    s_nonce_t *nonce;
    while ((nonce = TAILQ_FIRST (&self->queue)) && now_ms - nonce->at_ms >= S_KEEP_MS) {
        if (nonce->route)
            self->expire (self->arg, nonce->route, s_topics (nonce));
        s_remove (self, nonce);
    }
}

bool zc_barriers_ready (const zc_barriers_t *self)
{
    return !TAILQ_EMPTY (&self->ready);
}

size_t zc_barriers_waiting (const zc_barriers_t *self)
{
    return self->waiting;
}
