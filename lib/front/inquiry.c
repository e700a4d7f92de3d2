/*  inquiry.c - see inquiry.h. */
#include "lib/front/inquiry.h"

#include <stdlib.h>

#define S_TIMEOUT_MS 3000 /* for the broker's answer: shorter than a scraper's own timeout */

typedef struct {
    zc_exchange_t *exchange; /* borrowed; NULL once it is gone */
    zc_inquiry_fn *answer;   /* NULL: `whole` */
    zc_inquiry_whole_fn *whole;
    zc_inquiry_part_fn *part;
    zc_buf_t text; /* owned; of the parts */
} s_inquiry_t;

static void s_end (s_inquiry_t *self, const zc_answer_t *answer)
{
    zc_exchange_t *exchange = self->exchange;
    if (exchange) {
        exchange->state = NULL;
        if (self->answer)
            self->answer (exchange, answer);
        else
            self->whole (exchange, (zc_slice_t){(const char *)self->text.data, self->text.len},
                         answer);
    }
    zc_buf_clear (&self->text);
    free (self);
}

static void s_on_answer (void *arg, const zc_answer_t *answer)
{
    s_inquiry_t *self = arg;
    if (!answer->more)
        s_end (self, answer);
    else if (self->exchange && self->part)
        self->part (self->exchange, &self->text, answer);
}

static void s_ask (zc_exchange_t *exchange, const zc_ask_t *ask, s_inquiry_t inquiry)
{
    zc_link_t *link = zc_worker_link (exchange->front->worker);
    s_inquiry_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    *self = inquiry;
    self->exchange = exchange;
    exchange->state = self;
    if (!zc_link_connected (link) || !zc_link_publish (link, ask, S_TIMEOUT_MS, s_on_answer, self))
        s_on_answer (self, &zc_answer_none);
}

void zc_inquiry_ask (zc_exchange_t *exchange, const zc_ask_t *ask, zc_inquiry_fn *answer)
{
    s_ask (exchange, ask, (s_inquiry_t){.answer = answer});
}

void zc_inquiry_gather (zc_exchange_t *exchange, const zc_ask_t *ask, zc_inquiry_part_fn *part,
                        zc_inquiry_whole_fn *answer)
{
    s_ask (exchange, ask, (s_inquiry_t){.part = part, .whole = answer});
}

/*  The broker's answer still comes, and frees the question. */
void zc_inquiry_gone (zc_exchange_t *exchange)
{
    ((s_inquiry_t *)exchange->state)->exchange = NULL;
}
