/*  token.h - JSON Web Tokens (RFC 7519) with a signature (RFC 7515), as RFC 8725 advises. No
 *  I/O; the caller passes the time.
 *
 *  A token is checked with the operator's keys, and with nothing that the token brings along:
 *  `jwk`, `jku`, `x5u` and `x5c` in its header aren't followed, `alg` chooses among the
 *  algorithms of the key's type, and `none` is no algorithm. */
#ifndef ZC_TOKEN_H
#define ZC_TOKEN_H

#include "lib/access/grants.h"
#include "lib/access/keys.h"

#define ZC_TOKEN_MAX 16384       /* bytes of a token */
#define ZC_TOKEN_DEPTH_MAX 16    /* levels of nesting in its JSON */
#define ZC_TOKEN_SUBJECT_MAX 256 /* bytes of `sub` and `jti` */

typedef enum {
    ZC_TOKEN_OK = 0,
    ZC_TOKEN_SIZE = -1,       /* over ZC_TOKEN_MAX */
    ZC_TOKEN_MALFORMED = -2,  /* no token: its parts, its base64url or its JSON is malformed, or a
                                 name occurs twice */
    ZC_TOKEN_ALGORITHM = -3,  /* `alg` is missing, `none`, or not one of zcast's */
    ZC_TOKEN_CRITICAL = -4,   /* `crit` names an extension, of which zcast knows none */
    ZC_TOKEN_TYPE = -5,       /* `typ` says that the token is for another purpose */
    ZC_TOKEN_KEY = -6,        /* no key has its `kid` */
    ZC_TOKEN_SIGNATURE = -7,  /* no key that may check its `alg` has made its signature */
    ZC_TOKEN_CLAIM = -8,      /* a claim has a value of another type or range */
    ZC_TOKEN_EXPIRED = -9,    /* `exp` */
    ZC_TOKEN_EARLY = -10,     /* `nbf` or `iat` */
    ZC_TOKEN_ISSUER = -11,    /* `iss` isn't trusted */
    ZC_TOKEN_AUDIENCE = -12,  /* `aud` is for others */
    ZC_TOKEN_NO_EXPIRY = -13, /* `exp` is missing where it is required */
    ZC_TOKEN_REVOKED = -15,   /* it was good, and was revoked */
    ZC_TOKEN_API_KEY = -14, /* the text has the form of an API key, and is none of the operator's */
} zc_token_error_t;

/*  The operator's conditions for a token. Texts are borrowed. */
typedef struct {
    const char *const *issuers; /* `iss` is one of these; count 0: any, or none */
    size_t issuer_count;
    const char *const *audiences; /* `aud` has one of these; count 0: it has no `aud` */
    size_t audience_count;
    uint64_t leeway_ms; /* by how much clocks may differ */
    bool require_expiry;
} zc_token_policy_t;

typedef struct {
    char *subject;      /* owned; `sub`, "" where it has none */
    char *id;           /* owned; `jti`, "" where it has none */
    char *kid;          /* owned; the `kid` of the key that has signed it; "" where that has none */
    uint64_t issued_ms; /* `iat`; 0: not said */
    uint64_t expires_ms; /* when its rights end, with the leeway; UINT64_MAX: never */
    zc_grants_t *grants; /* owned; from the claim `zcast`: {"publish": […], "subscribe": […]} */
    json_t *claims;      /* owned; all of them */
} zc_token_t;

/*  Checks a token at `now_ms` (milliseconds since 1970). Fills *self where it returns ZC_TOKEN_OK;
 *  else *self is empty. */
zc_token_error_t zc_token_check (zc_token_t *self, zc_slice_t text, const zc_keys_t *keys,
                                 const zc_token_policy_t *policy, uint64_t now_ms);
void zc_token_clear (zc_token_t *self);
/*  One sentence for an error above, without a full stop. It quotes nothing of the token. */
const char *zc_token_strerror (zc_token_error_t error);

/*  Appends a token with these claims (borrowed), signed. Returns 0, or -1 where the key can't sign
 *  by this algorithm. */
int zc_token_make (zc_buf_t *out, const zc_key_t *key, zc_alg_t alg, const json_t *claims);
/*  The header and the claims, without any check, to be shown. The caller owns both. False where
 *  the text is no token: then there is nothing to free. */
bool zc_token_show (zc_slice_t text, json_t **header, json_t **claims);

#endif
