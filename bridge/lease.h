/*  lease.h - which one of several bridges of a site works: the one that has the lease, a key in
 * Redis that expires unless its holder renews it. */
#ifndef ZC_LEASE_H
#define ZC_LEASE_H

#include <stdbool.h>
#include <zmq.h>
#include "lib/redis/address.h"

typedef struct zc_lease zc_lease_t;

/*  `address` and `site` are borrowed. */
zc_lease_t *zc_lease_new (const zc_address_t *address, const char *site);
void zc_lease_destroy (zc_lease_t **self_p);
/*  Gives the lease up, if it is held, so that another bridge has it at once. */
void zc_lease_release (zc_lease_t *self);

/*  Whether this bridge may work now. */
bool zc_lease_is_held (const zc_lease_t *self);
/*  Whether another one had it before. */
bool zc_lease_was_taken (const zc_lease_t *self);

/*  For the owner's zmq_poll. */
#define ZC_LEASE_ITEMS 2
size_t zc_lease_pollitems (zc_lease_t *self, zmq_pollitem_t items[ZC_LEASE_ITEMS]);
long zc_lease_timeout (const zc_lease_t *self);
void zc_lease_run (zc_lease_t *self);

#endif
