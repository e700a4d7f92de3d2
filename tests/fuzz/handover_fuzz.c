/*  What a process says to its successor: what is read and written again is the same, and what is
 * cut is never whole. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/handover.h"
#include "lib/wire/selector.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_walk (zc_slice_t list)
{
    zc_slice_t item;
    size_t seen = 0;
    while (zc_handover_next (&list, &item)) {
        if (!zc_is_topic_or_selector (item))
            abort ();
        seen += item.len + 1;
    }
    if (seen > ZC_HANDOVER_FRAME_MAX)
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_handover_t frame, again;
    zc_buf_t out = ZC_BUF_INIT, second = ZC_BUF_INIT;
    const char *error;
    long len = zc_handover_read (&frame, data, size, &error);
    if ((len < 0) != (error != NULL) || len > (long)size)
        abort ();
    if (len <= 0)
        return 0;
    s_walk (frame.topics);
    s_walk (frame.publish);
    s_walk (frame.subscribe);
    zc_handover_write (&out, &frame);
    if (zc_handover_read (&again, out.data, out.len, &error) != (long)out.len ||
        zc_handover_read (&again, out.data, out.len - 1, &error) != 0)
        abort ();
    zc_handover_read (&again, out.data, out.len, &error);
    zc_handover_write (&second, &again);
    if (out.len != (size_t)len || second.len != out.len ||
        memcmp (out.data, second.data, out.len) != 0)
        abort ();
    zc_buf_clear (&out);
    zc_buf_clear (&second);
    return 0;
}
