/*  token.c - see token.h.
 *
 *  The order is that of RFC 7519 §7.2: the form, the header, the signature, and only then the
 *  claims. The signature is checked over the bytes as received. */
#include "lib/access/token.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/base64.h"

typedef struct {
    zc_slice_t header, claims, signature; /* encoded; borrowed from the token */
    zc_slice_t text;                      /* the part that is signed */
} s_parts_t;

static bool s_split (zc_slice_t token, s_parts_t *parts)
{
    const char *end = token.at + token.len;
    const char *first = token.len ? memchr (token.at, '.', token.len) : NULL;
    if (!first)
        return false;
    const char *second = memchr (first + 1, '.', (size_t)(end - first - 1));
    if (!second || memchr (second + 1, '.', (size_t)(end - second - 1)))
        return false;
    parts->header = (zc_slice_t){token.at, (size_t)(first - token.at)};
    parts->claims = (zc_slice_t){first + 1, (size_t)(second - first - 1)};
    parts->signature = (zc_slice_t){second + 1, (size_t)(end - second - 1)};
    parts->text = (zc_slice_t){token.at, (size_t)(second - token.at)};
    return true;
}

/*  Counts brackets outside of strings; jansson itself stops only at 2,048. */
static bool s_too_deep (const zc_buf_t *json)
{
    size_t depth = 0;
    bool text = false;
    for (size_t i = 0; i < json->len; i++) {
        uint8_t c = json->data[i];
        if (text) {
            i += c == '\\';
            text = c != '"';
        } else if (c == '"') {
            text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > ZC_TOKEN_DEPTH_MAX)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/*  Returns NULL if the text isn't an object in base64url. A name that occurs twice is refused
 *  (RFC 8725 §3.3, RFC 7515 §4). */
static json_t *s_object (zc_slice_t encoded)
{
    zc_buf_t json = ZC_BUF_INIT;
    json_t *object = NULL;
    if (zc_base64url_decode (&json, encoded) == 0 && !s_too_deep (&json))
        object = json_loadb ((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
    zc_buf_clear (&json);
    if (!json_is_object (object)) {
        json_decref (object);
        return NULL;
    }
    return object;
}

static bool s_text (const json_t *object, const char *name, zc_slice_t *text)
{
    const json_t *value = json_object_get (object, name);
    *text = (zc_slice_t){NULL, 0};
    if (!value)
        return true;
    if (!json_is_string (value))
        return false;
    *text = (zc_slice_t){json_string_value (value), json_string_length (value)};
    return true;
}

/*  The header. */

/*  `typ` is absent, JWT, or at+jwt (RFC 9068 §2.1), with or without "application/". */
static bool s_good_type (zc_slice_t type)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};
    if (!type.at)
        return true;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen (types[i]) == type.len && strncasecmp (types[i], type.at, type.len) == 0)
            return true;
    return false;
}

static zc_token_error_t s_check_header (const json_t *header, zc_alg_t *alg, zc_slice_t *kid)
{
    zc_slice_t name, type;
    if (!s_text (header, "alg", &name) || !s_text (header, "typ", &type) ||
        !s_text (header, "kid", kid))
        return ZC_TOKEN_MALFORMED;
    if (json_object_get (header, "crit"))
        return ZC_TOKEN_CRITICAL;
    int found = name.at ? zc_alg_parse (name) : -1;
    if (found < 0)
        return ZC_TOKEN_ALGORITHM;
    *alg = (zc_alg_t)found;
    return s_good_type (type) ? ZC_TOKEN_OK : ZC_TOKEN_TYPE;
}

static zc_token_error_t s_check_signature (const s_parts_t *parts, const zc_keys_t *keys,
                                           zc_alg_t alg, zc_slice_t kid, const zc_key_t **signer)
{
    zc_buf_t signature = ZC_BUF_INIT;
    if (zc_base64url_decode (&signature, parts->signature) != 0) {
        zc_buf_clear (&signature);
        return ZC_TOKEN_MALFORMED;
    }
    zc_slice_t bytes = {(const char *)signature.data, signature.len};
    size_t at = 0;
    const zc_key_t *key;
    while ((key = zc_keys_next (keys, alg, kid, &at)))
        if (zc_key_verify (key, alg, parts->text, bytes))
            break;
    zc_buf_clear (&signature);
    *signer = key;
    if (key)
        return ZC_TOKEN_OK;
    return zc_keys_know (keys, kid) ? ZC_TOKEN_SIGNATURE : ZC_TOKEN_KEY;
}

/*  The claims (RFC 7519 §4.1). */

/*  A NumericDate, in milliseconds. Returns false if the claim isn't one; *there says whether it
 *  is present. */
static bool s_date (const json_t *claims, const char *name, uint64_t *ms, bool *there)
{
    const json_t *value = json_object_get (claims, name);
    *there = value != NULL;
    *ms = 0;
    if (!value)
        return true;
    double seconds = json_number_value (value);
    if (!json_is_number (value) || !isfinite (seconds) || seconds < 0)
        return false;
    *ms = seconds > 1e13 ? (uint64_t)1e16 : (uint64_t)(seconds * 1000);
    return true;
}

static zc_token_error_t s_check_dates (zc_token_t *self, const zc_token_policy_t *policy,
                                       uint64_t now_ms)
{
    uint64_t expires, begins;
    bool has_expiry, has_begin, has_issue;
    if (!s_date (self->claims, "exp", &expires, &has_expiry) ||
        !s_date (self->claims, "nbf", &begins, &has_begin) ||
        !s_date (self->claims, "iat", &self->issued_ms, &has_issue))
        return ZC_TOKEN_CLAIM;
    self->expires_ms = has_expiry ? expires + policy->leeway_ms : UINT64_MAX;
    if (!has_expiry && policy->require_expiry)
        return ZC_TOKEN_NO_EXPIRY;
    if (now_ms >= self->expires_ms)
        return ZC_TOKEN_EXPIRED;
    uint64_t latest = now_ms + policy->leeway_ms;
    if ((has_begin && begins > latest) || (has_issue && self->issued_ms > latest))
        return ZC_TOKEN_EARLY;
    return ZC_TOKEN_OK;
}

static bool s_among (zc_slice_t text, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (zc_slice_is (text, texts[i]))
            return true;
    return false;
}

static bool s_for_us (const json_t *audience, const zc_token_policy_t *policy)
{
    if (json_is_string (audience))
        return s_among ((zc_slice_t){json_string_value (audience), json_string_length (audience)},
                        policy->audiences, policy->audience_count);
    for (size_t i = 0; i < json_array_size (audience); i++) {
        const json_t *one = json_array_get (audience, i);
        if (json_is_string (one) && s_for_us (one, policy))
            return true;
    }
    return false;
}

/*  A token with an audience is valid for that audience only. Where an audience is required, a
 *  token without one is refused (RFC 7519 §4.1.3). */
static zc_token_error_t s_check_parties (const json_t *claims, const zc_token_policy_t *policy)
{
    const json_t *audience = json_object_get (claims, "aud");
    zc_slice_t issuer;
    if (!s_text (claims, "iss", &issuer) ||
        (audience && !json_is_string (audience) && !json_is_array (audience)))
        return ZC_TOKEN_CLAIM;
    if (policy->issuer_count &&
        (!issuer.at || !s_among (issuer, policy->issuers, policy->issuer_count)))
        return ZC_TOKEN_ISSUER;
    if ((audience || policy->audience_count) && !s_for_us (audience, policy))
        return ZC_TOKEN_AUDIENCE;
    return ZC_TOKEN_OK;
}

static char *s_copy (zc_slice_t text)
{
    char *copy = malloc (text.len + 1);
    if (!copy)
        abort ();
    if (text.len)
        memcpy (copy, text.at, text.len);
    copy[text.len] = 0;
    return copy;
}

/*  A name that goes into logs and reports must be short and plain text. */
static bool s_take_name (const json_t *claims, const char *name, char **copy)
{
    zc_slice_t text;
    if (!s_text (claims, name, &text) || text.len > ZC_TOKEN_SUBJECT_MAX ||
        !zc_text_plain (text.at, text.len))
        return false;
    *copy = s_copy (text);
    return true;
}

static zc_token_error_t s_take_claims (zc_token_t *self, const zc_token_policy_t *policy,
                                       uint64_t now_ms)
{
    zc_token_error_t rc = s_check_dates (self, policy, now_ms);
    if (rc == ZC_TOKEN_OK)
        rc = s_check_parties (self->claims, policy);
    if (rc != ZC_TOKEN_OK)
        return rc;
    if (!s_take_name (self->claims, "sub", &self->subject) ||
        !s_take_name (self->claims, "jti", &self->id))
        return ZC_TOKEN_CLAIM;
    const json_t *grants = json_object_get (self->claims, "zcast");
    return grants && zc_grants_add_claim (self->grants, grants) != 0 ? ZC_TOKEN_CLAIM : ZC_TOKEN_OK;
}

static zc_token_error_t s_check (zc_token_t *self, const s_parts_t *parts, const zc_keys_t *keys,
                                 const zc_token_policy_t *policy, uint64_t now_ms)
{
    zc_alg_t alg;
    zc_slice_t kid;
    const zc_key_t *signer = NULL;
    json_t *header = s_object (parts->header);
    zc_token_error_t rc = header ? s_check_header (header, &alg, &kid) : ZC_TOKEN_MALFORMED;
    if (rc == ZC_TOKEN_OK)
        rc = s_check_signature (parts, keys, alg, kid, &signer);
    json_decref (header);
    if (rc != ZC_TOKEN_OK)
        return rc;
    self->kid = s_copy ((zc_slice_t){zc_key_kid (signer), strlen (zc_key_kid (signer))});
    self->grants = zc_grants_new ();
    self->claims = s_object (parts->claims);
    return self->claims ? s_take_claims (self, policy, now_ms) : ZC_TOKEN_MALFORMED;
}

zc_token_error_t zc_token_check (zc_token_t *self, zc_slice_t text, const zc_keys_t *keys,
                                 const zc_token_policy_t *policy, uint64_t now_ms)
{
    s_parts_t parts;
    memset (self, 0, sizeof *self);
    if (text.len > ZC_TOKEN_MAX)
        return ZC_TOKEN_SIZE;
    if (!s_split (text, &parts))
        return ZC_TOKEN_MALFORMED;
    zc_token_error_t rc = s_check (self, &parts, keys, policy, now_ms);
    if (rc != ZC_TOKEN_OK)
        zc_token_clear (self);
    return rc;
}

void zc_token_clear (zc_token_t *self)
{
    free (self->subject);
    free (self->id);
    free (self->kid);
    zc_grants_destroy (&self->grants);
    json_decref (self->claims);
    memset (self, 0, sizeof *self);
}

const char *zc_token_strerror (zc_token_error_t error)
{
    switch (error) {
    case ZC_TOKEN_OK:
        return "the token is good";
    case ZC_TOKEN_SIZE:
        return "the token is too long";
    case ZC_TOKEN_MALFORMED:
        return "the token is no JSON Web Token";
    case ZC_TOKEN_ALGORITHM:
        return "the token's algorithm is not one that is accepted";
    case ZC_TOKEN_CRITICAL:
        return "the token asks for an extension that is not understood";
    case ZC_TOKEN_TYPE:
        return "the token's type says that it is for something else";
    case ZC_TOKEN_KEY:
        return "no key has the token's kid";
    case ZC_TOKEN_SIGNATURE:
        return "the token's signature is not by a key that is trusted";
    case ZC_TOKEN_CLAIM:
        return "the token has a claim with a value that it can't have";
    case ZC_TOKEN_EXPIRED:
        return "the token has expired";
    case ZC_TOKEN_REVOKED:
        return "the token was revoked";
    case ZC_TOKEN_EARLY:
        return "the token is not valid yet";
    case ZC_TOKEN_ISSUER:
        return "the token's issuer is not trusted";
    case ZC_TOKEN_AUDIENCE:
        return "the token is for another audience";
    case ZC_TOKEN_NO_EXPIRY:
        return "the token must say when it expires";
    case ZC_TOKEN_API_KEY:
        return "the API key is not known";
    default:
        return "the token is refused";
    }
}

/*  Making and showing tokens. */

static void s_add_object (zc_buf_t *out, const json_t *object)
{
    char *text = json_dumps (object, JSON_COMPACT);
    if (!text)
        abort ();
    zc_base64url_encode (out, text, strlen (text));
    free (text);
}

int zc_token_make (zc_buf_t *out, const zc_key_t *key, zc_alg_t alg, const json_t *claims)
{
    size_t begin = out->len;
    json_t *header = json_pack ("{s:s, s:s}", "alg", zc_alg_name (alg), "typ", "JWT");
    if (!header)
        abort ();
    if (*zc_key_kid (key))
        json_object_set_new (header, "kid", json_string (zc_key_kid (key)));
    s_add_object (out, header);
    json_decref (header);
    zc_buf_addc (out, '.');
    s_add_object (out, claims);
    zc_buf_t signature = ZC_BUF_INIT;
    zc_slice_t text = {(const char *)out->data + begin, out->len - begin};
    int rc = zc_key_sign (key, alg, text, &signature);
    if (rc == 0) {
        zc_buf_addc (out, '.');
        zc_base64url_encode (out, signature.data, signature.len);
    } else {
        out->len = begin;
    }
    zc_buf_clear (&signature);
    return rc;
}

bool zc_token_show (zc_slice_t text, json_t **header, json_t **claims)
{
    s_parts_t parts;
    *header = *claims = NULL;
    if (text.len > ZC_TOKEN_MAX || !s_split (text, &parts))
        return false;
    *header = s_object (parts.header);
    *claims = *header ? s_object (parts.claims) : NULL;
    if (*claims)
        return true;
    json_decref (*header);
    *header = NULL;
    return false;
}
