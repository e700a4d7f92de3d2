/*  program.h - a program with an option of each type, for the targets that configure one. */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdlib.h>
#include <string.h>

#include "lib/config/options_private.h"
#include "lib/engine/worker.h"

static const zc_option_t s_options[] = {
    {"flag", 'f', ZC_OPT_BOOL, "no", 0, 0, NULL, NULL, "a flag", true},
    {"number", 'n', ZC_OPT_NUMBER, "1", -10, 10, NULL, "N", "a number", true},
    {"list", 'l', ZC_OPT_LIST, NULL, 1, 10, NULL, "TEXT", "a list", true},
    {"map", 'm', ZC_OPT_MAP, NULL, 0, 0, NULL, "NAME=VALUE", "a map", true},
    {"publish", 0, ZC_OPT_ENDPOINT, "inproc://x", 0, 0, NULL, "ENDPOINT", "an endpoint", true},
    ZC_WORKER_OPTIONS,
    ZC_OPTION_END,
};
static const zc_program_t s_program = {
    .program = "zcast-fuzz", .section = "fuzz", .usage = "", .summary = "", .options = s_options};

/*  What was taken is what each option may be; an item of the list has at least `least` bytes. */
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
