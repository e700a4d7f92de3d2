/*  grants.c - see grants.h.
 *
 *  A list is searched from its beginning: it is short (ZC_GRANTS_MAX), and is searched when a
 *  client comes or publishes, and not for each message. */
#include "lib/access/grants.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    zc_slice_t *topics; /* owned, and so are their bytes; a prefix ends in `*` */
    size_t count, cap;
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
        for (size_t i = 0; i < list->count; i++)
            free ((char *)(uintptr_t)list->topics[i].at);
        free (list->topics);
    }
    free (self);
    *self_p = NULL;
}

static bool s_is_prefix (zc_slice_t topic)
{
    return topic.len > 0 && topic.at[topic.len - 1] == '*';
}

static void s_append (s_list_t *list, zc_slice_t topic)
{
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->topics = realloc (list->topics, list->cap * sizeof *list->topics);
    }
    char *copy = malloc (topic.len);
    if (!list->topics || !copy)
        abort ();
    memcpy (copy, topic.at, topic.len);
    list->topics[list->count++] = (zc_slice_t){copy, topic.len};
}

int zc_grants_add (zc_grants_t *self, zc_grant_t kind, zc_slice_t topic)
{
    s_list_t *list = &self->lists[kind];
    zc_slice_t bare = {topic.at, topic.len - s_is_prefix (topic)};
    bool everything = s_is_prefix (topic) && bare.len == 0;
    if (list->count == ZC_GRANTS_MAX || (!everything && !zc_topic_valid (bare.at, bare.len)))
        return -1;
    s_append (list, topic);
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
        if (zc_grants_add (self, kind, topic) != 0)
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
            zc_grants_add (self, kind, others->lists[kind].topics[i]);
}

bool zc_grants_allow (const zc_grants_t *self, zc_grant_t kind, zc_slice_t topic)
{
    const s_list_t *list = &self->lists[kind];
    for (size_t i = 0; i < list->count; i++) {
        zc_slice_t grant = list->topics[i];
        if (s_is_prefix (grant) ? zc_slice_begins (topic, (zc_slice_t){grant.at, grant.len - 1})
                                : zc_slice_compare (topic, grant) == 0)
            return true;
    }
    return false;
}

bool zc_grants_allow_all (const zc_grants_t *self, zc_grant_t kind, zc_slice_t prefix)
{
    const s_list_t *list = &self->lists[kind];
    for (size_t i = 0; i < list->count; i++) {
        zc_slice_t grant = list->topics[i];
        if (s_is_prefix (grant) && zc_slice_begins (prefix, (zc_slice_t){grant.at, grant.len - 1}))
            return true;
    }
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
        if (zc_slice_compare (list->topics[i], topic) == 0)
            return true;
    return false;
}

bool zc_grants_item (const zc_grants_t *self, zc_grant_t kind, size_t index, zc_slice_t *topic)
{
    const s_list_t *list = &self->lists[kind];
    if (index >= list->count)
        return false;
    *topic = list->topics[index];
    return true;
}
