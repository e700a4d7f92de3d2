/*  A selector, and a topic behind a LF. The first byte chooses the form. A filter matches what
 * another reading of MQTT's rules says. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/selector.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static zc_slice_t s_level (zc_slice_t text)
{
    const char *end = memchr (text.at, '/', text.len);
    return (zc_slice_t){text.at, end ? (size_t)(end - text.at) : text.len};
}

/*  Level by level. */
static bool s_filter_matches (zc_slice_t filter, zc_slice_t topic)
{
    for (;;) {
        zc_slice_t wanted = s_level (filter), level = s_level (topic);
        if (zc_slice_is (wanted, "#"))
            return true;
        if (!zc_slice_is (wanted, "+") && zc_slice_compare (wanted, level) != 0)
            return false;
        bool more = wanted.len < filter.len, further = level.len < topic.len;
        filter.at += wanted.len + more;
        filter.len -= wanted.len + more;
        if (!further)
            return !more || (zc_slice_is (filter, "#") && wanted.at != topic.at);
        if (!more)
            return false;
        topic.at += level.len + 1;
        topic.len -= level.len + 1;
    }
}

static void s_check_filter (zc_slice_t filter, zc_slice_t topic, bool matches)
{
    bool wild = filter.at[0] == '+' || filter.at[0] == '#';
    bool hidden = zc_slice_starts (topic, "$zcast/") || (wild && topic.at[0] == '$');
    if (matches != (!hidden && s_filter_matches (filter, topic)))
        abort ();
}

static void s_check (zc_selector_t *self, zc_slice_t text, zc_slice_t topic)
{
    const char *error;
    zc_slice_t beginning = zc_selector_beginning (self), name = zc_selector_name (self);
    bool matches = zc_selector_match (self, topic);
    zc_selector_t *same = zc_selector_of (name, &error);
    if (!same || zc_selector_match (same, topic) != matches || !zc_is_topic_or_selector (name) ||
        zc_slice_compare (zc_selector_text (name), text) != 0)
        abort ();
    zc_selector_destroy (&same);
    if (matches && !zc_slice_begins (topic, beginning))
        abort ();
    if (zc_selector_is_topic (self) && matches && zc_slice_compare (topic, beginning) != 0 &&
        zc_slice_compare (topic, text) != 0)
        abort ();
    if (zc_selector_is_tree (self) && matches && topic.len > beginning.len &&
        topic.at[beginning.len] != '/')
        abort ();
    if (name.at[1] == ZC_SELECTOR_FILTER)
        s_check_filter (text, topic, matches);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const zc_selector_form_t forms[] = {ZC_SELECTOR_FILTER, ZC_SELECTOR_TEMPLATE,
                                               ZC_SELECTOR_PATTERN};
    const char *error = NULL, *at = (const char *)data;
    const char *end = size ? memchr (at, '\n', size) : NULL;
    if (!end || end == at)
        return 0;
    zc_slice_t text = {at + 1, (size_t)(end - at) - 1};
    zc_slice_t topic = {end + 1, size - (size_t)(end - at) - 1};
    zc_selector_t *self = zc_selector_new (forms[data[0] % 3], text, &error);
    if (!self && !error)
        abort ();
    if (self && zc_topic_valid (topic.at, topic.len))
        s_check (self, text, topic);
    zc_selector_destroy (&self);
    return 0;
}
