/*  keys.c - see keys.h. All cryptography is OpenSSL's; this file has the rules of the RFCs
 *  around it. */
#define _GNU_SOURCE /* memmem */
#include "lib/access/keys.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"

typedef enum { S_SECRET, S_RSA, S_P256, S_P384, S_ED25519, S_UNKNOWN } s_type_t;

static const struct {
    const char *name;
    s_type_t type;
    const char *digest;
    bool pss;
} s_algs[ZC_ALGS] = {
    [ZC_ALG_HS256] = {"HS256", S_SECRET, "SHA256", false},
    [ZC_ALG_HS384] = {"HS384", S_SECRET, "SHA384", false},
    [ZC_ALG_HS512] = {"HS512", S_SECRET, "SHA512", false},
    [ZC_ALG_RS256] = {"RS256", S_RSA, "SHA256", false},
    [ZC_ALG_RS384] = {"RS384", S_RSA, "SHA384", false},
    [ZC_ALG_RS512] = {"RS512", S_RSA, "SHA512", false},
    [ZC_ALG_PS256] = {"PS256", S_RSA, "SHA256", true},
    [ZC_ALG_PS384] = {"PS384", S_RSA, "SHA384", true},
    [ZC_ALG_PS512] = {"PS512", S_RSA, "SHA512", true},
    [ZC_ALG_ES256] = {"ES256", S_P256, "SHA256", false},
    [ZC_ALG_ES384] = {"ES384", S_P384, "SHA384", false},
    [ZC_ALG_EDDSA] = {"EdDSA", S_ED25519, NULL, false},
};

struct zc_key {
    s_type_t type;
    int only; /* the only algorithm that the key may check, or -1 */
    bool private_;
    char *kid;       /* owned; "": none */
    uint8_t *secret; /* S_SECRET; owned, in memory that is neither swapped out nor dumped */
    size_t secret_len;
    EVP_PKEY *pkey; /* other types; owned */
};

struct zc_keys {
    zc_key_t *keys[ZC_KEYS_MAX]; /* owned */
    size_t count;
};

const char *zc_alg_name (zc_alg_t alg)
{
    return s_algs[alg].name;
}

int zc_alg_parse (zc_slice_t name)
{
    for (int alg = 0; alg < ZC_ALGS; alg++)
        if (zc_slice_is (name, s_algs[alg].name))
            return alg;
    return -1;
}

/*  Keys. */

static void s_key_destroy (zc_key_t **self_p)
{
    zc_key_t *self = *self_p;
    if (!self)
        return;
    OPENSSL_secure_clear_free (self->secret, self->secret_len);
    EVP_PKEY_free (self->pkey);
    free (self->kid);
    free (self);
    *self_p = NULL;
}

static zc_key_t *s_key_new (s_type_t type, const char *kid)
{
    zc_key_t *self = calloc (1, sizeof *self);
    char *copy = strdup (kid ? kid : "");
    if (!self || !copy)
        abort ();
    self->type = type;
    self->only = -1;
    self->kid = copy;
    return self;
}

static s_type_t s_type_of (EVP_PKEY *pkey)
{
    char group[64] = "";
    switch (EVP_PKEY_get_base_id (pkey)) {
    case EVP_PKEY_RSA:
        return S_RSA;
    case EVP_PKEY_ED25519:
        return S_ED25519;
    case EVP_PKEY_EC:
        EVP_PKEY_get_group_name (pkey, group, sizeof group, NULL);
        return strcmp (group, "prime256v1") == 0 || strcmp (group, "P-256") == 0  ? S_P256
               : strcmp (group, "secp384r1") == 0 || strcmp (group, "P-384") == 0 ? S_P384
                                                                                  : S_UNKNOWN;
    default:
        return S_UNKNOWN;
    }
}

/*  Takes `pkey`. Returns NULL, and says why, if zcast can't use it. */
static zc_key_t *s_key_of (EVP_PKEY *pkey, bool private_, const char *kid, char *error, size_t size)
{
    s_type_t type = s_type_of (pkey);
    if (type == S_UNKNOWN)
        snprintf (error, size, "a key must be RSA, P-256, P-384 or Ed25519");
    else if (type == S_RSA && EVP_PKEY_get_bits (pkey) < ZC_KEY_RSA_MIN)
        snprintf (error, size, "an RSA key must have %d bits, and this one has %d", ZC_KEY_RSA_MIN,
                  EVP_PKEY_get_bits (pkey));
    else {
        zc_key_t *self = s_key_new (type, kid);
        self->pkey = pkey;
        self->private_ = private_;
        return self;
    }
    EVP_PKEY_free (pkey);
    return NULL;
}

static zc_key_t *s_key_of_secret (zc_slice_t bytes, const char *kid, char *error, size_t size)
{
    if (bytes.len > ZC_KEY_SECRET_MAX) {
        snprintf (error, size, "a secret may have %d bytes, and this one has %zu",
                  ZC_KEY_SECRET_MAX, bytes.len);
        return NULL;
    }
    if (bytes.len < ZC_KEY_SECRET_MIN) {
        snprintf (error, size,
                  "a secret must have %d bytes, and this one has %zu: make one with "
                  "`openssl rand -base64 48`",
                  ZC_KEY_SECRET_MIN, bytes.len);
        return NULL;
    }
    /* room for two full sets: one is read while the other is in use */
    if (!CRYPTO_secure_malloc_initialized ())
        CRYPTO_secure_malloc_init (4 * ZC_KEYS_MAX * ZC_KEY_SECRET_MAX, 32);
    zc_key_t *self = s_key_new (S_SECRET, kid);
    self->secret = OPENSSL_secure_malloc (bytes.len);
    if (!self->secret)
        abort ();
    memcpy (self->secret, bytes.at, bytes.len);
    self->secret_len = bytes.len;
    self->private_ = true;
    return self;
}

/*  PEM (RFC 7468). */

/*  Without this, OpenSSL would ask for the password of an encrypted key on the terminal. */
static int s_no_password (char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *s_certificate_key (BIO *bio)
{
    X509 *certificate = PEM_read_bio_X509 (bio, NULL, s_no_password, NULL);
    EVP_PKEY *pkey = certificate ? X509_get_pubkey (certificate) : NULL;
    X509_free (certificate);
    return pkey;
}

static EVP_PKEY *s_read_pem (zc_slice_t file, bool *private_)
{
    EVP_PKEY *pkey = NULL;
    *private_ = false;
    for (int form = 0; form < 3 && !pkey; form++) {
        BIO *bio = BIO_new_mem_buf (file.at, (int)file.len);
        if (!bio)
            abort ();
        if (form == 0)
            pkey = PEM_read_bio_PUBKEY (bio, NULL, s_no_password, NULL);
        else if (form == 1)
            pkey = s_certificate_key (bio);
        else
            *private_ = (pkey = PEM_read_bio_PrivateKey (bio, NULL, s_no_password, NULL)) != NULL;
        BIO_free (bio);
    }
    ERR_clear_error ();
    return pkey;
}

static zc_key_t *s_key_of_pem (zc_slice_t file, const char *kid, char *error, size_t size)
{
    bool private_;
    EVP_PKEY *pkey = s_read_pem (file, &private_);
    if (!pkey) {
        snprintf (error, size,
                  "the PEM text is no public key, certificate or private key (one with "
                  "a password can't be used)");
        return NULL;
    }
    return s_key_of (pkey, private_, kid, error, size);
}

/*  JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2). */

static int s_member (const json_t *jwk, const char *name, zc_buf_t *bytes)
{
    const json_t *value = json_object_get (jwk, name);
    if (!json_is_string (value))
        return -1;
    bytes->len = 0;
    return zc_base64url_decode (
        bytes, (zc_slice_t){json_string_value (value), json_string_length (value)});
}

static EVP_PKEY *s_make_pkey (const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param (build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name (NULL, type, NULL);
    if (!params || !context || EVP_PKEY_fromdata_init (context) != 1 ||
        EVP_PKEY_fromdata (context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free (context);
    OSSL_PARAM_free (params);
    ERR_clear_error ();
    return pkey;
}

static EVP_PKEY *s_rsa_of (const json_t *jwk)
{
    zc_buf_t n = ZC_BUF_INIT, e = ZC_BUF_INIT;
    EVP_PKEY *pkey = NULL;
    if (s_member (jwk, "n", &n) == 0 && s_member (jwk, "e", &e) == 0 && n.len <= 2048 &&
        e.len <= 8) {
        BIGNUM *modulus = BN_bin2bn (n.data, (int)n.len, NULL);
        BIGNUM *exponent = BN_bin2bn (e.data, (int)e.len, NULL);
        OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new ();
        if (!modulus || !exponent || !build)
            abort ();
        if (OSSL_PARAM_BLD_push_BN (build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
            OSSL_PARAM_BLD_push_BN (build, OSSL_PKEY_PARAM_RSA_E, exponent))
            pkey = s_make_pkey ("RSA", build);
        OSSL_PARAM_BLD_free (build);
        BN_free (modulus);
        BN_free (exponent);
    }
    zc_buf_clear (&n);
    zc_buf_clear (&e);
    return pkey;
}

static EVP_PKEY *s_ec_of (const json_t *jwk, const char *group, size_t bytes)
{
    zc_buf_t x = ZC_BUF_INIT, y = ZC_BUF_INIT, point = ZC_BUF_INIT;
    EVP_PKEY *pkey = NULL;
    if (s_member (jwk, "x", &x) == 0 && s_member (jwk, "y", &y) == 0 && x.len == bytes &&
        y.len == bytes) {
        zc_buf_addc (&point, 4); /* uncompressed (SEC 1 §2.3.3) */
        zc_buf_add (&point, x.data, x.len);
        zc_buf_add (&point, y.data, y.len);
        OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new ();
        if (!build)
            abort ();
        if (OSSL_PARAM_BLD_push_utf8_string (build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
            OSSL_PARAM_BLD_push_octet_string (build, OSSL_PKEY_PARAM_PUB_KEY, point.data,
                                              point.len))
            pkey = s_make_pkey ("EC", build);
        OSSL_PARAM_BLD_free (build);
    }
    zc_buf_clear (&x);
    zc_buf_clear (&y);
    zc_buf_clear (&point);
    return pkey;
}

static EVP_PKEY *s_okp_of (const json_t *jwk)
{
    zc_buf_t x = ZC_BUF_INIT;
    EVP_PKEY *pkey = NULL;
    if (s_member (jwk, "x", &x) == 0 && x.len == 32)
        pkey = EVP_PKEY_new_raw_public_key (EVP_PKEY_ED25519, NULL, x.data, x.len);
    zc_buf_clear (&x);
    return pkey;
}

static bool s_text_is (const json_t *jwk, const char *name, const char *text)
{
    const char *value = json_string_value (json_object_get (jwk, name));
    return value && strcmp (value, text) == 0;
}

/*  Whether the key's owner says that it isn't for checking signatures (RFC 7517 §4.2, §4.3). */
static bool s_for_something_else (const json_t *jwk)
{
    if (json_object_get (jwk, "use") && !s_text_is (jwk, "use", "sig"))
        return true;
    const json_t *ops = json_object_get (jwk, "key_ops");
    for (size_t i = 0; i < json_array_size (ops); i++) {
        const char *op = json_string_value (json_array_get (ops, i));
        if (op && strcmp (op, "verify") == 0)
            return false;
    }
    return ops != NULL;
}

static zc_key_t *s_key_of_oct (const json_t *jwk, const char *kid, char *error, size_t size)
{
    zc_buf_t secret = ZC_BUF_INIT;
    zc_key_t *self = NULL;
    if (s_member (jwk, "k", &secret) == 0)
        self =
            s_key_of_secret ((zc_slice_t){(const char *)secret.data, secret.len}, kid, error, size);
    else
        snprintf (error, size, "a JSON Web Key of type oct needs `k` in base64url");
    if (secret.data)
        OPENSSL_cleanse (secret.data, secret.cap);
    zc_buf_clear (&secret);
    return self;
}

/*  Returns NULL without an error if the type is unknown. */
static zc_key_t *s_key_by_type (const json_t *jwk, const char *kid, char *error, size_t size)
{
    EVP_PKEY *pkey = NULL;
    *error = 0;
    if (s_text_is (jwk, "kty", "oct"))
        return s_key_of_oct (jwk, kid, error, size);
    if (s_text_is (jwk, "kty", "RSA"))
        pkey = s_rsa_of (jwk);
    else if (s_text_is (jwk, "kty", "EC") && s_text_is (jwk, "crv", "P-256"))
        pkey = s_ec_of (jwk, "P-256", 32);
    else if (s_text_is (jwk, "kty", "EC") && s_text_is (jwk, "crv", "P-384"))
        pkey = s_ec_of (jwk, "P-384", 48);
    else if (s_text_is (jwk, "kty", "OKP") && s_text_is (jwk, "crv", "Ed25519"))
        pkey = s_okp_of (jwk);
    else
        return NULL;
    if (pkey)
        return s_key_of (pkey, false, kid, error, size);
    snprintf (error, size, "the JSON Web Key%s%s has members that are missing or no key",
              kid ? " " : "", kid ? kid : "");
    return NULL;
}

static zc_key_t *s_key_of_jwk (const json_t *jwk, char *error, size_t size)
{
    *error = 0;
    if (!json_is_object (jwk)) {
        snprintf (error, size, "a JSON Web Key must be an object");
        return NULL;
    }
    const json_t *alg = json_object_get (jwk, "alg");
    int only = -1;
    if (s_for_something_else (jwk))
        return NULL;
    if (alg) {
        const char *name = json_string_value (alg);
        only = name ? zc_alg_parse ((zc_slice_t){name, strlen (name)}) : -1;
        if (only < 0)
            return NULL;
    }
    zc_key_t *self =
        s_key_by_type (jwk, json_string_value (json_object_get (jwk, "kid")), error, size);
    if (self && only >= 0 && s_algs[only].type != self->type) {
        snprintf (error, size, "the JSON Web Key %s says alg %s, which its type can't be for",
                  self->kid, s_algs[only].name);
        s_key_destroy (&self);
    }
    if (self)
        self->only = only;
    return self;
}

/*  Sets. */

zc_keys_t *zc_keys_new (void)
{
    zc_keys_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void zc_keys_destroy (zc_keys_t **self_p)
{
    zc_keys_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        s_key_destroy (&self->keys[i]);
    free (self);
    *self_p = NULL;
}

static int s_add (zc_keys_t *self, zc_key_t *key, char *error, size_t size)
{
    if (!key)
        return -1;
    if (self->count == ZC_KEYS_MAX) {
        snprintf (error, size, "there are more than %d keys", ZC_KEYS_MAX);
        s_key_destroy (&key);
        return -1;
    }
    self->keys[self->count++] = key;
    return 0;
}

static int s_add_jwks (zc_keys_t *self, const json_t *keys, char *error, size_t size)
{
    size_t before = self->count;
    for (size_t i = 0; i < json_array_size (keys); i++) {
        zc_key_t *key = s_key_of_jwk (json_array_get (keys, i), error, size);
        if ((key || *error) && s_add (self, key, error, size) != 0) {
            while (self->count > before)
                s_key_destroy (&self->keys[--self->count]);
            return -1;
        }
    }
    if (self->count > before)
        return 0;
    snprintf (error, size, "the set has no key that checks signatures");
    return -1;
}

static int s_add_json (zc_keys_t *self, zc_slice_t file, char *error, size_t size)
{
    json_error_t where;
    json_t *root = json_loadb (file.at, file.len, JSON_REJECT_DUPLICATES, &where);
    int rc = -1;
    if (!root) {
        snprintf (error, size, "it begins like JSON, and isn't: line %d: %s", where.line,
                  where.text);
    } else if (json_is_array (json_object_get (root, "keys"))) {
        rc = s_add_jwks (self, json_object_get (root, "keys"), error, size);
    } else {
        zc_key_t *key = s_key_of_jwk (root, error, size);
        if (!key && !*error)
            snprintf (error, size,
                      "the JSON Web Key is of no type, use or alg that zcast checks "
                      "signatures with");
        rc = s_add (self, key, error, size);
    }
    json_decref (root);
    return rc;
}

/*  Recognises files that aren't secrets, though they have none of the forms above. If a public
 *  key were taken for a secret, everybody who has that key could sign. */

static bool s_is_der (const uint8_t *bytes, size_t len)
{
    const uint8_t *at[4] = {bytes, bytes, bytes, bytes};
    EVP_PKEY *keys[3] = {d2i_PUBKEY (NULL, &at[0], (long)len),
                         d2i_PublicKey (EVP_PKEY_RSA, NULL, &at[1], (long)len),
                         d2i_AutoPrivateKey (NULL, &at[2], (long)len)};
    X509 *certificate = d2i_X509 (NULL, &at[3], (long)len);
    bool found = certificate != NULL;
    for (size_t i = 0; i < 3; i++) {
        found |= keys[i] != NULL;
        EVP_PKEY_free (keys[i]);
    }
    X509_free (certificate);
    ERR_clear_error ();
    return found;
}

static bool s_is_der_in_base64 (zc_slice_t text)
{
    uint8_t *bytes = OPENSSL_malloc (text.len + 1);
    EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new ();
    int len = 0, last = 0;
    if (!bytes || !context)
        abort ();
    EVP_DecodeInit (context);
    bool good =
        EVP_DecodeUpdate (context, bytes, &len, (const uint8_t *)text.at, (int)text.len) >= 0 &&
        EVP_DecodeFinal (context, bytes + len, &last) >= 0 &&
        s_is_der (bytes, (size_t)(len + last));
    EVP_ENCODE_CTX_free (context);
    OPENSSL_clear_free (bytes, text.len + 1);
    return good;
}

/*  Returns NULL if the text may be a secret. */
static const char *s_no_secret (zc_slice_t text)
{
    static const char wide[] = {'-', 0, '-', 0, '-', 0, '-', 0};
    if (zc_slice_starts (text, "["))
        return "a list in JSON is no set of keys: that is {\"keys\": [...]}";
    if (zc_slice_starts (text, "ssh-") || zc_slice_starts (text, "ecdsa-") ||
        zc_slice_starts (text, "sk-") || zc_slice_starts (text, "---- BEGIN"))
        return "OpenSSH's form of a key isn't taken: make PEM of it with `ssh-keygen -e -m PKCS8`";
    if (memmem (text.at, text.len, wide, sizeof wide))
        return "it looks like PEM in UTF-16: save it as plain text";
    if (s_is_der ((const uint8_t *)text.at, text.len) || s_is_der_in_base64 (text))
        return "a key in DER isn't taken: make PEM of it with `openssl pkey -inform DER`";
    return NULL;
}

static int s_add_secret (zc_keys_t *self, zc_slice_t file, const char *kid, char *error,
                         size_t size)
{
    const char *why = file.len ? s_no_secret (file) : NULL;
    if (why) {
        snprintf (error, size, "%s", why);
        return -1;
    }
    if (file.len && file.at[file.len - 1] == '\n')
        file.len--;
    if (file.len && file.at[file.len - 1] == '\r')
        file.len--;
    return s_add (self, s_key_of_secret (file, kid, error, size), error, size);
}

int zc_keys_add (zc_keys_t *self, zc_slice_t file, const char *kid, char *error, size_t size)
{
    static const char pem[] = "-----BEGIN";
    *error = 0;
    if (file.len > ZC_KEYS_FILE_MAX) {
        snprintf (error, size, "it has more than %d bytes", ZC_KEYS_FILE_MAX);
        return -1;
    }
    if (zc_slice_starts (file, "\xef\xbb\xbf")) /* as editors on Windows write */
        file = (zc_slice_t){file.at + 3, file.len - 3};
    zc_slice_t text = file;
    while (text.len && strchr (" \t\r\n", text.at[0]) && text.at[0])
        text = (zc_slice_t){text.at + 1, text.len - 1};
    /*  PEM may follow other text (RFC 7468 §2) */
    if (text.len && memmem (text.at, text.len, pem, sizeof pem - 1))
        return s_add (self, s_key_of_pem (text, kid, error, size), error, size);
    if (text.len && text.at[0] == '{')
        return s_add_json (self, text, error, size);
    return s_add_secret (self, file, kid, error, size);
}

size_t zc_keys_count (const zc_keys_t *self)
{
    return self->count;
}

const zc_key_t *zc_keys_item (const zc_keys_t *self, size_t index)
{
    return index < self->count ? self->keys[index] : NULL;
}

static bool s_answers_for (const zc_key_t *key, zc_slice_t kid)
{
    return !kid.at || !*key->kid || zc_slice_is (kid, key->kid);
}

const zc_key_t *zc_keys_next (const zc_keys_t *self, zc_alg_t alg, zc_slice_t kid, size_t *at)
{
    while (*at < self->count) {
        const zc_key_t *key = self->keys[(*at)++];
        if (zc_key_checks (key, alg) && s_answers_for (key, kid))
            return key;
    }
    return NULL;
}

bool zc_keys_know (const zc_keys_t *self, zc_slice_t kid)
{
    for (size_t i = 0; i < self->count; i++)
        if (s_answers_for (self->keys[i], kid))
            return true;
    return false;
}

const char *zc_key_kid (const zc_key_t *self)
{
    return self->kid;
}

bool zc_key_checks (const zc_key_t *self, zc_alg_t alg)
{
    return s_algs[alg].type == self->type && (self->only < 0 || self->only == (int)alg);
}

bool zc_key_signs (const zc_key_t *self)
{
    return self->private_;
}

/*  Signatures. */

static bool s_hmac (const zc_key_t *self, zc_alg_t alg, zc_slice_t text, uint8_t *mac,
                    unsigned *len)
{
    const EVP_MD *digest = EVP_get_digestbyname (s_algs[alg].digest);
    return HMAC (digest, self->secret, (int)self->secret_len, (const uint8_t *)text.at, text.len,
                 mac, len) != NULL;
}

/*  A token has r and s one after the other, each of the curve's size (RFC 7518 §3.4). OpenSSL
 *  needs them in DER. */
static size_t s_curve_bytes (const zc_key_t *self)
{
    return self->type == S_P256 ? 32 : self->type == S_P384 ? 48 : 0;
}

/*  Returns the length of *der, which the caller frees with OPENSSL_free, or -1. */
static int s_to_der (zc_slice_t signature, size_t bytes, uint8_t **der)
{
    if (signature.len != 2 * bytes)
        return -1;
    const uint8_t *at = (const uint8_t *)signature.at;
    ECDSA_SIG *pair = ECDSA_SIG_new ();
    BIGNUM *r = BN_bin2bn (at, (int)bytes, NULL), *s = BN_bin2bn (at + bytes, (int)bytes, NULL);
    if (!pair || !r || !s || !ECDSA_SIG_set0 (pair, r, s))
        abort ();
    int len = i2d_ECDSA_SIG (pair, der);
    ECDSA_SIG_free (pair);
    return len;
}

static int s_from_der (const uint8_t *der, size_t len, size_t bytes, zc_buf_t *signature)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG (NULL, &der, (long)len);
    if (!pair)
        return -1;
    uint8_t *at = zc_buf_reserve (signature, 2 * bytes);
    int rc = BN_bn2binpad (ECDSA_SIG_get0_r (pair), at, (int)bytes) == (int)bytes &&
                     BN_bn2binpad (ECDSA_SIG_get0_s (pair), at + bytes, (int)bytes) == (int)bytes
                 ? 0
                 : -1;
    if (rc == 0)
        signature->len += 2 * bytes;
    ECDSA_SIG_free (pair);
    return rc;
}

/*  A context for EVP_DigestVerify or EVP_DigestSign; NULL if OpenSSL refuses. */
static EVP_MD_CTX *s_context (const zc_key_t *self, zc_alg_t alg, bool signing)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    EVP_PKEY_CTX *options = NULL;
    const EVP_MD *digest = s_algs[alg].digest ? EVP_get_digestbyname (s_algs[alg].digest) : NULL;
    if (!context)
        abort ();
    int ok = signing ? EVP_DigestSignInit (context, &options, digest, NULL, self->pkey)
                     : EVP_DigestVerifyInit (context, &options, digest, NULL, self->pkey);
    if (ok == 1 && s_algs[alg].pss) /* the salt is as long as the digest (RFC 7518 §3.5) */
        ok = EVP_PKEY_CTX_set_rsa_padding (options, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen (options, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (ok == 1)
        return context;
    EVP_MD_CTX_free (context);
    ERR_clear_error ();
    return NULL;
}

static bool s_verify_public (const zc_key_t *self, zc_alg_t alg, zc_slice_t text,
                             zc_slice_t signature)
{
    uint8_t *der = NULL;
    if (s_curve_bytes (self)) {
        int len = s_to_der (signature, s_curve_bytes (self), &der);
        if (len <= 0)
            return false;
        signature = (zc_slice_t){(const char *)der, (size_t)len};
    }
    EVP_MD_CTX *context = s_context (self, alg, false);
    bool good = context && EVP_DigestVerify (context, (const uint8_t *)signature.at, signature.len,
                                             (const uint8_t *)text.at, text.len) == 1;
    EVP_MD_CTX_free (context);
    OPENSSL_free (der);
    ERR_clear_error ();
    return good;
}

bool zc_key_verify (const zc_key_t *self, zc_alg_t alg, zc_slice_t text, zc_slice_t signature)
{
    if (!zc_key_checks (self, alg))
        return false;
    if (self->type != S_SECRET)
        return s_verify_public (self, alg, text, signature);
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len;
    return s_hmac (self, alg, text, mac, &len) && signature.len == len &&
           CRYPTO_memcmp (mac, signature.at, len) == 0;
}

int zc_key_sign (const zc_key_t *self, zc_alg_t alg, zc_slice_t text, zc_buf_t *signature)
{
    if (!self->private_ || !zc_key_checks (self, alg))
        return -1;
    if (self->type == S_SECRET) {
        uint8_t mac[EVP_MAX_MD_SIZE];
        unsigned mac_len;
        if (!s_hmac (self, alg, text, mac, &mac_len))
            return -1;
        zc_buf_add (signature, mac, mac_len);
        return 0;
    }
    uint8_t bytes[1024];
    size_t len = sizeof bytes;
    EVP_MD_CTX *context = s_context (self, alg, true);
    int rc =
        context && EVP_DigestSign (context, bytes, &len, (const uint8_t *)text.at, text.len) == 1
            ? 0
            : -1;
    EVP_MD_CTX_free (context);
    ERR_clear_error ();
    if (rc == 0 && s_curve_bytes (self))
        return s_from_der (bytes, len, s_curve_bytes (self), signature);
    if (rc == 0)
        zc_buf_add (signature, bytes, len);
    return rc;
}
