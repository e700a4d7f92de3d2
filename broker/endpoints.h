/*  endpoints.h - the broker's endpoints, and the events there that are no messages: strangers
 *  that don't speak ZeroMQ, peers that send more than they may, descriptors that run out. */
#ifndef ZC_ENDPOINTS_H
#define ZC_ENDPOINTS_H

#include "broker/intake.h"
#include "broker/backlog.h"
#include "broker/stats.h"

typedef struct zc_endpoints zc_endpoints_t;

/*  Counts in `counters`, which is borrowed like the context. */
zc_endpoints_t *zc_endpoints_new (void *context, zc_broker_figures_t *counters);
/*  Removes the files of ipc endpoints; to be called before the sockets are closed. */
void zc_endpoints_destroy (zc_endpoints_t **self_p);

/*  Binds a socket in a role. A socket file on which another server listens is left alone.
 *  Returns 0, or -1 with a sentence in `error`. */
int zc_endpoints_bind (zc_endpoints_t *self, void *socket, zc_intake_role_t role,
                       const char *endpoint, char *error, size_t size);
/*  The same for a socket whose listening sockets are another process's so far: zc_endpoints_adopt
 *  binds it. */
void zc_endpoints_expect (zc_endpoints_t *self, void *socket, zc_intake_role_t role,
                          const char *endpoint);
/*  Takes a listening socket of the process before, at this address. Returns 0, or -1 with errno;
 *  the descriptor is taken in either case. */
int zc_endpoints_adopt (zc_endpoints_t *self, zc_intake_role_t role, const char *address, int fd);
/*  The address of a listening socket, as ZeroMQ writes it. */
void zc_endpoints_name (int fd, char *text, size_t size);
/*  Accepts nobody for now, or goes on. */
void zc_endpoints_pause (zc_endpoints_t *self, bool on);
/*  Another process has the listening sockets, and the files of ipc endpoints. */
void zc_endpoints_leave (zc_endpoints_t *self);
/*  Ends all connections; peers that may connect come back by themselves. */
void zc_endpoints_rebind (zc_endpoints_t *self);
/*  Reports to `backlog` (borrowed) the connections of the endpoint in this role, which is to be
 *  bound later. Reports come in zc_endpoints_turn. */
void zc_endpoints_tell (zc_endpoints_t *self, zc_intake_role_t role, zc_backlog_t *backlog);
/*  To be called in each turn of the loop. `now_ms` doesn't step back. */
void zc_endpoints_turn (zc_endpoints_t *self, uint64_t now_ms);

#endif
