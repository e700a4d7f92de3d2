/*  log.c - a line, of text or of JSON, is assembled in one buffer and written by one call, so that
 * the processes of a program, which share stderr, don't cut into each other's lines. Text from
 * peers is logged, so all characters that could move a terminal's cursor or forge a second line are
 * escaped. */
#include "lib/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/base/timestamp.h"

#define S_TEXT_MAX 1024 /* bytes of a message; longer ones are cut */
#define S_BURST 10      /* lines that one place may log at once (zc_log_limited) */

static const char *const s_names[] = {"error", "warn", "info", "debug"};
static const int s_priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

static struct {
    const char *program;
    zc_log_level_t level;
    zc_log_format_t format;
    bool to_syslog;
} s_log = {"zcast", ZC_LOG_INFO, ZC_LOG_TEXT, false};

/*  What the thread's messages are about, for the while. */
static _Thread_local struct {
    char trace_id[33], span_id[17];
} s_trace;

void zc_log_open (const char *program, zc_log_level_t level, bool to_syslog)
{
    if (s_log.to_syslog)
        closelog ();
    s_log.program = program;
    s_log.level = level;
    s_log.to_syslog = to_syslog;
    if (to_syslog)
        openlog (program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void zc_log_level (zc_log_level_t level)
{
    s_log.level = level;
}

void zc_log_format (zc_log_format_t format)
{
    s_log.format = format;
}

void zc_log_trace (zc_slice_t trace_id, zc_slice_t span_id)
{
    snprintf (s_trace.trace_id, sizeof s_trace.trace_id, "%.*s", (int)trace_id.len, trace_id.at);
    snprintf (s_trace.span_id, sizeof s_trace.span_id, "%.*s", (int)span_id.len, span_id.at);
}

void zc_log_no_trace (void)
{
    s_trace.trace_id[0] = 0;
}

zc_log_level_t zc_log_parse_level (const char *name)
{
    for (size_t i = 0; i < sizeof s_names / sizeof *s_names; i++)
        if (strcmp (name, s_names[i]) == 0)
            return (zc_log_level_t)i;
    return (zc_log_level_t)-1;
}

static size_t s_prefix (char *out, size_t size, zc_log_level_t level)
{
    size_t len = zc_timestamp_format (zc_wall_ms (), out);
    int more = snprintf (out + len, size - len, " %s %.64s[%ld]: ", s_names[level], s_log.program,
                         (long)getpid ());
    return len + (size_t)more;
}

/*  Writes a line; there is room for an LF behind it. */
static void s_write (zc_log_level_t level, char *line, size_t len)
{
    if (s_log.to_syslog) {
        line[len] = 0;
        syslog (s_priorities[level], "%s", line);
    } else {
        line[len] = '\n';
        /* A log that can't be written is no reason to stop. */
        ssize_t rc = write (STDERR_FILENO, line, len + 1);
        (void)rc;
    }
}

static void s_write_text (zc_log_level_t level, zc_slice_t text, unsigned left_out)
{
    char line[4 * S_TEXT_MAX + 320];
    size_t at = s_log.to_syslog ? 0 : s_prefix (line, 160, level);
    at += zc_text_escape (text.at, text.len, line + at);
    if (s_trace.trace_id[0])
        at += (size_t)sprintf (line + at, " (trace %s)", s_trace.trace_id);
    if (left_out)
        at += (size_t)sprintf (line + at, " (%u more of this kind were not logged)", left_out);
    s_write (level, line, at);
}

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void s_member (zc_log_line_t *line, const char *name, zc_slice_t text)
{
    zc_log_line_text (line, s_slice (name), text, ZC_LOG_MESSAGE_MAX);
}

static void s_json_number (zc_log_line_t *line, const char *name, unsigned long number)
{
    char digits[24];
    snprintf (digits, sizeof digits, "%lu", number);
    zc_log_line_number (line, s_slice (name), digits);
}

/*  The members that all lines have, with the message that `text` is. */
static void s_begin_json (zc_log_line_t *line, zc_log_level_t level, zc_slice_t event,
                          zc_slice_t text)
{
    char time[ZC_TIMESTAMP_SIZE];
    zc_timestamp_format (zc_wall_ms (), time);
    zc_log_line_begin (line);
    s_member (line, "time", s_slice (time));
    s_member (line, "level", s_slice (s_names[level]));
    s_member (line, "program", s_slice (s_log.program));
    s_json_number (line, "pid", (unsigned long)getpid ());
    s_member (line, "event", event);
    s_member (line, "message", text);
    if (s_trace.trace_id[0]) {
        s_member (line, "trace_id", s_slice (s_trace.trace_id));
        s_member (line, "span_id", s_slice (s_trace.span_id));
    }
}

__attribute__ ((format (printf, 2, 0))) static void
s_vlog (zc_log_level_t level, const char *format, va_list args, unsigned left_out)
{
    int saved = errno;
    char text[S_TEXT_MAX + 3];
    zc_slice_t event, names;
    va_list again;
    va_copy (again, args);
    zc_log_event (&format, &event, &names);
    int want = vsnprintf (text, S_TEXT_MAX, format, args);
    size_t len = want < 0 ? 0 : (size_t)want;
    if (len >= S_TEXT_MAX) {
        len = zc_text_whole (text, S_TEXT_MAX - 1);
        memcpy (text + len, "...", 3);
        len += 3;
    }
    if (s_log.format == ZC_LOG_JSON) {
        zc_log_line_t line;
        s_begin_json (&line, level, event, (zc_slice_t){text, len});
        if (left_out)
            s_json_number (&line, "left_out", left_out);
        zc_log_line_fields (&line, names, format, again);
        zc_log_line_end (&line);
        s_write (level, line.text, line.len);
    } else {
        s_write_text (level, (zc_slice_t){text, len}, left_out);
    }
    va_end (again);
    errno = saved;
}

void zc_log (zc_log_level_t level, const char *format, ...)
{
    if (level > s_log.level)
        return;
    va_list args;
    va_start (args, format);
    s_vlog (level, format, args, 0);
    va_end (args);
}

/*  `count` is the used part of the burst; each second gives one line back. */
static bool s_limit (zc_log_limit_t *limit, uint64_t second)
{
    uint64_t back = second - limit->second;
    limit->count = back < limit->count ? limit->count - (unsigned)back : 0;
    limit->second = second;
    if (limit->count == S_BURST) {
        limit->left_out++;
        return false;
    }
    limit->count++;
    return true;
}

void zc_log_limited (zc_log_limit_t *limit, zc_log_level_t level, const char *format, ...)
{
    if (level > s_log.level || !s_limit (limit, zc_mono_ms () / 1000))
        return;
    va_list args;
    va_start (args, format);
    s_vlog (level, format, args, limit->left_out);
    va_end (args);
    limit->left_out = 0;
}
