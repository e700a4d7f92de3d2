/*  intake.h - bounds what connections bring into libzmq, where libzmq itself has no bound: it
 *  runs out of descriptors, and accepts messages of endless frames and any number of
 *  subscriptions.
 *
 *  This program defines the functions of the C library by which libzmq listens, accepts, receives
 *  and sends: a program's definitions come before the C library's, also for shared libraries.
 *  These functions do what the C library's do, and count. There is one intake in a process, as
 *  there is one C library. */
#ifndef ZC_INTAKE_H
#define ZC_INTAKE_H

#include "broker/acceptors.h"
#include "broker/meter.h"

/*  The role of an endpoint. */
typedef enum {
    ZC_INTAKE_NONE = -1,
    ZC_INTAKE_CONTROL,
    ZC_INTAKE_SUBSCRIBE,
    ZC_INTAKE_PUBLISH,
    ZC_INTAKE_ROLES,
} zc_intake_role_t;

/*  Counts from now on. The acceptors (borrowed) are paused when there is no descriptor to accept
 *  with. */
void zc_intake_start (zc_acceptors_t *acceptors);
/*  Before the acceptors are destroyed. */
void zc_intake_stop (void);
/*  Sets the limits for connections in this role, also for those that exist. All zero: no limits. */
void zc_intake_limit (zc_intake_role_t role, const zc_meter_limits_t *limits);
/*  Listening sockets that this thread makes from now on have this role; ZC_INTAKE_NONE: they
 *  aren't counted. */
void zc_intake_bind (zc_intake_role_t role);
/*  A listening socket of this role that a process before made. */
void zc_intake_listens (int fd, zc_intake_role_t role);
/*  The first listening socket of a role with a number above `after` (-1 at first); -1: none. */
int zc_intake_next_listener (zc_intake_role_t role, int after);
/*  Tells the peers of all connections in this role that nothing more comes from here. ZeroMQ's
 *  peers then end the connection, and what they have sent until then can still be received.
 *  Returns how many connections aren't ended yet. */
size_t zc_intake_finish (zc_intake_role_t role);
/*  The bytes that libzmq has written to a connection so far; 0 if the descriptor is no connection
 *  that it has accepted. */
uint64_t zc_intake_sent (int fd);
/*  Whether connections were cut, because they had sent more than they may, since the call that
 *  set *seen (0 at first). Then `text` tells of the last one, and *seen is set. */
bool zc_intake_cut (uint64_t *seen, char *text, size_t size);

#endif
