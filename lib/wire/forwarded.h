/*  forwarded.h - the clients that proxies name: the elements of Forwarded (RFC 7239 §4, §6), and of
 *  the older X-Forwarded-For. Bytes in, text out; no I/O, no allocation. */
#ifndef ZC_FORWARDED_H
#define ZC_FORWARDED_H

#include <netinet/in.h>

#include "lib/base/text.h"

/*  A hop without its port: an address in its shortest form; or "unknown"; or an obfuscated name,
 *  which begins with '_', and is cut if it is too long. */
typedef char zc_hop_t[INET6_ADDRSTRLEN];

/*  Both take the next element off the list; the first element is the farthest hop. Return 1; 0 at
 *  the end; -1 if the list is malformed.
 *
 *  Elements that a client has sent stand before those that proxies add, so a quote in the former
 *  could swallow the latter. Therefore one malformed element makes a whole Forwarded field
 *  malformed. X-Forwarded-For has no quotes: an element that is no address makes only that hop
 *  "". */
int zc_forwarded_next (zc_slice_t *list, zc_hop_t hop);
int zc_x_forwarded_for_next (zc_slice_t *list, zc_hop_t hop);

#endif
