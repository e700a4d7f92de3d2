/*  id.h - positions: `<milliseconds>-<counter>`, the form that Redis Streams use.
 *
 *  An id is one 64-bit number, so that it compares, sorts and increments as a number: the upper 44
 *  bits are milliseconds since 1970 (to the year 2527), the lower 20 a counter. A counter that is
 *  full carries into the milliseconds, which is what a hybrid clock wants. */
#ifndef ZC_ID_H
#define ZC_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t zc_id_t;

#define ZC_ID_NONE ((zc_id_t)0) /* before everything: "0-0" */
#define ZC_ID_MAX ((zc_id_t)UINT64_MAX)
#define ZC_ID_COUNTER_BITS 20
#define ZC_ID_SIZE 24 /* bytes that the longest text needs, with its NUL */

/*  Parses `text` (not NUL-terminated) exactly: digits, '-', digits, both in range, no leading zero
 *  but in "0". Returns 0, or -1 where it isn't an id (*id is then untouched). */
int zc_id_parse (const char *text, size_t len, zc_id_t *id);
/*  Writes the text and a NUL into `text`, which holds ZC_ID_SIZE bytes. Returns its length. */
size_t zc_id_format (zc_id_t id, char *text);
/*  The id after `last` at wall clock `now_ms`: never behind the clock, always above `last`. */
zc_id_t zc_id_next (zc_id_t last, uint64_t now_ms);
/*  The first id of a millisecond, and the millisecond of an id. */
zc_id_t zc_id_from_ms (uint64_t ms);
uint64_t zc_id_ms (zc_id_t id);

#endif
