/*  A body in chunks. The first byte says how the rest is cut; cut and whole must give the same
 *  result. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/chunked.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
    zc_chunked_event_t event;
    size_t taken;
    zc_buf_t body;
} s_result_t;

static void s_run (const uint8_t *data, size_t size, size_t piece, s_result_t *result)
{
    zc_chunked_t chunked;
    zc_chunked_init (&chunked);
    *result = (s_result_t){.event = ZC_CHUNKED_MORE};
    while (result->taken < size && result->event == ZC_CHUNKED_MORE) {
        const uint8_t *bytes = data + result->taken;
        size_t len = size - result->taken < piece ? size - result->taken : piece, given = len;
        zc_slice_t run;
        while ((result->event = zc_chunked_read (&chunked, &bytes, &len, &run)) == ZC_CHUNKED_DATA)
            zc_buf_add (&result->body, run.at, run.len);
        result->taken += given - len;
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    s_result_t whole, cut;
    if (size < 2)
        return 0;
    s_run (data + 1, size - 1, size, &whole);
    s_run (data + 1, size - 1, data[0] % 32 + 1u, &cut);
    if (whole.event != cut.event || whole.taken != cut.taken || whole.body.len != cut.body.len)
        abort ();
    if (whole.body.len > 0 && memcmp (whole.body.data, cut.body.data, whole.body.len) != 0)
        abort ();
    zc_buf_clear (&whole.body);
    zc_buf_clear (&cut.body);
    return 0;
}
