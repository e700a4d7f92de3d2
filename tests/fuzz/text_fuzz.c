/*  Text from outside: UTF-8, escapes, queries, numbers. Each fast path agrees with a slow one. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/query.h"
#include "lib/wire/selector.h"
#include "lib/base/base64.h"
#include "lib/base/text.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  UTF-8 by the table of RFC 3629 §4. Returns the length of the sequence, or 0. */
static size_t s_sequence (const uint8_t *at, size_t left)
{
    static const struct {
        uint8_t first[2], second[2];
        size_t len;
    } table[] = {
        {{0x00, 0x7f}, {0x00, 0xff}, 1}, {{0xc2, 0xdf}, {0x80, 0xbf}, 2},
        {{0xe0, 0xe0}, {0xa0, 0xbf}, 3}, {{0xe1, 0xec}, {0x80, 0xbf}, 3},
        {{0xed, 0xed}, {0x80, 0x9f}, 3}, {{0xee, 0xef}, {0x80, 0xbf}, 3},
        {{0xf0, 0xf0}, {0x90, 0xbf}, 4}, {{0xf1, 0xf3}, {0x80, 0xbf}, 4},
        {{0xf4, 0xf4}, {0x80, 0x8f}, 4},
    };
    size_t i = 0;
    while (i < 9 && (at[0] < table[i].first[0] || at[0] > table[i].first[1]))
        i++;
    if (i == 9 || table[i].len > left)
        return 0;
    size_t len = table[i].len;
    if (len > 1 && (at[1] < table[i].second[0] || at[1] > table[i].second[1]))
        return 0;
    for (size_t j = 2; j < len; j++)
        if (at[j] < 0x80 || at[j] > 0xbf)
            return 0;
    return len;
}

static void s_utf8 (const uint8_t *data, size_t size)
{
    bool valid = true, plain = true;
    for (size_t i = 0, len; i < size && valid; i += len) {
        len = s_sequence (data + i, size - i);
        valid = len > 0;
        if (len == 1 && (data[i] < 0x20 || data[i] == 0x7f))
            plain = false;
        if (len == 2 && data[i] == 0xc2 && data[i + 1] < 0xa0)
            plain = false;
    }
    if (zc_utf8_valid (data, size) != valid || zc_text_plain (data, size) != (valid && plain))
        abort ();
    if (zc_topic_valid (data, size) != (valid && plain && size >= 1 && size <= ZC_TOPIC_MAX))
        abort ();
}

/*  Escaped text is one plain line, and plain text stays as it is. */
static void s_escape (const uint8_t *data, size_t size)
{
    char *out = malloc (4 * size + 1);
    if (!out)
        abort ();
    size_t len = zc_text_escape (data, size, out);
    if (len > 4 * size || !zc_text_plain (out, len))
        abort ();
    char *again = malloc (4 * len + 1);
    if (!again || zc_text_escape (out, len, again) != len || memcmp (out, again, len) != 0)
        abort ();
    free (again);
    free (out);
}

static void s_query (const char *text, size_t size)
{
    zc_slice_t rest = {text, size}, name, value;
    size_t seen = 0;
    while (zc_query_next (&rest, &name, &value)) {
        if (memchr (name.at, '&', name.len) || memchr (name.at, '=', name.len) ||
            memchr (value.at, '&', value.len))
            abort ();
        seen += name.len + value.len;
    }
    if (seen > size || rest.len > 0)
        abort ();
    zc_query_t query;
    if (zc_query_parse (&query, (zc_slice_t){text, size}, 3) == 0) {
        if (query.count > 3)
            abort ();
        for (size_t i = 0; i < query.count; i++)
            if (!zc_topic_valid (query.topics[i].at, query.topics[i].len) &&
                !zc_is_topic_or_selector (query.topics[i]))
                abort ();
        if (query.last_id.at && query.last_id.len > size) /* any bytes: zc_hub_join checks them */
            abort ();
    }
    zc_query_clear (&query);
}

static void s_decode (const char *text, size_t size)
{
    char *out = malloc (size ? size : 1);
    long len = zc_url_decode (text, size, out);
    if (len < -1 || len > (long)size || len != zc_percent_decode (text, size, out))
        abort ();
    free (out);
}

static void s_base64 (const uint8_t *data, size_t size)
{
    size_t len = 4 * ((size + 2) / 3);
    char *out = malloc (len ? len : 1);
    zc_base64 (data, size, out);
    for (size_t i = 0; i < len; i++)
        if (!strchr ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", out[i]))
            abort ();
    free (out);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    uint64_t number;
    s_utf8 (data, size);
    s_escape (data, size);
    s_query (text, size);
    s_decode (text, size);
    s_base64 (data, size);
    if (zc_text_u64 (text, size, 1000, &number) == 0 && number > 1000)
        abort ();
    return 0;
}
