/*  processes.h - a master process that only keeps its worker processes alive. */
#ifndef ZC_PROCESSES_H
#define ZC_PROCESSES_H

#include <stdbool.h>

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
} zc_work_t;

/*  Runs `count` processes, restarts a process that dies, each time after a longer pause, and
 *  passes SIGTERM, SIGINT and SIGHUP on. Returns the exit status when all processes have ended
 *  after a SIGTERM or SIGINT; a process that hasn't ended within ten minutes, the longest
 *  drain-timeout, is killed. With `count` 1 this process does the work itself, without a fork. */
int zc_processes (unsigned count, const zc_work_t *work);

#endif
