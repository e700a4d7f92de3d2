/*  program.h - a program with an option of each type, for the targets that configure one. */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdlib.h>
#include <string.h>

#include "lib/config/options_private.h"
#include "lib/engine/worker.h"

static const zc_option_t s_options[] = {
    {.name = "flag",
     .letter = 'f',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "a flag",
     .reload = true},
    {.name = "number",
     .letter = 'n',
     .type = ZC_OPT_NUMBER,
     .preset = "1",
     .min = -10,
     .max = 10,
     .argument = "N",
     .help = "a number",
     .reload = true},
    {.name = "list",
     .letter = 'l',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = 10,
     .argument = "TEXT",
     .help = "a list",
     .reload = true},
    {.name = "map",
     .letter = 'm',
     .type = ZC_OPT_MAP,
     .argument = "NAME=VALUE",
     .help = "a map",
     .reload = true},
    {.name = "publish",
     .type = ZC_OPT_ENDPOINT,
     .preset = "inproc://x",
     .argument = "ENDPOINT",
     .help = "an endpoint",
     .reload = true},
    ZC_WORKER_OPTIONS,
    ZC_OPTION_END,
};
static const zc_program_t s_program = {
    .program = "zcast-fuzz", .section = "fuzz", .usage = "", .summary = "", .options = s_options};

/*  Accepted values are valid for each option; an item of the list has at least `least` bytes. */
static void s_use (const zc_options_t *options, size_t least)
{
    const char *key, *value;
    if (zc_options_number (options, "number") < -10 || zc_options_number (options, "number") > 10)
        abort ();
    for (size_t i = 0; zc_options_item (options, "map", i, &key, &value); i++)
        if (!*key || !value)
            abort ();
    for (size_t i = 0; zc_options_item (options, "list", i, &key, &value); i++)
        if (key || strlen (value) < least || strlen (value) > 10)
            abort ();
    zc_endpoint_exposed (zc_options_text (options, "publish"));
}

#endif
