/*  origin.h - compares the Origin that a browser sends with the host that it asked. No I/O. */
#ifndef ZC_ORIGIN_H
#define ZC_ORIGIN_H

#include <stdbool.h>
#include "lib/base/text.h"

/*  Whether a page of this origin (RFC 6454 §6.2: "https://example.org:8443", "null") was served by
 *  `host`, as in Host: "example.org:8443". The port that the origin's scheme implies may be given
 *  or left out. Letters may be of either case. The scheme is not compared, because a proxy in front
 *  may end TLS unseen. */
bool zc_origin_is_of_host (zc_slice_t origin, zc_slice_t host);

#endif
