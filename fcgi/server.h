/*  server.h - zcast-fcgi as a FastCGI responder: a listening socket on a worker's loop. */
#ifndef ZC_FCGI_SERVER_H
#define ZC_FCGI_SERVER_H

#include "lib/config/options.h"

/*  The descriptor of a listening socket: the one that was handed over on descriptor 0, or else the
 *  one that option `socket` names. -1 after saying why on stderr. */
int zc_server_listen (const zc_options_t *options);
/*  Removes the file of a socket that zc_server_listen made. */
void zc_server_unlisten (const zc_options_t *options);
/*  True where descriptor 0 is a listening socket: spawn-fcgi, lighttpd's bin-path, systemd. */
bool zc_server_inherited (void);
/*  For the program's verify: whether other machines may connect to the socket that is configured,
 *  if they can. Returns NULL, or the option that is wrong. */
const char *zc_server_verify (const zc_options_t *options, char *error, size_t size);
/*  The same of the socket that is open. False after saying why. */
bool zc_server_may_serve (const zc_options_t *options, int listener);

/*  Serves until drained; `index` tells processes apart. Takes the listening socket, and closes it
 * once it drains. Returns the exit status. */
int zc_fcgi_run (zc_options_t *options, int listener, unsigned index);

#endif
