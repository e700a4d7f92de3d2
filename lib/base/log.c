/*  log.c - a line is assembled in one buffer and written by one call, so that the processes of a
 *  program, which share stderr, don't cut into each other's lines. Text from peers is logged, so
 *  all characters that could move a terminal's cursor or forge a second line are escaped. */
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
    bool to_syslog;
} s_log = {"zcast", ZC_LOG_INFO, false};

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

__attribute__ ((format (printf, 2, 0))) static void
s_vlog (zc_log_level_t level, const char *format, va_list args, unsigned left_out)
{
    int saved = errno;
    char text[S_TEXT_MAX], line[4 * S_TEXT_MAX + 256];
    int want = vsnprintf (text, sizeof text, format, args);
    size_t len = want < 0 ? 0 : (size_t)want;
    bool cut = len >= sizeof text;
    if (cut)
        len = zc_text_whole (text, sizeof text - 1);
    size_t at = s_log.to_syslog ? 0 : s_prefix (line, 160, level);
    at += zc_text_escape (text, len, line + at);
    if (cut)
        at += (size_t)sprintf (line + at, "...");
    if (left_out)
        at += (size_t)sprintf (line + at, " (%u more of this kind were not logged)", left_out);
    line[at] = 0;
    if (s_log.to_syslog) {
        syslog (s_priorities[level], "%s", line);
    } else {
        line[at++] = '\n';
        /* A log that can't be written is no reason to stop. */
        ssize_t rc = write (STDERR_FILENO, line, at);
        (void)rc;
    }
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
