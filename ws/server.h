/*  server.h - zcast-ws: a listening socket, the connections that it accepts, and the doors behind
 *  it, on a worker's loop. */
#ifndef ZC_WS_SERVER_H
#define ZC_WS_SERVER_H

#include "lib/config/options.h"

/*  Serves until drained; `index` tells processes apart. Takes the listening socket, and closes it
 *  once it drains. Returns the exit status. */
int zc_ws_run (zc_options_t *options, int listener, unsigned index);

#endif
