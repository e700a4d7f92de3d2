/*  progress.h - a line on a terminal that shows the progress of long work. */
#ifndef ZC_PROGRESS_H
#define ZC_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool on;       /* stderr is a terminal, and the line is wanted */
    bool shown;    /* the line is on the terminal */
    uint64_t next; /* when to show the line next, monotonic ms */
} zc_progress_t;

/*  `wanted`: nothing else shows the progress. The line is first due after a second. */
void zc_progress_init (zc_progress_t *self, bool wanted);
/*  Whether the line is due, which it is four times a second. */
bool zc_progress_due (zc_progress_t *self);
void zc_progress_show (zc_progress_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/*  Removes the line, before something else is printed. */
void zc_progress_clear (zc_progress_t *self);

#endif
