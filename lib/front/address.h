/*  address.h - the address that a request counts for: that of the peer, or the one that a proxy in
 *  front gives. No I/O.
 *
 *  Proxies give a list, to which each of them appends the peer that it saw. An element can be
 *  trusted as far as the proxy that wrote it. So, beginning at this end of the list, the client is
 *  the first element that is not a proxy of ours. The elements before it may be forged. */
#ifndef ZC_ADDRESS_H
#define ZC_ADDRESS_H

#include "lib/config/options.h"
#include "lib/front/request.h"
#include "lib/wire/forwarded.h"

/*  The proxies that are ours, and the field in which they name their clients. */
typedef struct {
    bool local;                  /* every peer on this machine is a proxy of ours */
    bool always;                 /* every peer is */
    zc_field_t field;            /* Forwarded or X-Forwarded-For */
    size_t count;                /* of networks */
    struct zc_network *networks; /* owned */
} zc_trust_t;

/*  Reads the options trust-proxy and forwarded. `self` is zero, or has been read before. */
void zc_trust_read (zc_trust_t *self, const zc_options_t *options);
/*  Reads another list of addresses that has the form of trust-proxy. */
void zc_trust_read_list (zc_trust_t *self, const zc_options_t *options, const char *name);
void zc_trust_clear (zc_trust_t *self);
/*  The error in an item of trust-proxy; NULL: none. */
const char *zc_trust_check (const char *item);
/*  Whether the peer with this address is a proxy of ours. "": the peer is on this machine, and came
 *  by a Unix socket. */
bool zc_trust_has (const zc_trust_t *self, const char *address);

/*  Writes the key under which limits count the request into `text`: an address, or the name that a
 *  proxy gives in its place. Returns 1; 0 if the request counts for nobody, because the client is
 *  on this machine, and so the operator's own, even if a proxy on this machine speaks for it; -1 if
 *  a proxy's list makes no sense. */
int zc_address_of (const zc_request_t *request, const zc_trust_t *trust, zc_hop_t text);
/*  Whether the peer's word on its client is believed. */
bool zc_address_is_trusted (const zc_request_t *request, const zc_trust_t *trust);

#endif
