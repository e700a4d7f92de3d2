/*  option_help.c - prints the table as --help, as a section of the sample, and as a part of a
 *  manual page. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/config/options_private.h"

#define S_WIDTH 80
#define S_COLUMN 28 /* where the text about an option begins */

static bool s_has_default (const zc_option_t *option)
{
    return option->preset && option->preset[0] &&
           (option->type != ZC_OPT_BOOL || strcmp (option->preset, "no") != 0);
}

/*  Prints words from column `at` on, wrapped, with further lines indented by `indent`. */
static void s_wrap (FILE *out, const char *text, size_t at, size_t indent)
{
    bool first = true;
    while (*(text += strspn (text, " "))) {
        size_t len = strcspn (text, " "), columns = 0;
        for (size_t i = 0; i < len; i++)
            columns += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (!first && at + 1 + columns > S_WIDTH) {
            fprintf (out, "\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        fprintf (out, "%s%.*s", first ? "" : " ", (int)len, text);
        at += columns + !first;
        first = false;
        text += len;
    }
    fputc ('\n', out);
}

static void s_name (zc_buf_t *to, const zc_option_t *option)
{
    if (option->letter)
        zc_buf_addf (to, "  -%c, --", option->letter);
    else
        zc_buf_adds (to, "      --");
    bool on = option->type == ZC_OPT_BOOL && s_has_default (option);
    zc_buf_addf (to, "%s%s", on ? "no-" : "", option->name);
    if (option->type != ZC_OPT_BOOL)
        zc_buf_addf (to, "=%s", option->argument);
}

static void s_help_option (FILE *out, const zc_option_t *option)
{
    zc_buf_t name = ZC_BUF_INIT, text = ZC_BUF_INIT;
    s_name (&name, option);
    fputs (zc_buf_str (&name), out);
    zc_buf_adds (&text, option->help);
    if (s_has_default (option))
        zc_buf_addf (&text, " (default: %s)", option->preset);
    size_t at = name.len;
    if (at + 2 > S_COLUMN) {
        fputc ('\n', out);
        at = 0;
    }
    fprintf (out, "%*s", (int)(S_COLUMN - at), "");
    s_wrap (out, zc_buf_str (&text), S_COLUMN, S_COLUMN);
    zc_buf_clear (&name);
    zc_buf_clear (&text);
}

void zc_options_write_help (const zc_program_t *program, FILE *out)
{
    fprintf (out, "Usage: %s %s\n", program->program, program->usage);
    s_wrap (out, program->summary, 0, 0);
    zc_option_t *table = zc_program_table (program);
    size_t i = 0, own = 0;
    while (program->options[own].name)
        own++;
    if (own)
        fputs ("\nOptions:\n", out);
    for (; i < own; i++)
        s_help_option (out, &table[i]);
    fputs ("\nGeneral options:\n", out);
    for (; table[i].name; i++)
        s_help_option (out, &table[i]);
    free (table);
    if (program->keys)
        fprintf (out, "\nKeys of the sections 'common' and '%s' of the configuration file: %s\n",
                 program->section, program->keys);
    else if (program->section)
        fprintf (out,
                 "\nEach long option but config, check, help and version is also a key of the\n"
                 "sections 'common' and '%s' of the configuration file.\n",
                 program->section);
    if (program->section)
        fputs ("\nThe environment sets options too, above the file: ZCAST_ and the long option's\n"
               "name in capitals, '_' for '-', such as ZCAST_CONTROL or ZCAST_CONFIG.\n",
               out);
    if (program->epilog)
        fprintf (out, "\n%s", program->epilog);
    size_t len = program->epilog ? strlen (program->epilog) : 0;
    if (len && program->epilog[len - 1] != '\n')
        fputc ('\n', out);
}

/*  Values with '#' or quotes need quotes. */
static void s_conf_value (FILE *out, const char *value)
{
    if (!*value || strpbrk (value, "#'\"") || value[0] == ' ')
        fprintf (out, strchr (value, '"') ? "'%s'" : "\"%s\"", value);
    else
        fputs (value, out);
}

void zc_options_write_conf (const zc_program_t *program, FILE *out)
{
    fprintf (out, "# %s\n%s\n", program->summary, program->section ? program->section : "common");
    zc_option_t *table = zc_program_table (program);
    for (size_t i = 0; table[i].name; i++) {
        const zc_option_t *option = &table[i];
        if (!zc_option_is_key (program, option))
            continue;
        fprintf (out, "\n    # %s%s\n    #%s = ", option->help, option->reload ? " (SIGHUP)" : "",
                 option->name);
        if (option->preset)
            s_conf_value (out, option->preset);
        else
            fputs (option->argument ? option->argument : "no", out);
        fputc ('\n', out);
    }
    free (table);
}

static void s_write_key (FILE *out, const zc_option_t *option)
{
    static const char *const types[] = {
        [ZC_OPT_TEXT] = "TEXT",       [ZC_OPT_ENDPOINT] = "ENDPOINT",
        [ZC_OPT_BOOL] = "BOOL",       [ZC_OPT_NUMBER] = "NUMBER",
        [ZC_OPT_SIZE] = "SIZE",       [ZC_OPT_MS] = "MS",
        [ZC_OPT_SECONDS] = "SECONDS", [ZC_OPT_CHOICE] = "CHOICE",
        [ZC_OPT_MAP] = "MAP",         [ZC_OPT_ENDPOINTS] = "ENDPOINTS",
        [ZC_OPT_LIST] = "LIST",       [ZC_OPT_SECRET] = "SECRET",
        [ZC_OPT_URL] = "URL"};
    fprintf (out, "    {.name = \"%s\", .type = ZC_OPT_%s", option->name, types[option->type]);
    if (option->min || option->max)
        fprintf (out, ", .min = %lld, .max = %lld", (long long)option->min, (long long)option->max);
    if (option->choices)
        fprintf (out, ", .choices = \"%s\"", option->choices);
    if (option->argument)
        fprintf (out, ", .argument = \"%s\"", option->argument);
    fputs ("},\n", out);
}

static bool s_has_key (const zc_program_t *program, const char *name)
{
    zc_option_t *table = zc_program_table (program), *option = table;
    while (option->name && strcmp (option->name, name) != 0)
        option++;
    bool has = option->name && zc_option_is_key (program, option);
    free (table);
    return has;
}

void zc_options_write_keys (const zc_program_t *const *programs, size_t count, FILE *out)
{
    fprintf (out, "static const zc_option_t s_%s[] = {\n", programs[0]->section);
    for (size_t i = 0; i < count; i++) {
        zc_option_t *table = zc_program_table (programs[i]);
        for (const zc_option_t *option = table; option->name; option++) {
            bool again = !zc_option_is_key (programs[i], option);
            for (size_t k = 0; k < i && !again; k++)
                again = s_has_key (programs[k], option->name);
            if (!again)
                s_write_key (out, option);
        }
        free (table);
    }
    fputs ("    ZC_OPTION_END};\n", out);
}

static void s_roff (FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            fprintf (out, "\\%s", *text == '-' ? "-" : "e");
        else
            fputc (*text, out);
    }
}

static void s_man_option (FILE *out, const zc_option_t *option)
{
    fputs (".TP\n\\fB", out);
    if (option->letter)
        fprintf (out, "\\-%c\\fR, \\fB", option->letter);
    fputs ("\\-\\-", out);
    s_roff (out, option->name);
    fputs ("\\fR", out);
    if (option->type != ZC_OPT_BOOL) {
        fputs ("=\\fI", out);
        s_roff (out, option->argument);
        fputs ("\\fR", out);
    }
    fputs ("\n\\&", out);
    s_roff (out, option->help);
    fputs (".\n", out);
    if (s_has_default (option)) {
        fputs ("Default: ", out);
        s_roff (out, option->preset);
        fputs (".\n", out);
    }
    if (option->reload)
        fputs ("Read again on SIGHUP.\n", out);
}

void zc_options_write_man (const zc_program_t *program, FILE *out)
{
    zc_option_t *table = zc_program_table (program);
    fputs (".SH OPTIONS\n", out);
    for (size_t i = 0; table[i].name; i++)
        s_man_option (out, &table[i]);
    free (table);
}
