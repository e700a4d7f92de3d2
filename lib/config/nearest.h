/*  nearest.h - finds the name that was probably meant, where one was misspelt. No I/O. */
#ifndef ZC_NEAREST_H
#define ZC_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#define ZC_NEAREST_MAX 40 /* bytes of a word and of a name; a longer one is near to nothing */

typedef struct {
    const char *word; /* borrowed */
    size_t len;
    const char *best; /* borrowed from the names; NULL: no name is near */
    size_t distance;  /* the steps from `word` to `best` */
    bool beginning;   /* one of them begins with the other, rather than being a step away */
} zc_nearest_t;

void zc_nearest_init (zc_nearest_t *self, const char *word, size_t len);
/*  Looks at one name. A name is near to the word where few steps lead from one to the other; a
 *  step inserts, removes or changes a character, or swaps two neighbours. One step is few for
 *  words of up to three bytes, two for up to seven, and three for longer ones. Capitals count as
 *  small letters, and '_' as '-'. A word is also near to a name that begins with it, or that it
 *  begins with (three bytes or more). A name that is one step away is nearer than
 *  such a one. Of equally near names the first one stays. */
void zc_nearest_try (zc_nearest_t *self, const char *name);

#endif
