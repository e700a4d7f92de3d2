/*  address.h - the address that a request counts for: the one at the other end, or the one that a
 *  proxy in front gives. No I/O.
 *
 *  What proxies say is a list, to which each adds whom it saw. Beginning at this end, an element is
 *  as good as who wrote it: so the client is the first one that is no proxy of ours. What stands
 *  before it may be anything. */
#ifndef ZC_ADDRESS_H
#define ZC_ADDRESS_H

#include "lib/config/options.h"
#include "lib/front/request.h"
#include "lib/wire/forwarded.h"

/*  Who is a proxy of ours, and in what field it names its client. */
typedef struct {
    bool local;                  /* who connects from this machine is one */
    bool always;                 /* everybody is */
    zc_field_t field;            /* Forwarded or X-Forwarded-For */
    size_t count;                /* of networks */
    struct zc_network *networks; /* owned */
} zc_trust_t;

/*  From the options trust-proxy and forwarded; `self` is zero, or was read before. */
void zc_trust_read (zc_trust_t *self, const zc_options_t *options);
void zc_trust_clear (zc_trust_t *self);
/*  What is wrong with an item of trust-proxy; NULL: nothing. */
const char *zc_trust_check (const char *item);
/*  Whether who has this address is a proxy of ours; "": who is on this machine, by a Unix socket.
 */
bool zc_trust_has (const zc_trust_t *self, const char *address);

/*  Writes what limits count the request by into `text`: an address, or what a proxy says in its
 *  place. Returns 1; 0 where it counts for nobody, as a client on this machine is the operator's
 *  own, whether a proxy on it speaks for it or not; -1 where what a proxy says makes no sense. */
int zc_address_of (const zc_request_t *request, const zc_trust_t *trust, zc_hop_t text);
/*  Whether what a proxy says of its client is believed. */
bool zc_address_is_trusted (const zc_request_t *request, const zc_trust_t *trust);

#endif
