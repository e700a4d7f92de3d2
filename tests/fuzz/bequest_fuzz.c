/*  What a broker leaves to its successor: what is read and written again is the same, and what is
 * cut is never whole. */
#include <stdlib.h>
#include <string.h>

#include "broker/bequest.h"
#include "lib/wire/message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_walk (zc_slice_t ids)
{
    uint64_t before = 0, id;
    size_t count = 0, all = ids.len;
    while (zc_bequest_next_id (&ids, &id)) {
        if (id <= before)
            abort ();
        before = id;
        count++;
    }
    if (count * 8 != all)
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_bequest_t frame, again;
    zc_buf_t out = ZC_BUF_INIT;
    const char *error;
    long len = zc_bequest_read (&frame, data, size, &error);
    if ((len < 0) != (error != NULL) || len > (long)size)
        abort ();
    if (len <= 0)
        return 0;
    s_walk (frame.ids);
    if ((frame.topic.len && !zc_topic_valid (frame.topic.at, frame.topic.len)) ||
        frame.event_at + frame.event_len > frame.meta.len)
        abort ();
    zc_bequest_write (&out, &frame);
    if (out.len != (size_t)len ||
        zc_bequest_read (&again, out.data, out.len, &error) != (long)out.len || error ||
        zc_bequest_read (&again, out.data, out.len - 1, &error) != 0)
        abort ();
    zc_buf_clear (&out);
    return 0;
}
