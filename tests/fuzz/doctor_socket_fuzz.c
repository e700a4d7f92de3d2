/*  Frames of a server: however they were cut on the way, they mean the same, and what is sent for
 *  them is bounded by what came. The first byte says where they are cut. */
#include <stdlib.h>
#include <string.h>

#include "tools/doctor_socket.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static int s_read (zc_doctor_socket_t *self, const char *text, size_t size, size_t step,
                   zc_buf_t *out)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < size; at += step)
        rc = zc_doctor_socket_read (self, text + at, at + step < size ? step : size - at, out);
    if (out->len > 4 * size || !zc_text_plain (self->reason, strlen (self->reason)))
        abort ();
    return rc;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    zc_doctor_socket_t whole = {.mask = {1, 2, 3, 4}}, cut = whole;
    zc_buf_t out = ZC_BUF_INIT, out_cut = ZC_BUF_INIT;
    const char *text = (const char *)data + 1;
    int rc = s_read (&whole, text, size - 1, size, &out);
    if (s_read (&cut, text, size - 1, 1 + data[0] % 16, &out_cut) != rc || out.len != out_cut.len ||
        (out.len && memcmp (out.data, out_cut.data, out.len) != 0) ||
        whole.messages != cut.messages || whole.pings != cut.pings || whole.code != cut.code)
        abort ();
    zc_buf_clear (&out);
    zc_buf_clear (&out_cut);
    return 0;
}
