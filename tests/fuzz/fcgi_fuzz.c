/*  What a web server sends to zcast-fcgi: the record layer, the parameters, the request and its
 *  answer. The first byte says how the rest is cut; cut and whole have to give the same. */
#include <stdlib.h>
#include <string.h>

#include "fcgi/record.h"
#include "fcgi/request.h"
#include "fcgi/response.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_answer (zc_record_t *record, zc_buf_t *out)
{
    zc_params_t *params = zc_record_take_params (record);
    zc_request_t request;
    zc_buf_t reply = ZC_BUF_INIT;
    zc_cors_t cors = {.origin = zc_params_get (params, ZC_PARAM_ORIGIN), .any = true};
    zc_request_parse (&request, params, 5);
    if (request.status == 200 && !request.head)
        zc_response_stream (&reply, &cors, 1000);
    else
        zc_response_short (&reply, &cors, &request);
    if (reply.len <= 65535)
        zc_record_stdout (record, out, reply.data, reply.len);
    zc_buf_clear (&reply);
    zc_request_clear (&request);
    zc_params_destroy (&params);
}

/*  One connection to its end. A request is ended at once, unless its id is even: then by an abort
 * or never. */
static void s_run (const uint8_t *data, size_t size, size_t piece, zc_buf_t *out)
{
    zc_record_t record;
    zc_record_event_t event = ZC_RECORD_MORE;
    zc_record_init (&record);
    for (size_t at = 0; at < size && event != ZC_RECORD_ERROR && event != ZC_RECORD_CLOSE;) {
        const uint8_t *bytes = data + at;
        size_t len = size - at < piece ? size - at : piece;
        at += len;
        while ((event = zc_record_read (&record, &bytes, &len, out)) != ZC_RECORD_MORE) {
            zc_buf_addf (out, "<%d>", event);
            if (event == ZC_RECORD_ERROR || event == ZC_RECORD_CLOSE)
                break;
            if (event == ZC_RECORD_REQUEST)
                s_answer (&record, out);
            if (event == ZC_RECORD_ABORT || record.request % 2)
                zc_record_finish (&record, out);
        }
    }
    zc_record_clear (&record);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    zc_buf_t whole = ZC_BUF_INIT, cut = ZC_BUF_INIT;
    s_run (data + 1, size - 1, size, &whole);
    s_run (data + 1, size - 1, data[0] % 32 + 1u, &cut);
    if (whole.len != cut.len || (whole.len && memcmp (whole.data, cut.data, whole.len) != 0))
        abort ();
    zc_buf_clear (&whole);
    zc_buf_clear (&cut);
    return 0;
}
