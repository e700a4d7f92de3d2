/*  proxy.h - the header that a proxy puts before a connection's own bytes, to say whose connection
 *  it is: the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt §2.1, §2.2). Bytes
 *  in, an address out; no I/O, no allocation. */
#ifndef ZC_PROXY_H
#define ZC_PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZC_PROXY_MAX 4096 /* bytes of a header; what else a proxy says in it is passed over */

typedef struct {
    char address[INET6_ADDRSTRLEN]; /* of the client, as text; "": the connection is the proxy's */
    uint16_t port;
} zc_proxy_t;

/*  `bytes` are all that came so far. Returns how many the header has, 0 where more are needed, -1
 *  where that is no such header. Datagrams have no place before HTTP, and are refused. */
long zc_proxy_read (zc_proxy_t *self, const void *bytes, size_t len);
/*  Whether bytes begin as such a header does, in full. */
bool zc_proxy_begins (const void *bytes, size_t len);

#endif
