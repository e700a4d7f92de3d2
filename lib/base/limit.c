/*  limit.c - token buckets, and the table of addresses that hold connections.
 *
 *  An address that has left with tokens spent is remembered until its bucket is full again;
 *  otherwise reconnecting would be a way around the limit. Such addresses are in a queue of
 *  bounded length, in the order in which they left. No clock is read here: the latest use of any
 *  bucket is never ahead of the clock, so a bucket that is full by that time is full. */
#include "lib/base/limit.h"

#include <arpa/inet.h>
#include <assert.h>
#include <czmq.h>

bool zc_bucket_take (zc_bucket_t *self, double rate, double burst, double count, uint64_t now_ms)
{
    if (rate <= 0)
        return true;
    if (self->at_ms == 0)
        self->tokens = burst;
    else if (now_ms > self->at_ms)
        self->tokens += (double)(now_ms - self->at_ms) * rate / 1000;
    if (self->tokens > burst)
        self->tokens = burst;
    if (self->at_ms < now_ms)
        self->at_ms = now_ms;
    bool enough = self->tokens >= count;
    if (enough)
        self->tokens -= count;
    self->full_ms = self->at_ms + (uint64_t)((burst - self->tokens) * 1000 / rate) + 1;
    return enough;
}

typedef struct {
    char key[INET6_ADDRSTRLEN + 4];
    unsigned connections;
    zc_bucket_t buckets[ZC_BUCKETS];
    void *waiting; /* place in the queue of those that left; NULL: not in it */
} s_entry_t;

struct zc_addresses {
    zhashx_t *entries; /* owns the entries */
    zlistx_t *left;    /* entries without a connection and with tokens spent */
    uint64_t now_ms;   /* the latest use of a bucket */
};

static void s_entry_destroy (void **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

zc_addresses_t *zc_addresses_new (void)
{
    zc_addresses_t *self = zmalloc (sizeof *self);
    self->entries = zhashx_new ();
    self->left = zlistx_new ();
    zhashx_set_destructor (self->entries, s_entry_destroy);
    return self;
}

void zc_addresses_destroy (zc_addresses_t **self_p)
{
    zc_addresses_t *self = *self_p;
    if (!self)
        return;
    zlistx_destroy (&self->left);
    zhashx_destroy (&self->entries);
    free (self);
    *self_p = NULL;
}

/*  An IPv6 user has a whole /64 to choose from, so that is the key. IPv4 in IPv6 counts as IPv4.
 *  Any other text is its own key, cut to its size. */
static void s_key (const char *address, char *key, size_t size)
{
    struct in6_addr ip;
    if (inet_pton (AF_INET6, address, &ip) != 1) {
        snprintf (key, size, "%s", address);
    } else if (IN6_IS_ADDR_V4MAPPED (&ip)) {
        inet_ntop (AF_INET, ip.s6_addr + 12, key, (socklen_t)size);
    } else {
        memset (ip.s6_addr + 8, 0, 8);
        inet_ntop (AF_INET6, &ip, key, (socklen_t)size);
        strcat (key, "/64");
    }
}

static s_entry_t *s_find (zc_addresses_t *self, const char *address)
{
    char key[INET6_ADDRSTRLEN + 4];
    s_key (address, key, sizeof key);
    return zhashx_lookup (self->entries, key);
}

static s_entry_t *s_add (zc_addresses_t *self, const char *address)
{
    s_entry_t *entry = zmalloc (sizeof *entry);
    s_key (address, entry->key, sizeof entry->key);
    zhashx_insert (self->entries, entry->key, entry);
    return entry;
}

static bool s_is_full (const zc_addresses_t *self, const s_entry_t *entry)
{
    for (size_t i = 0; i < ZC_BUCKETS; i++)
        if (entry->buckets[i].full_ms > self->now_ms)
            return false;
    return true;
}

/*  Forgets addresses whose buckets are full again, and the oldest ones beyond the bound. */
static void s_forget (zc_addresses_t *self)
{
    s_entry_t *entry;
    while ((entry = zlistx_first (self->left)) &&
           (s_is_full (self, entry) || zlistx_size (self->left) > ZC_ADDRESSES_LEFT)) {
        zlistx_delete (self->left, entry->waiting);
        zhashx_delete (self->entries, entry->key);
    }
}

bool zc_addresses_enter (zc_addresses_t *self, const char *address, unsigned max)
{
    s_entry_t *entry = s_find (self, address);
    if (max && entry && entry->connections >= max)
        return false;
    if (!entry)
        entry = s_add (self, address);
    if (entry->waiting) {
        zlistx_delete (self->left, entry->waiting);
        entry->waiting = NULL;
    }
    entry->connections++;
    return true;
}

void zc_addresses_leave (zc_addresses_t *self, const char *address)
{
    s_entry_t *entry = s_find (self, address);
    assert (entry && entry->connections > 0);
    if (--entry->connections > 0)
        return;
    if (s_is_full (self, entry))
        zhashx_delete (self->entries, entry->key);
    else
        entry->waiting = zlistx_add_end (self->left, entry);
    s_forget (self);
}

bool zc_addresses_take (zc_addresses_t *self, const char *address, zc_bucket_kind_t kind,
                        const zc_rate_t *rate, double count, uint64_t now_ms)
{
    s_entry_t *entry = rate->rate > 0 ? s_find (self, address) : NULL;
    if (!entry || !entry->connections)
        return true;
    if (now_ms > self->now_ms)
        self->now_ms = now_ms;
    s_forget (self);
    return zc_bucket_take (&entry->buckets[kind], rate->rate, rate->burst, count, now_ms);
}

size_t zc_addresses_size (const zc_addresses_t *self)
{
    return zhashx_size (self->entries);
}
