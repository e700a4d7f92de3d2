/*  upgrade.h - whether a request opens a WebSocket, and the answer (RFC 6455 §4.2). Bytes in,
 *  bytes out; no I/O. */
#ifndef ZC_UPGRADE_H
#define ZC_UPGRADE_H

#include "lib/front/request.h"
#include "lib/front/response.h"
#include "ws/extension.h"

#define ZC_UPGRADE_ACCEPT 28 /* characters of Sec-WebSocket-Accept */

typedef struct {
    zc_slice_t key;
    zc_slice_t protocol;      /* zcast.v1 as the client wrote it; at is NULL if it didn't */
    zc_extension_t extension; /* the accepted offer */
    const char *reason;       /* one sentence on a refusal, static */
} zc_upgrade_t;

/*  Returns 101, or the status of the refusal: 400 or 426. */
unsigned zc_upgrade_check (zc_upgrade_t *self, const zc_request_t *request);
/*  Fills the answer with status 101. `deflate`: an offer of permessage-deflate is accepted. */
void zc_upgrade_answer (const zc_upgrade_t *self, bool deflate, zc_response_t *response);
/*  Sec-WebSocket-Accept of a key (RFC 6455 §4.2.2): 28 characters and a NUL. */
void zc_upgrade_accept (zc_slice_t key, char text[ZC_UPGRADE_ACCEPT + 1]);

#endif
