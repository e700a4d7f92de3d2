/*  options_mistake.c - what is wrong with the options, or looks so. It is told before they are
 *  known, but a program that reads the log as JSON reads nothing else. */
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/config/options_private.h"

static bool s_json;

/*  The last format that the command line gives. It isn't checked yet. */
static const char *s_on_line (int argc, char **argv)
{
    static const char name[] = "--log-format";
    const char *value = NULL;
    size_t len = sizeof name - 1;
    for (int i = 1; i < argc && strcmp (argv[i], "--") != 0; i++)
        if (strncmp (argv[i], name, len) == 0 && argv[i][len] == '=')
            value = argv[i] + len + 1;
        else if (strcmp (argv[i], name) == 0 && i + 1 < argc)
            value = argv[++i];
    return value;
}

void zc_options_mistakes_as (const zc_program_t *program, int argc, char **argv,
                             const char *environment)
{
    const char *value = program->keys ? NULL : s_on_line (argc, argv);
    if (!value && !program->keys)
        value = environment;
    s_json = value && strcmp (value, "json") == 0;
    if (s_json)
        zc_log_open (program->program, ZC_LOG_INFO, false);
    zc_log_format (s_json ? ZC_LOG_JSON : ZC_LOG_TEXT);
}

void zc_options_mistake (const zc_program_t *program, const char *text)
{
    if (s_json)
        zc_error (ZC_EVENT ("options.refused error", "%s"), text);
    else
        fprintf (stderr, "%s: %s\n", program->program, text);
}

void zc_options_doubt (const zc_program_t *program, const char *text)
{
    if (s_json)
        zc_warn (ZC_EVENT ("options.doubted error", "%s"), text);
    else
        fprintf (stderr, "%s: %s\n", program->program, text);
}
