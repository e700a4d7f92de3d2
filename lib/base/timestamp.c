/*  timestamp.c - see timestamp.h. Rejected: timegm and strptime, which know neither offsets nor
 *  invalid dates; so days are counted here. */
#include "lib/base/timestamp.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/text.h"

#define S_LAST 253402300799999 /* ms: 9999-12-31T23:59:59.999Z */

typedef struct {
    const char *at;
    size_t len;
    bool failed;
} s_reader_t;

static int64_t s_digits (s_reader_t *self, size_t count, int64_t low, int64_t high)
{
    uint64_t value = 0;
    if (self->len < count || zc_text_u64 (self->at, count, (uint64_t)high, &value) != 0 ||
        (int64_t)value < low) {
        self->failed = true;
        return low;
    }
    self->at += count;
    self->len -= count;
    return (int64_t)value;
}

/*  Reads one of these characters; returns 0 if another one comes. */
static char s_one_of (s_reader_t *self, const char *characters)
{
    if (self->len == 0 || !*self->at || !strchr (characters, *self->at)) {
        self->failed = true;
        return 0;
    }
    self->len--;
    return *self->at++;
}

static bool s_leap (int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/*  Days since 1970. */
static int64_t s_days (int64_t year, int64_t month, int64_t day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t past = year - 1;
    int64_t days = 365 * (year - 1970) + past / 4 - past / 100 + past / 400 - 477;
    return days + before[month - 1] + (month > 2 && s_leap (year)) + day - 1;
}

static int64_t s_month_days (int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && s_leap (year));
}

static int64_t s_date (s_reader_t *self)
{
    int64_t year = s_digits (self, 4, 1, 9999);
    s_one_of (self, "-");
    int64_t month = s_digits (self, 2, 1, 12);
    s_one_of (self, "-");
    return s_days (year, month, s_digits (self, 2, 1, s_month_days (year, month)));
}

/*  Milliseconds since the beginning of the day. */
static int64_t s_time (s_reader_t *self)
{
    int64_t ms = 3600000 * s_digits (self, 2, 0, 23);
    s_one_of (self, ":");
    ms += 60000 * s_digits (self, 2, 0, 59);
    s_one_of (self, ":");
    ms += 1000 * s_digits (self, 2, 0, 60);
    if (self->failed || self->len == 0 || *self->at != '.')
        return ms;
    self->at++;
    self->len--;
    int64_t unit = 100;
    do {
        ms += unit * s_digits (self, 1, 0, 9);
        unit /= 10;
    } while (!self->failed && self->len > 0 && *self->at >= '0' && *self->at <= '9');
    return ms;
}

/*  Clocks east of Greenwich are ahead. */
static int64_t s_offset (s_reader_t *self)
{
    char sign = s_one_of (self, "Zz+-");
    if (sign == 'Z' || sign == 'z' || self->failed)
        return 0;
    int64_t minutes = 60 * s_digits (self, 2, 0, 23);
    s_one_of (self, ":");
    minutes += s_digits (self, 2, 0, 59);
    return 60000 * (sign == '-' ? -minutes : minutes);
}

int zc_timestamp_parse (const char *text, size_t len, uint64_t *ms)
{
    s_reader_t reader = {text, len, false};
    int64_t at = s_date (&reader) * 86400000;
    s_one_of (&reader, "Tt ");
    at += s_time (&reader);
    at -= s_offset (&reader);
    if (reader.failed || reader.len > 0 || at < 0 || at > S_LAST)
        return -1;
    *ms = (uint64_t)at;
    return 0;
}

size_t zc_timestamp_format (uint64_t ms, char *text)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r (&seconds, &utc);
    size_t len = strftime (text, ZC_TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    return len +
           (size_t)snprintf (text + len, ZC_TIMESTAMP_SIZE - len, ".%03uZ", (unsigned)(ms % 1000));
}
