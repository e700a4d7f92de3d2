/*  request.h - what a client asks for, from the variables of its request. No I/O. */
#ifndef ZC_REQUEST_H
#define ZC_REQUEST_H

#include "fcgi/params.h"
#include "lib/wire/encoding.h"
#include "lib/wire/query.h"

typedef struct {
    unsigned status;               /* 200: a stream; 204: OPTIONS; 400, 405: see error */
    char error[128];               /* one line of text for 400 and 405 */
    bool head;                     /* HEAD: the headers only */
    const zc_encoding_t *encoding; /* of the stream */
    zc_query_t query;              /* owned; at least one topic where status is 200 */
    zc_slice_t last_id;            /* as it came; empty: from now on */
} zc_request_t;

/*  Always fills *self, which zc_request_clear frees. `params` (of zc_param_names) is borrowed for
 *  as long as *self is used. */
void zc_request_parse (zc_request_t *self, const zc_params_t *params, size_t max_topics);
void zc_request_clear (zc_request_t *self);

#endif
