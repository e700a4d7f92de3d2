/*  daemon.h - the parts that all daemons need: signals, readiness, descriptors. */
#ifndef ZC_DAEMON_H
#define ZC_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  Exit statuses. */
#define ZC_EXIT_OK 0
#define ZC_EXIT_FAILURE 1 /* an error while starting or running */
#define ZC_EXIT_USAGE 2   /* the command line or the configuration is wrong */

/*  Opens /dev/null in place of each standard descriptor that is closed: else a client's
 *  connection or a file of ZeroMQ's would get the number, and log lines would be written into
 *  it. It is opened for the wrong direction, so that a read from stdin or a write to stdout
 *  fails. Call it first of all. */
void zc_hold_standard_descriptors (void);
/*  Memory isn't written into core dumps of this process and its children: it has keys, passwords
 *  and tokens. Call it before any of them is there. Where there is no /proc, nothing happens. */
void zc_keep_memory_out_of_dumps (void);

/*  Tells systemd "READY=1", "STOPPING=1" or "RELOADING=1", in a datagram to NOTIFY_SOCKET
 *  (sd_notify(3)). Does nothing where NOTIFY_SOCKET isn't set. */
void zc_notify (const char *state);

/*  For programs that are replaced by a restart only (doc/upgrade.md): says so where another file
 *  has taken the place of the one that runs, or where SIGUSR2 has asked for it. */
void zc_want_restart (bool asked);

/*  Raises the soft limit of descriptors to the hard limit. Returns the limit. */
uint64_t zc_raise_descriptor_limit (void);
/*  The soft limit: no descriptor has this number or a higher one. The kernel gives the lowest
 *  free number, so a descriptor of at least the limit less ZC_DESCRIPTORS_RESERVE shows that
 *  fewer than these are left. */
int zc_descriptor_limit (void);
/*  Descriptors that clients don't get: a lost connection to the broker must be made anew. */
#define ZC_DESCRIPTORS_RESERVE 16

/*  Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR2. A program calls it before anything that others can
 * wait for, such as a listening socket. zc_worker_run and zc_processes unblock them once their
 *  handlers are set, so that a program that is told to stop while it starts ends in the usual
 *  way. */
void zc_hold_signals (void);
/*  Unblocks these signals. */
void zc_release_signals (void);

#endif
