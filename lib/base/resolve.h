/*  resolve.h - looks up the addresses of a host in a thread, since a loop must not wait for DNS. */
#ifndef ZC_RESOLVE_H
#define ZC_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#define ZC_RESOLVE_MAX 16 /* addresses; further ones are left out */

typedef struct zc_resolve zc_resolve_t;

/*  Begins a look-up. A text that is an address (also with a zone: fe80::1%eth0) is done at once.
 *  Never returns NULL. */
zc_resolve_t *zc_resolve_new (const char *host);
/*  Never waits: a look-up under way ends by itself, and its result is dropped. */
void zc_resolve_destroy (zc_resolve_t **self_p);

/*  A descriptor to poll: it is readable once the look-up is done, and from then on. */
int zc_resolve_fd (const zc_resolve_t *self);
bool zc_resolve_done (const zc_resolve_t *self);
/*  Once the look-up is done: the number of addresses. They are in the order in which to try them
 *  (RFC 6724), without repeats; each is numeric text, borrowed. */
size_t zc_resolve_count (const zc_resolve_t *self);
const char *zc_resolve_address (const zc_resolve_t *self, size_t index);
/*  One sentence that says why there is no address, borrowed; NULL where there is one. */
const char *zc_resolve_error (const zc_resolve_t *self);

#endif
