/*  apikeys.c - see apikeys.h. */
#include "lib/access/apikeys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"

#define S_HASH 32 /* bytes of SHA-256 */
#define S_RANDOM 32
#define S_NAME_MAX 64

typedef struct {
    zc_apikey_t key;
    char name[S_NAME_MAX + 1];
    zc_grants_t *grants; /* owned */
    uint8_t hash[S_HASH];
} s_entry_t;

struct zc_apikeys {
    s_entry_t *entries; /* owned */
    size_t count, cap;
};

static void s_hash (zc_slice_t text, uint8_t hash[S_HASH])
{
    unsigned len = 0;
    if (EVP_Digest (text.at, text.len, hash, &len, EVP_sha256 (), NULL) != 1 || len != S_HASH)
        abort ();
}

/*  The file. */

/*  Takes from *rest the text before a separator. */
static zc_slice_t s_take (zc_slice_t *rest, char separator)
{
    const char *end = rest->len ? memchr (rest->at, separator, rest->len) : NULL;
    zc_slice_t part = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
    size_t used = part.len + (end != NULL);
    *rest = (zc_slice_t){rest->at + used, rest->len - used};
    return part;
}

static zc_slice_t s_word (zc_slice_t *rest)
{
    zc_slice_t word = {NULL, 0};
    while (rest->len && !word.len)
        word = s_take (rest, ' ');
    return word;
}

static bool s_parse_hash (zc_slice_t text, uint8_t hash[S_HASH])
{
    if (text.len != 2 * S_HASH)
        return false;
    for (size_t i = 0; i < S_HASH; i++) {
        int high = zc_text_hex_lower (text.at[2 * i]), low = zc_text_hex_lower (text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool s_parse_grant (zc_grants_t *grants, zc_slice_t word)
{
    zc_slice_t name = s_take (&word, '=');
    zc_grant_t kind = zc_slice_is (name, "publish") ? ZC_GRANT_PUBLISH : ZC_GRANT_SUBSCRIBE;
    if ((kind == ZC_GRANT_SUBSCRIBE && !zc_slice_is (name, "subscribe")) || !word.len)
        return false;
    while (word.len)
        if (zc_grants_add (grants, kind, s_take (&word, ',')) != 0)
            return false;
    return true;
}

static const char *s_parse_line (s_entry_t *entry, zc_slice_t line)
{
    zc_slice_t name = s_word (&line), hash = s_word (&line), word;
    if (!name.len || name.len > S_NAME_MAX || !zc_text_plain (name.at, name.len))
        return "a name has 1 to 64 bytes";
    if (!s_parse_hash (hash, entry->hash))
        return "after the name comes a SHA-256 in 64 hexadecimal digits, in lower case";
    memcpy (entry->name, name.at, name.len);
    entry->name[name.len] = 0;
    while ((word = s_word (&line)).len)
        if (!s_parse_grant (entry->grants, word))
            return "after the hash come publish=TOPIC,… and subscribe=TOPIC,…";
    return NULL;
}

static s_entry_t *s_new_entry (zc_apikeys_t *self)
{
    if (self->count == self->cap) {
        self->cap = self->cap ? self->cap * 2 : 8;
        self->entries = realloc (self->entries, self->cap * sizeof *self->entries);
        if (!self->entries)
            abort ();
    }
    s_entry_t *entry = &self->entries[self->count++];
    memset (entry, 0, sizeof *entry);
    entry->grants = zc_grants_new ();
    return entry;
}

static const char *s_add_line (zc_apikeys_t *self, zc_slice_t line)
{
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    zc_slice_t look = line;
    if (s_word (&look).len == 0 || line.at[0] == '#')
        return NULL;
    if (self->count == ZC_APIKEYS_MAX)
        return "there are too many keys";
    return s_parse_line (s_new_entry (self), line);
}

zc_apikeys_t *zc_apikeys_new (zc_slice_t file, char *error, size_t size)
{
    zc_apikeys_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    const char *wrong = file.len > ZC_APIKEYS_FILE_MAX ? "the file is too long" : NULL;
    size_t number = 0;
    while (!wrong && file.len) {
        number++;
        wrong = s_add_line (self, s_take (&file, '\n'));
    }
    for (size_t i = 0; i < self->count; i++)
        self->entries[i].key = (zc_apikey_t){self->entries[i].name, self->entries[i].grants};
    if (!wrong)
        return self;
    snprintf (error, size, "line %zu: %s", number, wrong);
    zc_apikeys_destroy (&self);
    return NULL;
}

void zc_apikeys_destroy (zc_apikeys_t **self_p)
{
    zc_apikeys_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        zc_grants_destroy (&self->entries[i].grants);
    free (self->entries);
    free (self);
    *self_p = NULL;
}

/*  Keys. */

bool zc_apikey_form (zc_slice_t text)
{
    return text.len == ZC_APIKEY_LEN && zc_slice_starts (text, ZC_APIKEY_PREFIX);
}

const zc_apikey_t *zc_apikeys_find (const zc_apikeys_t *self, zc_slice_t text)
{
    uint8_t hash[S_HASH];
    const zc_apikey_t *found = NULL;
    s_hash (text, hash);
    for (size_t i = 0; i < self->count; i++)
        if (CRYPTO_memcmp (self->entries[i].hash, hash, S_HASH) == 0)
            found = &self->entries[i].key;
    return found;
}

int zc_apikey_make (zc_buf_t *key, zc_buf_t *hash)
{
    uint8_t random[S_RANDOM], digest[S_HASH];
    if (RAND_priv_bytes (random, sizeof random) != 1)
        return -1;
    size_t begin = key->len;
    zc_buf_adds (key, ZC_APIKEY_PREFIX);
    zc_base64url_encode (key, random, sizeof random);
    s_hash ((zc_slice_t){(const char *)key->data + begin, key->len - begin}, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        zc_buf_addf (hash, "%02x", digest[i]);
    OPENSSL_cleanse (random, sizeof random);
    return 0;
}
