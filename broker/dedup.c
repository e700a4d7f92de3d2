/*  dedup.c - a table of (topic, name), and a queue of the same entries by age. `now_ms` is of a
 *  clock that never steps back.
 *
 *  The digest is SipHash-2-4 of 128 bits with a random key (OpenSSL's). Without the key and the
 *  digests nobody can make two messages agree, and it takes a third of SHA-256's time for a
 *  short message. Rejected: keeping the message itself, or looking for it in history, because
 *  the window may be longer than either lasts. */
#include "broker/dedup.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include "lib/base/table.h"
#include "lib/base/log.h"

#define S_EXPIRE_MAX 8 /* old entries that one addition forgets */

typedef struct s_seen {
    zc_node_t node;
    TAILQ_ENTRY (s_seen) age;
    zc_id_t id;
    zc_digest_t digest;
    uint64_t at_ms;
    uint16_t topic_len, name_len;
    char bytes[]; /* topic, name */
} s_seen_t;

struct zc_dedup {
    zc_table_t index;
    TAILQ_HEAD (, s_seen) queue;
    uint64_t window_ms;
    size_t max;
    OSSL_LIB_CTX *library; /* our own, so that no system configuration changes it */
    EVP_MAC *mac;
    EVP_MAC_CTX *digest;
    unsigned char secret[ZC_DEDUP_SECRET];
};

typedef struct {
    zc_slice_t topic, name;
} s_key_t;

static void s_open_digest (zc_dedup_t *self)
{
    self->library = OSSL_LIB_CTX_new ();
    self->mac = self->library ? EVP_MAC_fetch (self->library, "SIPHASH", NULL) : NULL;
    self->digest = self->mac ? EVP_MAC_CTX_new (self->mac) : NULL;
    if (!self->digest) {
        zc_error (ZC_EVENT ("openssl.incomplete",
                            "OpenSSL has no SIPHASH: repeats can't be told from conflicts"));
        abort ();
    }
    while (getrandom (self->secret, sizeof self->secret, 0) != sizeof self->secret)
        ;
}

zc_dedup_t *zc_dedup_new (void)
{
    zc_dedup_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    zc_table_init (&self->index);
    TAILQ_INIT (&self->queue);
    s_open_digest (self);
    return self;
}

static void s_forget (zc_dedup_t *self, s_seen_t *seen)
{
    TAILQ_REMOVE (&self->queue, seen, age);
    zc_table_remove (&self->index, &seen->node);
    free (seen);
}

void zc_dedup_destroy (zc_dedup_t **self_p)
{
    zc_dedup_t *self = *self_p;
    if (!self)
        return;
    while (!TAILQ_EMPTY (&self->queue))
        s_forget (self, TAILQ_FIRST (&self->queue));
    zc_table_clear (&self->index);
    EVP_MAC_CTX_free (self->digest);
    EVP_MAC_free (self->mac);
    OSSL_LIB_CTX_free (self->library);
    free (self);
    *self_p = NULL;
}

void zc_dedup_configure (zc_dedup_t *self, uint64_t window_ms, size_t max)
{
    self->window_ms = window_ms;
    self->max = max;
}

static void s_update (zc_dedup_t *self, const void *bytes, size_t len)
{
    if (EVP_MAC_update (self->digest, bytes, len) != 1)
        abort ();
}

zc_digest_t zc_dedup_digest (zc_dedup_t *self, zc_slice_t event, zc_slice_t payload)
{
    zc_digest_t digest;
    size_t size = sizeof digest;
    uint64_t event_len = event.len; /* the length says where the name ends */
    if (EVP_MAC_init (self->digest, self->secret, sizeof self->secret, NULL) != 1)
        abort ();
    s_update (self, &event_len, sizeof event_len);
    if (event.len)
        s_update (self, event.at, event.len);
    if (payload.len)
        s_update (self, payload.at, payload.len);
    if (EVP_MAC_final (self->digest, (unsigned char *)&digest, &size, sizeof digest) != 1 ||
        size != sizeof digest)
        abort ();
    return digest;
}

static uint64_t s_hash (const s_key_t *key)
{
    return zc_hash (key->name.at, key->name.len, zc_hash (key->topic.at, key->topic.len, 0));
}

static bool s_same (const zc_node_t *node, const void *arg)
{
    const s_seen_t *seen = (const s_seen_t *)node;
    const s_key_t *key = arg;
    return seen->topic_len == key->topic.len && seen->name_len == key->name.len &&
           memcmp (seen->bytes, key->topic.at, key->topic.len) == 0 &&
           memcmp (seen->bytes + key->topic.len, key->name.at, key->name.len) == 0;
}

static s_seen_t *s_find (const zc_dedup_t *self, const s_key_t *key)
{
    return (s_seen_t *)zc_table_find (&self->index, s_hash (key), s_same, key);
}

static bool s_expired (const zc_dedup_t *self, const s_seen_t *seen, uint64_t now_ms)
{
    return now_ms - seen->at_ms >= self->window_ms;
}

void zc_dedup_add (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_digest_t digest,
                   zc_id_t id, uint64_t now_ms)
{
    s_key_t key = {topic, name};
    s_seen_t *before = s_find (self, &key);
    if (before)
        s_forget (self, before);
    for (int i = 0; i < S_EXPIRE_MAX && !TAILQ_EMPTY (&self->queue); i++) {
        s_seen_t *oldest = TAILQ_FIRST (&self->queue);
        if (self->index.size < self->max && !s_expired (self, oldest, now_ms))
            break;
        s_forget (self, oldest);
    }
    if (self->max == 0 || self->window_ms == 0)
        return;
    s_seen_t *seen = malloc (sizeof *seen + topic.len + name.len);
    if (!seen)
        abort ();
    *seen = (s_seen_t){.id = id,
                       .digest = digest,
                       .at_ms = now_ms,
                       .topic_len = (uint16_t)topic.len,
                       .name_len = (uint16_t)name.len};
    memcpy (seen->bytes, topic.at, topic.len);
    memcpy (seen->bytes + topic.len, name.at, name.len);
    TAILQ_INSERT_TAIL (&self->queue, seen, age);
    zc_table_insert (&self->index, &seen->node, s_hash (&key));
}

static bool s_same_digest (const zc_digest_t *a, const zc_digest_t *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

zc_seen_t zc_dedup_find (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_digest_t digest,
                         uint64_t now_ms, zc_id_t *id)
{
    s_key_t key = {topic, name};
    const s_seen_t *seen = s_find (self, &key);
    if (!seen || s_expired (self, seen, now_ms))
        return ZC_SEEN_NEVER;
    *id = seen->id;
    return s_same_digest (&seen->digest, &digest) ? ZC_SEEN_SAME : ZC_SEEN_OTHER;
}

void zc_dedup_remove (zc_dedup_t *self, zc_slice_t topic, zc_slice_t name, zc_id_t id)
{
    s_key_t key = {topic, name};
    s_seen_t *seen = s_find (self, &key);
    if (seen && seen->id == id)
        s_forget (self, seen);
}

bool zc_dedup_each (const zc_dedup_t *self, const void **at, zc_dedup_entry_t *entry)
{
    const s_seen_t *before = *at;
    const s_seen_t *seen = before ? TAILQ_NEXT (before, age) : TAILQ_FIRST (&self->queue);
    *at = seen;
    if (!seen)
        return false;
    *entry = (zc_dedup_entry_t){{seen->bytes, seen->topic_len},
                                {seen->bytes + seen->topic_len, seen->name_len},
                                seen->digest,
                                seen->id,
                                seen->at_ms};
    return true;
}

const uint8_t *zc_dedup_secret (const zc_dedup_t *self)
{
    return self->secret;
}

void zc_dedup_set_secret (zc_dedup_t *self, const uint8_t *secret)
{
    memcpy (self->secret, secret, sizeof self->secret);
}

size_t zc_dedup_size (const zc_dedup_t *self)
{
    return self->index.size;
}
