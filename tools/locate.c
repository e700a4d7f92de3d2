/*  locate.c - see locate.h.
 *
 *  The last N messages of several topics together begin at a position that has N messages after
 *  it. A page of one message (FETCH) tells how many messages there are after any position. So
 *  that position is found by halving: with some forty short requests, however long history is,
 *  and without any support in the broker. Messages that come meanwhile only make the position
 *  later. */
#include "tools/locate.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/daemon.h"
#include "lib/wire/message.h"

typedef struct {
    zc_tool_link_t *link;
    zc_buf_t topics; /* separated by LF */
} s_locate_t;

/*  The answer to a page of one message. */
typedef struct {
    bool any;       /* there is a message after the position, */
    zc_id_t first;  /* the first one is this, */
    uint64_t after; /* and with it there are so many */
    bool known;     /* the position that an own id stands for */
    zc_id_t since;
} s_page_t;

static void s_page_part (void *arg, const zc_answer_t *answer)
{
    s_page_t *page = arg;
    if (answer->kind == ZC_MSG) {
        page->any = true;
        page->first = answer->message.id;
    } else {
        page->known = !answer->unknown;
        page->since = answer->since;
        page->after = answer->remaining + page->any;
    }
}

static int s_ask_page (s_locate_t *self, const char *since, s_page_t *page)
{
    *page = (s_page_t){0};
    zc_ask_t ask = {.verb = ZC_FETCH,
                    .since_text = {since, strlen (since)},
                    .count = 1,
                    .bytes = 1,
                    .list = {zc_buf_str (&self->topics), self->topics.len}};
    return zc_tool_ask (self->link, &ask, s_page_part, page);
}

int zc_locate_unknown (const char *own_id, const char *where)
{
    zc_tool_say ("--since: history knows no message with the id '%s' on %s (what it takes: %s)",
                 own_id, where, ZC_SINCE_FORMS);
    return ZC_EXIT_FAILURE;
}

static int s_own_id (s_locate_t *self, const char *own_id, char *text)
{
    s_page_t page;
    int status = s_ask_page (self, own_id, &page);
    if (status == ZC_EXIT_OK && !page.known) {
        bool several = memchr (self->topics.data, '\n', self->topics.len);
        status = zc_locate_unknown (own_id, several ? "these topics" : "this topic");
    }
    zc_id_format (page.since, text);
    return status;
}

/*  Finds the highest position that has `want` or more messages after it; it is at least `low`,
 *  and below `high`. */
static int s_halve (s_locate_t *self, uint64_t want, zc_id_t low, zc_id_t high, char *text)
{
    int status = ZC_EXIT_OK;
    while (status == ZC_EXIT_OK && high - low > 1) {
        zc_id_t middle = low + (high - low) / 2;
        s_page_t page;
        zc_id_format (middle, text);
        status = s_ask_page (self, text, &page);
        if (page.after < want)
            high = middle;
        else if (page.after == want)
            low = high = middle;
        else
            low = page.first > middle && page.first < high ? page.first : middle;
    }
    zc_id_format (low, text);
    return status;
}

static void s_take_head (void *arg, const zc_answer_t *answer)
{
    zc_id_t *head = arg;
    *head = answer->head;
}

/*  The broker's last position, by SYNC without a nonce. */
static int s_ask_head (s_locate_t *self, zc_id_t *head)
{
    static const zc_ask_t ask = {.verb = ZC_SYNC};
    *head = ZC_ID_NONE;
    return zc_tool_ask (self->link, &ask, s_take_head, head);
}

static int s_last (s_locate_t *self, uint64_t want, zc_id_t until, char *text)
{
    s_page_t page = {0};
    zc_id_t head;
    int status = ZC_EXIT_OK;
    if (until != ZC_ID_MAX && self->topics.len) {
        zc_id_format (until, text);
        status = s_ask_page (self, text, &page);
    }
    want = want < UINT64_MAX - page.after ? want + page.after : UINT64_MAX;
    strcpy (text, "earliest");
    if (self->topics.len == 0 || status != ZC_EXIT_OK)
        return status;
    status = s_ask_page (self, text, &page);
    if (status == ZC_EXIT_OK)
        status = s_ask_head (self, &head);
    if (status != ZC_EXIT_OK || page.after <= want || head <= page.first)
        return status;
    return s_halve (self, want, page.first, head, text);
}

/*  Topics that match the prefixes. The latest come first, so the topics that TOPICS leaves out
 *  don't have the last messages. */
static void s_listed (void *arg, const zc_answer_t *answer)
{
    s_locate_t *self = arg;
    zc_slice_t list = answer->listed, topic;
    zc_id_t last;
    while (zc_listed_next (&list, &last, &topic))
        zc_ask_add_topic (&self->topics, topic);
}

static int s_list (s_locate_t *self, const zc_slice_t *prefixes, size_t count)
{
    zc_ask_t ask = {.verb = ZC_TOPICS, .frames = prefixes, .frame_count = count};
    if (count > ZC_PREFIXES_MAX)
        return zc_tool_misuse ("--since last:N takes at most %d prefixes", ZC_PREFIXES_MAX);
    return zc_tool_ask (self->link, &ask, s_listed, self);
}

static void s_name (s_locate_t *self, const zc_slice_t *topics, size_t count)
{
    for (size_t i = 0; i < count; i++)
        zc_ask_add_topic (&self->topics, topics[i]);
}

int zc_locate (const zc_options_t *options, const zc_since_t *since, const zc_slice_t *topics,
               size_t count, bool prefix, zc_id_t until, unsigned timeout_ms, char *text)
{
    if (since->from == ZC_FROM_EARLIEST || since->from == ZC_FROM_POSITION) {
        if (since->from == ZC_FROM_EARLIEST)
            strcpy (text, "earliest");
        else
            zc_id_format (since->position, text);
        return ZC_EXIT_OK;
    }
    s_locate_t self = {zc_tool_link_new (options, timeout_ms), ZC_BUF_INIT};
    int status = self.link ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
    if (status == ZC_EXIT_OK && prefix)
        status = s_list (&self, topics, count);
    else
        s_name (&self, topics, count);
    if (status == ZC_EXIT_OK)
        status = since->from == ZC_FROM_LAST ? s_last (&self, since->count, until, text)
                                             : s_own_id (&self, since->own_id, text);
    zc_tool_link_destroy (&self.link);
    zc_buf_clear (&self.topics);
    return status;
}
