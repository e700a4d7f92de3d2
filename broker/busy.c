/*  busy.c - see busy.h.
 *
 *  Within a window counts only grow. So the topics with the highest counts are found while they are
 *  counted: a topic whose count comes to be higher than the lowest of those listed takes its place.
 * A message on a topic that is listed, or whose count isn't high enough, costs an addition and two
 *  comparisons, however many topics there are. Rejected: a look at all topics once in a while, of
 *  which there may be a million; a sketch with estimates, since a topic has room for its count. */
#include "broker/busy.h"

#include <stdlib.h>
#include <string.h>

#define S_WINDOW_MS 10000

typedef struct {
    char *topic; /* owned */
    size_t len;
    uint32_t count;
} s_result_t;

typedef struct {
    zc_busy_mark_t *mark; /* borrowed, as the name is */
    zc_slice_t name;
} s_listed_t;

struct zc_busy {
    s_listed_t top[ZC_BUSY_MAX];
    size_t size;
    uint32_t lowest;   /* no count of `top` is lower; 0 while there is room */
    uint32_t window;   /* its number; topics with another one haven't been counted yet */
    uint64_t began_ms; /* 0: at the first tick */
    s_result_t results[ZC_BUSY_MAX]; /* of the window before */
    size_t result_count;
    double seconds; /* length of that window */
};

zc_busy_t *zc_busy_new (void)
{
    zc_busy_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->window = 1;
    return self;
}

static void s_clear_results (zc_busy_t *self)
{
    for (size_t i = 0; i < self->result_count; i++)
        free (self->results[i].topic);
    self->result_count = 0;
}

void zc_busy_destroy (zc_busy_t **self_p)
{
    if (*self_p)
        s_clear_results (*self_p);
    free (*self_p);
    *self_p = NULL;
}

static size_t s_find_lowest (const zc_busy_t *self)
{
    size_t lowest = 0;
    for (size_t i = 1; i < self->size; i++)
        if (self->top[i].mark->count < self->top[lowest].mark->count)
            lowest = i;
    return lowest;
}

/*  `lowest` may be out of date, since the topics that are listed go on counting. */
static void s_list (zc_busy_t *self, zc_busy_mark_t *topic, zc_slice_t name)
{
    size_t place = self->size;
    if (self->size == ZC_BUSY_MAX) {
        place = s_find_lowest (self);
        self->lowest = self->top[place].mark->count;
        if (topic->count <= self->lowest)
            return;
        self->top[place].mark->place = 0;
    } else {
        self->size++;
    }
    self->top[place] = (s_listed_t){topic, name};
    topic->place = (uint32_t)place + 1;
}

void zc_busy_count (zc_busy_t *self, zc_busy_mark_t *topic, zc_slice_t name)
{
    if (topic->window != self->window)
        *topic = (zc_busy_mark_t){.window = self->window};
    topic->count++;
    if (topic->count > self->lowest && !topic->place)
        s_list (self, topic, name);
}

void zc_busy_forget (zc_busy_t *self, const zc_busy_mark_t *topic)
{
    if (topic->window != self->window || !topic->place)
        return;
    size_t place = topic->place - 1;
    self->top[place] = self->top[--self->size];
    self->top[place].mark->place = (uint32_t)place + 1;
    self->lowest = 0;
}

static int s_compare (const void *a, const void *b)
{
    const s_result_t *left = a, *right = b;
    return (left->count < right->count) - (left->count > right->count);
}

void zc_busy_tick (zc_busy_t *self, uint64_t now_ms)
{
    if (!self->began_ms)
        self->began_ms = now_ms;
    if (now_ms - self->began_ms < S_WINDOW_MS)
        return;
    s_clear_results (self);
    for (size_t i = 0; i < self->size; i++) {
        zc_slice_t name = self->top[i].name;
        s_result_t *result = &self->results[self->result_count++];
        *result = (s_result_t){malloc (name.len), name.len, self->top[i].mark->count};
        if (!result->topic)
            abort ();
        memcpy (result->topic, name.at, name.len);
    }
    qsort (self->results, self->result_count, sizeof *self->results, s_compare);
    self->seconds = (double)(now_ms - self->began_ms) / 1000;
    self->began_ms = now_ms;
    self->window++;
    self->size = 0;
    self->lowest = 0;
}

bool zc_busy_row (const zc_busy_t *self, size_t index, zc_busy_row_t *row)
{
    if (index >= self->result_count)
        return false;
    const s_result_t *result = &self->results[index];
    *row = (zc_busy_row_t){{result->topic, result->len}, result->count / self->seconds};
    return true;
}
