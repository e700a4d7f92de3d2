/*  places.c - see places.h. */
#include "lib/peer/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S_CONNECT_MS 700 /* for a connection to come up */
#define S_BEHIND_MS 1000 /* a broker that reads the log may be behind for a moment */
#define S_SILENT_MS 1200 /* without an answer to a question that is answered at once */

struct zc_places {
    char **subscribe, **control; /* owned */
    size_t count, at;
    bool connected;
    bool was_up;        /* the connection to this broker came up at least once */
    uint64_t since_ms;  /* when we came here, or the connection was lost */
    uint64_t behind_ms; /* since when it is behind; 0: it isn't */
    uint64_t asked_ms;  /* a question without an answer; 0: none */
    uint64_t looked_ms; /* when it was last asked */
};

/*  The next endpoint of a list begins after a blank: a path may have blanks, too. */
static const char *s_next (const char *list)
{
    static const char *const schemes[] = {" tcp://", " ipc://", " inproc://"};
    const char *least = NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const char *found = strstr (list, schemes[i]);
        if (found && (!least || found < least))
            least = found;
    }
    return least;
}

size_t zc_places_count (const char *list)
{
    size_t count = 1;
    while ((list = s_next (list)))
        list++, count++;
    return count;
}

const char *zc_places_verify (const zc_options_t *options, char *error, size_t size)
{
    size_t brokers = zc_places_count (zc_options_text (options, "subscribe"));
    if (brokers == zc_places_count (zc_options_text (options, "control")))
        return NULL;
    snprintf (error, size, "expected as many endpoints as in subscribe, %zu, in its order",
              brokers);
    return "control";
}

static char **s_split (const char *list)
{
    char **all = calloc (zc_places_count (list), sizeof *all);
    if (!all)
        abort ();
    for (size_t i = 0; list; i++) {
        const char *next = s_next (list);
        size_t len = next ? (size_t)(next - list) : strlen (list);
        while (len && list[len - 1] == ' ')
            len--;
        all[i] = strndup (list, len);
        if (!all[i])
            abort ();
        list = next ? next + 1 : NULL;
    }
    return all;
}

zc_places_t *zc_places_new (const char *subscribe, const char *control, uint64_t now_ms)
{
    if (zc_places_count (subscribe) != zc_places_count (control))
        return NULL;
    zc_places_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->count = zc_places_count (subscribe);
    self->subscribe = s_split (subscribe);
    self->control = s_split (control);
    self->since_ms = now_ms;
    return self;
}

void zc_places_destroy (zc_places_t **self_p)
{
    zc_places_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++) {
        free (self->subscribe[i]);
        free (self->control[i]);
    }
    free (self->subscribe);
    free (self->control);
    free (self);
}

const char *zc_places_subscribe (const zc_places_t *self)
{
    return self->subscribe[self->at];
}

const char *zc_places_control (const zc_places_t *self)
{
    return self->control[self->at];
}

bool zc_places_several (const zc_places_t *self)
{
    return self->count > 1;
}

void zc_places_connected (zc_places_t *self, bool connected, uint64_t now_ms)
{
    if (connected != self->connected)
        self->since_ms = now_ms;
    self->connected = connected;
    self->was_up |= connected;
    self->behind_ms = self->asked_ms = 0;
}

void zc_places_good (zc_places_t *self)
{
    self->behind_ms = self->asked_ms = 0;
}

void zc_places_behind (zc_places_t *self, uint64_t now_ms)
{
    self->asked_ms = 0;
    if (self->behind_ms == 0)
        self->behind_ms = now_ms;
}

bool zc_places_asks (zc_places_t *self, uint64_t now_ms)
{
    if (self->count < 2 || !self->connected || self->asked_ms ||
        now_ms - self->looked_ms < ZC_PLACES_LOOK_MS)
        return false;
    self->asked_ms = self->looked_ms = now_ms;
    return true;
}

void zc_places_heard (zc_places_t *self)
{
    self->asked_ms = 0;
}

void zc_places_moved (zc_places_t *self, uint64_t moved_ms)
{
    if (self->asked_ms && moved_ms > self->asked_ms)
        self->asked_ms = moved_ms;
}

bool zc_places_leaves (const zc_places_t *self, uint64_t now_ms)
{
    if (self->count < 2)
        return false;
    if (!self->connected)
        return self->was_up || now_ms - self->since_ms >= S_CONNECT_MS;
    return (self->behind_ms && now_ms - self->behind_ms >= S_BEHIND_MS) ||
           (self->asked_ms && now_ms - self->asked_ms >= S_SILENT_MS);
}

void zc_places_move (zc_places_t *self, uint64_t now_ms)
{
    self->at = (self->at + 1) % self->count;
    self->connected = self->was_up = false;
    self->since_ms = now_ms;
    self->behind_ms = self->asked_ms = 0;
}
