/*  acceptors.h - lets ZeroMQ's listening sockets rest while descriptors are out, so that peers wait
 * in the kernel's backlog.
 *
 *  libzmq can't: over TCP its thread then tries to accept as fast as it can, on a core of its own;
 *  over ipc it ends the process (4.3.4, ipc_listener.cpp). To unbind would end the connections that
 *  there are. */
#ifndef ZC_ACCEPTORS_H
#define ZC_ACCEPTORS_H

#include <stdbool.h>

typedef struct zc_acceptors zc_acceptors_t;

/*  After the first socket of the context was made. Where the system can't tell what it has to know,
 *  nothing ever rests. */
zc_acceptors_t *zc_acceptors_new (void);
void zc_acceptors_destroy (zc_acceptors_t **self_p);
/*  All listening sockets rest; those that were bound meanwhile, too. Needs no descriptor. Called by
 *  any thread. */
void zc_acceptors_pause (zc_acceptors_t *self);
/*  They accept again. */
void zc_acceptors_resume (zc_acceptors_t *self);
/*  Whether they rest: by zc_acceptors_pause, or since there was no descriptor to accept with. */
bool zc_acceptors_resting (zc_acceptors_t *self);

#endif
