/*  http_pub.h - publishing through POST /publish, for `zmq pub --http`. */
#ifndef ZC_TOOLS_HTTP_PUB_H
#define ZC_TOOLS_HTTP_PUB_H

#include "lib/peer/publisher.h"
#include "tools/http.h"

typedef struct zc_http_pub zc_http_pub_t;

typedef void (*zc_http_pub_fn) (void *arg, const zc_published_t *published);

/*  `headers`: lines that zc_publish_parse accepted. NULL after saying which option is wrong. */
zc_http_pub_t *zc_http_pub_new (const zc_options_t *options, zc_slice_t topic, zc_slice_t headers);
void zc_http_pub_destroy (zc_http_pub_t **self_p);
/*  Publishes, and waits for the answer. As long as a failure may be temporary, tries again, for up
 *  to `timeout_ms` (0: for ever), always with the same key. Returns ZC_EXIT_OK once `fn` was told
 *  the result; or ZC_EXIT_FAILURE, if nobody took the message (which was said) or a signal came. */
int zc_http_pub_send (zc_http_pub_t *self, zc_slice_t payload, int64_t timeout_ms,
                      zc_http_pub_fn fn, void *arg);

#endif
