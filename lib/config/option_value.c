/*  option_value.c - the values that each type of option takes, and their errors. Pure functions. */
#include "lib/config/options_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "lib/base/listen.h"
#include "lib/base/text.h"

static int s_digits (const char *text, size_t len, int64_t *value)
{
    uint64_t number;
    if (zc_text_u64 (text, len, INT64_MAX, &number) != 0)
        return -1;
    *value = (int64_t)number;
    return 0;
}

#define S_FRACTION 9 /* digits after the point */

/*  Parses "12", "1.5" or ".5" of a unit. The result is rounded to a whole number, but not to 0
 *  unless it is 0. There are no parts of a unit of 1. */
static int s_scaled (const char *text, size_t len, int64_t unit, int64_t *value)
{
    const char *point = memchr (text, '.', len);
    size_t whole = point ? (size_t)(point - text) : len;
    size_t digits = point ? len - whole - 1 : 0;
    int64_t number = 0, part = 0, scale = 1;
    if ((whole || !point) && s_digits (text, whole, &number) != 0)
        return -1;
    if (point && (unit == 1 || digits > S_FRACTION || s_digits (point + 1, digits, &part) != 0))
        return -1;
    while (digits--)
        scale *= 10;
    int64_t rest = (part * unit + scale / 2) / scale;
    if (__builtin_mul_overflow (number, unit, &number) ||
        __builtin_add_overflow (number, rest, value))
        return -1;
    if (*value == 0 && part)
        *value = 1;
    return 0;
}

int zc_option_parse_size (const char *text, int64_t *bytes)
{
    size_t len = strlen (text);
    int shift = 0;
    if (len > 0) {
        char unit = text[len - 1];
        shift = unit == 'K' || unit == 'k'   ? 10
                : unit == 'M' || unit == 'm' ? 20
                : unit == 'G' || unit == 'g' ? 30
                                             : 0;
    }
    return s_scaled (text, shift ? len - 1 : len, (int64_t)1 << shift, bytes);
}

int zc_option_parse_duration (const char *text, int64_t bare_unit_ms, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t digits = strspn (text, "0123456789.");
    if (!text[digits])
        return s_scaled (text, digits, bare_unit_ms, ms);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp (text + digits, units[i].name) == 0)
            return s_scaled (text, digits, units[i].ms, ms);
    return -1;
}

static int s_parse_number (const char *text, int64_t *value)
{
    bool minus = text[0] == '-';
    if (s_digits (text + minus, strlen (text + minus), value) != 0)
        return -1;
    if (minus)
        *value = -*value;
    return 0;
}

static int s_parse_bool (const char *text, int64_t *value)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp (text, words[i]) == 0) {
            *value = (int64_t)(i & 1);
            return 0;
        }
    }
    return -1;
}

static bool s_is_choice (const char *text, const char *choices)
{
    size_t len = strlen (text);
    for (const char *at = choices; at; at = strchr (at, '|')) {
        at += *at == '|';
        if (strcspn (at, "|") == len && memcmp (at, text, len) == 0)
            return true;
    }
    return false;
}

/*  Splits "HOST:PORT" of a tcp endpoint. Returns -1 if it is malformed. */
static int s_split_tcp (const char *address, char *host, size_t size)
{
    const char *colon = strrchr (address, ':');
    int64_t port = 0;
    if (!colon || colon == address || (size_t)(colon - address) >= size)
        return -1;
    if (strcmp (colon + 1, "*") != 0 &&
        (s_digits (colon + 1, strlen (colon + 1), &port) != 0 || port > 65535))
        return -1;
    size_t len = (size_t)(colon - address);
    memcpy (host, address, len);
    host[len] = 0;
    bool brackets = host[0] == '[' && host[len - 1] == ']';
    if (strpbrk (host, ";/ ") || (!brackets && strpbrk (host, "[]:")))
        return -1;
    return 0;
}

static int s_parse_endpoint (const char *text)
{
    char host[256];
    if (strncmp (text, "tcp://", 6) == 0)
        return s_split_tcp (text + 6, host, sizeof host);
    if (strncmp (text, "ipc://", 6) == 0) {
        size_t len = strlen (text + 6);
        return len > 0 && len < sizeof ((struct sockaddr_un *)0)->sun_path ? 0 : -1;
    }
    return strncmp (text, "inproc://", 9) == 0 && text[9] && strlen (text) <= 255 ? 0 : -1;
}

/*  Several endpoints have blanks between them; a path may have blanks, too. Takes the next one from
 *  `text` into `one`. Returns false if there is none; one that is too long becomes "". */
static bool s_next_endpoint (const char **text, char one[512])
{
    const char *end = *text;
    if (!*end)
        return false;
    do
        end += 1 + strcspn (end + 1, " ");
    while (*end && strncmp (end, " tcp://", 7) != 0 && strncmp (end, " ipc://", 7) != 0 &&
           strncmp (end, " inproc://", 10) != 0);
    size_t len = (size_t)(end - *text);
    while (len && (*text)[len - 1] == ' ')
        len--;
    len = len < 512 ? len : 0;
    memcpy (one, *text, len);
    one[len] = 0;
    *text = *end ? end + 1 : end;
    return true;
}

static bool s_are_endpoints (const char *text)
{
    char one[512];
    bool any = false;
    while (s_next_endpoint (&text, one)) {
        if (s_parse_endpoint (one) != 0)
            return false;
        any = true;
    }
    return any;
}

/*  Names for loopback addresses in Debian's /etc/hosts; other names may stand for any address. */
static bool s_is_loopback_name (const char *host)
{
    static const char *const names[] = {"localhost", "lo", "ip6-localhost", "ip6-loopback"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp (host, names[i]) == 0)
            return true;
    return false;
}

static bool s_is_exposed (const char *endpoint)
{
    char host[256];
    if (strncmp (endpoint, "tcp://", 6) != 0)
        return false;
    if (s_split_tcp (endpoint + 6, host, sizeof host) != 0)
        return true;
    size_t len = strlen (host);
    if (host[0] != '[')
        return !s_is_loopback_name (host) && !zc_is_loopback (host);
    host[len - 1] = 0;
    return !zc_is_loopback (host + 1);
}

bool zc_endpoint_exposed (const char *endpoint)
{
    char one[512];
    while (s_next_endpoint (&endpoint, one))
        if (s_is_exposed (one))
            return true;
    return false;
}

/*  Writes the number with the largest unit that divides it, as the parsers read it. */
static void s_format_limit (zc_opt_type_t type, int64_t value, char *text, size_t size)
{
    static const struct {
        int64_t unit;
        const char *name;
    } sizes[] = {{1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}, {1, ""}},
      times[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}}, *units;
    units = type == ZC_OPT_SIZE ? sizes : times;
    if (type == ZC_OPT_NUMBER || value == 0) {
        snprintf (text, size, "%" PRId64, value);
        return;
    }
    while (value % units->unit)
        units++;
    snprintf (text, size, "%" PRId64 "%s", value / units->unit, units->name);
}

static bool s_bounded (const zc_option_t *option)
{
    return option->min != 0 || option->max != 0;
}

static void s_expect_range (const zc_option_t *option, const char *what, char *expected,
                            size_t size)
{
    char low[32], high[32];
    s_format_limit (option->type, option->min, low, sizeof low);
    s_format_limit (option->type, option->max, high, sizeof high);
    if (s_bounded (option))
        snprintf (expected, size, "expected %s from %s to %s", what, low, high);
    else
        snprintf (expected, size, "expected %s", what);
}

static int s_range (const zc_option_t *option, int rc, const int64_t *number, const char *what,
                    char *expected, size_t size)
{
    int64_t max = s_bounded (option) ? option->max : INT64_MAX;
    if (rc == 0 && *number >= option->min && *number <= max)
        return 0;
    s_expect_range (option, what, expected, size);
    return -1;
}

static int s_text (const zc_option_t *option, const char *text, char *expected, size_t size)
{
    size_t len = strlen (text);
    if (zc_text_plain (text, len) && len >= (size_t)option->min &&
        (option->max == 0 || len <= (size_t)option->max))
        return 0;
    if (option->max)
        snprintf (expected, size, "expected %s: %" PRId64 " to %" PRId64 " bytes of plain text",
                  option->argument, option->min, option->max);
    else
        snprintf (expected, size, "expected %s: plain text", option->argument);
    return -1;
}

static int s_map (const zc_option_t *option, const char *text, char *expected, size_t size)
{
    const char *equals = strchr (text, '=');
    if (equals && equals != text && zc_text_plain (text, strlen (text)) &&
        (!option->choices || s_is_choice (equals + 1, option->choices)))
        return 0;
    if (option->choices)
        snprintf (expected, size, "expected %s with one of %s", option->argument, option->choices);
    else
        snprintf (expected, size, "expected %s", option->argument);
    return -1;
}

static int s_expect (bool good, const char *what, char *expected, size_t size)
{
    if (good)
        return 0;
    snprintf (expected, size, "expected %s", what);
    return -1;
}

/*  From the first ':' after the user to the last '@' of the URL. */
static zc_slice_t s_url_secret (const char *text)
{
    const char *begin = strstr (text, "://"), *end = strrchr (text, '@');
    begin = begin ? strchr (begin + 3, ':') : NULL;
    if (!begin || !end || end < begin)
        return (zc_slice_t){"", 0};
    return (zc_slice_t){begin + 1, (size_t)(end - begin) - 1};
}

zc_slice_t zc_option_secret (const zc_option_t *option, const char *text)
{
    if (option->type == ZC_OPT_SECRET)
        return (zc_slice_t){text, strlen (text)};
    return option->type == ZC_OPT_URL ? s_url_secret (text) : (zc_slice_t){"", 0};
}

int zc_option_value (const zc_option_t *option, const char *text, int64_t *number, char *expected,
                     size_t size)
{
    int64_t bare = 1;
    char choices[160];
    *number = 0;
    switch (option->type) {
    case ZC_OPT_TEXT:
    case ZC_OPT_LIST:
    case ZC_OPT_SECRET:
    case ZC_OPT_URL:
        return s_text (option, text, expected, size);
    case ZC_OPT_MAP:
        return s_map (option, text, expected, size);
    case ZC_OPT_ENDPOINT:
        return s_expect (zc_text_plain (text, strlen (text)) && s_parse_endpoint (text) == 0,
                         "tcp://HOST:PORT, ipc://PATH or inproc://NAME", expected, size);
    case ZC_OPT_ENDPOINTS:
        return s_expect (zc_text_plain (text, strlen (text)) && s_are_endpoints (text),
                         "tcp://HOST:PORT, ipc://PATH or inproc://NAME, or several of these",
                         expected, size);
    case ZC_OPT_BOOL:
        return s_expect (s_parse_bool (text, number) == 0, "yes or no", expected, size);
    case ZC_OPT_CHOICE:
        snprintf (choices, sizeof choices, "one of %s", option->choices);
        return s_expect (s_is_choice (text, option->choices), choices, expected, size);
    case ZC_OPT_NUMBER:
        return s_range (option, s_parse_number (text, number), number, "a number", expected, size);
    case ZC_OPT_SIZE:
        return s_range (option, zc_option_parse_size (text, number), number, "a size", expected,
                        size);
    case ZC_OPT_SECONDS:
        bare = 1000;
        /* fall through */
    case ZC_OPT_MS:
        return s_range (option, zc_option_parse_duration (text, bare, number), number,
                        "a time (ms, s, m, h, d)", expected, size);
    }
    return -1;
}
