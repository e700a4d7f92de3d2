/*  http_sub.h - subscribing through GET /events, for `zmq sub --http`. It reconnects by itself, as
 *  a browser does, with the last id that it saw. */
#ifndef ZC_TOOLS_HTTP_SUB_H
#define ZC_TOOLS_HTTP_SUB_H

#include "lib/config/options.h"
#include "tools/printer.h"

/*  `since`: the last id to begin with; NULL: none. Returns the exit status. */
int zc_http_sub (const zc_options_t *options, zc_printer_t *printer, const char *since);

#endif
