/*  sections.h - what zcast.conf holds for all programs: its sections, and their keys with types and
 *  ranges. A program has only its own table of options; by this one it tells a slip in `common`,
 *  and with -t in another program's section, from what is there for another.
 *
 *  Rejected: to have the tables themselves here, since each belongs to its program; so sections.inc
 *  is written by what the programs say of themselves (`make update-conf`), and a test compares. */
#ifndef ZC_SECTIONS_H
#define ZC_SECTIONS_H

#include <stdbool.h>
#include "lib/config/options.h"

typedef struct {
    const char *name;
    const zc_option_t *keys; /* ends with ZC_OPTION_END; without presets and help */
} zc_section_t;

#define ZC_SECTIONS 5

/*  All sections but `common`; ends with a name that is NULL. */
extern const zc_section_t zc_sections[ZC_SECTIONS + 1];

/*  NULL where there is none of that name. */
const zc_section_t *zc_section_find (const char *name);
const zc_option_t *zc_section_key (const zc_section_t *self, const char *name);
/*  Whether some section has the key. */
bool zc_key_known (const char *name);

#endif
