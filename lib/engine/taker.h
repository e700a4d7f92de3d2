/*  taker.h - takes over the clients of the process that this one succeeds (doc/upgrade.md). */
#ifndef ZC_TAKER_H
#define ZC_TAKER_H

#include <uv.h>
#include "lib/engine/hub.h"
#include "lib/wire/handover.h"

typedef struct zc_taker zc_taker_t;

typedef struct {
    void *arg;
    /*  The encoding with this name; NULL if the program has none. */
    const zc_encoding_t *(*encoding) (void *arg, zc_slice_t name);
    /*  Whether the client can be taken over. Nothing happens to it yet. */
    bool (*can_take) (void *arg, const zc_handover_t *client);
    /*  The client is ours, and so is its descriptor. */
    void (*take) (void *arg, const zc_handover_t *client, int fd);
    /*  The first clients are ours, and so are all that connect from now on. */
    void (*begin) (void *arg);
    /*  The predecessor keeps its clients, or has ended before it gave them away: this process
     *  ends. */
    void (*failed) (void *arg);
} zc_taker_hooks_t;

/*  Takes the socket to the predecessor. */
zc_taker_t *zc_taker_new (uv_loop_t *loop, zc_hub_t *hub, const zc_taker_hooks_t *hooks, int fd);
void zc_taker_destroy (zc_taker_t **self_p);

#endif
