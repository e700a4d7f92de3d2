/*  http_sub.h - subscribing through GET /events, for `zmq sub --http`: as a browser does, it comes
 *  back by itself, with the id that it saw last. */
#ifndef ZC_TOOLS_HTTP_SUB_H
#define ZC_TOOLS_HTTP_SUB_H

#include "lib/config/options.h"
#include "tools/printer.h"

/*  `since`: with which last id to begin; NULL: none. Returns the exit status. */
int zc_http_sub (const zc_options_t *options, zc_printer_t *printer, const char *since);

#endif
