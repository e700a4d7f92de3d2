/*  conn.h - the connections that web servers made to this process, each with one request at a time:
 *  read with a deadline, answered, streamed to, ended. */
#ifndef ZC_CONN_H
#define ZC_CONN_H

#include "lib/base/timeouts.h"
#include "lib/config/options.h"
#include "lib/engine/giver.h"
#include "lib/engine/watch.h"
#include "lib/front/front.h"
#include "lib/front/keeper.h"

typedef struct zc_conn zc_conn_t;

typedef struct {
    uint64_t connections; /* accepted */
    uint64_t malformed;   /* closed because of malformed records */
    uint64_t timeouts;    /* closed, as a request stayed incomplete */
} zc_conn_stats_t;

/*  All of a process's connections. */
typedef struct {
    zc_worker_t *worker;    /* borrowed */
    zc_options_t *options;  /* borrowed */
    zc_front_t front;       /* draining: every request ends now, and is told to come back */
    zc_keeper_t *keeper;    /* owned; the front's guard */
    zc_watch_t *watch;      /* owned; of their sockets */
    size_t max_head;        /* bytes of a request's parameters that are kept */
    zc_timeouts_t timeouts; /* of all but streams; a request has request-timeout from its first byte
                               (or accept) to its last, or for each 4 KiB of its body */
    LIST_HEAD (, zc_conn) streaming; /* the others */
    uv_timer_t tick;                 /* looks after timeouts; runs only while there are some */
    zc_conn_stats_t stats;
} zc_conns_t;

/*  Returns 0, or -1 after saying why. */
int zc_conns_init (zc_conns_t *self, zc_worker_t *worker, zc_options_t *options);
/*  All have ended. */
void zc_conns_clear (zc_conns_t *self);
/*  Reads the options again. */
void zc_conns_configure (zc_conns_t *self);
/*  Takes an accepted, non-blocking socket, and closes it in the end. `refuse`: its request is
 *  answered by telling the client to come back. */
void zc_conns_add (zc_conns_t *self, int fd, bool refuse);
/*  Upgrades (doc/upgrade.md): streams are handed over to a successor, and requests are answered
 *  here. Gives the streams that can go now. */
void zc_conns_give (zc_conns_t *self, zc_giver_t *giver);
/*  A stream that was given is the successor's. */
void zc_conn_given (void *conn);
/*  How many streams are left. */
size_t zc_conns_left (const zc_conns_t *self);
/*  NULL where there is none by this name. */
const zc_encoding_t *zc_conns_encoding (zc_slice_t name);
bool zc_conns_can_take (const zc_handover_t *client);
/*  Takes the descriptor. */
void zc_conns_take (zc_conns_t *self, const zc_handover_t *client, int fd);
/*  Tells every client to come back and ends its request; calls zc_worker_stop when all is done. */
void zc_conns_drain (zc_conns_t *self);
/*  Closes all at once, and calls zc_worker_stop. */
void zc_conns_abort (zc_conns_t *self);

#endif
