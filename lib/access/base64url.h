/*  base64url.h - base64 with the URL's alphabet and without padding (RFC 4648 §5, RFC 7515 §2).
 *  No I/O. */
#ifndef ZC_BASE64URL_H
#define ZC_BASE64URL_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

/*  Appends the bytes that `text` encodes. Returns 0, or -1 where the text has padding, another
 *  alphabet, an impossible length, or bits after the last byte that aren't 0: so each run of
 *  bytes has one text. */
int zc_base64url_decode (zc_buf_t *out, zc_slice_t text);
/*  Appends the text of `len` bytes. */
void zc_base64url_encode (zc_buf_t *out, const void *bytes, size_t len);

#endif
