/*  Where in history to begin, and points in time. An accepted text means a valid position. A
 *  point in time stays the same when it is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/timestamp.h"
#include "lib/wire/message.h"
#include "tools/since.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_timestamp (const char *text, size_t size)
{
    uint64_t ms, again;
    char written[ZC_TIMESTAMP_SIZE];
    if (zc_timestamp_parse (text, size, &ms) != 0)
        return;
    size_t len = zc_timestamp_format (ms, written);
    if (zc_timestamp_parse (written, len, &again) != 0 || again != ms)
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    uint64_t now = 1795784880000;
    char *text = malloc (size + 1);
    if (!text)
        abort ();
    memcpy (text, data, size);
    text[size] = 0;
    s_timestamp ((const char *)data, size);
    zc_since_t since;
    if (!zc_since_parse (&since, text, now)) {
        if (since.from == ZC_FROM_LAST && (since.count == 0 || since.count > INT64_MAX))
            abort ();
        size_t len = since.own_id ? strlen (since.own_id) : 1;
        if ((since.from == ZC_FROM_OWN_ID) != (since.own_id != NULL) || len == 0 ||
            len > ZC_EVENT_ID_MAX)
            abort ();
    }
    free (text);
    return 0;
}
