/*  resolve.h - looks up the addresses of a host without holding up the caller: nothing in a loop
 *  may wait for DNS, which takes as long as it likes. */
#ifndef ZC_RESOLVE_H
#define ZC_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#define ZC_RESOLVE_MAX 16 /* addresses; of more, the first ones */

typedef struct zc_resolve zc_resolve_t;

/*  Begins. What is an address already (also with a zone: fe80::1%eth0) is there at once, without a
 *  look-up. Never NULL. */
zc_resolve_t *zc_resolve_new (const char *host);
/*  Never waits: a look-up under way ends by itself, and nobody hears of it. */
void zc_resolve_destroy (zc_resolve_t **self_p);

/*  For polling: readable once it is done, and from then on. */
int zc_resolve_fd (const zc_resolve_t *self);
bool zc_resolve_done (const zc_resolve_t *self);
/*  Once it is done: how many addresses there are, in the order to try them (RFC 6724), without
 *  repeats; each as numeric text, borrowed. */
size_t zc_resolve_count (const zc_resolve_t *self);
const char *zc_resolve_address (const zc_resolve_t *self, size_t index);
/*  Why there is none, in a sentence; borrowed. NULL where there are some. */
const char *zc_resolve_error (const zc_resolve_t *self);

#endif
