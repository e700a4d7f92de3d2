/*  daemon.h - what every daemon does alike: signals, readiness, descriptors. */
#ifndef ZC_DAEMON_H
#define ZC_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  Exit statuses. */
#define ZC_EXIT_OK 0
#define ZC_EXIT_FAILURE 1 /* something went wrong while running or starting */
#define ZC_EXIT_USAGE 2   /* command line or configuration */

/*  Opens /dev/null in the place of a standard descriptor that is closed, so that nothing else gets
 *  its number: a log line would go into a client's connection, or into a queue of ZeroMQ's. It is
 *  opened the wrong way round, so that who uses it is told. The first thing that a program does. */
void zc_hold_standard_descriptors (void);

/*  Tells systemd (sd_notify's datagram on NOTIFY_SOCKET): "READY=1", "STOPPING=1", "RELOADING=1".
 *  Does nothing where NOTIFY_SOCKET isn't set. */
void zc_notify (const char *state);

/*  Raises the soft limit of descriptors to the hard limit. Returns it. */
uint64_t zc_raise_descriptor_limit (void);
/*  The soft limit; no descriptor has this number or a higher one. The kernel gives the lowest that
 *  is free: so one less than ZC_DESCRIPTORS_RESERVE below it says that so many are left. */
int zc_descriptor_limit (void);
/*  Clients don't get these: a connection to the broker that is lost is made anew. */
#define ZC_DESCRIPTORS_RESERVE 16

/*  Holds SIGTERM, SIGINT and SIGHUP back. To be called before anything that others wait for, such
 *  as a listening socket: zc_worker_run, and zc_processes, let them in once they are heard, so a
 *  program that is told to stop while it starts ends as if it had started. */
void zc_hold_signals (void);
/*  Lets them in. */
void zc_release_signals (void);

#endif
