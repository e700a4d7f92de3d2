/*  outlet.c - a list of a few entries, searched from front to back. */
#include "bridge/outlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *text;
    size_t len; /* without the '*' */
    bool prefix;
} s_entry_t;

struct zc_outlet {
    char *channel_prefix;
    s_entry_t *entries;
    size_t count;
};

zc_outlet_t *zc_outlet_new (const char *channel_prefix)
{
    zc_outlet_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->channel_prefix = strdup (channel_prefix);
    return self;
}

void zc_outlet_destroy (zc_outlet_t **self_p)
{
    zc_outlet_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++)
        free (self->entries[i].text);
    free (self->entries);
    free (self->channel_prefix);
    free (self);
}

int zc_outlet_add (zc_outlet_t *self, const char *entry, char *error, size_t size)
{
    size_t len = strlen (entry);
    if (!zc_topic_valid (entry, len)) {
        snprintf (error, size, "'%s': expected a topic, or the beginning of topics and '*'", entry);
        return -1;
    }
    bool prefix = entry[len - 1] == '*';
    self->entries = realloc (self->entries, (self->count + 1) * sizeof *self->entries);
    if (!self->entries)
        abort ();
    self->entries[self->count++] = (s_entry_t){strdup (entry), len - prefix, prefix};
    return 0;
}

size_t zc_outlet_count (const zc_outlet_t *self)
{
    return self->count;
}

zc_slice_t zc_outlet_topic (const zc_outlet_t *self, size_t index, bool *prefix)
{
    const s_entry_t *entry = &self->entries[index];
    *prefix = entry->prefix;
    return (zc_slice_t){entry->text, entry->len};
}

/*  In patterns of Redis * ? [ ] and \ are special. */
static void s_escape (zc_buf_t *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (memchr ("*?[]\\", text[i], 5))
            zc_buf_addc (out, '\\');
        zc_buf_addc (out, text[i]);
    }
}

void zc_outlet_subscription (const zc_outlet_t *self, size_t index, zc_buf_t *out)
{
    const s_entry_t *entry = &self->entries[index];
    if (!entry->prefix) {
        zc_outlet_channel (self, (zc_slice_t){entry->text, entry->len}, out);
        return;
    }
    s_escape (out, self->channel_prefix, strlen (self->channel_prefix));
    s_escape (out, entry->text, entry->len);
    zc_buf_addc (out, '*');
}

void zc_outlet_channel (const zc_outlet_t *self, zc_slice_t topic, zc_buf_t *out)
{
    zc_buf_adds (out, self->channel_prefix);
    zc_buf_add (out, topic.at, topic.len);
}

bool zc_outlet_find (const zc_outlet_t *self, zc_slice_t channel, zc_slice_t *topic)
{
    size_t skip = strlen (self->channel_prefix);
    if (channel.len < skip || memcmp (channel.at, self->channel_prefix, skip) != 0)
        return false;
    *topic = (zc_slice_t){channel.at + skip, channel.len - skip};
    for (size_t i = 0; i < self->count; i++) {
        const s_entry_t *entry = &self->entries[i];
        bool long_enough = entry->prefix ? topic->len >= entry->len : topic->len == entry->len;
        if (long_enough && memcmp (topic->at, entry->text, entry->len) == 0)
            return true;
    }
    return false;
}
