/*  option_set.c - sets one value, notes its source, and explains why it can't be set. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/config/options_private.h"

static char *s_copy (const char *text, size_t len)
{
    char *copy = strndup (text, len);
    if (!copy)
        abort ();
    return copy;
}

void zc_value_clear (zc_value_t *value)
{
    for (size_t i = 0; i < value->count; i++) {
        free (value->items[i].key);
        free (value->items[i].value);
    }
    free (value->items);
    free (value->text);
    *value = (zc_value_t){0};
}

static bool s_same_items (const zc_value_t *a, const zc_value_t *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp (a->items[i].value, b->items[i].value) != 0 ||
            strcmp (a->items[i].key ? a->items[i].key : "",
                    b->items[i].key ? b->items[i].key : "") != 0)
            return false;
    return true;
}

/*  Numbers are compared as numbers: "60s" and "1m" are the same. */
bool zc_value_same (const zc_option_t *option, const zc_value_t *a, const zc_value_t *b)
{
    bool textual = option->type == ZC_OPT_TEXT || option->type == ZC_OPT_ENDPOINT ||
                   option->type == ZC_OPT_ENDPOINTS || option->type == ZC_OPT_CHOICE ||
                   option->type == ZC_OPT_SECRET || option->type == ZC_OPT_URL;
    if (!a->text != !b->text || !s_same_items (a, b))
        return false;
    return !a->text || (textual ? strcmp (a->text, b->text) == 0 : a->number == b->number);
}

static void s_add_item (zc_value_t *value, const char *text, bool map)
{
    const char *equals = map ? strchr (text, '=') : NULL;
    value->items = realloc (value->items, (value->count + 1) * sizeof *value->items);
    if (!value->items)
        abort ();
    zc_value_item_t *item = &value->items[value->count++];
    item->key = equals ? s_copy (text, (size_t)(equals - text)) : NULL;
    text = equals ? equals + 1 : text;
    item->value = s_copy (text, strlen (text));
}

void zc_options_quote (const char *text, char *quoted, size_t size)
{
    size_t len = strnlen (text, size), take = len;
    char *shown = malloc (4 * len + 1);
    if (!shown)
        abort ();
    size_t want = zc_text_escape (text, len, shown);
    bool cut = want >= size;
    if (cut) /* keeps as many whole values as fit */
        while (want > size - 4)
            want = zc_text_escape (text, zc_text_whole (text, --take), shown);
    memcpy (quoted, shown, want);
    memcpy (quoted + want, cut ? "..." : "", cut ? 4 : 1);
    free (shown);
}

int zc_setter_wrong (const zc_setter_t *origin, const char *name, const char *what, char *error,
                     size_t size)
{
    if (origin->rank == ZC_RANK_COMMAND)
        snprintf (error, size, "--%s: %s", name, what);
    else if (origin->rank == ZC_RANK_ENVIRONMENT)
        snprintf (error, size, "%s: %s", origin->path, what);
    else
        snprintf (error, size, "%s:%u: %s: %s", origin->path, origin->line, name, what);
    return -1;
}

static int s_wrong_value (const zc_setter_t *origin, const zc_option_t *option, const char *text,
                          const char *expected, char *error, size_t size)
{
    char quoted[64], what[ZC_OPTIONS_ERROR_MAX];
    zc_options_quote (text, quoted, sizeof quoted);
    snprintf (what, sizeof what, "%s, not \"%s\"", expected, quoted);
    return zc_setter_wrong (origin, option->name, what, error, size);
}

static bool s_repeatable (const zc_option_t *option)
{
    return option->type == ZC_OPT_LIST || option->type == ZC_OPT_MAP;
}

int zc_value_set (const zc_option_t *option, zc_value_t *value, const char *text,
                  const zc_setter_t *origin, char *error, size_t size)
{
    char expected[ZC_OPTIONS_ERROR_MAX / 2];
    int64_t number = 0;
    bool empty_list = s_repeatable (option) && !*text;
    if (!empty_list && zc_option_value (option, text, &number, expected, sizeof expected) != 0)
        return s_wrong_value (origin, option, text, expected, error, size);
    if (value->rank > origin->rank)
        return 0;
    bool in_file = origin->rank != ZC_RANK_PRESET && origin->rank != ZC_RANK_ENVIRONMENT &&
                   origin->rank != ZC_RANK_COMMAND;
    if (value->rank == origin->rank && in_file && !s_repeatable (option)) {
        snprintf (expected, sizeof expected, "given twice, first on line %u", value->line);
        return zc_setter_wrong (origin, option->name, expected, error, size);
    }
    if (value->rank < origin->rank || !s_repeatable (option))
        zc_value_clear (value);
    value->rank = origin->rank;
    value->line = origin->line;
    value->number = number;
    if (!s_repeatable (option))
        value->text = s_copy (text, strlen (text));
    else if (!empty_list)
        s_add_item (value, text, option->type == ZC_OPT_MAP);
    return 0;
}
