/*  deflate.h - messages compressed by permessage-deflate (RFC 7692 §7.2), each for itself: nothing
 *  is kept from one to the next, on either side. Bytes in, bytes out, no I/O. */
#ifndef ZC_DEFLATE_H
#define ZC_DEFLATE_H

#include "lib/base/buf.h"

/*  Messages of at least `bytes` are compressed; 0: none are. */
void zc_deflate_from (size_t bytes);
/*  Appends the message, compressed. Returns false, with nothing appended, where it is too short
 *  for that, or wouldn't become shorter. */
bool zc_deflate (zc_buf_t *out, const void *bytes, size_t len);

/*  Appends what was compressed, at most `max` bytes. Returns 0, or the close code with which the
 *  connection is to fail: 1007 where it is broken, 1009 where it is more. */
unsigned zc_inflate (zc_buf_t *out, const void *bytes, size_t len, size_t max);
/*  Bytes that a message of `len` may have compressed: where that doesn't shorten it, it is longer
 *  (RFC 1951 §3.2.4), and how much depends on the compressor. */
size_t zc_deflated_max (size_t len);

#endif
