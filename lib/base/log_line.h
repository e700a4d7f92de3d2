/*  log_line.h - a line of the log as a JSON object, which is bounded, and valid however much of it
 *  there is no room for. No I/O, no allocation.
 *
 *  A call of zc_log names its event, and the values in its text, at the beginning of its format:
 *
 *    zc_warn (ZC_EVENT ("redis.lost redis error", "redis %s: %s; trying again"), address, error)
 *
 *  is shown to people as "redis 127.0.0.1:6379: refused; trying again", and in JSON has, beside
 * that text, "event":"redis.lost", "redis":"127.0.0.1:6379" and "error":"refused". */
#ifndef ZC_LOG_LINE_H
#define ZC_LOG_LINE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/text.h"

#define ZC_LOG_LINE_MAX 4096    /* bytes with the LF: what a pipe takes whole (PIPE_BUF) */
#define ZC_LOG_MESSAGE_MAX 2048 /* bytes of the message as it is escaped; of a field: */
#define ZC_LOG_FIELD_MAX 512

/*  A format with its event: the event's name, and then, for each conversion of the format in turn,
 *  the name of its field, or "-" for one that is none. Both are literals. */
#define ZC_EVENT(names, format) "\x1f" names "\x1f" format

/*  Takes event and names off *format. A format that has none gets the event "other". */
void zc_log_event (const char **format, zc_slice_t *event, zc_slice_t *names);

typedef struct {
    size_t len;
    char text[ZC_LOG_LINE_MAX];
} zc_log_line_t;

void zc_log_line_begin (zc_log_line_t *self);
/*  Appends a member. What is no UTF-8 becomes U+FFFD. Text of which more than `max` bytes would
 *  stand in the line is cut, at a character, and ends with "...". A member that the line has no
 * room for is left out. */
void zc_log_line_text (zc_log_line_t *self, zc_slice_t name, zc_slice_t text, size_t max);
/*  The digits of a number, and maybe a sign. */
void zc_log_line_number (zc_log_line_t *self, zc_slice_t name, const char *digits);
/*  Appends a member for each name, from the arguments of printf's `format`. It may have %c, %d, %i,
 *  %u, %x, %s, with any precision, and any length of integers; the members end before the first
 *  conversion that is another one. */
void zc_log_line_fields (zc_log_line_t *self, zc_slice_t names, const char *format, va_list args);
/*  Ends the object, with a NUL, for which, as for an LF in its place, there is room. */
void zc_log_line_end (zc_log_line_t *self);

#endif
