/*  Tokens, keys, API keys and rules; the first byte picks one of them. Claims are signed here
 *  with a known secret, so that the fuzzer gets past the signature. A token without a valid
 *  signature is never accepted. */
#include <stdlib.h>
#include <string.h>

#include "lib/access/apikeys.h"
#include "lib/base/base64.h"
#include "lib/access/rules.h"
#include "lib/access/token.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"

static zc_keys_t *s_keys (void)
{
    static zc_keys_t *keys;
    char error[128];
    if (!keys) {
        keys = zc_keys_new ();
        if (zc_keys_add (keys, (zc_slice_t){SECRET, 32}, NULL, error, sizeof error) != 0)
            abort ();
    }
    return keys;
}

static void s_look (const zc_token_t *token)
{
    zc_slice_t topic;
    for (zc_grant_t kind = 0; kind < ZC_GRANT_KINDS; kind++)
        for (size_t i = 0; zc_grants_item (token->grants, kind, i, &topic); i++)
            if (topic.at[topic.len - 1] != '*' && !zc_grants_allow (token->grants, kind, topic))
                abort ();
    if (strlen (token->subject) > ZC_TOKEN_SUBJECT_MAX)
        abort ();
}

static void s_check (zc_slice_t text, bool may_pass)
{
    static const zc_token_policy_t policy = {.leeway_ms = 1000};
    zc_token_t token;
    json_t *header, *claims;
    bool good = zc_token_check (&token, text, s_keys (), &policy, 1800000000000) == ZC_TOKEN_OK;
    if (good && !may_pass)
        abort ();
    if (good)
        s_look (&token);
    zc_token_clear (&token);
    if (zc_token_show (text, &header, &claims)) {
        json_decref (header);
        json_decref (claims);
    } else if (good) {
        abort ();
    }
}

static void s_signed (const char *claims, size_t len)
{
    zc_buf_t text = ZC_BUF_INIT, signature = ZC_BUF_INIT;
    zc_buf_adds (&text, "eyJhbGciOiJIUzI1NiJ9.");
    zc_base64url_encode (&text, claims, len);
    zc_slice_t bytes = {(const char *)text.data, text.len};
    if (zc_key_sign (zc_keys_item (s_keys (), 0), ZC_ALG_HS256, bytes, &signature) != 0)
        abort ();
    zc_buf_addc (&text, '.');
    zc_base64url_encode (&text, signature.data, signature.len);
    s_check ((zc_slice_t){(const char *)text.data, text.len}, true);
    zc_buf_clear (&text);
    zc_buf_clear (&signature);
}

static void s_file (zc_slice_t file)
{
    char error[128];
    zc_keys_t *keys = zc_keys_new ();
    if (zc_keys_add (keys, file, "kid", error, sizeof error) == 0) {
        if (zc_keys_count (keys) == 0)
            abort ();
    } else if (!*error || zc_keys_count (keys) != 0) {
        abort ();
    }
    zc_keys_destroy (&keys);
}

static void s_api_keys (zc_slice_t file)
{
    char error[128] = "";
    zc_apikeys_t *keys = zc_apikeys_new (file, error, sizeof error);
    if (!keys && !*error)
        abort ();
    if (keys && zc_apikeys_find (keys, file)) /* a file that has its own hash */
        abort ();
    zc_apikeys_destroy (&keys);
}

/*  The words of one rule, for the prefix "a". */
static void s_rule (zc_slice_t words)
{
    char *text = strndup (words.at, words.len);
    zc_rules_t *rules = zc_rules_new (ZC_MODE_ALL);
    if (!text)
        abort ();
    if (!zc_rules_add (rules, "a", text) && !zc_rules_add (rules, "a", text))
        abort ();
    if (zc_rules_subscribe (rules, (zc_slice_t){"b", 1}) != ZC_MAY_WITH_TOKEN)
        abort ();
    zc_rules_destroy (&rules);
    free (text);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    zc_slice_t rest = {(const char *)data + 1, size - 1};
    if (data[0] == 'c')
        s_signed (rest.at, rest.len);
    else if (data[0] == 'k')
        s_file (rest);
    else if (data[0] == 'a')
        s_api_keys (rest);
    else if (data[0] == 'r')
        s_rule (rest);
    else
        s_check (rest, false);
    return 0;
}
