/*  grants.c - see grants.h.
 *
 *  A list is searched from its beginning: it is short (ZC_GRANTS_MAX), and is searched when a
 *  client comes or publishes, and not for each message. */
#include "lib/access/grants.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    zc_slice_t topic;        /* owned; a prefix ends in `*` */
    zc_selector_t *selector; /* owned; NULL: a topic, or a prefix */
} s_grant_t;

typedef struct {
    s_grant_t *grants; /* owned */
    size_t count, cap;
    size_t steps; /* of all selectors */
} s_list_t;

struct zc_grants {
    s_list_t lists[ZC_GRANT_KINDS];
};

static const char *const s_names[ZC_GRANT_KINDS] = {"publish", "subscribe"};

zc_grants_t *zc_grants_new (void)
{
    zc_grants_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void zc_grants_destroy (zc_grants_t **self_p)
{
    zc_grants_t *self = *self_p;
    if (!self)
        return;
    for (size_t kind = 0; kind < ZC_GRANT_KINDS; kind++) {
        s_list_t *list = &self->lists[kind];
        for (size_t i = 0; i < list->count; i++) {
            free ((char *)(uintptr_t)list->grants[i].topic.at);
            zc_selector_destroy (&list->grants[i].selector);
        }
        free (list->grants);
    }
    free (self);
    *self_p = NULL;
}

static bool s_is_prefix (zc_slice_t topic)
{
    return topic.len > 0 && topic.at[topic.len - 1] == '*' && !zc_names_selector (topic);
}

static void s_append (s_list_t *list, zc_slice_t topic, zc_selector_t *selector)
{
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->grants = realloc (list->grants, list->cap * sizeof *list->grants);
    }
    char *copy = malloc (topic.len);
    if (!list->grants || !copy)
        abort ();
    memcpy (copy, topic.at, topic.len);
    list->grants[list->count++] = (s_grant_t){{copy, topic.len}, selector};
}

/*  Each request may be matched with all selectors, so their steps are bounded together. */
static int s_add_selector (s_list_t *list, zc_slice_t name)
{
    const char *error;
    zc_selector_t *selector = zc_selector_of (name, &error);
    size_t steps = selector ? zc_selector_steps (selector) : 0;
    if (!selector || list->steps + steps > ZC_SELECTORS_STEPS_MAX) {
        zc_selector_destroy (&selector);
        return -1;
    }
    list->steps += steps;
    s_append (list, name, selector);
    return 0;
}

int zc_grants_add (zc_grants_t *self, zc_grant_t kind, zc_slice_t topic)
{
    s_list_t *list = &self->lists[kind];
    zc_slice_t bare = {topic.at, topic.len - s_is_prefix (topic)};
    bool everything = s_is_prefix (topic) && bare.len == 0;
    if (list->count == ZC_GRANTS_MAX)
        return -1;
    if (zc_names_selector (topic))
        return s_add_selector (list, topic);
    if (!everything && !zc_topic_valid (bare.at, bare.len))
        return -1;
    s_append (list, topic, NULL);
    return 0;
}

static int s_add_list (zc_grants_t *self, zc_grant_t kind, const json_t *list)
{
    if (!list)
        return 0;
    if (!json_is_array (list))
        return -1;
    for (size_t i = 0; i < json_array_size (list); i++) {
        const json_t *item = json_array_get (list, i);
        if (!json_is_string (item))
            return -1;
        zc_slice_t topic = {json_string_value (item), json_string_length (item)};
        if (zc_names_selector (topic) || zc_grants_add (self, kind, topic) != 0)
            return -1;
    }
    return 0;
}

int zc_grants_add_claim (zc_grants_t *self, const json_t *object)
{
    if (!json_is_object (object))
        return -1;
    for (zc_grant_t kind = 0; kind < ZC_GRANT_KINDS; kind++)
        if (s_add_list (self, kind, json_object_get (object, s_names[kind])) != 0)
            return -1;
    return 0;
}

void zc_grants_add_all (zc_grants_t *self, const zc_grants_t *others)
{
    for (zc_grant_t kind = 0; kind < ZC_GRANT_KINDS; kind++)
        for (size_t i = 0; i < others->lists[kind].count; i++)
            zc_grants_add (self, kind, others->lists[kind].grants[i].topic);
}

static bool s_allows (const s_grant_t *grant, zc_slice_t topic)
{
    if (grant->selector)
        return zc_selector_match (grant->selector, topic);
    return s_is_prefix (grant->topic)
               ? zc_slice_begins (topic, (zc_slice_t){grant->topic.at, grant->topic.len - 1})
               : zc_slice_compare (topic, grant->topic) == 0;
}

bool zc_grants_allow (const zc_grants_t *self, zc_grant_t kind, zc_slice_t topic)
{
    const s_list_t *list = &self->lists[kind];
    for (size_t i = 0; i < list->count; i++)
        if (s_allows (&list->grants[i], topic))
            return true;
    return false;
}

bool zc_grants_allow_all (const zc_grants_t *self, zc_grant_t kind, zc_slice_t prefix)
{
    const s_list_t *list = &self->lists[kind];
    for (size_t i = 0; i < list->count; i++) {
        zc_slice_t grant = list->grants[i].topic;
        if (s_is_prefix (grant) && zc_slice_begins (prefix, (zc_slice_t){grant.at, grant.len - 1}))
            return true;
    }
    return false;
}

/*  Two selectors that may begin alike are taken to have a topic in common. */
static bool s_meets (const s_grant_t *grant, zc_selector_t *selector)
{
    zc_slice_t wanted = zc_selector_beginning (selector), given = grant->topic;
    if (grant->selector)
        given = zc_selector_beginning (grant->selector);
    else if (s_is_prefix (given))
        given.len--;
    else
        return zc_selector_match (selector, given);
    return zc_slice_begins (wanted, given) || zc_slice_begins (given, wanted);
}

static bool s_matters (const s_grant_t *grant, zc_slice_t topic)
{
    const char *error;
    if (!zc_names_selector (topic))
        return s_allows (grant, topic);
    zc_selector_t *selector = zc_selector_of (topic, &error);
    bool matters = selector && s_meets (grant, selector);
    zc_selector_destroy (&selector);
    return matters;
}

bool zc_grants_meet (const zc_grants_t *self, zc_grant_t kind, zc_slice_t topic)
{
    const s_list_t *list = &self->lists[kind];
    for (size_t i = 0; i < list->count; i++)
        if (s_matters (&list->grants[i], topic))
            return true;
    return false;
}

bool zc_grants_any (const zc_grants_t *self, zc_grant_t kind)
{
    return self->lists[kind].count > 0;
}

bool zc_grants_name (const zc_grants_t *self, zc_grant_t kind, zc_slice_t topic)
{
    const s_list_t *list = &self->lists[kind];
    for (size_t i = 0; i < list->count; i++)
        if (zc_slice_compare (list->grants[i].topic, topic) == 0)
            return true;
    return false;
}

bool zc_grants_item (const zc_grants_t *self, zc_grant_t kind, size_t index, zc_slice_t *topic)
{
    const s_list_t *list = &self->lists[kind];
    if (index >= list->count)
        return false;
    *topic = list->grants[index].topic;
    return true;
}

/*  Views. */

static int s_compare (const void *a, const void *b)
{
    return zc_slice_compare (*(const zc_slice_t *)a, *(const zc_slice_t *)b);
}

/*  Writes the grants, sorted and each once, with LF between them. */
static void s_write (zc_buf_t *out, zc_slice_t *items, size_t count)
{
    qsort (items, count, sizeof *items, s_compare);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && zc_slice_compare (items[i], items[i - 1]) == 0)
            continue;
        if (i > 0)
            zc_buf_addc (out, '\n');
        zc_buf_add (out, items[i].at, items[i].len);
    }
}

/*  A topic that is granted by any grant stands for that grant, so that clients whose grants differ
 *  in what they didn't ask for have the same view. */
void zc_grants_view (const zc_grants_t *self, const zc_slice_t *topics, size_t count, zc_buf_t *out)
{
    const s_list_t *list = &self->lists[ZC_GRANT_SUBSCRIBE];
    zc_slice_t *items = malloc ((count + list->count + 1) * sizeof *items);
    bool *taken = calloc (list->count + 1, sizeof *taken);
    size_t found = 0;
    if (!items || !taken)
        abort ();
    for (size_t i = 0; i < count; i++) {
        bool plain = !zc_names_selector (topics[i]) && !s_is_prefix (topics[i]);
        if (plain && zc_grants_allow (self, ZC_GRANT_SUBSCRIBE, topics[i]))
            items[found++] = topics[i];
        for (size_t at = 0; !plain && at < list->count; at++)
            taken[at] |= !taken[at] && s_matters (&list->grants[at], topics[i]);
    }
    for (size_t at = 0; at < list->count; at++)
        if (taken[at])
            items[found++] = list->grants[at].topic;
    s_write (out, items, found);
    free (items);
    free (taken);
}

zc_grants_t *zc_grants_of_view (zc_slice_t view)
{
    if (view.len == 0)
        return NULL;
    zc_grants_t *self = zc_grants_new ();
    s_list_t *list = &self->lists[ZC_GRANT_SUBSCRIBE];
    while (view.len > 0) {
        const char *end = memchr (view.at, '\n', view.len);
        zc_slice_t item = {view.at, end ? (size_t)(end - view.at) : view.len};
        const char *error;
        zc_selector_t *selector = zc_names_selector (item) ? zc_selector_of (item, &error) : NULL;
        if (item.len > 0)
            s_append (list, item, selector);
        view.at += item.len + (end != NULL);
        view.len -= item.len + (end != NULL);
    }
    return self;
}
