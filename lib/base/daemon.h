/*  daemon.h - what every daemon does alike: signals, readiness, listening sockets, descriptors. */
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

/*  Opens a non-blocking, close-on-exec listening socket: "HOST:PORT", ":PORT" (loopback), a path
 *  or "unix:PATH". A stale socket file whose server is gone is replaced; one that answers is not.
 *  mode: permissions of a socket file, e.g. 0660. Returns the descriptor, or -1 with one sentence
 *  in `error` that names the address, what happened, and what to do. */
int zc_listen (const char *address, unsigned mode, int backlog, char *error, size_t size);
/*  "0660" as a number; above 0777 where the text isn't a file's permissions in octal. */
unsigned zc_file_mode (const char *text);
/*  Whether an address has a form that zc_listen takes: NULL, or what was expected. */
const char *zc_listen_form (const char *address);
/*  Removes the file of a socket made by zc_listen, if the address is one, and nobody listens there
 *  any more. */
void zc_unlisten (const char *address);
/*  accept4 with SOCK_NONBLOCK|SOCK_CLOEXEC. Returns the descriptor; -1 with errno EAGAIN when
 *  nobody waits; -1 with EMFILE/ENFILE when descriptors ran out: the caller stops accepting for a
 *  while (zc_accept_pause_ms), which leaves peers in the backlog. Transient errors of one peer
 *  (ECONNABORTED and the like) are passed over. */
int zc_accept (int listener);
#define ZC_ACCEPT_PAUSE_MS 100
/*  "127.0.0.1:5000", "[::1]:5000" or "unix" of a connected socket's peer. */
void zc_peer_name (int fd, char *text, size_t size);
/*  Connections that may wait in the backlog. */
#define ZC_BACKLOG 4096
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

/*  What processes of one program do. */
typedef struct {
    void *arg;
    /*  One process; returns its exit status. */
    int (*work) (void *arg, unsigned index);
    /*  In the master, at SIGHUP: those that start from now on begin with what it reads. False,
     *  after saying why, where the others aren't to hear of it. */
    bool (*reload) (void *arg);
} zc_work_t;

/*  Works in `count` processes, restarts one that dies (with backoff), passes SIGTERM, SIGINT and
 *  SIGHUP on, and returns when all have ended after a SIGTERM or SIGINT: the exit status. One that
 *  hasn't within ten minutes, the longest drain-timeout, is killed. With count 1 there is no fork:
 *  this process works. */
int zc_processes (unsigned count, const zc_work_t *work);

/*  A random number in [low, high], for spreads and jitter. */
unsigned zc_random_between (unsigned low, unsigned high);
/*  Milliseconds since 1970, and of the monotonic clock. */
uint64_t zc_wall_ms (void);
uint64_t zc_mono_ms (void);
uint64_t zc_mono_us (void);

#endif
