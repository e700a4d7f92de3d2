/*  rounds.c - the audiences that are due, and how far a round has come. */
#include "lib/engine/rounds.h"

#include <assert.h>
#include <stdlib.h>

#define S_AHEAD 4 /* clients that a round looks ahead */

struct zc_rounds {
    zc_slots_t dirty;    /* of zc_audience_t: for the next round */
    zc_slots_t flushing; /* of zc_audience_t: of the round under way */
    zc_slots_t ready;    /* of zc_client_t */
    zc_slots_t blocked;  /* of zc_client_t */
    void (*check) (void *arg, zc_client_t *client);
    void *arg;
};

zc_rounds_t *zc_rounds_new (void (*check) (void *arg, zc_client_t *client), void *arg)
{
    zc_rounds_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->check = check;
    self->arg = arg;
    return self;
}

void zc_rounds_destroy (zc_rounds_t **self_p)
{
    zc_rounds_t *self = *self_p;
    if (!self)
        return;
    zc_slots_clear (&self->dirty);
    zc_slots_clear (&self->flushing);
    zc_slots_clear (&self->ready);
    zc_slots_clear (&self->blocked);
    free (self);
    *self_p = NULL;
}

/*  Audiences. */

void zc_audience_add (zc_audience_t *self, zc_client_t *client)
{
    if (self->count == self->cap) {
        self->cap = self->cap ? self->cap * 2 : 4;
        self->clients = realloc (self->clients, self->cap * sizeof *self->clients);
        if (!self->clients)
            abort ();
    }
    client->slot = (uint32_t)self->count;
    self->clients[self->count++] = client;
}

void zc_audience_remove (zc_audience_t *self, zc_client_t *client)
{
    zc_client_t *last = self->clients[--self->count];
    self->clients[client->slot] = last;
    last->slot = client->slot;
    /* A round goes downwards, so the client that takes the place has been served already, or
     * will be again. */
    if (self->left > self->count)
        self->left = self->count;
    if (self->count == 0) {
        free (self->clients);
        self->clients = NULL;
        self->cap = 0;
    }
}

void zc_rounds_forget (zc_rounds_t *self, zc_audience_t *audience)
{
    zc_slots_take (&self->dirty, &audience->dirty);
    zc_slots_take (&self->flushing, &audience->flushing);
}

void zc_rounds_add (zc_rounds_t *self, zc_audience_t *audience)
{
    if (!audience->dirty && audience->count > 0)
        zc_slots_add (&self->dirty, audience, &audience->dirty);
}

void zc_rounds_check (zc_rounds_t *self, const zc_audience_t *audience)
{
    for (size_t i = audience->count; i-- > 0;) /* downwards, since a client may leave */
        if (audience->clients[i]->blocked)
            self->check (self->arg, audience->clients[i]);
}

void zc_rounds_ready (zc_rounds_t *self, zc_client_t *client)
{
    if (!client->waits && !client->blocked)
        zc_slots_add (&self->ready, client, &client->waits);
}

void zc_rounds_set_blocked (zc_rounds_t *self, zc_client_t *client, bool blocked)
{
    if (client->blocked == blocked)
        return;
    zc_rounds_leave (self, client);
    client->blocked = blocked;
    if (blocked)
        zc_slots_add (&self->blocked, client, &client->waits);
}

const zc_slots_t *zc_rounds_blocked (const zc_rounds_t *self)
{
    return &self->blocked;
}

void zc_rounds_leave (zc_rounds_t *self, zc_client_t *client)
{
    zc_slots_take (client->blocked ? &self->blocked : &self->ready, &client->waits);
}

/*  For the pump. */

bool zc_rounds_dirty (const zc_rounds_t *self)
{
    return self->dirty.count > 0;
}

bool zc_rounds_under_way (const zc_rounds_t *self)
{
    return self->flushing.count > 0;
}

bool zc_rounds_busy (const zc_rounds_t *self)
{
    return self->dirty.count > 0 || self->flushing.count > 0 || self->ready.count > 0;
}

void zc_rounds_begin (zc_rounds_t *self)
{
    assert (self->flushing.count == 0);
    zc_audience_t *audience;
    while ((audience = zc_slots_pop (&self->dirty))) {
        zc_slots_add (&self->flushing, audience, &audience->flushing);
        audience->left = audience->count;
    }
}

static zc_client_t *s_next_of (zc_rounds_t *self, zc_audience_t *audience)
{
    while (audience->left > 0) {
        if (audience->left > S_AHEAD) /* the last send has emptied the cache */
            __builtin_prefetch (audience->clients[audience->left - S_AHEAD]);
        zc_client_t *client = audience->clients[--audience->left];
        if (client->blocked)
            self->check (self->arg, client); /* the client may be gone after this */
        else if (!client->leaving)
            return client;
    }
    return NULL;
}

zc_client_t *zc_rounds_next (zc_rounds_t *self)
{
    while (self->flushing.count > 0) {
        zc_audience_t *audience = self->flushing.at[self->flushing.count - 1].item;
        zc_client_t *client = s_next_of (self, audience);
        if (client)
            return client;
        zc_slots_take (&self->flushing, &audience->flushing);
    }
    return NULL;
}

zc_client_t *zc_rounds_next_ready (zc_rounds_t *self)
{
    return zc_slots_pop (&self->ready);
}
