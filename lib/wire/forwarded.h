/*  forwarded.h - for whom proxies say that they ask: the elements of Forwarded (RFC 7239 §4, §6),
 *  and of X-Forwarded-For, the one before it. Bytes in, text out; no I/O, no allocation. */
#ifndef ZC_FORWARDED_H
#define ZC_FORWARDED_H

#include <netinet/in.h>

#include "lib/base/text.h"

/*  A hop without its port: an address in its shortest form, "unknown", or a name that hides one,
 *  which begins with '_', and is cut where it is long. */
typedef char zc_hop_t[INET6_ADDRSTRLEN];

/*  Take the next element off the list: the first one is what is farthest from here. Return 1; 0 at
 *  the end; -1 where the list is malformed.
 *  What a client has sent stands before what proxies add, so quotes in it could swallow that:
 *  Forwarded is good as a whole, or it isn't. X-Forwarded-For has no quotes, so there an element
 *  that is no address is just that: "" is written. */
int zc_forwarded_next (zc_slice_t *list, zc_hop_t hop);
int zc_x_forwarded_for_next (zc_slice_t *list, zc_hop_t hop);

#endif
