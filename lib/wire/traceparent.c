/*  traceparent.c - see traceparent.h. */
#include "lib/wire/traceparent.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/log.h"

#define S_TRACE_AT 3
#define S_TRACE_LEN 32
#define S_SPAN_AT 36
#define S_SPAN_LEN 16
#define S_FLAGS_AT 53
#define S_SAMPLED 1
#define S_RANDOM 2

/*  Whether the text is hexadecimal digits; *any: one of them isn't 0. */
static bool s_digits (const char *text, size_t len, bool *any)
{
    *any = false;
    for (size_t i = 0; i < len; i++) {
        if (zc_text_hex_lower (text[i]) < 0)
            return false;
        *any |= text[i] != '0';
    }
    return true;
}

/*  The end of version 00 is that of the text; a later version may go on behind a dash. */
static bool s_ends (zc_slice_t text, bool later)
{
    return text.len == ZC_TRACEPARENT_LEN ||
           (later && text.len > ZC_TRACEPARENT_LEN && text.at[ZC_TRACEPARENT_LEN] == '-');
}

int zc_traceparent_parse (zc_slice_t text, zc_trace_t *trace)
{
    bool later, trace_any, span_any, flags_any;
    const char *at = text.at;
    if (text.len < ZC_TRACEPARENT_LEN || at[2] != '-' || at[S_SPAN_AT - 1] != '-' ||
        at[S_FLAGS_AT - 1] != '-' || !s_digits (at, 2, &later) || memcmp (at, "ff", 2) == 0 ||
        !s_ends (text, later) || !s_digits (at + S_TRACE_AT, S_TRACE_LEN, &trace_any) ||
        !s_digits (at + S_SPAN_AT, S_SPAN_LEN, &span_any) ||
        !s_digits (at + S_FLAGS_AT, 2, &flags_any) || !trace_any || !span_any)
        return -1;
    trace->trace_id = (zc_slice_t){at + S_TRACE_AT, S_TRACE_LEN};
    trace->span_id = (zc_slice_t){at + S_SPAN_AT, S_SPAN_LEN};
    trace->flags = (uint8_t)(zc_text_hex_lower (at[S_FLAGS_AT + 1]) &
                             (later ? S_SAMPLED : S_SAMPLED | S_RANDOM));
    return 0;
}

void zc_traceparent_write (const zc_trace_t *trace, char text[ZC_TRACEPARENT_LEN])
{
    memcpy (text, "00-", S_TRACE_AT);
    memcpy (text + S_TRACE_AT, trace->trace_id.at, S_TRACE_LEN);
    text[S_SPAN_AT - 1] = '-';
    memcpy (text + S_SPAN_AT, trace->span_id.at, S_SPAN_LEN);
    memcpy (text + S_FLAGS_AT - 1, "-0", 2);
    text[S_FLAGS_AT + 1] = (char)('0' + trace->flags);
}

void zc_traceparent_log (zc_slice_t text)
{
    zc_trace_t trace;
    if (zc_traceparent_parse (text, &trace) == 0)
        zc_log_trace (trace.trace_id, trace.span_id);
}
