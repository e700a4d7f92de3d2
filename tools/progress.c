/*  progress.c - see progress.h. */
#include "tools/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define S_FIRST_MS 1000 /* a faster run needs no line */
#define S_EVERY_MS 250

void zc_progress_init (zc_progress_t *self, bool wanted)
{
    *self =
        (zc_progress_t){.on = wanted && isatty (STDERR_FILENO), .next = zc_mono_ms () + S_FIRST_MS};
}

bool zc_progress_due (zc_progress_t *self)
{
    if (!self->on || zc_mono_ms () < self->next)
        return false;
    self->next = zc_mono_ms () + S_EVERY_MS;
    return true;
}

void zc_progress_show (zc_progress_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fputs ("\r", stderr);
    vfprintf (stderr, format, args);
    fputs ("\x1b[K", stderr); /* clears the rest of a longer line */
    va_end (args);
    self->shown = true;
}

void zc_progress_clear (zc_progress_t *self)
{
    if (self->shown)
        fputs ("\r\x1b[K", stderr);
    self->shown = false;
}
