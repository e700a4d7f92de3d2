/*  endpoints.h - where others reach the broker, and what happens there that is no message:
 * strangers who don't speak ZeroMQ, peers that send more than they may, and descriptors that run
 * out. */
#ifndef ZC_ENDPOINTS_H
#define ZC_ENDPOINTS_H

#include "broker/intake.h"
#include "broker/backlog.h"
#include "broker/stats.h"

typedef struct zc_endpoints zc_endpoints_t;

/*  Counts in `counters`, which is borrowed, as the context is. */
zc_endpoints_t *zc_endpoints_new (void *context, zc_counters_t *counters);
/*  Removes the files of ipc endpoints; before the sockets are closed. */
void zc_endpoints_destroy (zc_endpoints_t **self_p);

/*  Binds a socket for what `role` says. A socket file at which a server listens isn't taken away
 * from it. Returns 0, or -1 with a sentence in `error`. */
int zc_endpoints_bind (zc_endpoints_t *self, void *socket, zc_intake_role_t role,
                       const char *endpoint, char *error, size_t size);
/*  Ends all connections, which come back by themselves where they may. */
void zc_endpoints_rebind (zc_endpoints_t *self);
/*  Tells `backlog` (borrowed) of the connections at the endpoint for that, which is to be bound;
 * what has happened until zc_endpoints_turn looks, then. */
void zc_endpoints_tell (zc_endpoints_t *self, zc_intake_role_t role, zc_backlog_t *backlog);
/*  Once a turn of the loop. `now_ms` doesn't step back. */
void zc_endpoints_turn (zc_endpoints_t *self, uint64_t now_ms);

#endif
