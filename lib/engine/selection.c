/*  selection.c - tables of beginnings and of routes.
 *
 *  A change of the selectors changes the version. A route of an earlier version is mended when its
 *  topic is next used, by the changes since; if they are more than we keep, it is made anew.
 *  Rejected: mending the routes that a change concerns at once, for which they would have to be
 *  found by their beginnings; and making each anew, since then a client that comes and goes would
 *  have each topic matched with all selectors again. */
#include "lib/engine/selection.h"

#include <stdlib.h>
#include <string.h>

#define S_ROUTES 32768 /* kept at most */
#define S_CHANGES 256  /* of the selectors, kept to mend routes by */
#define S_TURNS 16     /* routes that are passed over in search of one that wasn't used lately */

typedef struct {
    zc_node_t node;
    zc_slice_t text;  /* key; owned */
    zc_slots_t items; /* of zc_selected_t */
} s_beginning_t;

typedef struct {
    const zc_selected_t *added; /* borrowed */
    void *gone; /* the item of one that went; both NULL: it was added and went since */
} s_change_t;

struct zc_selection {
    zc_table_t beginnings;            /* owns s_beginning_t */
    size_t lengths[ZC_TOPIC_MAX + 1]; /* how many beginnings have this length */
    size_t size;
    uint64_t version;
    s_change_t changes[S_CHANGES]; /* the one that led to a version is at version % S_CHANGES */
    zc_table_t routes;             /* owns zc_topic_route_t */
    TAILQ_HEAD (, zc_topic_route) turns;
    void *(*named) (void *arg, zc_slice_t topic);
    void *arg;
    void **found; /* owned: room for what matches a topic */
    size_t found_cap;
};

static zc_slice_t s_copy (zc_slice_t text)
{
    char *copy = malloc (text.len + 1);
    if (!copy)
        abort ();
    if (text.len)
        memcpy (copy, text.at, text.len);
    return (zc_slice_t){copy, text.len};
}

zc_selection_t *zc_selection_new (void *(*named) (void *arg, zc_slice_t topic), void *arg)
{
    zc_selection_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    zc_table_init (&self->beginnings);
    zc_table_init (&self->routes);
    TAILQ_INIT (&self->turns);
    self->named = named;
    self->arg = arg;
    return self;
}

void zc_selection_destroy (zc_selection_t **self_p)
{
    zc_selection_t *self = *self_p;
    if (!self)
        return;
    zc_selection_forget (self);
    zc_table_clear (&self->beginnings);
    free (self->found);
    free (self);
    *self_p = NULL;
}

/*  Selectors. */

static void s_note_change (zc_selection_t *self, const zc_selected_t *added, void *gone)
{
    self->changes[++self->version % S_CHANGES] = (s_change_t){added, gone};
}

/*  The selector is about to be freed. */
static void s_forget_added (zc_selection_t *self, const zc_selected_t *selected)
{
    for (size_t i = 0; i < S_CHANGES; i++)
        if (self->changes[i].added == selected)
            self->changes[i].added = NULL;
}

bool zc_selection_add (zc_selection_t *self, zc_selected_t *selected)
{
    zc_slice_t text = zc_selector_beginning (selected->selector);
    s_beginning_t *beginning = zc_table_get (&self->beginnings, text);
    bool first = !beginning;
    if (first) {
        beginning = calloc (1, sizeof *beginning);
        if (!beginning)
            abort ();
        beginning->text = s_copy (text);
        zc_table_add (&self->beginnings, beginning);
        self->lengths[text.len]++;
    }
    zc_slots_add (&beginning->items, selected, &selected->slot);
    self->size++;
    s_note_change (self, selected, NULL);
    return first;
}

bool zc_selection_remove (zc_selection_t *self, zc_selected_t *selected)
{
    zc_slice_t text = zc_selector_beginning (selected->selector);
    s_beginning_t *beginning = zc_table_get (&self->beginnings, text);
    zc_slots_take (&beginning->items, &selected->slot);
    s_forget_added (self, selected);
    s_note_change (self, NULL, selected->item);
    if (--self->size == 0)
        zc_selection_forget (self);
    if (beginning->items.count)
        return false;
    zc_table_remove (&self->beginnings, &beginning->node);
    zc_slots_clear (&beginning->items);
    self->lengths[text.len]--;
    free ((char *)(uintptr_t)beginning->text.at);
    free (beginning);
    return true;
}

bool zc_selection_begins (const zc_selection_t *self, zc_slice_t text)
{
    return zc_table_get (&self->beginnings, text) != NULL;
}

static int s_compare (const void *a, const void *b)
{
    const zc_slice_t *left = a, *right = b;
    return zc_slice_compare (*left, *right);
}

size_t zc_selection_beginnings (const zc_slots_t *among, zc_slice_t (*beginning) (const void *item),
                                zc_slice_t *out, size_t max)
{
    zc_slice_t *all = malloc ((among->count + 1) * sizeof *all);
    size_t count = 0;
    if (!all)
        abort ();
    for (size_t i = 0; i < among->count; i++)
        all[i] = beginning (among->at[i].item);
    qsort (all, among->count, sizeof *all, s_compare);
    for (size_t i = 0; i < among->count && count <= max; i++) {
        if (count > 0 && zc_slice_begins (all[i], out[count - 1]))
            continue;
        if (count < max)
            out[count] = all[i];
        count++;
    }
    free (all);
    if (count > max) {
        out[0] = (zc_slice_t){"", 0};
        count = 1;
    }
    return count;
}

/*  Routes. */

static void s_free_route (zc_selection_t *self, zc_topic_route_t *route)
{
    zc_table_remove (&self->routes, &route->node);
    TAILQ_REMOVE (&self->turns, route, turn);
    free ((char *)(uintptr_t)route->topic.at);
    free (route->items);
    free (route);
}

void zc_selection_forget (zc_selection_t *self)
{
    zc_topic_route_t *route;
    while ((route = TAILQ_FIRST (&self->turns)))
        s_free_route (self, route);
    zc_table_clear (&self->routes);
}

/*  Among the first ones, a route that wasn't used since its last turn goes. */
static void s_make_room (zc_selection_t *self)
{
    zc_topic_route_t *route = TAILQ_FIRST (&self->turns);
    for (int i = 0; i < S_TURNS && route->used; i++) {
        route->used = false;
        TAILQ_REMOVE (&self->turns, route, turn);
        TAILQ_INSERT_TAIL (&self->turns, route, turn);
        route = TAILQ_FIRST (&self->turns);
    }
    s_free_route (self, route);
}

static zc_topic_route_t *s_new_route (zc_selection_t *self, zc_slice_t topic)
{
    zc_topic_route_t *route = calloc (1, sizeof *route);
    if (!route)
        abort ();
    if (self->routes.size >= S_ROUTES)
        s_make_room (self);
    route->topic = s_copy (topic);
    route->since = ZC_ID_MAX;
    route->version = self->version - S_CHANGES - 1; /* older than all changes that are kept */
    route->named = self->named (self->arg, topic);
    zc_table_add (&self->routes, route);
    TAILQ_INSERT_TAIL (&self->turns, route, turn);
    return route;
}

/*  Adds to `found`, from `count` on, the items of the selectors in one set that match. */
static size_t s_find_in (zc_selection_t *self, const zc_slots_t *items, zc_slice_t topic,
                         size_t count)
{
    if (count + items->count > self->found_cap) {
        self->found_cap = 2 * (count + items->count);
        self->found = realloc (self->found, self->found_cap * sizeof *self->found);
        if (!self->found)
            abort ();
    }
    for (size_t i = 0; i < items->count; i++) {
        const zc_selected_t *one = items->at[i].item;
        if (zc_selector_match (one->selector, topic))
            self->found[count++] = one->item;
    }
    return count;
}

static void s_make_route (zc_selection_t *self, zc_topic_route_t *route)
{
    size_t count = 0;
    for (size_t len = 0; len <= route->topic.len; len++) {
        if (!self->lengths[len])
            continue;
        const s_beginning_t *beginning =
            zc_table_get (&self->beginnings, (zc_slice_t){route->topic.at, len});
        if (beginning)
            count = s_find_in (self, &beginning->items, route->topic, count);
    }
    route->items = realloc (route->items, (count ? count : 1) * sizeof *route->items);
    if (!route->items)
        abort ();
    if (count)
        memcpy (route->items, self->found, count * sizeof *route->items);
    route->count = count;
    route->version = self->version;
}

static void s_add_item (zc_topic_route_t *route, void *item)
{
    route->items = realloc (route->items, (route->count + 1) * sizeof *route->items);
    if (!route->items)
        abort ();
    route->items[route->count++] = item;
}

static void s_remove_item (zc_topic_route_t *route, const void *item)
{
    for (size_t i = 0; i < route->count; i++)
        if (route->items[i] == item) {
            route->items[i] = route->items[--route->count];
            return;
        }
}

static void s_mend_route (zc_selection_t *self, zc_topic_route_t *route)
{
    while (route->version != self->version) {
        const s_change_t *change = &self->changes[++route->version % S_CHANGES];
        const zc_selected_t *added = change->added;
        if (added && zc_slice_begins (route->topic, zc_selector_beginning (added->selector)) &&
            zc_selector_match (added->selector, route->topic))
            s_add_item (route, added->item);
        if (change->gone)
            s_remove_item (route, change->gone);
    }
}

zc_topic_route_t *zc_selection_route (zc_selection_t *self, zc_slice_t topic)
{
    zc_topic_route_t *route = zc_table_get (&self->routes, topic);
    if (!route)
        route = s_new_route (self, topic);
    if (self->version - route->version > S_CHANGES)
        s_make_route (self, route);
    else
        s_mend_route (self, route);
    route->used = true;
    return route;
}

void zc_selection_name (zc_selection_t *self, zc_slice_t topic, void *named)
{
    zc_topic_route_t *route = zc_table_get (&self->routes, topic);
    if (route)
        route->named = named;
}
