/*  base64.h - base64 with padding (RFC 4648 §4), and with the URL's alphabet and without padding
 *  (§5, RFC 7515 §2). No I/O. */
#ifndef ZC_BASE64_H
#define ZC_BASE64_H

#include <stdbool.h>
#include "lib/base/buf.h"
#include "lib/base/text.h"

/*  Writes the base64 of `len` bytes: 4*((len+2)/3) characters, without a NUL. */
void zc_base64 (const void *bytes, size_t len, char *out);
/*  Appends the bytes that `text` encodes. Returns false if the text is malformed. */
bool zc_base64_decode (zc_buf_t *out, zc_slice_t text);

/*  Appends the base64url of `len` bytes. */
void zc_base64url_encode (zc_buf_t *out, const void *bytes, size_t len);
/*  Appends the bytes that `text` encodes. Returns 0, or -1 if the text has padding, another
 *  alphabet, an impossible length, or bits after the last byte that aren't 0: so each run of
 *  bytes has one text. */
int zc_base64url_decode (zc_buf_t *out, zc_slice_t text);

#endif
