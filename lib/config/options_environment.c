/*  options_environment.c - sets options from environment variables: ZCAST_SECTION_NAME for one
 *  program, ZCAST_NAME for all programs that have the option, like the section `common`.
 *
 *  An option of a command that isn't a key of the file has the short form only if no daemon has
 *  a key of that name: `slow` is a policy of the workers, and a flag of `zmq stat`. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/config/nearest.h"
#include "lib/config/options_private.h"
#include "lib/config/sections.h"

#define S_PREFIX "ZCAST_"

extern char **environ;

static char *s_capitals (char *to, const char *name)
{
    for (; *name; name++)
        *to++ = *name == '-' ? '_' : (char)toupper ((unsigned char)*name);
    *to = 0;
    return to;
}

/*  Looks up ZCAST_NAME, or with a section ZCAST_SECTION_NAME. Names and sections are ours, and
 *  short. */
static const char *s_get (const char *section, const char *option, char *name)
{
    char *to = stpcpy (name, S_PREFIX);
    if (section) {
        to = s_capitals (to, section);
        *to++ = '_';
    }
    s_capitals (to, option);
    const char *value = getenv (name);
    return value && *value ? value : NULL;
}

static bool s_has_variable (const zc_option_t *option)
{
    return strcmp (option->name, "config") == 0 || !zc_option_only_command_line (option);
}

const char *zc_variable_find (const zc_program_t *program, const zc_option_t *option, char *name)
{
    if (!program->section || !s_has_variable (option))
        return NULL;
    const char *value = s_get (program->section, option->name, name);
    bool shared = zc_option_is_key (program, option) || !zc_key_known (option->name);
    return value || !shared ? value : s_get (NULL, option->name, name);
}

/*  Sets each value of a list: the lines, or in a single line the parts between commas. */
static int s_set_list (const zc_option_t *option, zc_value_t *value, const char *text,
                       const zc_setter_t *origin, char *error, size_t size)
{
    const char *between = strchr (text, '\n') ? "\n" : ",";
    char *copy = strdup (text), *rest = copy, *item;
    int rc = 0;
    if (!copy)
        abort ();
    while (rc == 0 && (item = strsep (&rest, between))) {
        item += strspn (item, " ");
        for (size_t len = strlen (item); len > 0 && item[len - 1] == ' ';)
            item[--len] = 0;
        if (*item)
            rc = zc_value_set (option, value, item, origin, error, size);
    }
    free (copy);
    return rc;
}

/*  Overwrites a secret, since others can see it (/proc/PID/environ), and hides it from child
 *  processes. */
static void s_wipe (const zc_option_t *option, const char *text, const char *name)
{
    zc_slice_t secret = zc_option_secret (option, text);
    if (secret.len == 0)
        return;
    memset ((char *)(uintptr_t)secret.at, '*', secret.len);
    unsetenv (name);
}

/*  The variable's text. A secret is kept, as the variable is gone when it is read again. */
static const char *s_text (zc_options_t *self, size_t option, char *name)
{
    const char *text = zc_variable_find (self->program, &self->table[option], name);
    if (!text)
        return self->secrets[option];
    if (zc_option_secret (&self->table[option], text).len == 0)
        return text;
    free (self->secrets[option]);
    self->secrets[option] = strdup (text);
    if (!self->secrets[option])
        abort ();
    s_wipe (&self->table[option], text, name);
    return self->secrets[option];
}

/*  In a container, all programs share one environment, so variables of other programs are
 *  ignored. */
static void s_wipe_others (void)
{
    char name[ZC_VARIABLE_MAX];
    for (const zc_section_t *section = zc_sections; section->name; section++)
        for (const zc_option_t *key = section->keys; key->name; key++)
            for (int own = 0; own < 2; own++) {
                const char *text = s_get (own ? section->name : NULL, key->name, name);
                if (text)
                    s_wipe (key, text, name);
            }
}

int zc_options_read_environment (zc_options_t *self, zc_value_t *values, char *error, size_t size)
{
    char name[ZC_VARIABLE_MAX];
    for (size_t i = 0; i < self->count; i++) {
        const zc_option_t *option = &self->table[i];
        const char *text = s_text (self, i, name);
        if (!text)
            continue;
        zc_setter_t origin = {ZC_RANK_ENVIRONMENT, 0, name};
        bool list = option->type == ZC_OPT_LIST || option->type == ZC_OPT_MAP;
        if ((list ? s_set_list : zc_value_set) (option, &values[i], text, &origin, error, size) !=
            0)
            return -1;
    }
    if (self->program->section && !self->program->keys)
        s_wipe_others ();
    return 0;
}

/*  Finds misspelt names: a variable that belongs to no option, and whose name is one step from
 *  an option's. Other parties' variables begin with ZCAST_, too, such as those that Kubernetes
 *  makes for a service of that name. */

static void s_try (zc_nearest_t *nearest, const char *section, const char *option, char *best)
{
    char name[ZC_VARIABLE_MAX];
    s_get (section, option, name);
    const char *before = nearest->best;
    zc_nearest_try (nearest, name + strlen (S_PREFIX));
    if (nearest->best != before)
        nearest->best = strcpy (best, name) + strlen (S_PREFIX);
}

static void s_try_all (zc_nearest_t *nearest, const zc_options_t *self, char *best)
{
    for (size_t i = 0; i < self->count; i++) {
        s_try (nearest, NULL, self->table[i].name, best);
        s_try (nearest, self->program->section, self->table[i].name, best);
    }
    for (const zc_section_t *section = zc_sections; section->name; section++)
        for (const zc_option_t *key = section->keys; key->name; key++) {
            s_try (nearest, NULL, key->name, best);
            s_try (nearest, section->name, key->name, best);
        }
}

void zc_options_warn_environment (const zc_options_t *self)
{
    for (char **at = environ; self->program->section && *at; at++) {
        if (strncmp (*at, S_PREFIX, strlen (S_PREFIX)) != 0)
            continue;
        char best[ZC_VARIABLE_MAX], word[ZC_NEAREST_MAX], quoted[ZC_NEAREST_MAX];
        size_t len = strcspn (*at + strlen (S_PREFIX), "=");
        zc_nearest_t nearest;
        zc_nearest_init (&nearest, *at + strlen (S_PREFIX), len);
        s_try_all (&nearest, self, best);
        if (nearest.best == NULL || nearest.distance != 1 || len >= sizeof word)
            continue;
        memcpy (word, nearest.word, len);
        word[len] = 0;
        zc_options_quote (word, quoted, sizeof quoted);
        char text[2 * ZC_NEAREST_MAX + ZC_VARIABLE_MAX + 64];
        snprintf (text, sizeof text, "%s%s is no option's variable; did you mean %s?", S_PREFIX,
                  quoted, best);
        zc_options_doubt (self->program, text);
    }
}
