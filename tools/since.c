/*  since.c - see since.h. A text that looks like a time but isn't one is a mistake, and isn't
 *  taken for a publisher's own id; `id:` is for own ids that look so. */
#include "tools/since.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/base/timestamp.h"
#include "lib/config/options.h"
#include "lib/wire/message.h"

/*  The position before the first one of a millisecond. */
static zc_id_t s_before (uint64_t ms)
{
    return ms ? zc_id_from_ms (ms) - 1 : ZC_ID_NONE;
}

/*  "2026-" */
static bool s_is_date (const char *text)
{
    return strspn (text, "0123456789") == 4 && text[4] == '-' &&
           strspn (text + 5, "0123456789") == 2;
}

/*  Digits, perhaps with a point, and a unit: "5m". */
static bool s_is_duration (const char *text, int64_t *ms)
{
    size_t digits = strspn (text, "0123456789.");
    return digits && text[digits] && zc_option_parse_duration (text, 1, ms) == 0;
}

static const char *s_parse_last (zc_since_t *self, const char *count)
{
    self->from = ZC_FROM_LAST;
    bool good = zc_text_u64 (count, strlen (count), INT64_MAX, &self->count) == 0 && self->count;
    return good ? NULL : "last:N needs a number from 1 on";
}

static const char *s_parse_time (zc_since_t *self, const char *text)
{
    uint64_t ms;
    if (zc_timestamp_parse (text, strlen (text), &ms) != 0)
        return "a time is written as 2026-11-27T10:00:00Z or 2026-11-27T10:00:00+01:00";
    if (ms >= (uint64_t)1 << (64 - ZC_ID_COUNTER_BITS))
        return "that time is too late";
    self->position = s_before (ms);
    return NULL;
}

static const char *s_parse_own_id (zc_since_t *self, const char *text)
{
    size_t len = strlen (text);
    self->from = ZC_FROM_OWN_ID;
    self->own_id = text;
    bool good = len && len <= ZC_EVENT_ID_MAX && zc_text_plain (text, len);
    return good ? NULL : "a publisher's own id is 1 to 256 bytes of plain text";
}

const char *zc_since_parse (zc_since_t *self, const char *text, uint64_t now_ms)
{
    int64_t ms;
    *self = (zc_since_t){.from = ZC_FROM_POSITION};
    if (strcmp (text, "earliest") == 0) {
        self->from = ZC_FROM_EARLIEST;
        return NULL;
    }
    if (strncmp (text, "last:", 5) == 0)
        return s_parse_last (self, text + 5);
    if (strncmp (text, "id:", 3) == 0)
        return s_parse_own_id (self, text + 3);
    if (zc_id_parse (text, strlen (text), &self->position) == 0)
        return NULL;
    if (s_is_date (text))
        return s_parse_time (self, text);
    if (!s_is_duration (text, &ms))
        return s_parse_own_id (self, text);
    self->position = s_before ((uint64_t)ms < now_ms ? now_ms - (uint64_t)ms : 0);
    return NULL;
}
