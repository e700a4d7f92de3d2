/*  processes.h - a master that does nothing but keep its worker processes alive. */
#ifndef ZC_PROCESSES_H
#define ZC_PROCESSES_H

#include <stdbool.h>

/*  What processes of one program do. */
typedef struct {
    void *arg;
    /*  One process; returns its exit status. */
    int (*work) (void *arg, unsigned index);
    /*  In the master, at SIGHUP: those that start from now on begin with what it reads. False,
     *  after saying why, where the others aren't to hear of it. */
    bool (*reload) (void *arg);
    /*  In the master, once it stops: gives back what only its workers need, such as a listening
     *  socket that another server may wait for. May be NULL. */
    void (*release) (void *arg);
} zc_work_t;

/*  Works in `count` processes, restarts one that dies (with backoff), passes SIGTERM, SIGINT and
 *  SIGHUP on, and returns when all have ended after a SIGTERM or SIGINT: the exit status. One that
 *  hasn't within ten minutes, the longest drain-timeout, is killed. With count 1 there is no fork:
 *  this process works. */
int zc_processes (unsigned count, const zc_work_t *work);

#endif
