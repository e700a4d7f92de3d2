/*  acceptors.h - pauses ZeroMQ's listening sockets while the process has no descriptor left:
 *  peers then wait in the kernel's backlog.
 *
 *  libzmq can't do this: over TCP its thread tries to accept as fast as it can, on a core of its
 *  own; over ipc it ends the process (4.3.4, ipc_listener.cpp). Unbinding would end the
 *  connections that exist. */
#ifndef ZC_ACCEPTORS_H
#define ZC_ACCEPTORS_H

#include <stdbool.h>

typedef struct zc_acceptors zc_acceptors_t;

/*  To be called after the first socket of the context was made. Where the system lacks what is
 *  needed, sockets are never paused. */
zc_acceptors_t *zc_acceptors_new (void);
void zc_acceptors_destroy (zc_acceptors_t **self_p);
/*  Pauses all listening sockets, also those that are bound from now on. Needs no descriptor. May
 *  be called by any thread. */
void zc_acceptors_pause (zc_acceptors_t *self);
/*  The listening sockets accept again. */
void zc_acceptors_resume (zc_acceptors_t *self);
/*  Whether the listening sockets are paused: by zc_acceptors_pause, or because there was no
 *  descriptor to accept with. */
bool zc_acceptors_resting (zc_acceptors_t *self);

#endif
