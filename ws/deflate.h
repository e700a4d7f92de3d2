/*  deflate.h - compresses messages by permessage-deflate (RFC 7692 §7.2). Neither side keeps a
 *  context from one message to the next. Bytes in, bytes out, no I/O. */
#ifndef ZC_DEFLATE_H
#define ZC_DEFLATE_H

#include "lib/base/buf.h"

/*  Messages of at least `bytes` are compressed; 0: none are. */
void zc_deflate_from (size_t bytes);
/*  Appends the message, compressed. Returns false, with nothing appended, if the message is too
 *  short, or wouldn't become shorter. */
bool zc_deflate (zc_buf_t *out, const void *bytes, size_t len);

/*  Appends the message that was compressed, at most `max` bytes. Returns 0, or the close code
 *  with which the connection is to fail: 1007 if the data is broken, 1009 if the message is
 *  longer. */
unsigned zc_inflate (zc_buf_t *out, const void *bytes, size_t len, size_t max);
/*  The most bytes that a message of `len` bytes may have when it is compressed. Compression that
 *  doesn't shorten a message lengthens it (RFC 1951 §3.2.4), and by how much depends on the
 *  compressor. */
size_t zc_deflated_max (size_t len);

#endif
