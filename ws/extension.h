/*  extension.h - Sec-WebSocket-Extensions: a client's offers, and the answer (RFC 6455 §9.1, RFC
 *  7692 §5 and §7.1). Bytes in, bytes out; no I/O, no allocation.
 *
 *  The first offer of permessage-deflate that the server can meet is taken. It can't meet a
 *  window of less than 2^15 bytes for its own messages, since all clients share the compressed
 *  bytes. Neither side keeps a context from one message to the next; the answer says so. */
#ifndef ZC_EXTENSION_H
#define ZC_EXTENSION_H

#include "lib/wire/field.h"

typedef struct {
    bool deflate;      /* an offer of permessage-deflate is accepted */
    bool names_window; /* which has server_max_window_bits, so the answer must have it */
} zc_extension_t;

/*  Takes one field's value; several fields count as one list. Offers after the accepted one are
 *  only checked for their form. Returns -1 if the list is malformed: the handshake then fails. */
int zc_extension_offer (zc_extension_t *self, zc_slice_t value);
/*  The value of the answer's field, NULL if no offer is accepted. */
const char *zc_extension_answer (const zc_extension_t *self);

#endif
