/*  Tokens: every algorithm with every type of key, tables of bad tokens, and the RFCs' test
 *  vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "lib/base/base64.h"
#include "lib/access/token.h"
#include "tests/unit/unit.h"

#define NOW_MS 1800000000000 /* 2027-01-15T08:00:00Z */
#define SECRET "0123456789abcdef0123456789abcdef"

static const zc_token_policy_t s_lenient = {.leeway_ms = 1000};

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

/*  A PEM file of a new key, made once for each type; its private or public part. */
typedef enum { RSA_KEY, SMALL_RSA, P256, P384, P521, ED25519, KEY_TYPES } s_type_t;

static EVP_PKEY *s_pkey (s_type_t type)
{
    static EVP_PKEY *keys[KEY_TYPES];
    if (!keys[type]) {
        keys[type] = type == RSA_KEY     ? EVP_RSA_gen (2048)
                     : type == SMALL_RSA ? EVP_RSA_gen (1024)
                     : type == P256      ? EVP_EC_gen ("P-256")
                     : type == P384      ? EVP_EC_gen ("P-384")
                     : type == P521      ? EVP_EC_gen ("P-521")
                                         : EVP_PKEY_Q_keygen (NULL, NULL, "ED25519");
        assert_non_null (keys[type]);
    }
    return keys[type];
}

static char *s_pem (s_type_t type, bool private_)
{
    BIO *bio = BIO_new (BIO_s_mem ());
    if (private_)
        PEM_write_bio_PrivateKey (bio, s_pkey (type), NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_PUBKEY (bio, s_pkey (type));
    char *text, *copy;
    long len = BIO_get_mem_data (bio, &text);
    copy = malloc ((size_t)len + 1);
    memcpy (copy, text, (size_t)len);
    copy[len] = 0;
    BIO_free (bio);
    return copy;
}

static zc_keys_t *s_keys (const char *file, const char *kid)
{
    char error[256];
    zc_keys_t *keys = zc_keys_new ();
    if (zc_keys_add (keys, s_slice (file), kid, error, sizeof error) != 0)
        fail_msg ("%s", error);
    return keys;
}

static zc_keys_t *s_pem_keys (s_type_t type, bool private_)
{
    char *pem = s_pem (type, private_);
    zc_keys_t *keys = s_keys (pem, NULL);
    free (pem);
    return keys;
}

/*  A token with this header and these claims, signed by the first key. */
static zc_buf_t s_token (const zc_keys_t *keys, zc_alg_t alg, const char *header,
                         const char *claims)
{
    zc_buf_t out = ZC_BUF_INIT, signature = ZC_BUF_INIT;
    zc_base64url_encode (&out, header, strlen (header));
    zc_buf_addc (&out, '.');
    zc_base64url_encode (&out, claims, strlen (claims));
    zc_slice_t text = {(const char *)out.data, out.len};
    assert_int_equal (zc_key_sign (zc_keys_item (keys, 0), alg, text, &signature), 0);
    zc_buf_addc (&out, '.');
    zc_base64url_encode (&out, signature.data, signature.len);
    zc_buf_clear (&signature);
    return out;
}

static zc_token_error_t s_check (const zc_keys_t *keys, zc_buf_t *text,
                                 const zc_token_policy_t *policy)
{
    zc_token_t token;
    zc_slice_t slice = {(const char *)text->data, text->len};
    zc_token_error_t rc = zc_token_check (&token, slice, keys, policy, NOW_MS);
    zc_token_clear (&token);
    return rc;
}

/*  Which key checks which algorithm. */

static void test_every_algorithm (void **state)
{
    (void)state;
    static const struct {
        zc_alg_t alg;
        int type; /* -1: a secret */
    } rows[] = {
        {ZC_ALG_HS256, -1},      {ZC_ALG_HS384, -1},      {ZC_ALG_HS512, -1},
        {ZC_ALG_RS256, RSA_KEY}, {ZC_ALG_RS384, RSA_KEY}, {ZC_ALG_RS512, RSA_KEY},
        {ZC_ALG_PS256, RSA_KEY}, {ZC_ALG_PS384, RSA_KEY}, {ZC_ALG_PS512, RSA_KEY},
        {ZC_ALG_ES256, P256},    {ZC_ALG_ES384, P384},    {ZC_ALG_EDDSA, ED25519},
    };
    json_t *claims = json_pack ("{s:s, s:I}", "sub", "ann", "exp", (json_int_t)NOW_MS / 1000 + 60);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_keys_t *sign =
            rows[i].type < 0 ? s_keys (SECRET, NULL) : s_pem_keys ((s_type_t)rows[i].type, true);
        zc_keys_t *check = rows[i].type < 0 ? s_keys (SECRET "\n", NULL)
                                            : s_pem_keys ((s_type_t)rows[i].type, false);
        zc_buf_t text = ZC_BUF_INIT;
        assert_int_equal (zc_token_make (&text, zc_keys_item (sign, 0), rows[i].alg, claims), 0);
        assert_int_equal (s_check (check, &text, &s_lenient), ZC_TOKEN_OK);
        if (rows[i].type >= 0) {
            zc_buf_t none = ZC_BUF_INIT;
            assert_false (zc_key_signs (zc_keys_item (check, 0)));
            assert_int_equal (zc_token_make (&none, zc_keys_item (check, 0), rows[i].alg, claims),
                              -1);
            assert_int_equal (none.len, 0);
            zc_buf_clear (&none);
        }
        /* each bit of the signature's last bytes counts */
        text.data[text.len - 3] = text.data[text.len - 3] == 'A' ? 'B' : 'A';
        assert_int_equal (s_check (check, &text, &s_lenient), ZC_TOKEN_SIGNATURE);
        zc_buf_clear (&text);
        zc_keys_destroy (&sign);
        zc_keys_destroy (&check);
    }
    json_decref (claims);
}

/*  The text of a public key is never used as a secret, whatever the token's header says. */
static void test_key_confusion (void **state)
{
    (void)state;
    static const s_type_t types[] = {RSA_KEY, P256, P384, ED25519};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char *pem = s_pem (types[i], false);
        zc_keys_t *check = s_keys (pem, NULL);
        zc_buf_t text = ZC_BUF_INIT;
        zc_base64url_encode (&text, "{\"alg\":\"HS256\"}", 15);
        zc_buf_addc (&text, '.');
        zc_base64url_encode (&text, "{}", 2);
        uint8_t mac[EVP_MAX_MD_SIZE];
        size_t len = 0;
        EVP_Q_mac (NULL, "HMAC", NULL, "SHA256", NULL, pem, strlen (pem), text.data, text.len, mac,
                   sizeof mac, &len);
        zc_buf_addc (&text, '.');
        zc_base64url_encode (&text, mac, len);
        assert_int_equal (s_check (check, &text, &s_lenient), ZC_TOKEN_SIGNATURE);
        zc_buf_clear (&text);
        zc_keys_destroy (&check);
        free (pem);
    }
}

static void test_each_type_checks_its_own (void **state)
{
    (void)state;
    static const struct {
        int type;
        const char *algs;
    } rows[] = {
        {-1, "HS256 HS384 HS512"}, {RSA_KEY, "RS256 RS384 RS512 PS256 PS384 PS512"},
        {P256, "ES256"},           {P384, "ES384"},
        {ED25519, "EdDSA"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_keys_t *keys =
            rows[i].type < 0 ? s_keys (SECRET, NULL) : s_pem_keys ((s_type_t)rows[i].type, true);
        for (zc_alg_t alg = 0; alg < ZC_ALGS; alg++)
            assert_int_equal (zc_key_checks (zc_keys_item (keys, 0), alg),
                              strstr (rows[i].algs, zc_alg_name (alg)) != NULL);
        zc_keys_destroy (&keys);
    }
    assert_int_equal (zc_alg_parse (s_slice ("none")), -1);
    assert_int_equal (zc_alg_parse (s_slice ("hs256")), -1);
    assert_int_equal (zc_alg_parse (s_slice ("")), -1);
}

/*  Tokens that are refused. */

static const struct {
    const char *header, *claims;
    zc_token_error_t error;
} bad[] = {
    {"{\"alg\":\"none\"}", "{}", ZC_TOKEN_ALGORITHM},
    {"{\"alg\":\"None\"}", "{}", ZC_TOKEN_ALGORITHM},
    {"{\"alg\":\"\"}", "{}", ZC_TOKEN_ALGORITHM},
    {"{}", "{}", ZC_TOKEN_ALGORITHM},
    {"{\"alg\":null}", "{}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":[\"HS256\"]}", "{}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS257\"}", "{}", ZC_TOKEN_ALGORITHM},
    {"{\"alg\":\"RS256\"}", "{}", ZC_TOKEN_SIGNATURE},
    {"{\"alg\":\"HS512\"}", "{}", ZC_TOKEN_SIGNATURE}, /* signed with HS256 */
    {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "{}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "{}", ZC_TOKEN_CRITICAL},
    {"{\"alg\":\"HS256\",\"crit\":[]}", "{}", ZC_TOKEN_CRITICAL},
    {"{\"alg\":\"HS256\",\"typ\":\"JOSE\"}", "{}", ZC_TOKEN_TYPE},
    {"{\"alg\":\"HS256\",\"typ\":1}", "{}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\",\"kid\":\"b\"}", "{}", ZC_TOKEN_KEY},
    {"{\"alg\":\"HS256\",\"kid\":\"\"}", "{}", ZC_TOKEN_KEY},
    {"{\"alg\":\"HS256\",\"kid\":7}", "{}", ZC_TOKEN_MALFORMED},
    {"[]", "{}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"", "{}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"} x", "{}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"}", "", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"}", "[]", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"}", "{\"sub\":\"a\",\"sub\":\"b\"}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"}", "{\"zcast\":{\"publish\":[],\"publish\":[\"*\"]}}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"}", "{\"sub\":\"a\\u0000b\"}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"}", "{\"exp\":1800000000}", ZC_TOKEN_OK}, /* within the leeway */
    {"{\"alg\":\"HS256\"}", "{\"exp\":1799999999}", ZC_TOKEN_EXPIRED},
    {"{\"alg\":\"HS256\"}", "{\"exp\":0}", ZC_TOKEN_EXPIRED},
    {"{\"alg\":\"HS256\"}", "{\"exp\":-1}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"exp\":\"1900000000\"}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"exp\":null}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"exp\":1e400}", ZC_TOKEN_MALFORMED},
    {"{\"alg\":\"HS256\"}", "{\"exp\":1e300}", ZC_TOKEN_OK},
    {"{\"alg\":\"HS256\"}", "{\"nbf\":1800000001}", ZC_TOKEN_OK},
    {"{\"alg\":\"HS256\"}", "{\"nbf\":1800000002}", ZC_TOKEN_EARLY},
    {"{\"alg\":\"HS256\"}", "{\"iat\":1800000002}", ZC_TOKEN_EARLY},
    {"{\"alg\":\"HS256\"}", "{\"iat\":true}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"aud\":\"else\"}", ZC_TOKEN_AUDIENCE},
    {"{\"alg\":\"HS256\"}", "{\"aud\":[]}", ZC_TOKEN_AUDIENCE},
    {"{\"alg\":\"HS256\"}", "{\"aud\":5}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"iss\":{}}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"sub\":7}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"sub\":\"a\\r\\nb\"}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"jti\":[\"a\"]}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"zcast\":[]}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"zcast\":{\"publish\":\"a\"}}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"zcast\":{\"publish\":[1]}}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"zcast\":{\"subscribe\":[\"\"]}}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"zcast\":{\"subscribe\":[\"a\\nb\"]}}", ZC_TOKEN_CLAIM},
    {"{\"alg\":\"HS256\"}", "{\"zcast\":{\"subscribe\":[\"a\"],\"other\":1}}", ZC_TOKEN_OK},
};

static void test_bad (void **state)
{
    (void)state;
    zc_keys_t *keys = s_keys (SECRET, "a");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_buf_t text = s_token (keys, ZC_ALG_HS256, bad[i].header, bad[i].claims);
        zc_token_error_t rc = s_check (keys, &text, &s_lenient);
        if (rc != bad[i].error)
            fail_msg ("%s %s: %d", bad[i].header, bad[i].claims, rc);
        assert_true (strlen (zc_token_strerror (rc)) > 10);
        zc_buf_clear (&text);
    }
    zc_keys_destroy (&keys);
}

static void test_bad_forms (void **state)
{
    (void)state;
    static const char *const forms[] = {"",         ".",           "..",          "...",
                                        "a.b",      "a.b.c.d",     "e30",         "e30..",
                                        "e30.e30.", "e30.e30.e30", " e30.e30.e30"};
    zc_keys_t *keys = s_keys (SECRET, NULL);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        zc_buf_t text = ZC_BUF_INIT;
        zc_buf_adds (&text, forms[i]);
        assert_int_not_equal (s_check (keys, &text, &s_lenient), ZC_TOKEN_OK);
        zc_buf_clear (&text);
    }
    zc_buf_t good = s_token (keys, ZC_ALG_HS256, "{\"alg\":\"HS256\"}", "{}");
    assert_int_equal (s_check (keys, &good, &s_lenient), ZC_TOKEN_OK);
    for (const char *c = "=+/ \n"; *c; c++) { /* padding, the other alphabet, blanks */
        zc_buf_t text = ZC_BUF_INIT;
        zc_buf_add (&text, good.data, good.len);
        zc_buf_addc (&text, *c);
        assert_int_not_equal (s_check (keys, &text, &s_lenient), ZC_TOKEN_OK);
        zc_buf_clear (&text);
    }
    zc_buf_clear (&good);
    zc_keys_destroy (&keys);
}

static void test_large_and_deep (void **state)
{
    (void)state;
    zc_keys_t *keys = s_keys (SECRET, NULL);
    zc_buf_t large = ZC_BUF_INIT;
    for (int i = 0; i < 100000; i++)
        zc_buf_addc (&large, 'e');
    assert_int_equal (s_check (keys, &large, &s_lenient), ZC_TOKEN_SIZE);
    zc_buf_clear (&large);
    char deep[4096] = "{\"a\":";
    size_t len = strlen (deep);
    memset (deep + len, '[', 2000);
    memset (deep + len + 2000, ']', 2000);
    deep[len + 4000] = '}';
    zc_buf_t text = s_token (keys, ZC_ALG_HS256, "{\"alg\":\"HS256\"}", deep);
    assert_int_equal (s_check (keys, &text, &s_lenient), ZC_TOKEN_MALFORMED);
    zc_buf_clear (&text);
    text = s_token (keys, ZC_ALG_HS256, "{\"alg\":\"HS256\"}",
                    "{\"a\":[[[[[[[\"[[[[[[[[[[[[[[[[[[\\\"[[[\"]]]]]]]}");
    assert_int_equal (s_check (keys, &text, &s_lenient), ZC_TOKEN_OK);
    zc_buf_clear (&text);
    zc_keys_destroy (&keys);
}

static void test_policy (void **state)
{
    (void)state;
    static const char *const issuers[] = {"https://a", "https://b"}, *const audiences[] = {"zcast"};
    static const zc_token_policy_t strict = {issuers, 2, audiences, 1, 0, true};
    static const struct {
        const char *claims;
        zc_token_error_t error;
    } rows[] = {
        {"{\"iss\":\"https://b\",\"aud\":\"zcast\",\"exp\":1800000001}", ZC_TOKEN_OK},
        {"{\"iss\":\"https://a\",\"aud\":[\"x\",\"zcast\"],\"exp\":1800000001}", ZC_TOKEN_OK},
        {"{\"iss\":\"https://a\",\"aud\":[[\"zcast\"]],\"exp\":1800000001}", ZC_TOKEN_AUDIENCE},
        {"{\"iss\":\"https://a\",\"aud\":\"zcast \",\"exp\":1800000001}", ZC_TOKEN_AUDIENCE},
        {"{\"iss\":\"https://a\",\"exp\":1800000001}", ZC_TOKEN_AUDIENCE},
        {"{\"iss\":\"https://c\",\"aud\":\"zcast\",\"exp\":1800000001}", ZC_TOKEN_ISSUER},
        {"{\"aud\":\"zcast\",\"exp\":1800000001}", ZC_TOKEN_ISSUER},
        {"{\"iss\":\"https://b\",\"aud\":\"zcast\"}", ZC_TOKEN_NO_EXPIRY},
        {"{\"iss\":\"https://b\",\"aud\":\"zcast\",\"exp\":1800000000}", ZC_TOKEN_EXPIRED},
    };
    zc_keys_t *keys = s_keys (SECRET, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_buf_t text = s_token (keys, ZC_ALG_HS256, "{\"alg\":\"HS256\"}", rows[i].claims);
        zc_token_error_t rc = s_check (keys, &text, &strict);
        if (rc != rows[i].error)
            fail_msg ("%s: %d", rows[i].claims, rc);
        zc_buf_clear (&text);
    }
    zc_keys_destroy (&keys);
}

static void test_what_a_good_one_says (void **state)
{
    (void)state;
    zc_keys_t *keys = s_keys (SECRET, "main");
    zc_buf_t text =
        s_token (keys, ZC_ALG_HS256, "{\"alg\":\"HS256\",\"typ\":\"at+JWT\"}",
                 "{\"sub\":\"ann\",\"jti\":\"t1\",\"iat\":1799999990,\"exp\":1800000060.5,"
                 "\"zcast\":{\"publish\":[\"a\",\"b/*\"],\"subscribe\":[\"*\"]}}");
    zc_token_t token;
    zc_slice_t slice = {(const char *)text.data, text.len};
    assert_int_equal (zc_token_check (&token, slice, keys, &s_lenient, NOW_MS), ZC_TOKEN_OK);
    assert_string_equal (token.subject, "ann");
    assert_string_equal (token.id, "t1");
    assert_string_equal (token.kid, "main");
    assert_int_equal (token.issued_ms, 1799999990000);
    assert_int_equal (token.expires_ms, 1800000061500);
    assert_true (zc_grants_allow (token.grants, ZC_GRANT_PUBLISH, s_slice ("a")));
    assert_true (zc_grants_allow (token.grants, ZC_GRANT_PUBLISH, s_slice ("b/x")));
    assert_false (zc_grants_allow (token.grants, ZC_GRANT_PUBLISH, s_slice ("ab")));
    assert_false (zc_grants_allow (token.grants, ZC_GRANT_PUBLISH, s_slice ("b")));
    assert_true (zc_grants_allow (token.grants, ZC_GRANT_SUBSCRIBE, s_slice ("anything")));
    json_t *header, *claims;
    assert_true (zc_token_show (slice, &header, &claims));
    assert_string_equal (json_string_value (json_object_get (claims, "sub")), "ann");
    json_decref (header);
    json_decref (claims);
    zc_token_clear (&token);
    zc_buf_clear (&text);
    zc_keys_destroy (&keys);
}

/*  Keys. */

static const char *const bad_keys[] = {
    "",
    "short",
    "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "-----BEGIN NOTHING-----",
    "{",
    "{}",
    "{\"kty\":\"oct\"}",
    "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}",
    "{\"kty\":\"oct\",\"k\":\"***\"}",
    "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", /* not on the curve */
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}",
    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
    "[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl user@host",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNJ user@host",
    "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKL\n",
    "\xef\xbb\xbf-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "{\"keys\":[]}",
    "{\"keys\":[{\"kty\":\"quantum\"}]}",
    "{\"keys\":[5]}",
    "{\"kty\":\"oct\",\"kty\":\"oct\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"HS256\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"key_ops\":[\"sign\"],"
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
};

/*  A public key in a form that zcast doesn't read is never taken for a secret: everybody who has
 *  it could sign. */
static void s_refuse_public_keys (zc_keys_t *keys)
{
    static const s_type_t types[] = {RSA_KEY, P256, ED25519};
    char error[256];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        uint8_t *der = NULL;
        int len = i2d_PUBKEY (s_pkey (types[i]), &der);
        zc_slice_t binary = {(const char *)der, (size_t)len};
        assert_int_equal (zc_keys_add (keys, binary, NULL, error, sizeof error), -1);
        assert_non_null (strstr (error, "DER"));
        char *base64 = malloc ((size_t)len * 2);
        EVP_EncodeBlock ((uint8_t *)base64, der, len);
        assert_int_equal (zc_keys_add (keys, s_slice (base64), NULL, error, sizeof error), -1);
        assert_non_null (strstr (error, "DER"));
        free (base64);
        OPENSSL_free (der);
    }
    assert_int_equal (zc_keys_count (keys), 0);
}

/*  PEM after an editor's mark, or after other text, is PEM. */
static void test_pem_behind_text (void **state)
{
    (void)state;
    static const char *const before[] = {"\xef\xbb\xbf", "subject=CN = example\n", "\n\n"};
    char *pem = s_pem (ED25519, false), text[1024];
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        snprintf (text, sizeof text, "%s%s", before[i], pem);
        zc_keys_t *keys = s_keys (text, NULL);
        assert_false (zc_key_checks (zc_keys_item (keys, 0), ZC_ALG_HS256));
        assert_true (zc_key_checks (zc_keys_item (keys, 0), ZC_ALG_EDDSA));
        zc_keys_destroy (&keys);
    }
    free (pem);
}

static void test_bad_keys (void **state)
{
    (void)state;
    zc_keys_t *keys = zc_keys_new ();
    char error[256];
    for (size_t i = 0; i < sizeof bad_keys / sizeof *bad_keys; i++) {
        if (zc_keys_add (keys, s_slice (bad_keys[i]), NULL, error, sizeof error) != -1)
            fail_msg ("%s", bad_keys[i]);
        assert_true (strlen (error) > 10);
        assert_int_equal (zc_keys_count (keys), 0);
    }
    s_refuse_public_keys (keys);
    static const s_type_t types[] = {SMALL_RSA, P521};
    for (size_t i = 0; i < 2; i++) {
        char *pem = s_pem (types[i], false);
        assert_int_equal (zc_keys_add (keys, s_slice (pem), NULL, error, sizeof error), -1);
        free (pem);
    }
    for (int i = 0; i < ZC_KEYS_MAX; i++)
        assert_int_equal (zc_keys_add (keys, s_slice (SECRET), NULL, error, sizeof error), 0);
    assert_int_equal (zc_keys_add (keys, s_slice (SECRET), NULL, error, sizeof error), -1);
    zc_keys_destroy (&keys);
    zc_keys_destroy (&keys);
}

/*  In a set, the kid picks the key; keys of unknown types are skipped. */
static void test_set (void **state)
{
    (void)state;
    zc_keys_t *keys = s_keys (
        "{\"keys\":[{\"kty\":\"quantum\",\"kid\":\"q\"},"
        "{\"kty\":\"oct\",\"kid\":\"one\",\"alg\":\"HS256\","
        "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
        "{\"kty\":\"oct\",\"kid\":\"two\",\"k\":\"dHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdvdHc\"}]}",
        NULL);
    assert_int_equal (zc_keys_count (keys), 2);
    static const struct {
        const char *header;
        zc_alg_t alg;
        zc_token_error_t error;
    } rows[] = {
        {"{\"alg\":\"HS256\",\"kid\":\"one\"}", ZC_ALG_HS256, ZC_TOKEN_OK},
        {"{\"alg\":\"HS256\"}", ZC_ALG_HS256, ZC_TOKEN_OK},
        {"{\"alg\":\"HS256\",\"kid\":\"two\"}", ZC_ALG_HS256, ZC_TOKEN_SIGNATURE},
        {"{\"alg\":\"HS256\",\"kid\":\"q\"}", ZC_ALG_HS256, ZC_TOKEN_KEY},
        {"{\"alg\":\"HS256\",\"kid\":\"One\"}", ZC_ALG_HS256, ZC_TOKEN_KEY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_buf_t text = s_token (keys, rows[i].alg, rows[i].header, "{}");
        assert_int_equal (s_check (keys, &text, &s_lenient), rows[i].error);
        zc_buf_clear (&text);
    }
    /* its alg narrows what its type would allow */
    assert_false (zc_key_checks (zc_keys_item (keys, 0), ZC_ALG_HS512));
    assert_true (zc_key_checks (zc_keys_item (keys, 1), ZC_ALG_HS512));
    zc_keys_destroy (&keys);
}

/*  The RFCs' own examples: RFC 7515 A.1, A.3; RFC 8037 A.4. */
static void test_vectors (void **state)
{
    (void)state;
    static const char claims[] =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ";
    static const struct {
        const char *jwk, *header, *claims, *signature;
        zc_alg_t alg;
    } rows[] = {
        {"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
         "1qS0gZH75aKtMN3Yj0iPS4hc"
         "gUuTwjAzZr1Z9CAow\"}",
         "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", claims,
         "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", ZC_ALG_HS256},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
         "eyJhbGciOiJFUzI1NiJ9", claims,
         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
         ZC_ALG_ES256},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
         "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
         "eyJhbGciOiJFZERTQSJ9", "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
         "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
         ZC_ALG_EDDSA},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_keys_t *keys = s_keys (rows[i].jwk, NULL);
        zc_buf_t text = ZC_BUF_INIT, signature = ZC_BUF_INIT;
        zc_buf_addf (&text, "%s.%s", rows[i].header, rows[i].claims);
        assert_int_equal (zc_base64url_decode (&signature, s_slice (rows[i].signature)), 0);
        zc_slice_t signed_ = {(const char *)text.data, text.len};
        zc_slice_t bytes = {(const char *)signature.data, signature.len};
        assert_true (zc_key_verify (zc_keys_item (keys, 0), rows[i].alg, signed_, bytes));
        if (rows[i].alg != ZC_ALG_EDDSA) {
            zc_buf_addf (&text, ".%s", rows[i].signature);
            assert_int_equal (s_check (keys, &text, &s_lenient), ZC_TOKEN_EXPIRED);
        }
        zc_buf_clear (&text);
        zc_buf_clear (&signature);
        zc_keys_destroy (&keys);
    }
}

static void test_base64url (void **state)
{
    (void)state;
    static const char *const bad_texts[] = {
        "A", "AAAAA", "AB", "AAB", "AA==", "AA+A", "AA/A", "A A", "AA\n"};
    zc_buf_t out = ZC_BUF_INIT;
    for (size_t i = 0; i < sizeof bad_texts / sizeof *bad_texts; i++) {
        if (zc_base64url_decode (&out, s_slice (bad_texts[i])) != -1)
            fail_msg ("%s", bad_texts[i]);
        assert_int_equal (out.len, 0);
    }
    for (unsigned len = 0; len < 70; len++) {
        uint8_t bytes[70];
        zc_buf_t text = ZC_BUF_INIT;
        for (unsigned i = 0; i < len; i++)
            bytes[i] = (uint8_t)(i * 37 + len);
        zc_base64url_encode (&text, bytes, len);
        out.len = 0;
        assert_int_equal (
            zc_base64url_decode (&out, (zc_slice_t){(const char *)text.data, text.len}), 0);
        assert_int_equal (out.len, len);
        if (len)
            assert_memory_equal (out.data, bytes, len);
        zc_buf_clear (&text);
    }
    zc_buf_clear (&out);
}

static void test_grants (void **state)
{
    (void)state;
    zc_grants_t *grants = zc_grants_new ();
    assert_false (zc_grants_any (grants, ZC_GRANT_PUBLISH));
    assert_int_equal (zc_grants_add (grants, ZC_GRANT_PUBLISH, s_slice ("")), -1);
    assert_int_equal (zc_grants_add (grants, ZC_GRANT_PUBLISH, s_slice ("a\tb*")), -1);
    assert_int_equal (zc_grants_add (grants, ZC_GRANT_PUBLISH, s_slice ("room/*")), 0);
    assert_true (zc_grants_any (grants, ZC_GRANT_PUBLISH));
    assert_true (zc_grants_allow (grants, ZC_GRANT_PUBLISH, s_slice ("room/1")));
    assert_true (zc_grants_allow (grants, ZC_GRANT_PUBLISH, s_slice ("room/")));
    assert_false (zc_grants_allow (grants, ZC_GRANT_PUBLISH, s_slice ("room")));
    assert_false (zc_grants_allow (grants, ZC_GRANT_PUBLISH, s_slice ("rooms/1")));
    assert_false (zc_grants_allow (grants, ZC_GRANT_SUBSCRIBE, s_slice ("room/1")));
    for (int i = 1; i < ZC_GRANTS_MAX; i++)
        assert_int_equal (zc_grants_add (grants, ZC_GRANT_PUBLISH, s_slice ("t")), 0);
    assert_int_equal (zc_grants_add (grants, ZC_GRANT_PUBLISH, s_slice ("t")), -1);
    zc_grants_destroy (&grants);
    zc_grants_destroy (&grants);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_every_algorithm),
        cmocka_unit_test (test_key_confusion),
        cmocka_unit_test (test_each_type_checks_its_own),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_bad_forms),
        cmocka_unit_test (test_large_and_deep),
        cmocka_unit_test (test_policy),
        cmocka_unit_test (test_what_a_good_one_says),
        cmocka_unit_test (test_bad_keys),
        cmocka_unit_test (test_pem_behind_text),
        cmocka_unit_test (test_set),
        cmocka_unit_test (test_vectors),
        cmocka_unit_test (test_base64url),
        cmocka_unit_test (test_grants),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
