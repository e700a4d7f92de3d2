/*  timestamp.h - points in time as text: RFC 3339, always in UTC where they are written. Pure. */
#ifndef ZC_TIMESTAMP_H
#define ZC_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

#define ZC_TIMESTAMP_SIZE 32 /* bytes that the text needs, with its NUL */

/*  "2026-11-27T13:08:00.123Z", also with an offset (+01:00), small letters, a blank for the T, and
 *  any digits of a second, of which milliseconds are taken (RFC 3339 §5.6). A second 60 is the next
 *  minute's first. Returns 0; or -1 where the text isn't one, or is before 1970 or after 9999 (*ms
 *  is then untouched). */
int zc_timestamp_parse (const char *text, size_t len, uint64_t *ms);
/*  "2026-11-27T13:08:00.123Z" and a NUL into `text`. Returns its length. Years are below 10000. */
size_t zc_timestamp_format (uint64_t ms, char *text);

#endif
