/*  log.h - one line an event, to stderr or syslog: level, program, and what it concerns.
 *  "2026-11-23T10:00:00.123Z info zcast-ws[123]: 127.0.0.1:5000: closed 1009 message too large" */
#ifndef ZC_LOG_H
#define ZC_LOG_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { ZC_LOG_ERROR, ZC_LOG_WARN, ZC_LOG_INFO, ZC_LOG_DEBUG } zc_log_level_t;

/*  `program` is borrowed. To stderr at info until then. */
void zc_log_open (const char *program, zc_log_level_t level, bool to_syslog);
void zc_log_level (zc_log_level_t level);
zc_log_level_t zc_log_parse_level (const char *name); /* -1 as a cast where unknown */
/*  Control characters in what it prints are shown escaped. */
void zc_log (zc_log_level_t level, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
#define zc_error(...) zc_log (ZC_LOG_ERROR, __VA_ARGS__)
#define zc_warn(...) zc_log (ZC_LOG_WARN, __VA_ARGS__)
#define zc_info(...) zc_log (ZC_LOG_INFO, __VA_ARGS__)
#define zc_debug(...) zc_log (ZC_LOG_DEBUG, __VA_ARGS__)

/*  For what a peer can cause as often as it likes: at most `burst` lines and then one a second,
 *  which says how many were left out. One static zc_log_limit_t per place. */
typedef struct {
    uint64_t second;
    unsigned count, left_out;
} zc_log_limit_t;
void zc_log_limited (zc_log_limit_t *limit, zc_log_level_t level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
