/*  timestamp.h - points in time as text (RFC 3339). They are written in UTC. No I/O. */
#ifndef ZC_TIMESTAMP_H
#define ZC_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

#define ZC_TIMESTAMP_SIZE 32 /* bytes that the text needs, with its NUL */

/*  Parses text such as "2026-11-27T13:08:00.123Z", also with an offset (+01:00), small letters,
 *  a blank for the T, and any number of digits of a second, of which milliseconds are taken (RFC
 *  3339 §5.6). Second 60 is the first one of the next minute. Returns 0; or -1 where the text is
 *  no such time, or the time is before 1970 or after 9999. *ms is then untouched. */
int zc_timestamp_parse (const char *text, size_t len, uint64_t *ms);
/*  Writes "2026-11-27T13:08:00.123Z" and a NUL into `text`, which holds ZC_TIMESTAMP_SIZE bytes.
 *  Returns the length without the NUL. The year is below 10000. */
size_t zc_timestamp_format (uint64_t ms, char *text);

#endif
