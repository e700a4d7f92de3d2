/*  inquiry.c - see inquiry.h. */
#include "lib/front/inquiry.h"

#include <stdlib.h>

#define S_TIMEOUT_MS 3000 /* for the broker's answer: shorter than a scraper's own timeout */

typedef struct {
    zc_exchange_t *exchange; /* borrowed; NULL once it is gone */
    zc_inquiry_fn *answer;
} s_inquiry_t;

static void s_on_answer (void *arg, const zc_answer_t *answer)
{
    if (answer->more)
        return;
    s_inquiry_t self = *(s_inquiry_t *)arg;
    free (arg);
    if (!self.exchange)
        return;
    self.exchange->state = NULL;
    self.answer (self.exchange, answer);
}

void zc_inquiry_ask (zc_exchange_t *exchange, const zc_ask_t *ask, zc_inquiry_fn *answer)
{
    zc_link_t *link = zc_worker_link (exchange->front->worker);
    s_inquiry_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    *self = (s_inquiry_t){exchange, answer};
    exchange->state = self;
    if (!zc_link_connected (link) || !zc_link_publish (link, ask, S_TIMEOUT_MS, s_on_answer, self))
        s_on_answer (self, &zc_answer_none);
}

/*  The broker's answer still comes, and frees the question. */
void zc_inquiry_gone (zc_exchange_t *exchange)
{
    ((s_inquiry_t *)exchange->state)->exchange = NULL;
}
