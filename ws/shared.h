/*  shared.h - the state that all sessions of a process share. server.c owns it. */
#ifndef ZC_WS_SHARED_H
#define ZC_WS_SHARED_H

#include <uv.h>

#include "lib/base/timeouts.h"
#include "lib/engine/watch.h"
#include "lib/front/front.h"
#include "lib/front/keeper.h"
#include "lib/wire/figures.h"

#define ZC_ECHO_MAX (16 << 20) /* bytes of a message on /echo */

typedef struct zc_server zc_server_t;
struct zc_server {
    /*  Configuration. */
    size_t max_head, max_message;
    size_t deflate_from; /* bytes; 0: permessage-deflate isn't negotiated */
    unsigned silence;    /* ms that a client may be silent */
    double rate, burst;  /* messages */
    bool proxy_protocol; /* trusted proxies name the client before anything else */
    /*  State. */
    zc_front_t front;
    zc_keeper_t *keeper;    /* owned; the front's guard */
    zc_addresses_t *waits;  /* owned; connections that aren't clients, by their address */
    zc_worker_t *worker;    /* borrowed */
    zc_options_t *options;  /* borrowed */
    zc_watch_t *watch;      /* owned; of the sessions' sockets */
    int listener;           /* owned; -1: closed */
    bool accepts;           /* connections on it are for this process */
    bool handed_over;       /* they are for a successor; it stays open */
    int descriptors;        /* a connection with this number or a higher one waits */
    int waiting;            /* such a connection; owned; -1: there is none */
    uv_poll_t poll;         /* of listener */
    uv_timer_t timer;       /* looks after timeouts */
    uv_timer_t pause;       /* after descriptors ran out: until accepting goes on */
    zc_timeouts_t timeouts; /* of sessions; kinds are zc_session_state_t */
    zc_ws_figures_t stats;  /* without the addresses, which the front counts */
    /*  Functions of files above the sessions, for the sessions. */
    void (*left) (zc_server_t *self); /* a session has left */
    bool (*open_refused) (zc_exchange_t *exchange, const zc_denial_t *refusal, unsigned after);
};

#endif
