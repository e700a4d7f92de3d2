/*  listing.c - see listing.h.
 *
 *  A topic may be published on while pages are read: in the broker's order it then moves to the
 *  front, which was read already. So the front is read again at the end, up to the position at
 *  which the reading began. If a topic came twice, the later entry counts. */
#include "tools/listing.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/daemon.h"

typedef struct {
    zc_listing_t *list;
    zc_buf_t next;
    zc_id_t head;  /* of this page's answer */
    zc_id_t until; /* topics published on at or before this position aren't wanted */
    bool beyond;   /* this is true of all topics after the page */
} s_reading_t;

static void s_add (zc_listing_t *self, const zc_topic_kept_t *kept)
{
    if (self->count == self->cap) {
        self->cap = self->cap ? self->cap * 2 : 64;
        self->at = realloc (self->at, self->cap * sizeof *self->at);
        if (!self->at)
            abort ();
    }
    char *topic = strndup (kept->topic.at, kept->topic.len);
    if (!topic)
        abort ();
    self->at[self->count++] = (zc_listed_t){kept->last, kept->messages, kept->bytes, topic};
}

static void s_page (void *arg, const zc_answer_t *answer)
{
    s_reading_t *reading = arg;
    zc_slice_t list = answer->kept;
    zc_topic_kept_t kept;
    reading->head = answer->head;
    reading->next.len = 0;
    zc_buf_add (&reading->next, answer->next.at, answer->next.len);
    while (zc_topic_kept_next (&list, &kept))
        s_add (reading->list, &kept);
    /* what is behind was published on before the position that `next` begins with */
    const char *space = memchr (zc_buf_str (&reading->next), ' ', reading->next.len);
    zc_id_t upto = ZC_ID_NONE;
    if (space)
        zc_id_parse (zc_buf_str (&reading->next), (size_t)(space - zc_buf_str (&reading->next)),
                     &upto);
    reading->beyond = reading->until && upto <= reading->until;
}

static int s_by_topic (const void *left, const void *right)
{
    const zc_listed_t *a = left, *b = right;
    int order = strcmp (a->topic, b->topic);
    return order ? order : (a->last < b->last) - (a->last > b->last);
}

static int s_by_last (const void *left, const void *right)
{
    const zc_listed_t *a = left, *b = right;
    return (a->last < b->last) - (a->last > b->last);
}

static void s_sort (zc_listing_t *self)
{
    size_t left = 0;
    if (!self->count)
        return;
    qsort (self->at, self->count, sizeof *self->at, s_by_topic);
    for (size_t i = 0; i < self->count; i++) {
        if (left && strcmp (self->at[left - 1].topic, self->at[i].topic) == 0)
            free (self->at[i].topic);
        else
            self->at[left++] = self->at[i];
    }
    self->count = left;
    qsort (self->at, self->count, sizeof *self->at, s_by_last);
}

static int s_read (s_reading_t *reading, zc_tool_link_t *link, zc_slice_t prefix, size_t most)
{
    int status;
    zc_buf_t next = ZC_BUF_INIT;
    size_t begun = reading->list->count;
    do {
        zc_ask_t ask = {.verb = ZC_LIST,
                        .count = most && most < ZC_LIST_MAX ? most : ZC_LIST_MAX,
                        .prefix = prefix,
                        .next = {zc_buf_str (&next), next.len}};
        status = zc_tool_ask (link, &ask, s_page, reading);
        next.len = 0;
        zc_buf_add (&next, reading->next.data, reading->next.len);
    } while (status == ZC_EXIT_OK && next.len && !reading->beyond &&
             (!most || reading->list->count - begun < most));
    zc_buf_clear (&next);
    return status;
}

int zc_listing_read (zc_listing_t *self, zc_tool_link_t *link, zc_slice_t prefix, size_t most)
{
    *self = (zc_listing_t){0};
    s_reading_t reading = {.list = self, .next = ZC_BUF_INIT};
    zc_ask_t ask = {.verb = ZC_LIST, .count = 1, .prefix = prefix};
    int status = zc_tool_ask (link, &ask, s_page, &reading);
    zc_id_t head = reading.head;
    bool several = reading.next.len > 0;
    if (status == ZC_EXIT_OK && several)
        status = s_read (&reading, link, prefix, most);
    reading.until = head;
    reading.beyond = false;
    if (status == ZC_EXIT_OK && several && !most)
        status = s_read (&reading, link, prefix, 0);
    s_sort (self);
    zc_buf_clear (&reading.next);
    return status;
}

void zc_listing_clear (zc_listing_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->at[i].topic);
    free (self->at);
    *self = (zc_listing_t){0};
}
