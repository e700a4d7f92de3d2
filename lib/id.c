/*  id.c - positions as one number; see id.h for why. */
#include "lib/id.h"

#include "lib/text.h"

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

static size_t s_digits (uint64_t value, char *out)
{
    char reversed[20];
    size_t len = 0;
    do {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
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
