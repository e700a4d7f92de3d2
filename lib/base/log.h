/*  log.h - logs each event as one line, to stderr or syslog: level, program, and the connection
 *  or topic that it concerns.
 *
 *    2026-11-23T10:00:00.123Z info zcast-ws[123]: 127.0.0.1:5000: closed 1009 message too large
 *
 *  In JSON, a line has the event's name and fields, too (log_line.h). doc/logs.md lists them. */
#ifndef ZC_LOG_H
#define ZC_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/log_line.h"

typedef enum { ZC_LOG_TEXT, ZC_LOG_JSON } zc_log_format_t;
typedef enum { ZC_LOG_ERROR, ZC_LOG_WARN, ZC_LOG_INFO, ZC_LOG_DEBUG } zc_log_level_t;

/*  `program` is borrowed. Before the first call, lines of level info and above go to stderr. */
void zc_log_open (const char *program, zc_log_level_t level, bool to_syslog);
void zc_log_level (zc_log_level_t level);
void zc_log_format (zc_log_format_t format);
/*  (zc_log_level_t)-1 where the name is unknown. */
zc_log_level_t zc_log_parse_level (const char *name);
/*  Control characters in the line are shown escaped. */
void zc_log (zc_log_level_t level, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
#define zc_error(...) zc_log (ZC_LOG_ERROR, __VA_ARGS__)
#define zc_warn(...) zc_log (ZC_LOG_WARN, __VA_ARGS__)
#define zc_info(...) zc_log (ZC_LOG_INFO, __VA_ARGS__)
#define zc_debug(...) zc_log (ZC_LOG_DEBUG, __VA_ARGS__)

/*  What this thread logs from now on belongs to this span of a trace (lib/wire/traceparent.h),
 * until zc_log_no_trace. Longer ids than a trace's are cut. */
void zc_log_trace (zc_slice_t trace_id, zc_slice_t span_id);
void zc_log_no_trace (void);

/*  For events that a peer can cause as often as it likes: logs a few lines, and then one a
 *  second, which says how many were left out. Each place in the code has a static zc_log_limit_t
 *  of its own. */
typedef struct {
    uint64_t second;
    unsigned count, left_out;
} zc_log_limit_t;
void zc_log_limited (zc_log_limit_t *limit, zc_log_level_t level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
