/*  logging.h - the log as the options want it: log-level, log-format, syslog. */
#ifndef ZC_LOGGING_H
#define ZC_LOGGING_H

#include "lib/config/options.h"

void zc_logging_open (const zc_options_t *options);
/*  After zc_options_reload. */
void zc_logging_reload (const zc_options_t *options);

#endif
