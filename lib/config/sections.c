/*  sections.c - see sections.h. */
#include "lib/config/sections.h"

#include <string.h>

#include "lib/config/sections.inc"

const zc_section_t zc_sections[ZC_SECTIONS + 1] = {
    {"broker", s_broker}, {"fcgi", s_fcgi}, {"ws", s_ws},
    {"bridge", s_bridge}, {"zmq", s_zmq},   {NULL, NULL},
};

const zc_section_t *zc_section_find (const char *name)
{
    for (const zc_section_t *section = zc_sections; section->name; section++)
        if (strcmp (section->name, name) == 0)
            return section;
    return NULL;
}

const zc_option_t *zc_section_key (const zc_section_t *self, const char *name)
{
    for (const zc_option_t *key = self->keys; key->name; key++)
        if (strcmp (key->name, name) == 0)
            return key;
    return NULL;
}

bool zc_key_known (const char *name)
{
    for (const zc_section_t *section = zc_sections; section->name; section++)
        if (zc_section_key (section, name))
            return true;
    return false;
}
