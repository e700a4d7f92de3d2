/*  The bytes that a web server sends to zcast-fcgi: the record layer, the parameters, the
 *  request and its answer. The first byte says how the rest is cut; cut and whole must give the
 *  same result. */
#include <stdlib.h>
#include <string.h>

#include "fcgi/record.h"
#include "lib/front/address.h"
#include "lib/front/response.h"
#include "lib/wire/query.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_answer (zc_record_t *record, zc_buf_t *out)
{
    zc_params_t *params = zc_record_take_params (record);
    zc_slice_t values[ZC_VARIABLE_COUNT];
    zc_request_t request;
    zc_response_t response;
    zc_query_t query;
    zc_buf_t text = ZC_BUF_INIT;
    char address[INET6_ADDRSTRLEN];
    const zc_trust_t trust = {.always = true, .field = ZC_FIELD_X_FORWARDED_FOR};
    zc_params_values (params, values);
    zc_response_init (&response, 200);
    if (zc_request_from_variables (&request, values) != 0)
        response.status = 400;
    int rc = zc_query_parse (&query, request.query, 5);
    if (rc < 0)
        zc_response_text (&response, zc_query_strerror (&query, rc));
    else if (query.count > 0)
        zc_response_field (&response, "Topic", query.topics[0]);
    zc_address_of (&request, &trust, address);
    zc_response_field (&response, "Origin", request.fields[ZC_FIELD_ORIGIN]);
    zc_response_write_cgi (&response, request.method == ZC_METHOD_HEAD, &text);
    zc_record_stdout (record, out, text.data, text.len);
    zc_buf_clear (&text);
    zc_response_clear (&response);
    zc_query_clear (&query);
    zc_request_clear (&request);
    zc_params_destroy (&params);
}

/*  One connection to its end. A request is ended at once, unless its id is even: then it is
 *  ended by an abort, or never. */
static void s_run (const uint8_t *data, size_t size, size_t piece, zc_buf_t *out)
{
    zc_record_t record;
    zc_record_event_t event = ZC_RECORD_MORE;
    zc_record_init (&record);
    for (size_t at = 0; at < size && event != ZC_RECORD_ERROR && event != ZC_RECORD_CLOSE;) {
        const uint8_t *bytes = data + at;
        size_t len = size - at < piece ? size - at : piece;
        at += len;
        zc_slice_t body;
        while ((event = zc_record_read (&record, &bytes, &len, out, &body)) != ZC_RECORD_MORE) {
            if (event == ZC_RECORD_BODY) {
                zc_buf_add (out, body.at, body.len);
                continue;
            }
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
