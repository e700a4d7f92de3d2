/*  giver.h - hands a worker's clients over to its successor (doc/upgrade.md).
 *
 *  Nothing happens to a client before both sides have said that it is the successor's. If the
 *  successor isn't ready in time, refuses or ends, the worker goes on with all its clients. */
#ifndef ZC_GIVER_H
#define ZC_GIVER_H

#include <sys/types.h>
#include <uv.h>
#include "lib/engine/hub.h"
#include "lib/wire/handover.h"

typedef struct zc_giver zc_giver_t;

typedef struct {
    void *arg;
    /*  Calls zc_giver_add for each client that can go now. */
    void (*give) (void *arg, zc_giver_t *giver);
    /*  The client of this zc_giver_add is the successor's: its descriptor is closed here, and
     *  nothing else is done to it. */
    void (*given) (void *arg, void *item);
    /*  The first clients are the successor's, and so are all that connect from now on. Clients
     *  that couldn't go yet are to be brought to a state in which they can. */
    void (*committed) (void *arg);
    /*  How many clients are still to go. */
    size_t (*left) (void *arg);
    /*  The end: `given` tells whether the successor has the clients, except for those that
     *  remained. The giver may be destroyed. */
    void (*over) (void *arg, bool given);
} zc_giver_hooks_t;

/*  Takes the socket to the successor, whose process id is `pid`. A successor that doesn't take over
 *  within `timeout_ms`, or does anything else, is killed. */
zc_giver_t *zc_giver_new (uv_loop_t *loop, zc_hub_t *hub, const zc_giver_hooks_t *hooks, int fd,
                          pid_t pid, unsigned timeout_ms);
void zc_giver_destroy (zc_giver_t **self_p);
/*  In `give`: sends a client. Nothing may be sent to the client until `given`. Returns false if
 *  it couldn't be sent; then no further one can be. */
bool zc_giver_add (zc_giver_t *self, const zc_handover_t *client, int fd, void *item);

#endif
