/*  stream.h - a request becomes a client of the hub, whatever it came by. */
#ifndef ZC_STREAM_H
#define ZC_STREAM_H

#include "fcgi/request.h"
#include "fcgi/response.h"
#include "lib/engine/worker.h"

/*  Gives the client the stream's head, joins it to what `request` (status 200) asks for, and sends
 *  what there is; the client may be gone then. The caller fills client->transport and client->fd
 *  before. */
void zc_stream_start (zc_client_t *client, zc_worker_t *worker, const zc_request_t *request,
                      const zc_cors_t *cors);
/*  Tells a client to come back, at the next boundary of its stream. */
void zc_stream_retry (zc_client_t *client, zc_worker_t *worker);

#endif
