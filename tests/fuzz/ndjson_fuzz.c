/*  A line of NDJSON to publish. What is taken is a message that a broker takes. */
#include <stdlib.h>

#include "lib/wire/message.h"
#include "tools/ndjson.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_ndjson_t record;
    const char *wrong = zc_ndjson_parse (&record, (zc_slice_t){(const char *)data, size}, "t");
    if (!wrong) {
        zc_message_t message;
        zc_slice_t headers = {zc_buf_str (&record.headers), record.headers.len};
        if (zc_publish_parse (&message, record.topic, record.payload, headers, size) != 0)
            abort ();
    }
    zc_ndjson_clear (&record);
    return 0;
}
