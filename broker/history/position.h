/*  position.h - the file that must never be lost: it has the position up to which positions may
 *  have been given, and their line. It is a file of its own, written in place, so that writing
 *  works on a full disk, too. */
#ifndef ZC_POSITION_H
#define ZC_POSITION_H

#include "lib/wire/line.h"

#define ZC_POSITION_AHEAD_MS 10000 /* how far ahead positions are reserved */

typedef struct zc_position zc_position_t;

/*  Opens the file, or makes it, and locks it: a second process gets NULL with a sentence in
 *  `error`. */
zc_position_t *zc_position_new (const char *path, char *error, size_t size);
/*  Takes over the file of another process, with its lock. */
zc_position_t *zc_position_take (int fd);
/*  The descriptor, which a successor of this process takes over. */
int zc_position_fd (const zc_position_t *self);
/*  The file is another process's from now on. */
void zc_position_leave (zc_position_t **self_p);
/*  Notes that positions up to `last` were given, and that none is reserved any more. */
void zc_position_destroy (zc_position_t **self_p, zc_id_t last);

/*  The position that was reserved when the file was opened, and the one that zc_position_lose
 *  noted. */
zc_id_t zc_position_reserved (const zc_position_t *self);
zc_id_t zc_position_lost (const zc_position_t *self);

/*  The line of the positions. If the file has none, a line is made that begins after `begin`, and
 *  *made is set. */
void zc_position_line (zc_position_t *self, zc_id_t begin, zc_line_t *line, bool *made);

/*  Takes over another's line, as zc_line_make has named it. Returns 0; or -1 if the name has
 * another form. */
int zc_position_adopt (zc_position_t *self, const zc_line_t *line);

/*  To be called with every position that is given. Writes only if the position comes near the
 *  reserved one. */
void zc_position_reserve (zc_position_t *self, zc_id_t id);
/*  Notes that messages up to this position were delivered and not kept. ZC_ID_NONE: the loss has
 *  been made up for. */
void zc_position_lose (zc_position_t *self, zc_id_t id);

#endif
