/*  instructions.c - a queue in the order of numbers. */
#include "broker/instructions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define S_KEPT_MAX 10000
#define S_KEPT_BYTES (1u << 20)
#define S_KEPT_MS 600000 /* a worker that was cut off for longer has lost its clients' connections */

typedef struct s_kept {
    TAILQ_ENTRY (s_kept) entry;
    zc_id_t number;
    uint64_t at_ms;
    size_t len;
    char text[];
} s_kept_t;

struct zc_instructions {
    TAILQ_HEAD (s_queue, s_kept) queue; /* owned */
    size_t count, bytes;
    zc_id_t head;
    zc_id_t floor; /* those up to here may be forgotten */
};

zc_instructions_t *zc_instructions_new (void)
{
    zc_instructions_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    TAILQ_INIT (&self->queue);
    return self;
}

static void s_forget (zc_instructions_t *self, s_kept_t *kept)
{
    TAILQ_REMOVE (&self->queue, kept, entry);
    self->count--;
    self->bytes -= kept->len;
    if (self->floor < kept->number)
        self->floor = kept->number;
    free (kept);
}

void zc_instructions_destroy (zc_instructions_t **self_p)
{
    zc_instructions_t *self = *self_p;
    if (!self)
        return;
    while (!TAILQ_EMPTY (&self->queue))
        s_forget (self, TAILQ_FIRST (&self->queue));
    free (self);
    *self_p = NULL;
}

void zc_instructions_take (zc_instructions_t *self, zc_id_t number, zc_slice_t text,
                           uint64_t now_ms)
{
    s_kept_t *kept = malloc (sizeof *kept + text.len);
    if (!kept)
        abort ();
    kept->number = self->head = number;
    kept->at_ms = now_ms;
    kept->len = text.len;
    memcpy (kept->text, text.at, text.len);
    TAILQ_INSERT_TAIL (&self->queue, kept, entry);
    self->count++;
    self->bytes += text.len;
    while (self->count > S_KEPT_MAX || self->bytes > S_KEPT_BYTES)
        s_forget (self, TAILQ_FIRST (&self->queue));
}

void zc_instructions_lose (zc_instructions_t *self, zc_id_t number)
{
    if (self->floor < number)
        self->floor = number;
    if (self->head < number)
        self->head = number;
}

zc_id_t zc_instructions_list (const zc_instructions_t *self, zc_id_t since, zc_buf_t *list)
{
    zc_id_t from = since < self->floor ? ZC_ID_NONE : since;
    const s_kept_t *kept = TAILQ_LAST (&self->queue, s_queue), *first = NULL;
    for (; kept && kept->number > from; kept = TAILQ_PREV (kept, s_queue, entry))
        first = kept;
    for (kept = first; kept; kept = TAILQ_NEXT (kept, entry))
        zc_instruction_add (list, kept->number, (zc_slice_t){kept->text, kept->len});
    return from;
}

zc_id_t zc_instructions_head (const zc_instructions_t *self)
{
    return self->head;
}

void zc_instructions_turn (zc_instructions_t *self, uint64_t now_ms)
{
    s_kept_t *first;
    while ((first = TAILQ_FIRST (&self->queue)) && now_ms - first->at_ms > S_KEPT_MS)
        s_forget (self, first);
}
