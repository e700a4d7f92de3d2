/*  traceparent_fuzz.c - any bytes as a traceparent: what is accepted is written in version 00, and
 *  then read as the same. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/traceparent.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_trace_t trace, again;
    char *copy = malloc (size ? size : 1), text[ZC_TRACEPARENT_LEN]; /* no byte beyond is read */
    if (!copy)
        abort ();
    memcpy (copy, data, size);
    if (zc_traceparent_parse ((zc_slice_t){copy, size}, &trace) == 0) {
        zc_traceparent_write (&trace, text);
        if (memcmp (text + 2, copy + 2, 51) != 0 || trace.flags > 3 ||
            zc_traceparent_parse ((zc_slice_t){text, sizeof text}, &again) != 0 ||
            again.flags != trace.flags)
            abort ();
    }
    free (copy);
    return 0;
}
