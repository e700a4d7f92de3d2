/*  origin.h - whose page asks: what a browser says in Origin beside the host that it asked. Pure.
 */
#ifndef ZC_ORIGIN_H
#define ZC_ORIGIN_H

#include <stdbool.h>
#include "lib/base/text.h"

/*  Whether a page of this origin (RFC 6454 §6.2: "https://example.org:8443", "null") was served by
 *  `host`, as in Host: "example.org:8443". A port that the origin's scheme implies may be there or
 *  not; capitals are as small letters. The scheme is not compared: who ends TLS in front is not
 *  seen here. */
bool zc_origin_is_of_host (zc_slice_t origin, zc_slice_t host);

#endif
