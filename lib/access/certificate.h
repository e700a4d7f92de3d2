/*  certificate.h - a CURVE certificate (ZeroMQ RFC 26) as czmq's zcert writes it: a key pair, or
 *  its public part, and the owner's rights in its metadata. No I/O.
 *
 *       metadata
 *           name = "shop-1"            for logs
 *           publish = "stock orders.*" topics, and prefixes with a `*`, separated by blanks
 *           subscribe = "yes"          may subscribe, and read history
 *           control = "yes"            may read and leave figures
 *           server = "KEY"             in a client's certificate: the broker's public key
 *       curve
 *           public-key = "…"           40 characters of Z85 (ZeroMQ RFC 32)
 *           secret-key = "…"           only in its owner's file
 *
 *  Rights that the metadata doesn't name are denied. zcert accepts keys that aren't Z85, and
 *  cuts long paths: so certificates are read here, and made and written by zcert. */
#ifndef ZC_CERTIFICATE_H
#define ZC_CERTIFICATE_H

#include "lib/access/grants.h"

#define ZC_CURVE_TEXT 41            /* bytes of a key in Z85, with its NUL */
#define ZC_CERTIFICATE_MAX 65536    /* bytes of a file */
#define ZC_CERTIFICATE_NAME_MAX 256 /* bytes of a name */

typedef struct {
    char public_key[ZC_CURVE_TEXT];
    char secret_key[ZC_CURVE_TEXT]; /* "" where the file hasn't got it */
    char server[ZC_CURVE_TEXT];     /* "" where it names none */
    char *name;                     /* owned; "" where it has none */
    zc_grants_t *grants;            /* owned; subscribing is allowed to no topic, or to all */
    bool control;
} zc_certificate_t;

/*  Returns 0 and fills *self; or -1 with a sentence without a full stop in `error`, and *self is
 *  empty then. */
int zc_certificate_parse (zc_certificate_t *self, zc_slice_t file, char *error, size_t size);
/*  Overwrites the secret key, and frees the rest. */
void zc_certificate_clear (zc_certificate_t *self);
/*  Whether a text is a public key in Z85. */
bool zc_curve_key_valid (const char *text);

#endif
