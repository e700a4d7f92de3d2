/*  succession.h - replaces a program by a new binary of itself (doc/upgrade.md): its command
 *  line, the process that succeeds it, and the inheritance of that process.
 *
 *  The inheritance is told in an environment variable, which the successor removes at once. */
#ifndef ZC_SUCCESSION_H
#define ZC_SUCCESSION_H

#include <stdbool.h>
#include <sys/types.h>

#define ZC_SUCCESSION_MAX 256 /* processes of a program */

/*  A worker process and the master's end of the socket by which the master reaches it. */
typedef struct {
    pid_t pid;
    int channel;
} zc_heir_t;

typedef enum {
    ZC_SUCCESSION_NONE,   /* started in the usual way */
    ZC_SUCCESSION_WORKER, /* takes over from a worker */
    ZC_SUCCESSION_MASTER, /* continues the workers of the binary that this process ran before */
} zc_succession_role_t;

/*  The inheritance of this process. */
typedef struct {
    zc_succession_role_t role;
    int listener; /* the listening socket; -1: none */
    /*  A worker's. */
    unsigned index;
    int predecessor; /* socket to the worker that it succeeds */
    int channel;     /* socket to the master; -1: none */
    /*  A master's. */
    unsigned count;
    zc_heir_t heirs[ZC_SUCCESSION_MAX];
} zc_inheritance_t;

/*  To be called first in main: keeps a copy of the command line and of the environment, from
 *  which secrets are wiped later, and reads the inheritance. From then on SIGUSR2 does nothing
 *  unless it is handled. */
void zc_succession_init (char **argv);
/*  Borrowed. */
const zc_inheritance_t *zc_succession_inherited (void);
/*  Whether the program's path leads to another file now. */
bool zc_succession_changed (void);

/*  Starts the binary anew as the successor of the worker `index`. Returns its process id; -1 with
 *  errno. *predecessor becomes this end of the socket to the successor; *channel, unless it is
 * NULL, this end of the socket by which a master reaches it. `listener` (-1: none) stays open. */
pid_t zc_succession_start (unsigned index, int listener, int *predecessor, int *channel);
/*  Runs the new binary in this process, as the master of these workers, after a check that it can
 *  read its configuration. Returns only if that fails: why. Signals that are held stay so. */
const char *zc_succession_become_master (int listener, const zc_heir_t *heirs, unsigned count);

#endif
