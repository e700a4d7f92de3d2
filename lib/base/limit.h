/*  limit.h - token buckets and counts per address. No I/O; the caller brings the time. */
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

/*  Connections and a shared bucket per address; an IPv6 address counts by its /64. Entries of
 *  addresses that have no connection and a full bucket are let go. */
typedef struct zc_addresses zc_addresses_t;
zc_addresses_t *zc_addresses_new (void);
void zc_addresses_destroy (zc_addresses_t **self_p);
/*  Counts one more connection; false where `max` (0: no limit) is reached. */
bool zc_addresses_enter (zc_addresses_t *self, const char *address, unsigned max);
void zc_addresses_leave (zc_addresses_t *self, const char *address);
/*  The bucket of an address that has a connection; NULL otherwise. */
zc_bucket_t *zc_addresses_bucket (zc_addresses_t *self, const char *address);
size_t zc_addresses_size (const zc_addresses_t *self);

#endif
