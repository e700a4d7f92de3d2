/*  limit.h - token buckets and counts per address. No I/O; the caller brings the time.
 *
 *  Memory is bounded by what is connected: of addresses that have left, ZC_ADDRESSES_LEFT are
 *  remembered. Who has more than that to choose from is not stopped by a bucket of each. */
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

/*  Connections and shared buckets per address; an IPv6 address counts by its /64. Entries of
 *  addresses that have no connection and full buckets are let go. */
typedef enum { ZC_BUCKET_MESSAGES, ZC_BUCKET_CONNECTS, ZC_BUCKETS } zc_bucket_kind_t;
typedef struct zc_addresses zc_addresses_t;
zc_addresses_t *zc_addresses_new (void);
void zc_addresses_destroy (zc_addresses_t **self_p);
/*  Counts one more connection; false where `max` (0: no limit) is reached. */
bool zc_addresses_enter (zc_addresses_t *self, const char *address, unsigned max);
void zc_addresses_leave (zc_addresses_t *self, const char *address);
/*  Takes from a bucket of an address that has a connection. False where there isn't enough in it.
 */
bool zc_addresses_take (zc_addresses_t *self, const char *address, zc_bucket_kind_t kind,
                        const zc_rate_t *rate, double count, uint64_t now_ms);
size_t zc_addresses_size (const zc_addresses_t *self);

#endif
