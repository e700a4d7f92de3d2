/*  option_table.c - the options of a program: its own, and those that all programs share. */
#include "lib/config/options_private.h"

#include <stdlib.h>
#include <string.h>

const zc_option_t zc_common_options[] = {
    {.name = "config",
     .letter = 'c',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4095,
     .argument = "FILE",
     .help = "configuration (default: " SYSCONFDIR "/zcast/zcast.conf, where it exists)"},
    {.name = "check",
     .letter = 't',
     .type = ZC_OPT_BOOL,
     .help = "check the configuration and exit"},
    {.name = "log-level",
     .type = ZC_OPT_CHOICE,
     .preset = "info",
     .choices = "error|warn|info|debug",
     .argument = "LEVEL",
     .help = "what is logged: error, warn, info or debug",
     .reload = true},
    {.name = "log-format",
     .type = ZC_OPT_CHOICE,
     .preset = "text",
     .choices = "text|json",
     .argument = "FORMAT",
     .help = "the log's lines: text for people, or JSON objects",
     .reload = true},
    {.name = "syslog", .type = ZC_OPT_BOOL, .preset = "no", .help = "log to syslog, not to stderr"},
    {.name = "help", .letter = 'h', .type = ZC_OPT_BOOL, .help = "show this help and exit"},
    {.name = "version", .letter = 'V', .type = ZC_OPT_BOOL, .help = "show the version and exit"},
    ZC_OPTION_END,
};

bool zc_option_only_command_line (const zc_option_t *option)
{
    static const char *const names[] = {"config", "check", "help", "version"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp (option->name, names[i]) == 0)
            return true;
    return false;
}

static size_t s_table_size (const zc_option_t *table)
{
    size_t size = 0;
    while (table[size].name)
        size++;
    return size;
}

bool zc_option_is_key (const zc_program_t *program, const zc_option_t *option)
{
    if (!program->keys)
        return !zc_option_only_command_line (option);
    size_t len = strlen (option->name);
    for (const char *at = program->keys; *at; at += strspn (at, " ")) {
        size_t word = strcspn (at, " ");
        if (word == len && memcmp (at, option->name, len) == 0)
            return true;
        at += word;
    }
    return false;
}

static bool s_has_common (const zc_program_t *program, const zc_option_t *option)
{
    if (program->keys)
        return zc_option_only_command_line (option) && strcmp (option->name, "check") != 0;
    bool file = strcmp (option->name, "config") == 0 || strcmp (option->name, "check") == 0;
    return program->section || !file;
}

zc_option_t *zc_program_table (const zc_program_t *program)
{
    size_t own = s_table_size (program->options), common = s_table_size (zc_common_options);
    zc_option_t *table = calloc (own + common + 1, sizeof *table);
    if (!table)
        abort ();
    memcpy (table, program->options, own * sizeof *table);
    for (size_t i = 0; i < common; i++)
        if (s_has_common (program, &zc_common_options[i]))
            table[own++] = zc_common_options[i];
    return table;
}

size_t zc_options_find (const zc_options_t *self, const char *name, size_t len)
{
    size_t i = 0;
    while (i < self->count &&
           (strncmp (self->table[i].name, name, len) != 0 || self->table[i].name[len]))
        i++;
    return i;
}
