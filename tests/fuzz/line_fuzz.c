/*  The name of an order of positions: an accepted one is written as it was. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/line.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_line_t line = {""}, again;
    if (zc_line_parse (&line, (zc_slice_t){(const char *)data, size}) != 0) {
        if (zc_line_known (&line))
            abort ();
        return 0;
    }
    zc_slice_t text = zc_line_slice (&line);
    if (text.len != size || memcmp (text.at, data, size) != 0 ||
        zc_line_parse (&again, text) != 0 || !zc_line_same (&line, &again))
        abort ();
    if (zc_line_follows (&line, ZC_ID_MAX) && !zc_line_follows (&line, ZC_ID_NONE))
        abort ();
    return 0;
}
