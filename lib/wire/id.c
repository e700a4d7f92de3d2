/*  id.c - positions as one number; see id.h for why. */
#include "lib/wire/id.h"

#include <string.h>
#include "lib/base/text.h"

#define S_COUNTER_MAX (((uint64_t)1 << ZC_ID_COUNTER_BITS) - 1)
#define S_MS_MAX (((uint64_t)1 << (64 - ZC_ID_COUNTER_BITS)) - 1)

static int s_part (const char *text, size_t len, uint64_t max, uint64_t *value)
{
    if (len > 1 && text[0] == '0')
        return -1;
    return zc_text_u64 (text, len, max, value);
}

int zc_id_parse (const char *text, size_t len, zc_id_t *id)
{
    size_t dash = 0;
    while (dash < len && text[dash] != '-')
        dash++;
    uint64_t ms, counter;
    if (dash == len || s_part (text, dash, S_MS_MAX, &ms) != 0 ||
        s_part (text + dash + 1, len - dash - 1, S_COUNTER_MAX, &counter) != 0)
        return -1;
    *id = ms << ZC_ID_COUNTER_BITS | counter;
    return 0;
}

/*  Two digits for each division: the broker formats two positions for each message. */
static size_t s_digits (uint64_t value, char *out)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    char digits[20], *at = digits + sizeof digits;
    for (; value >= 10; value /= 100)
        memcpy (at -= 2, pairs + value % 100 * 2, 2);
    if (value || at == digits + sizeof digits)
        *--at = (char)('0' + value);
    size_t len = (size_t)(digits + sizeof digits - at);
    memcpy (out, at, len);
    return len;
}

size_t zc_id_format (zc_id_t id, char *text)
{
    size_t len = s_digits (id >> ZC_ID_COUNTER_BITS, text);
    text[len++] = '-';
    len += s_digits (id & S_COUNTER_MAX, text + len);
    text[len] = 0;
    return len;
}

zc_id_t zc_id_next (zc_id_t last, uint64_t now_ms)
{
    zc_id_t clock = zc_id_from_ms (now_ms);
    return clock > last ? clock : last + 1;
}

zc_id_t zc_id_from_ms (uint64_t ms)
{
    return (ms > S_MS_MAX ? S_MS_MAX : ms) << ZC_ID_COUNTER_BITS;
}

uint64_t zc_id_ms (zc_id_t id)
{
    return id >> ZC_ID_COUNTER_BITS;
}
