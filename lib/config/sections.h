/*  sections.h - the sections of zcast.conf for all programs, and their keys with types and
 *  ranges. A program has only its own table of options. With this one it can tell a misspelt key
 *  in `common`, or with -t in another program's section, from a key that another program reads.
 *
 *  Rejected: having the programs' tables here, since each table belongs to its program. So
 *  sections.inc is written from the programs' own output (`make update-conf`), and a test
 *  compares the two. */
#ifndef ZC_SECTIONS_H
#define ZC_SECTIONS_H

#include <stdbool.h>
#include "lib/config/options.h"

typedef struct {
    const char *name;
    const zc_option_t *keys; /* ends with ZC_OPTION_END; without presets and help */
} zc_section_t;

#define ZC_SECTIONS 5

/*  All sections but `common`. The name after the last one is NULL. */
extern const zc_section_t zc_sections[ZC_SECTIONS + 1];

/*  NULL where no section or key has that name. */
const zc_section_t *zc_section_find (const char *name);
const zc_option_t *zc_section_key (const zc_section_t *self, const char *name);
/*  Whether some section has the key. */
bool zc_key_known (const char *name);

#endif
