/*  script.h - the text of script.lua, which runs in Redis. */
#ifndef ZC_LOG_SCRIPT_H
#define ZC_LOG_SCRIPT_H

extern const char zc_log_script[];

#endif
