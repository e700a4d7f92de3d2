/*  limit.h - token buckets, and the number of connections of each address. No I/O; the caller
 *  passes the time.
 *
 *  Memory is bounded by the connections: of the addresses without one, ZC_ADDRESSES_LEFT are
 *  remembered. The bucket of an address doesn't stop an attacker that has more addresses than
 *  that. */
#ifndef ZC_LIMIT_H
#define ZC_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  A bucket of `burst` tokens that refills at `rate` tokens a second. rate 0: no limit. */
typedef struct {
    double tokens;
    uint64_t at_ms;   /* 0: full, never used */
    uint64_t full_ms; /* when it will be full again, as of the last take */
} zc_bucket_t;
bool zc_bucket_take (zc_bucket_t *self, double rate, double burst, double count, uint64_t now_ms);

/*  How many tokens a bucket gets a second (0: no limit), and how many it holds. */
typedef struct {
    double rate, burst;
} zc_rate_t;

#define ZC_ADDRESSES_LEFT 65536

/*  The connections of each address, and the buckets that they share. An IPv6 address stands for
 *  its /64. An address is forgotten once it has no connection and its buckets are full. */
typedef enum {
    ZC_BUCKET_MESSAGES,
    ZC_BUCKET_CONNECTS,
    ZC_BUCKET_FAILURES,
    ZC_BUCKETS
} zc_bucket_kind_t;
typedef struct zc_addresses zc_addresses_t;
zc_addresses_t *zc_addresses_new (void);
void zc_addresses_destroy (zc_addresses_t **self_p);
/*  Counts one more connection. False where the address has `max` already; 0: no limit. */
bool zc_addresses_enter (zc_addresses_t *self, const char *address, unsigned max);
void zc_addresses_leave (zc_addresses_t *self, const char *address);
/*  Takes tokens from a bucket of an address that has a connection. False where it has too few. A
 *  negative count puts tokens back. */
bool zc_addresses_take (zc_addresses_t *self, const char *address, zc_bucket_kind_t kind,
                        const zc_rate_t *rate, double count, uint64_t now_ms);
size_t zc_addresses_size (const zc_addresses_t *self);

#endif
