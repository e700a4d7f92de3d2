/*  publishes.c - each message that waits is an object of its own, in a list, so that a client
 *  that leaves takes nothing away that an answer needs. */
#include "ws/publishes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define PUBLISHES_MAX 64 /* unanswered messages of one client */

typedef struct s_publish {
    LIST_ENTRY (s_publish) link;
    zc_publishes_t *owner; /* borrowed */
    zc_posting_t *posting; /* owned */
    char *ref;             /* owned; or NULL */
} s_publish_t;

struct zc_publishes {
    LIST_HEAD (, s_publish) list;
    unsigned count;
    zc_front_t *front; /* borrowed */
    zc_publishes_fn fn;
    void *arg;
};

zc_publishes_t *zc_publishes_new (zc_front_t *front, zc_publishes_fn fn, void *arg)
{
    zc_publishes_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->front = front;
    self->fn = fn;
    self->arg = arg;
    return self;
}

static void s_remove (s_publish_t *publish)
{
    LIST_REMOVE (publish, link);
    publish->owner->count--;
    zc_posting_forget (&publish->posting);
    free (publish->ref);
    free (publish);
}

void zc_publishes_destroy (zc_publishes_t **self_p)
{
    zc_publishes_t *self = *self_p;
    if (!self)
        return;
    while (!LIST_EMPTY (&self->list))
        s_remove (LIST_FIRST (&self->list));
    free (self);
    *self_p = NULL;
}

static void s_on_posted (void *arg, const zc_receipt_t *receipt)
{
    s_publish_t *publish = arg;
    zc_publishes_t *self = publish->owner;
    char *ref = publish->ref;
    publish->posting = NULL;
    publish->ref = NULL;
    s_remove (publish);
    self->fn (self->arg, ref, receipt); /* the call may have destroyed self */
    free (ref);
}

unsigned zc_publishes_count (const zc_publishes_t *self)
{
    return self->count;
}

void zc_publishes_send (zc_publishes_t *self, const char *ref, zc_slice_t topic, zc_slice_t payload,
                        zc_slice_t headers)
{
    static const char busy[] = "busy", text[] = "too many messages wait for the broker: try again";
    zc_receipt_t refused = {503, {busy, sizeof busy - 1}, {text, sizeof text - 1}};
    s_publish_t *publish = calloc (1, sizeof *publish);
    if (!publish || (ref && !(publish->ref = strdup (ref))))
        abort ();
    publish->owner = self;
    LIST_INSERT_HEAD (&self->list, publish, link);
    if (++self->count <= PUBLISHES_MAX)
        publish->posting =
            zc_posting_new (self->front, topic, payload, headers, s_on_posted, publish, &refused);
    if (!publish->posting) {
        s_remove (publish);
        self->fn (self->arg, ref, &refused);
    }
}
