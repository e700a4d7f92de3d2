/*  progress.h - a line on a terminal that says how far a long work is. */
#ifndef ZC_PROGRESS_H
#define ZC_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool on;       /* stderr is a terminal, and it is wanted */
    bool shown;    /* the line is there */
    uint64_t next; /* monotonic ms: not before then */
} zc_progress_t;

/*  `wanted`: nothing else shows it. The first line comes after a second. */
void zc_progress_init (zc_progress_t *self, bool wanted);
/*  Whether the line is due: four times a second. */
bool zc_progress_due (zc_progress_t *self);
void zc_progress_show (zc_progress_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/*  Takes the line away, before something else is printed. */
void zc_progress_clear (zc_progress_t *self);

#endif
