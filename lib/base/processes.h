/*  processes.h - a master process that only keeps its worker processes alive. */
#ifndef ZC_PROCESSES_H
#define ZC_PROCESSES_H

#include <stdbool.h>
#include "lib/base/succession.h"

/*  The work of the processes of one program. */
typedef struct {
    void *arg;
    /*  The work of one process. Returns its exit status. */
    int (*work) (void *arg, unsigned index);
    /*  Called in the master at SIGHUP: processes that start from now on begin with what it
     *  reads. Returns false, after it has logged why, where the running processes aren't to get
     *  the signal. */
    bool (*reload) (void *arg);
    /*  Called in the master when it begins to stop: gives back resources that only its workers
     * need, such as a listening socket that another server may wait for. May be NULL. */
    void (*release) (void *arg);
    /*  A new binary can take over (lib/base/succession.h): the work then hands over what it has
     * when it is told to, and ends. */
    bool upgrades;
    int listener; /* the listening socket, which a successor inherits; -1: none */
} zc_work_t;

/*  Runs `count` processes, restarts a process that dies, each time after a longer pause, and
 *  passes SIGTERM, SIGINT and SIGHUP on. Returns the exit status when all processes have ended
 *  after a SIGTERM or SIGINT; a process that hasn't ended within ten minutes, the longest
 *  drain-timeout, is killed. With `count` 1 this process does the work itself, without a fork. */
int zc_processes (unsigned count, const zc_work_t *work);

/*  In a worker of a master: the socket by which the master says that the worker has a successor
 *  (zc_processes_successor). -1: there is no master, and SIGUSR2 says to start one. */
int zc_processes_channel (void);
/*  Reads what the master said. Returns the successor's process id, and in *predecessor the socket
 * to it; -1 where nothing was said. */
pid_t zc_processes_successor (int *predecessor);
/*  In a process without a master, when its clients are another's: from the end of its work on this
 *  process is the master of that one, and runs the new binary. */
void zc_processes_hand_over (zc_heir_t heir);
/*  Whether they are. */
bool zc_processes_handed_over (void);
/*  After that: only until that one has ended, which is told to stop. */
void zc_processes_stop (void);

#endif
