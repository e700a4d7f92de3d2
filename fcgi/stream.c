/*  stream.c - see stream.h. */
#include "fcgi/stream.h"

#include "lib/wire/sse.h"

void zc_stream_start (zc_client_t *client, zc_worker_t *worker, const zc_request_t *request,
                      const zc_cors_t *cors)
{
    zc_buf_t head = ZC_BUF_INIT;
    zc_response_stream (&head, cors, zc_worker_retry (worker));
    zc_client_add (client, head.data, head.len);
    zc_buf_clear (&head);
    zc_hub_join (zc_worker_hub (worker), client, request->encoding, request->query.topics,
                 request->query.count, request->last_id);
    if (!zc_hub_opening (client))
        zc_pump_send (zc_worker_pump (worker), client);
}

void zc_stream_retry (zc_client_t *client, zc_worker_t *worker)
{
    zc_buf_t retry = ZC_BUF_INIT;
    zc_sse_retry (&retry, zc_worker_retry (worker));
    zc_client_add (client, retry.data, retry.len);
    zc_buf_clear (&retry);
}
