/*  zpl.h - parses ZPL text (ZeroMQ RFC 4) into czmq's zconfig tree, with the line of each item.
 *  No I/O.
 *
 *  zconfig alone knows no line numbers, prints its errors to stdout, reads past the end of the
 *  text where a line has more than 1024 bytes, and recurses once for each line. So the text is
 *  checked first, and zconfig gets only text that it handles. */
#ifndef ZC_ZPL_H
#define ZC_ZPL_H

#include <czmq.h>
#include <stddef.h>

#define ZC_ZPL_LINE_MAX 1024   /* bytes of a line */
#define ZC_ZPL_ITEMS_MAX 10000 /* lines that are not blank or comments */

typedef struct {
    zconfig_t *root; /* owned */
    unsigned *
        lines; /* owned: the line of the n-th item after the root in the order of zconfig_execute */
    size_t count;
} zc_zpl_t;

/*  Returns 0 and fills *self; or -1 with the line at fault in *line and a sentence in *reason
 *  (static), and *self is then empty. */
int zc_zpl_parse (zc_zpl_t *self, const char *text, size_t len, unsigned *line,
                  const char **reason);
void zc_zpl_clear (zc_zpl_t *self);

#endif
