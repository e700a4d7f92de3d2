/*  id.h - positions: `<milliseconds>-<counter>`, the form of the ids of Redis Streams.
 *
 *  An id is one 64-bit number, so that ids compare, sort and increment as numbers. The upper 44
 *  bits are milliseconds since 1970 (up to the year 2527), the lower 20 bits a counter. A full
 *  counter carries into the milliseconds, as in a hybrid logical clock. */
#ifndef ZC_ID_H
#define ZC_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t zc_id_t;

#define ZC_ID_NONE ((zc_id_t)0) /* before everything: "0-0" */
#define ZC_ID_MAX ((zc_id_t)UINT64_MAX)
#define ZC_ID_COUNTER_BITS 20
#define ZC_ID_SIZE 24 /* bytes of the longest text, with its NUL */

/*  Parses `text` (not NUL-terminated) exactly: digits, '-', digits, both numbers in range, no
 *  leading zero except for "0" itself. Returns 0; or -1 if the text isn't an id, and then *id is
 *  untouched. */
int zc_id_parse (const char *text, size_t len, zc_id_t *id);
/*  Writes the text and a NUL into `text`, which holds ZC_ID_SIZE bytes. Returns its length. */
size_t zc_id_format (zc_id_t id, char *text);
/*  The id after `last` when the wall clock says `now_ms`: always above `last`, and never behind the
 *  clock. */
zc_id_t zc_id_next (zc_id_t last, uint64_t now_ms);
/*  The first id of a millisecond, and the millisecond of an id. */
zc_id_t zc_id_from_ms (uint64_t ms);
uint64_t zc_id_ms (zc_id_t id);

#endif
