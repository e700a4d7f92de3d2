/*  nearest.h - the name that was meant, where one was misspelt. Pure. */
#ifndef ZC_NEAREST_H
#define ZC_NEAREST_H

#include <stddef.h>

#define ZC_NEAREST_MAX 40 /* bytes of a word and of a name; nothing is near to a longer one */

typedef struct {
    const char *word; /* borrowed */
    size_t len;
    const char *best; /* borrowed from the names; NULL: none of them is near */
    size_t distance;  /* of the best */
} zc_nearest_t;

void zc_nearest_init (zc_nearest_t *self, const char *word, size_t len);
/*  Looks at one name. Near is what takes few steps to make of one another, each the insertion,
 *  removal or change of a character, or a swap of two neighbours: one step for words of up to three
 *  bytes, two for up to seven, else three. Capitals are as small letters, '_' as '-'. A word is
 * also near to a name that it begins, or that begins it (three bytes or more). Of equally near
 * names the first one stays. */
void zc_nearest_try (zc_nearest_t *self, const char *name);

#endif
