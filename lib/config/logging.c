/*  logging.c - see logging.h. */
#include "lib/config/logging.h"

#include <string.h>

#include "lib/base/log.h"

void zc_logging_reload (const zc_options_t *options)
{
    bool json = strcmp (zc_options_text (options, "log-format"), "json") == 0;
    zc_log_level (zc_log_parse_level (zc_options_text (options, "log-level")));
    zc_log_format (json ? ZC_LOG_JSON : ZC_LOG_TEXT);
}

void zc_logging_open (const zc_options_t *options)
{
    zc_log_open (zc_options_program (options), ZC_LOG_INFO, zc_options_bool (options, "syslog"));
    zc_logging_reload (options);
}
