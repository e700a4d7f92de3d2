/*  glob.c - as Redis matches (src/util.c, stringmatchlen): '*', '?', '[abc]', '[^a-z]', and '\'
 *  before a byte that stands for itself. Only the last '*' that was met is ever tried anew, so the
 *  time is bounded by the product of the lengths. */
#include "bridge/glob.h"

#include <string.h>

/*  The bytes of the pattern at `at` that stand for one byte of a name. */
static size_t s_width (zc_slice_t pattern, size_t at)
{
    if (pattern.at[at] == '\\' && at + 1 < pattern.len)
        return 2;
    if (pattern.at[at] != '[')
        return 1;
    size_t end = at + 1;
    while (end < pattern.len && pattern.at[end] != ']')
        end += pattern.at[end] == '\\' && end + 1 < pattern.len ? 2 : 1;
    return end < pattern.len ? end + 1 - at : pattern.len - at;
}

static bool s_in_range (unsigned char byte, unsigned char low, unsigned char high)
{
    return low <= high ? byte >= low && byte <= high : byte >= high && byte <= low;
}

/*  `set`: what is in the brackets. */
static bool s_in_set (zc_slice_t set, char byte)
{
    bool not = set.len && set.at[0] == '^', found = false;
    for (size_t i = not ; i < set.len; i++) {
        if (set.at[i] == '\\' && i + 1 < set.len) {
            found = found || set.at[++i] == byte;
        } else if (i + 2 < set.len && set.at[i + 1] == '-') {
            found = found || s_in_range ((unsigned char)byte, (unsigned char)set.at[i],
                                         (unsigned char)set.at[i + 2]);
            i += 2;
        } else {
            found = found || set.at[i] == byte;
        }
    }
    return found != not ;
}

static bool s_is_one (zc_slice_t pattern, size_t at, size_t width, char byte)
{
    switch (pattern.at[at]) {
    case '?':
        return true;
    case '[': {
        bool closed = width > 1 && pattern.at[at + width - 1] == ']';
        return s_in_set ((zc_slice_t){pattern.at + at + 1, width - 1 - closed}, byte);
    }
    case '\\':
        return pattern.at[at + width - 1] == byte;
    default:
        return pattern.at[at] == byte;
    }
}

size_t zc_glob_stars (zc_slice_t pattern)
{
    size_t stars = 0;
    for (size_t at = 0; at < pattern.len; at += s_width (pattern, at))
        stars += pattern.at[at] == '*';
    return stars < ZC_GLOB_STARS ? stars : ZC_GLOB_STARS;
}

bool zc_glob_is_open (zc_slice_t pattern)
{
    return pattern.len && memchr ("*?[", pattern.at[0], 3) != NULL;
}

bool zc_glob_match (zc_slice_t pattern, zc_slice_t name, zc_slice_t parts[ZC_GLOB_STARS])
{
    size_t at = 0, i = 0, stars = 0, star = 0, from = 0, upto = 0; /* the last star's span */
    while (i < name.len || at < pattern.len) {
        size_t width = at < pattern.len ? s_width (pattern, at) : 0;
        if (width && pattern.at[at] == '*') {
            stars++;
            star = ++at;
            from = upto = i;
        } else if (width && i < name.len && s_is_one (pattern, at, width, name.at[i])) {
            at += width;
            i++;
        } else if (stars && upto < name.len) {
            at = star;
            i = ++upto;
        } else {
            return false;
        }
        if (stars && stars <= ZC_GLOB_STARS)
            parts[stars - 1] = (zc_slice_t){name.at + from, upto - from};
    }
    return true;
}
