/*  line.h - the name of an order of positions. Positions of two lines must never be compared: if a
 *  broker has lost its past, and its clock was set back, it gives positions that it has given
 *  before.
 *
 *  A name is 1 to 64 bytes of visible ASCII, made by the broker that begins the order. If a name
 *  begins with a position and a dot, every position of the line is after that one. */
#ifndef ZC_LINE_H
#define ZC_LINE_H

#include "lib/base/text.h"
#include "lib/wire/id.h"

#define ZC_LINE_MAX 64

/*  All zero: not known. */
typedef struct {
    char text[ZC_LINE_MAX + 1];
} zc_line_t;

/*  A position and its line. */
typedef struct {
    zc_line_t line;
    zc_id_t position;
} zc_mark_t;

/*  Returns 0; or -1 if the text isn't a name of a line, and then *self is untouched. */
int zc_line_parse (zc_line_t *self, zc_slice_t text);
/*  Makes the name of a line that begins after the position `begin`. `random` distinguishes it from
 *  other lines. */
void zc_line_make (zc_line_t *self, zc_id_t begin, uint64_t random);
bool zc_line_known (const zc_line_t *self);
bool zc_line_same (const zc_line_t *self, const zc_line_t *other);
/*  Whether every position of the line is known to be after `position`. */
bool zc_line_follows (const zc_line_t *self, zc_id_t position);
/*  Borrowed; empty if the line isn't known. */
zc_slice_t zc_line_slice (const zc_line_t *self);

#endif
