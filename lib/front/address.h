/*  address.h - the address that a request counts for: the one at the other end, or the one that a
 *  proxy in front gives. No I/O. */
#ifndef ZC_ADDRESS_H
#define ZC_ADDRESS_H

#include <netinet/in.h>

#include "lib/front/request.h"

/*  Whose X-Forwarded-For is believed: that of proxies on this machine, everybody's, or nobody's. */
typedef enum { ZC_TRUST_LOCAL, ZC_TRUST_ALWAYS, ZC_TRUST_NEVER } zc_trust_t;
zc_trust_t zc_trust_parse (const char *name);

/*  The address that limits count the request by, written into `text`. False where there is none: a
 *  client on this machine is the operator's own, whether a proxy speaks for it or not. */
bool zc_address_of (const zc_request_t *request, zc_trust_t trust, char text[INET6_ADDRSTRLEN]);
/*  Whether what a proxy says of its client is believed. */
bool zc_address_is_trusted (const zc_request_t *request, zc_trust_t trust);
/*  What the nearest proxy saw: the last element of X-Forwarded-For, without port and brackets.
 *  False where there is none, or something that isn't an address. */
bool zc_address_forwarded (zc_slice_t value, char text[INET6_ADDRSTRLEN]);

#endif
