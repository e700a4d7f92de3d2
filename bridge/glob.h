/*  glob.h - the patterns of PSUBSCRIBE, and which part of a name each '*' of one stands for. No
 *  I/O. */
#ifndef ZC_GLOB_H
#define ZC_GLOB_H

#include <stdbool.h>
#include "lib/base/text.h"

#define ZC_GLOB_STARS 9 /* of a pattern; further ones match, and their parts aren't told */

/*  The number of '*' in a pattern, at most ZC_GLOB_STARS. */
size_t zc_glob_stars (zc_slice_t pattern);
/*  Whether the pattern matches all of `name`. Each '*' stands for as little as it can, but for the
 *  last one; parts[i] is what the one of that index stands for, borrowed from `name`. */
bool zc_glob_match (zc_slice_t pattern, zc_slice_t name, zc_slice_t parts[ZC_GLOB_STARS]);
/*  Whether the names that the pattern matches may begin with anything. */
bool zc_glob_is_open (zc_slice_t pattern);

#endif
