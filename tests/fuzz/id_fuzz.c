/*  Positions as text: an accepted one is written as it was, and the next position is above it. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/id.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_id_t id = 42;
    char text[ZC_ID_SIZE];
    if (zc_id_parse ((const char *)data, size, &id) != 0) {
        if (id != 42)
            abort ();
        return 0;
    }
    if (zc_id_format (id, text) != size || memcmp (text, data, size) != 0 || text[size])
        abort ();
    if (id < ZC_ID_MAX && zc_id_next (id, zc_id_ms (id)) != id + 1)
        abort ();
    if (zc_id_from_ms (zc_id_ms (id)) > id)
        abort ();
    return 0;
}
