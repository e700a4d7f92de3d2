/*  A stream of Server-Sent Events: however it was cut, the same events come of it, none larger
 *  than allowed. The first byte of the input says where it is cut. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "tools/eventstream.h"

#define S_MAX 4096

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_event (void *arg, const zc_event_t *event)
{
    zc_buf_t *said = arg;
    if (event->data.len > S_MAX || memchr (event->id.at, 0, event->id.len))
        abort ();
    zc_buf_add (said, event->type.at, event->type.len);
    zc_buf_addc (said, 0);
    zc_buf_add (said, event->data.at, event->data.len);
    zc_buf_addc (said, 0);
    zc_buf_add (said, event->id.at, event->id.len);
    zc_buf_addc (said, 0);
}

static int s_read (zc_buf_t *said, const char *text, size_t size, size_t step)
{
    zc_eventstream_t *stream = zc_eventstream_new (S_MAX, s_event, said);
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < size; at += step)
        rc = zc_eventstream_read (stream, text + at, at + step < size ? step : size - at);
    zc_buf_adds (said, zc_eventstream_last_id (stream));
    zc_eventstream_restart (stream);
    zc_eventstream_destroy (&stream);
    return rc;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    zc_buf_t whole = ZC_BUF_INIT, cut = ZC_BUF_INIT;
    const char *text = (const char *)data + 1;
    size_t step = 1 + data[0] % 16;
    int rc = s_read (&whole, text, size - 1, size);
    if (s_read (&cut, text, size - 1, step) != rc || cut.len != whole.len ||
        (cut.len && memcmp (cut.data, whole.data, cut.len) != 0))
        abort ();
    zc_buf_clear (&whole);
    zc_buf_clear (&cut);
    return 0;
}
