/*  options_context.c - contexts: files of the user's own, each with the addresses and keys of one
 *  broker, in the form of zcast.conf. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config/options_private.h"

#define S_NAME_MAX 64

bool zc_context_name_valid (const char *name)
{
    size_t len = strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len && len <= S_NAME_MAX && !name[len] && name[0] != '.' && name[0] != '-';
}

char *zc_context_folder (void)
{
    const char *home = getenv ("XDG_CONFIG_HOME"), *below = "/zcast/contexts";
    zc_buf_t path = ZC_BUF_INIT;
    if (!home || home[0] != '/') {
        home = getenv ("HOME");
        below = "/.config/zcast/contexts";
    }
    if (!home || !*home)
        return NULL;
    zc_buf_addf (&path, "%s%s", home, below);
    char *copy = strdup (zc_buf_str (&path));
    if (!copy)
        abort ();
    zc_buf_clear (&path);
    return copy;
}

/*  Which context is wanted, and by whom: the command line, or the environment. NULL: none is. */
static const char *s_wanted (const zc_options_t *self, size_t option, zc_setter_t *origin,
                             char *variable)
{
    const char *name = NULL;
    for (size_t i = 0; i < self->given_count; i++)
        if (self->given[i].option == option)
            name = self->given[i].text;
    *origin = (zc_setter_t){ZC_RANK_COMMAND, 0, NULL};
    if (name)
        return name;
    *origin = (zc_setter_t){ZC_RANK_ENVIRONMENT, 0, variable};
    return zc_variable_find (self->program, &self->table[option], variable);
}

int zc_options_read_context (zc_options_t *self, zc_value_t *values, char *error, size_t size)
{
    char variable[ZC_VARIABLE_MAX], what[80];
    zc_setter_t origin;
    size_t option = zc_options_find (self, "context", 7);
    const char *name = option < self->count ? s_wanted (self, option, &origin, variable) : NULL;
    if (!name)
        return 0;
    char *folder = zc_context_folder ();
    if (!folder || !zc_context_name_valid (name)) {
        snprintf (what, sizeof what, "%s",
                  folder ? "expected a name of letters, digits, '.', '_' and '-'"
                         : "there is no folder for contexts: HOME is not set");
        free (folder);
        return zc_setter_wrong (&origin, "context", what, error, size);
    }
    zc_buf_t path = ZC_BUF_INIT, text = ZC_BUF_INIT;
    zc_buf_addf (&path, "%s/%s.conf", folder, name);
    free (folder);
    free (self->context_path);
    self->context_path = strdup (zc_buf_str (&path));
    if (!self->context_path)
        abort ();
    int rc = zc_options_read_file (self->context_path, &text, error, size);
    if (rc == 0)
        rc = zc_options_read_ranked (
            self, values, self->context_path, zc_buf_str (&text), text.len,
            origin.rank == ZC_RANK_COMMAND ? ZC_RANK_CHOSEN : ZC_RANK_CONTEXT, error, size);
    zc_buf_clear (&path);
    zc_buf_clear (&text);
    return rc;
}
