/*  proxy.h - the header that a proxy sends before a connection's own bytes, to name the client of
 *  the connection: the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt §2.1,
 *  §2.2). Bytes in, an address out; no I/O, no allocation. */
#ifndef ZC_PROXY_H
#define ZC_PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZC_PROXY_MAX 4096 /* bytes of a header; its extensions are ignored */

typedef struct {
    char address[INET6_ADDRSTRLEN]; /* the client's; "": the connection is the proxy's own */
    uint16_t port;
} zc_proxy_t;

/*  `bytes` are all bytes that have come so far. Returns the length of the header in bytes; 0 if
 *  more bytes are needed; -1 if the bytes are no such header. A header for datagrams is refused,
 *  since HTTP has none. */
long zc_proxy_read (zc_proxy_t *self, const void *bytes, size_t len);
/*  Whether `bytes` begin with the whole signature of such a header. */
bool zc_proxy_begins (const void *bytes, size_t len);

#endif
