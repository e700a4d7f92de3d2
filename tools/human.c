/*  human.c - see human.h. */
#include "tools/human.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"

const char *zc_human_count (double value, char *text)
{
    char plain[24];
    int len = snprintf (plain, sizeof plain, "%.0f", value < 0 || value > 1e17 ? 0.0 : value);
    char *to = text;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = plain[i];
    }
    *to = 0;
    return text;
}

const char *zc_human_bytes (double value, char *text)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf (text, ZC_HUMAN_SIZE, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

const char *zc_human_duration (double seconds, char *text)
{
    uint64_t s = seconds > 0 ? (uint64_t)seconds : 0;
    if (s < 120)
        snprintf (text, ZC_HUMAN_SIZE, "%" PRIu64 " s", s);
    else if (s < 7200)
        snprintf (text, ZC_HUMAN_SIZE, "%" PRIu64 " min", s / 60);
    else if (s < 172800)
        snprintf (text, ZC_HUMAN_SIZE, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    else
        snprintf (text, ZC_HUMAN_SIZE, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
    return text;
}

char *zc_human_shown (const char *text)
{
    size_t len = strlen (text), done = 0, step;
    char *shown = malloc (len + 1), escaped[4 * 4];
    if (!shown)
        abort ();
    for (size_t i = 0; i < len; i += step) {
        step = 1;
        while (i + step < len && ((unsigned char)text[i + step] & 0xc0) == 0x80 && step < 4)
            step++;
        bool plain = zc_text_escape (text + i, step, escaped) == step;
        memcpy (shown + done, plain ? text + i : "?", plain ? step : 1);
        done += plain ? step : 1;
    }
    shown[done] = 0;
    return shown;
}

/*  Bytes of UTF-8 that continue a character are not counted. */
int zc_human_width (const char *text)
{
    int width = 0;
    for (const char *c = text; *c; c++)
        width += ((unsigned char)*c & 0xc0) != 0x80;
    return width;
}
