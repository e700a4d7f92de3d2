/*  nearest.c - see nearest.h. The distance is Damerau's and Levenshtein's, restricted: no part
 *  is changed twice. Names are short, so the table is on the stack. */
#include "lib/config/nearest.h"

#include <ctype.h>
#include <string.h>

#define S_BEGINNING 3 /* least bytes of a beginning */

static char s_plain (char c)
{
    return c == '_' ? '-' : (char)tolower ((unsigned char)c);
}

static size_t s_least (size_t a, size_t b)
{
    return a < b ? a : b;
}

/*  Neither may be longer than ZC_NEAREST_MAX. */
static size_t s_distance (const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t cost[ZC_NEAREST_MAX + 1][ZC_NEAREST_MAX + 1];
    for (size_t i = 0; i <= a_len; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= b_len; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a_len; i++)
        for (size_t j = 1; j <= b_len; j++) {
            bool same = s_plain (a[i - 1]) == s_plain (b[j - 1]);
            cost[i][j] =
                s_least (s_least (cost[i - 1][j], cost[i][j - 1]) + 1, cost[i - 1][j - 1] + !same);
            if (i > 1 && j > 1 && s_plain (a[i - 1]) == s_plain (b[j - 2]) &&
                s_plain (a[i - 2]) == s_plain (b[j - 1]))
                cost[i][j] = s_least (cost[i][j], cost[i - 2][j - 2] + 1);
        }
    return cost[a_len][b_len];
}

void zc_nearest_init (zc_nearest_t *self, const char *word, size_t len)
{
    *self = (zc_nearest_t){.word = word, .len = len};
    size_t steps = len <= 3 ? 1 : len <= 7 ? 2 : 3;
    self->distance = steps + 1;
}

void zc_nearest_try (zc_nearest_t *self, const char *name)
{
    size_t len = strlen (name);
    if (self->len == 0 || self->len > ZC_NEAREST_MAX || len > ZC_NEAREST_MAX)
        return;
    size_t shorter = s_least (len, self->len);
    size_t distance = s_distance (self->word, self->len, name, len);
    bool beginning = shorter >= S_BEGINNING && distance > 1 &&
                     s_distance (self->word, shorter, name, shorter) == 0;
    if (beginning)
        distance = 1;
    if (distance < self->distance ||
        (distance == self->distance && self->beginning && !beginning)) {
        self->best = name;
        self->distance = distance;
        self->beginning = beginning;
    }
}
