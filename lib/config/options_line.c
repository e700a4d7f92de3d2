/*  options_line.c - the command line. Values are checked here and kept as given: they are set
 *  again, over the file's, whenever the file is read. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "lib/base/daemon.h"
#include "lib/config/nearest.h"
#include "lib/config/options_private.h"

typedef struct {
    zc_options_t *self;
    int argc, next;
    char **argv;
    int status; /* the program's status if it is to end at once; -1: go on */
} s_line_t;

static void s_mistake (s_line_t *line, const char *text)
{
    zc_options_mistake (line->self->program, text);
    line->status = ZC_EXIT_USAGE;
}

static void s_unknown (s_line_t *line, const char *argument, const char *what)
{
    char quoted[64], text[300];
    zc_options_quote (argument, quoted, sizeof quoted);
    snprintf (text, sizeof text, "%s: %s%s see %s --help", quoted, what,
              what[strlen (what) - 1] == '?' ? "" : ";", line->self->program->program);
    s_mistake (line, text);
}

/*  A misspelt flag may be meant with or without `no-`: "--nmae", "--no-nmae". */
static void s_unknown_long (s_line_t *line, const char *argument)
{
    const zc_options_t *self = line->self;
    bool no = strncmp (argument, "--no-", 5) == 0;
    const char *name = argument + (no ? 5 : 2);
    char what[100] = "unknown option";
    zc_nearest_t nearest;
    zc_nearest_init (&nearest, name, strcspn (name, "="));
    for (size_t i = 0; i < self->count; i++)
        if (!no ||
            (self->table[i].type == ZC_OPT_BOOL && !zc_option_only_command_line (&self->table[i])))
            zc_nearest_try (&nearest, self->table[i].name);
    if (nearest.best)
        snprintf (what, sizeof what, "unknown option; did you mean --%s%s?", no ? "no-" : "",
                  nearest.best);
    s_unknown (line, argument, what);
}

static void s_help (s_line_t *line, const char *form)
{
    const zc_program_t *program = line->self->program;
    if (strcmp (form, "conf") == 0)
        zc_options_write_conf (program, stdout);
    else if (strcmp (form, "man") == 0)
        zc_options_write_man (program, stdout);
    else if (strcmp (form, "keys") == 0)
        zc_options_write_keys (&program, 1, stdout);
    else
        zc_options_write_help (program, stdout);
    line->status = ZC_EXIT_OK;
}

/*  Overwrites a secret where everybody can see it. Returns a copy of the whole text, which the
 *  caller owns; NULL if no part is secret. */
static char *s_wipe (const zc_option_t *option, const char *text)
{
    zc_slice_t secret = zc_option_secret (option, text);
    if (secret.len == 0)
        return NULL;
    char *own = strdup (text);
    if (!own)
        abort ();
    memset ((char *)secret.at, '*', secret.len);
    return own;
}

static void s_give (s_line_t *line, size_t option, const char *text)
{
    zc_options_t *self = line->self;
    const char *name = self->table[option].name;
    char error[ZC_OPTIONS_ERROR_MAX];
    zc_value_t scratch = {0};
    zc_setter_t origin = {ZC_RANK_COMMAND, 0, NULL};
    if (strcmp (name, "help") == 0) {
        s_help (line, text);
    } else if (strcmp (name, "version") == 0) {
        printf ("%s %s\n", self->program->program, PACKAGE_VERSION);
        line->status = ZC_EXIT_OK;
    } else if (zc_value_set (&self->table[option], &scratch, text, &origin, error, sizeof error) !=
               0) {
        s_mistake (line, error);
    } else {
        char *own = s_wipe (&self->table[option], text);
        self->given[self->given_count++] = (zc_given_t){option, own ? own : text, own};
    }
    zc_value_clear (&scratch);
}

static void s_give_next (s_line_t *line, size_t option)
{
    char text[160];
    if (line->next < line->argc) {
        s_give (line, option, line->argv[line->next++]);
        return;
    }
    snprintf (text, sizeof text, "--%s: expected a value: %s", line->self->table[option].name,
              line->self->table[option].argument);
    s_mistake (line, text);
}

/*  Takes "--name=VALUE", "--name VALUE", "--flag" or "--no-flag". */
static void s_long (s_line_t *line, const char *argument)
{
    zc_options_t *self = line->self;
    const char *name = argument + 2;
    size_t len = strcspn (name, "=");
    size_t i = zc_options_find (self, name, len);
    bool no = i == self->count && strncmp (name, "no-", 3) == 0;
    if (no)
        i = zc_options_find (self, name + 3, len - 3);
    bool flag = i < self->count && self->table[i].type == ZC_OPT_BOOL;
    if (i == self->count ||
        (no && (!flag || name[len] || zc_option_only_command_line (&self->table[i]))))
        s_unknown_long (line, argument);
    else if (name[len])
        s_give (line, i, name + len + 1);
    else if (flag)
        s_give (line, i, no ? "no" : "yes");
    else
        s_give_next (line, i);
}

/*  Takes "-x VALUE", "-xVALUE", or flags together. */
static void s_short (s_line_t *line, const char *argument)
{
    zc_options_t *self = line->self;
    for (const char *letter = argument + 1; *letter && line->status < 0; letter++) {
        size_t i = 0;
        while (i < self->count && self->table[i].letter != *letter)
            i++;
        if (i == self->count) {
            s_unknown (line, argument, "unknown option");
        } else if (self->table[i].type == ZC_OPT_BOOL) {
            s_give (line, i, "yes");
        } else {
            if (letter[1])
                s_give (line, i, letter + 1);
            else
                s_give_next (line, i);
            return;
        }
    }
}

static void s_word (s_line_t *line, const char *word)
{
    zc_options_t *self = line->self;
    if (self->words_count == self->program->words)
        s_unknown (line, word, "unexpected argument");
    else
        self->words[self->words_count++] = word;
}

/*  Returns -1, or the program's status if it is to end. */
int zc_options_read_line (zc_options_t *self, int argc, char **argv)
{
    s_line_t line = {self, argc, 1, argv, -1};
    bool only_words = false;
    while (line.next < argc && line.status < 0) {
        const char *argument = argv[line.next++];
        if (only_words || argument[0] != '-' || !argument[1])
            s_word (&line, argument);
        else if (strcmp (argument, "--") == 0)
            only_words = true;
        else if (argument[1] == '-')
            s_long (&line, argument);
        else
            s_short (&line, argument);
    }
    return line.status;
}
