/*  keys.h - keys that sign and check tokens: secrets, PEM files, JSON Web Keys. No I/O.
 *
 *  The type of a key fixes the algorithms that it may check, whatever a token says: a secret
 *  checks HS256, HS384 and HS512, an RSA key RS256 to RS512 and PS256 to PS512, a key on P-256
 *  ES256, a key on P-384 ES384, a key on Ed25519 EdDSA (RFC 7518 §3, RFC 8037 §3.1). A member
 *  `alg` of a JSON Web Key narrows that to one. So a public key is never taken for a secret. */
#ifndef ZC_KEYS_H
#define ZC_KEYS_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

#define ZC_KEYS_MAX 64         /* keys in a set */
#define ZC_KEY_SECRET_MIN 32   /* bytes of a secret: 256 bits (RFC 7518 §3.2) */
#define ZC_KEY_SECRET_MAX 512  /* bytes */
#define ZC_KEY_RSA_MIN 2048    /* bits of an RSA key (RFC 7518 §3.3) */
#define ZC_KEYS_FILE_MAX 65536 /* bytes of one file of keys */

typedef enum {
    ZC_ALG_HS256,
    ZC_ALG_HS384,
    ZC_ALG_HS512,
    ZC_ALG_RS256,
    ZC_ALG_RS384,
    ZC_ALG_RS512,
    ZC_ALG_PS256,
    ZC_ALG_PS384,
    ZC_ALG_PS512,
    ZC_ALG_ES256,
    ZC_ALG_ES384,
    ZC_ALG_EDDSA,
} zc_alg_t;
#define ZC_ALGS (ZC_ALG_EDDSA + 1)

/*  The algorithm's name in a token's header, and back: -1 where zcast doesn't speak it, such as
 *  `none`. */
const char *zc_alg_name (zc_alg_t alg);
int zc_alg_parse (zc_slice_t name);

typedef struct zc_key zc_key_t;
typedef struct zc_keys zc_keys_t;

zc_keys_t *zc_keys_new (void);
/*  Overwrites secrets before it frees them. */
void zc_keys_destroy (zc_keys_t **self_p);

/*  Adds the keys of a file, whose kind shows in how it begins:
 *
 *    -----BEGIN   PEM: a public key, a certificate, or a private key
 *    {            a JSON Web Key, or a set of them (RFC 7517). Keys of unknown types, and keys
 *                 that aren't for signatures, are passed over (RFC 7517 §5)
 *    other        a secret: all bytes but one line end at the end
 *
 *  `kid` names a PEM key or a secret; NULL: the key answers for tokens with any `kid`, or
 *  without one. Returns 0; or -1 with a sentence without a full stop in `error`, and the set is
 *  as before. */
int zc_keys_add (zc_keys_t *self, zc_slice_t file, const char *kid, char *error, size_t size);

size_t zc_keys_count (const zc_keys_t *self);
/*  The next key that may check a signature by `alg` of a token with this `kid` (`at` is NULL
 *  where the token has none); NULL past the last. *at begins at 0. A key with a `kid` answers
 *  for tokens with that one and for tokens without. */
const zc_key_t *zc_keys_next (const zc_keys_t *self, zc_alg_t alg, zc_slice_t kid, size_t *at);
/*  Whether some key answers for this `kid`, by any algorithm. */
bool zc_keys_know (const zc_keys_t *self, zc_slice_t kid);
const zc_key_t *zc_keys_item (const zc_keys_t *self, size_t index); /* NULL past the end */

/*  "" where the key has none. */
const char *zc_key_kid (const zc_key_t *self);
bool zc_key_checks (const zc_key_t *self, zc_alg_t alg);
/*  Whether the key can sign: it is a secret, or has its private part. */
bool zc_key_signs (const zc_key_t *self);
/*  Whether `signature` (decoded from the token) is the key's signature of `text`. */
bool zc_key_verify (const zc_key_t *self, zc_alg_t alg, zc_slice_t text, zc_slice_t signature);
/*  Appends the signature of `text`, not encoded. Returns 0, or -1 where the key can't sign. */
int zc_key_sign (const zc_key_t *self, zc_alg_t alg, zc_slice_t text, zc_buf_t *signature);

#endif
