/*  mapping.c - a list of a few entries, searched from front to back. */
#include "bridge/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bridge/glob.h"

#define S_ARROW " -> "
#define S_PLACE "{channel}"

typedef struct {
    char *name;
    char *topic; /* template; NULL: the common one */
    bool pattern;
} s_entry_t;

struct zc_mapping {
    char *topic;
    s_entry_t *entries;
    size_t count;
};

/*  The length of the place that a template has at `at`; *part is the number of its '*', or 0 for
 * the whole name. Returns 0 if there is no place. */
static size_t s_place (const char *at, size_t *part)
{
    bool number = at[0] == '{' && at[1] >= '1' && at[1] <= '9' && at[2] == '}';
    *part = number ? (size_t)(at[1] - '0') : 0;
    return number ? 3 : strncmp (at, S_PLACE, strlen (S_PLACE)) == 0 ? strlen (S_PLACE) : 0;
}

/*  `stars`: how many '*' there are in the pattern that the template is of. */
static int s_check_template (const char *text, size_t stars, char *error, size_t size)
{
    const char *at = text;
    size_t part, len;
    while ((at = strpbrk (at, "{}"))) {
        len = s_place (at, &part);
        if (len == 0) {
            snprintf (error, size,
                      "'%s': what can be in braces is {channel}, or the number of a '*' in the "
                      "pattern, such as {1}",
                      text);
            return -1;
        }
        if (part > stars) {
            snprintf (error, size, "'%s': there is no '*' number %zu for {%zu}", text, part, part);
            return -1;
        }
        at += len;
    }
    if (*text && zc_text_plain (text, strlen (text)))
        return 0;
    snprintf (error, size, "'%s': a topic is UTF-8 without control characters", text);
    return -1;
}

zc_mapping_t *zc_mapping_new (const char *topic_template, char *error, size_t size)
{
    if (s_check_template (topic_template, 0, error, size) != 0)
        return NULL;
    zc_mapping_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->topic = strdup (topic_template);
    return self;
}

void zc_mapping_destroy (zc_mapping_t **self_p)
{
    zc_mapping_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++) {
        free (self->entries[i].name);
        free (self->entries[i].topic);
    }
    free (self->entries);
    free (self->topic);
    free (self);
}

static const s_entry_t *s_find (const zc_mapping_t *self, zc_slice_t name, bool pattern)
{
    for (size_t i = 0; i < self->count; i++) {
        const s_entry_t *entry = &self->entries[i];
        if (entry->pattern == pattern && strlen (entry->name) == name.len &&
            memcmp (entry->name, name.at, name.len) == 0)
            return entry;
    }
    return NULL;
}

int zc_mapping_add (zc_mapping_t *self, const char *entry, bool pattern, char *error, size_t size)
{
    const char *arrow = strstr (entry, S_ARROW);
    size_t len = arrow ? (size_t)(arrow - entry) : strlen (entry);
    const char *topic = arrow ? arrow + strlen (S_ARROW) : NULL;
    if (len == 0) {
        snprintf (error, size, "'%s': expected CHANNEL or 'CHANNEL -> TOPIC'", entry);
        return -1;
    }
    size_t stars = pattern ? zc_glob_stars ((zc_slice_t){entry, len}) : 0;
    if (topic && s_check_template (topic, stars, error, size) != 0)
        return -1;
    if (s_find (self, (zc_slice_t){entry, len}, pattern)) {
        snprintf (error, size, "'%s': is there twice", entry);
        return -1;
    }
    self->entries = realloc (self->entries, (self->count + 1) * sizeof *self->entries);
    if (!self->entries)
        abort ();
    self->entries[self->count++] =
        (s_entry_t){strndup (entry, len), topic ? strdup (topic) : NULL, pattern};
    return 0;
}

size_t zc_mapping_count (const zc_mapping_t *self)
{
    return self->count;
}

const char *zc_mapping_name (const zc_mapping_t *self, size_t index, bool *pattern)
{
    *pattern = self->entries[index].pattern;
    return self->entries[index].name;
}

int zc_mapping_topic (const zc_mapping_t *self, zc_slice_t name, bool pattern, zc_slice_t channel,
                      zc_buf_t *topic)
{
    const s_entry_t *entry = s_find (self, name, pattern);
    if (!entry)
        return -1;
    size_t start = topic->len;
    const char *at = entry->topic ? entry->topic : self->topic;
    zc_slice_t parts[ZC_GLOB_STARS] = {{NULL, 0}};
    bool matched = pattern && zc_glob_match (name, channel, parts);
    size_t part, len;
    for (; *at; at += len) {
        len = strcspn (at, "{");
        zc_buf_add (topic, at, len);
        if (len)
            continue;
        len = s_place (at, &part);
        if (part && !matched)
            return -1; /* the server's patterns aren't ours */
        zc_slice_t text = part ? parts[part - 1] : channel;
        zc_buf_add (topic, text.at, text.len);
    }
    return zc_topic_valid (topic->data + start, topic->len - start) ? 0 : -1;
}
