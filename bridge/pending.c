/*  pending.c - all messages are in one list, which tells the position. By its state, each
 *  message is in one more: messages to be sent, messages that were answered, or those that its
 *  channel holds. A message that was sent is in none: its owner gets it back with the answer. */
#include "bridge/pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "lib/base/table.h"

#define S_TRIES 100 /* channels tried in one turn */

typedef enum { S_QUEUED, S_SENT, S_ANSWERED, S_HELD } s_state_t;

TAILQ_HEAD (s_line, zc_parcel);
TAILQ_HEAD (s_turns, s_hold);

typedef struct s_hold {
    zc_node_t node;
    zc_slice_t channel;        /* key; owned */
    TAILQ_ENTRY (s_hold) turn; /* in the order of the next tries */
    struct s_line line;        /* of zc_parcel_t, S_HELD, in order; without the one that is tried */
    zc_parcel_t *tried;        /* queued or sent; NULL: none */
    size_t count;
} s_hold_t;

struct zc_parcel {
    TAILQ_ENTRY (zc_parcel) all;
    TAILQ_ENTRY (zc_parcel) line;
    s_state_t state;
    s_hold_t *hold;  /* that holds it, or tries it; NULL: none */
    uint64_t number; /* in the order of adding */
    zc_id_t before;
    size_t channel, payload; /* lengths; the bytes follow the struct in this order */
    char bytes[];
};

struct zc_pending {
    TAILQ_HEAD (, zc_parcel) all; /* owned */
    struct s_line queued, answered;
    zc_table_t holds; /* owns s_hold_t, by channel */
    struct s_turns turns;
    size_t count, bytes, sent_bytes, held;
    uint64_t numbers;
};

zc_pending_t *zc_pending_new (void)
{
    zc_pending_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    TAILQ_INIT (&self->all);
    TAILQ_INIT (&self->queued);
    TAILQ_INIT (&self->answered);
    TAILQ_INIT (&self->turns);
    zc_table_init (&self->holds);
    return self;
}

static void s_hold_end (zc_pending_t *self, s_hold_t *hold)
{
    zc_table_remove (&self->holds, &hold->node);
    TAILQ_REMOVE (&self->turns, hold, turn);
    free ((char *)hold->channel.at);
    free (hold);
}

void zc_pending_destroy (zc_pending_t **self_p)
{
    zc_pending_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    while (!TAILQ_EMPTY (&self->turns))
        s_hold_end (self, TAILQ_FIRST (&self->turns));
    while (!TAILQ_EMPTY (&self->all)) {
        zc_parcel_t *parcel = TAILQ_FIRST (&self->all);
        TAILQ_REMOVE (&self->all, parcel, all);
        free (parcel);
    }
    zc_table_clear (&self->holds);
    free (self);
}

/*  Parcels ------------------------------------------------------------------------------------- */

void zc_pending_add (zc_pending_t *self, zc_id_t before, zc_slice_t channel, zc_slice_t payload)
{
    zc_parcel_t *parcel = malloc (sizeof *parcel + channel.len + payload.len);
    if (!parcel)
        abort ();
    *parcel = (zc_parcel_t){.number = self->numbers++,
                            .before = before,
                            .channel = channel.len,
                            .payload = payload.len};
    if (channel.len)
        memcpy (parcel->bytes, channel.at, channel.len);
    if (payload.len)
        memcpy (parcel->bytes + channel.len, payload.at, payload.len);
    TAILQ_INSERT_TAIL (&self->all, parcel, all);
    TAILQ_INSERT_TAIL (&self->queued, parcel, line);
    self->count++;
    self->bytes += sizeof *parcel + channel.len + payload.len;
}

zc_slice_t zc_parcel_channel (const zc_parcel_t *self)
{
    return (zc_slice_t){self->bytes, self->channel};
}

zc_slice_t zc_parcel_payload (const zc_parcel_t *self)
{
    return (zc_slice_t){self->bytes + self->channel, self->payload};
}

static size_t s_size (const zc_parcel_t *parcel)
{
    return sizeof *parcel + parcel->channel + parcel->payload;
}

static void s_free (zc_pending_t *self, zc_parcel_t *parcel)
{
    TAILQ_REMOVE (&self->all, parcel, all);
    self->count--;
    self->bytes -= s_size (parcel);
    free (parcel);
}

/*  It was sent, and is answered. */
static void s_took_answer (zc_pending_t *self, zc_parcel_t *parcel)
{
    assert (parcel->state == S_SENT);
    self->sent_bytes -= s_size (parcel);
}

/*  Holds --------------------------------------------------------------------------------------- */

static s_hold_t *s_hold_new (zc_pending_t *self, zc_slice_t channel)
{
    s_hold_t *hold = calloc (1, sizeof *hold);
    char *copy = malloc (channel.len ? channel.len : 1);
    if (!hold || !copy)
        abort ();
    if (channel.len)
        memcpy (copy, channel.at, channel.len);
    hold->channel = (zc_slice_t){copy, channel.len};
    TAILQ_INIT (&hold->line);
    zc_table_add (&self->holds, hold);
    TAILQ_INSERT_TAIL (&self->turns, hold, turn);
    return hold;
}

/*  Keeps the order: messages that were sent before the channel was known to be forbidden come
 *  late, with their answers. */
static void s_insert (s_hold_t *hold, zc_parcel_t *parcel)
{
    zc_parcel_t *at = TAILQ_LAST (&hold->line, s_line);
    while (at && at->number > parcel->number)
        at = TAILQ_PREV (at, s_line, line);
    if (at)
        TAILQ_INSERT_AFTER (&hold->line, at, parcel, line);
    else
        TAILQ_INSERT_HEAD (&hold->line, parcel, line);
}

static void s_put_into (zc_pending_t *self, s_hold_t *hold, zc_parcel_t *parcel)
{
    parcel->state = S_HELD;
    parcel->hold = hold;
    hold->count++;
    self->held++;
    s_insert (hold, parcel);
}

/*  The parcel that was tried is held again. */
static void s_put_back (zc_parcel_t *parcel)
{
    parcel->state = S_HELD;
    parcel->hold->tried = NULL;
    s_insert (parcel->hold, parcel);
}

size_t zc_pending_hold (zc_pending_t *self, zc_parcel_t *parcel)
{
    s_took_answer (self, parcel);
    if (parcel->hold) {
        s_put_back (parcel);
        return parcel->hold->count;
    }
    s_hold_t *hold = zc_table_get (&self->holds, zc_parcel_channel (parcel));
    if (!hold)
        hold = s_hold_new (self, zc_parcel_channel (parcel));
    s_put_into (self, hold, parcel);
    return hold->count;
}

/*  Queues all held messages of the channel, after the one that was tried. */
static void s_release (zc_pending_t *self, s_hold_t *hold)
{
    zc_parcel_t *parcel;
    hold->tried->hold = NULL;
    TAILQ_FOREACH (parcel, &hold->line, line)
    {
        parcel->state = S_QUEUED;
        parcel->hold = NULL;
    }
    /* later messages of the channel may be there */
    TAILQ_CONCAT (&hold->line, &self->queued, line);
    TAILQ_CONCAT (&self->queued, &hold->line, line);
    self->held -= hold->count;
    s_hold_end (self, hold);
}

size_t zc_pending_try_held (zc_pending_t *self)
{
    size_t tried = 0;
    s_hold_t *hold, *next = TAILQ_FIRST (&self->turns), *last = TAILQ_LAST (&self->turns, s_turns);
    while (next && tried < S_TRIES) {
        hold = next;
        next = hold == last ? NULL : TAILQ_NEXT (hold, turn);
        if (hold->tried)
            continue;
        hold->tried = TAILQ_FIRST (&hold->line);
        TAILQ_REMOVE (&hold->line, hold->tried, line);
        hold->tried->state = S_QUEUED;
        TAILQ_INSERT_TAIL (&self->queued, hold->tried, line);
        TAILQ_REMOVE (&self->turns, hold, turn);
        TAILQ_INSERT_TAIL (&self->turns, hold, turn);
        tried++;
    }
    return tried;
}

/*  The way of a parcel ------------------------------------------------------------------------- */

zc_parcel_t *zc_pending_next (zc_pending_t *self)
{
    zc_parcel_t *parcel;
    while ((parcel = TAILQ_FIRST (&self->queued))) {
        TAILQ_REMOVE (&self->queued, parcel, line);
        s_hold_t *hold = parcel->hold || self->holds.size == 0
                             ? NULL
                             : zc_table_get (&self->holds, zc_parcel_channel (parcel));
        if (!hold)
            break;
        s_put_into (self, hold, parcel);
    }
    if (!parcel)
        return NULL;
    parcel->state = S_SENT;
    self->sent_bytes += s_size (parcel);
    return parcel;
}

void zc_pending_answered (zc_pending_t *self, zc_parcel_t *parcel)
{
    s_took_answer (self, parcel);
    if (parcel->hold)
        s_release (self, parcel->hold);
    parcel->state = S_ANSWERED;
    TAILQ_INSERT_TAIL (&self->answered, parcel, line);
}

void zc_pending_remove (zc_pending_t *self, zc_parcel_t *parcel)
{
    s_took_answer (self, parcel);
    if (parcel->hold)
        s_release (self, parcel->hold);
    s_free (self, parcel);
}

size_t zc_pending_confirm (zc_pending_t *self)
{
    size_t count = 0;
    zc_parcel_t *parcel;
    while ((parcel = TAILQ_FIRST (&self->answered))) {
        TAILQ_REMOVE (&self->answered, parcel, line);
        s_free (self, parcel);
        count++;
    }
    return count;
}

void zc_pending_rewind (zc_pending_t *self)
{
    zc_parcel_t *parcel;
    TAILQ_INIT (&self->queued);
    TAILQ_INIT (&self->answered);
    self->sent_bytes = 0;
    TAILQ_FOREACH (parcel, &self->all, all)
    {
        if (parcel->state == S_HELD)
            continue;
        if (parcel->hold) {
            s_put_back (parcel);
            continue;
        }
        parcel->state = S_QUEUED;
        TAILQ_INSERT_TAIL (&self->queued, parcel, line);
    }
}

/*  Figures ------------------------------------------------------------------------------------- */

bool zc_pending_position (const zc_pending_t *self, zc_id_t *position)
{
    const zc_parcel_t *first = TAILQ_FIRST (&self->all);
    if (first)
        *position = first->before;
    return first != NULL;
}

size_t zc_pending_count (const zc_pending_t *self)
{
    return self->count;
}

size_t zc_pending_bytes (const zc_pending_t *self)
{
    return self->bytes;
}

size_t zc_pending_sent_bytes (const zc_pending_t *self)
{
    return self->sent_bytes;
}

size_t zc_pending_held (const zc_pending_t *self)
{
    return self->held;
}
