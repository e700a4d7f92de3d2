/*  query.c - see query.h.
 *
 *  Decoding never makes text longer, so one block of the query's size holds all decoded values. */
#include "lib/wire/query.h"

#include <stdlib.h>
#include <string.h>

#include "lib/wire/selector.h"

static bool s_is_last_id (zc_slice_t name)
{
    return zc_slice_is (name, "last-event-id") || zc_slice_is (name, "lastEventId") ||
           zc_slice_is (name, "lastEventID") || zc_slice_is (name, "last_event_id");
}

static int s_add_topic (zc_query_t *self, zc_slice_t topic, size_t max_topics)
{
    if (!zc_topic_valid (topic.at, topic.len))
        return ZC_QUERY_TOPIC;
    if (self->count == max_topics)
        return ZC_QUERY_MANY;
    self->topics[self->count++] = topic;
    return 0;
}

/*  What a parameter of the query asks for. */
typedef enum { S_OTHER, S_TOPIC, S_SELECTOR, S_LAST_ID } s_kind_t;

static s_kind_t s_kind (zc_slice_t name, zc_selector_form_t *form)
{
    static const struct {
        const char *name;
        zc_selector_form_t form;
    } forms[] = {{"match", ZC_SELECTOR_FILTER},
                 {"template", ZC_SELECTOR_TEMPLATE},
                 {"pattern", ZC_SELECTOR_PATTERN}};
    if (zc_slice_is (name, "topic"))
        return S_TOPIC;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (zc_slice_is (name, forms[i].name)) {
            *form = forms[i].form;
            return S_SELECTOR;
        }
    return s_is_last_id (name) ? S_LAST_ID : S_OTHER;
}

/*  Adds a selector, whose text is at `out` behind room for the head of its name; or the topic, if
 * it can match only one. */
static int s_add_selector (zc_query_t *self, zc_selector_form_t form, zc_slice_t name,
                           size_t max_topics)
{
    int rc = ZC_QUERY_SELECTOR;
    zc_selector_t *selector = zc_selector_new (form, zc_selector_text (name), &self->wrong);
    self->steps += selector ? zc_selector_steps (selector) : 0;
    if (selector && self->count == max_topics) {
        rc = ZC_QUERY_MANY;
    } else if (selector && self->steps > ZC_SELECTORS_STEPS_MAX) {
        self->wrong = "the selectors have too many wildcards together";
    } else if (selector) {
        zc_slice_t known = zc_selector_is_topic (selector) ? zc_selector_beginning (selector)
                                                           : zc_selector_name (selector);
        memcpy ((char *)(uintptr_t)name.at, known.at, known.len);
        self->topics[self->count++] = (zc_slice_t){name.at, known.len};
        rc = 0;
    }
    zc_selector_destroy (&selector);
    return rc;
}

int zc_query_parse (zc_query_t *self, zc_slice_t query, size_t max_topics)
{
    zc_slice_t name, value;
    size_t pairs = 1;
    for (size_t i = 0; i < query.len; i++)
        pairs += query.at[i] == '&';
    memset (self, 0, sizeof *self);
    self->topics = malloc ((pairs < max_topics ? pairs : max_topics) * sizeof *self->topics + 1);
    char *out = self->text = malloc (query.len + 1);
    if (!self->topics || !self->text)
        abort ();
    int rc = 0;
    while (rc == 0 && zc_query_next (&query, &name, &value)) {
        zc_selector_form_t form;
        s_kind_t kind = s_kind (name, &form);
        if (kind == S_OTHER)
            continue;
        size_t head = kind == S_SELECTOR ? ZC_SELECTOR_HEAD : 0; /* less than `match=` */
        long len = zc_url_decode (value.at, value.len, out + head);
        zc_slice_t decoded = {out, head + (len < 0 ? 0 : (size_t)len)};
        if (len < 0)
            rc = ZC_QUERY_ESCAPE;
        else if (kind == S_SELECTOR)
            rc = s_add_selector (self, form, decoded, max_topics);
        else if (kind == S_TOPIC)
            rc = s_add_topic (self, decoded, max_topics);
        else
            self->last_id = decoded;
        out += decoded.len;
    }
    const char *wrong = self->wrong;
    if (rc != 0)
        zc_query_clear (self);
    self->wrong = wrong;
    return rc;
}

void zc_query_clear (zc_query_t *self)
{
    free (self->topics);
    free (self->text);
    memset (self, 0, sizeof *self);
}

const char *zc_query_code (int code)
{
    return code == ZC_QUERY_SELECTOR ? "selector" : "topic";
}

const char *zc_query_strerror (const zc_query_t *self, int code)
{
    switch (code) {
    case ZC_QUERY_ESCAPE:
        return "broken percent-escape in the query";
    case ZC_QUERY_TOPIC:
        return "a topic is 1 to 1024 bytes of UTF-8 without control characters";
    case ZC_QUERY_MANY:
        return "too many topics";
    case ZC_QUERY_SELECTOR:
        return self->wrong;
    default:
        return "unknown error";
    }
}
