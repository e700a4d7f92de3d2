/*  zmq_context.c - `zmq context`: the user's contexts, and what is in one. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/buf.h"
#include "lib/base/daemon.h"
#include "tools/columns.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq context",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... [NAME]",
    .words = 1,
    .summary =
        "Lists your contexts, with a * at the one that ZCAST_CONTEXT names; or shows where the "
        "context NAME leads. A context is a file NAME.conf with a section zmq, as in zcast.conf, "
        "in $XDG_CONFIG_HOME/zcast/contexts, or ~/.config/zcast/contexts.",
    .epilog = "Examples:\n"
              "  zmq context\n"
              "  zmq context north\n"
              "  zmq --context north topics\n"
              "  ZCAST_CONTEXT=north zmq sub news\n",
    .options = s_options,
};

/*  The options as a command gets them with this context. NULL after saying what is wrong. */
static zc_options_t *s_resolve (const char *name)
{
    char command[] = "zmq context", option[] = "--context", *copy = strdup (name);
    char *argv[] = {command, option, copy, NULL};
    int status;
    if (!copy)
        abort ();
    zc_options_t *options = zc_options_new (&s_program, 3, argv, &status);
    free (copy); /* values are copies */
    return options;
}

static int s_show (const char *name)
{
    static const char *const keys[] = {"publish", "subscribe", "control", "curve-key",
                                       "curve-server"};
    zc_options_t *options = s_resolve (name);
    if (!options)
        return ZC_EXIT_FAILURE;
    const char *path = zc_options_context (options);
    printf ("%-13s", "file");
    zc_tool_put ((zc_slice_t){path, strlen (path)});
    putchar ('\n');
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = zc_options_text (options, keys[i]);
        if (!value)
            continue;
        printf ("%-13s", keys[i]);
        zc_tool_put ((zc_slice_t){value, strlen (value)});
        putchar ('\n');
    }
    zc_options_destroy (&options);
    return ZC_EXIT_OK;
}

/*  NAME of NAME.conf; NULL: it is no context. The caller frees it. */
static char *s_name (const char *file)
{
    size_t len = strlen (file);
    if (len <= 5 || strcmp (file + len - 5, ".conf") != 0)
        return NULL;
    char *name = strndup (file, len - 5);
    if (name && zc_context_name_valid (name))
        return name;
    free (name);
    return NULL;
}

static int s_by_name (const struct dirent **a, const struct dirent **b)
{
    return strcmp ((*a)->d_name, (*b)->d_name);
}

static int s_list_folder (const char *folder, const char *current)
{
    static const zc_column_t columns[] = {{"", true}, {"CONTEXT", true}, {"CONTROL", true}};
    struct dirent **files = NULL;
    zc_columns_t table;
    int count = scandir (folder, &files, NULL, s_by_name), status = ZC_EXIT_OK;
    if (count < 0 && errno != ENOENT) {
        zc_tool_say ("%s: %s", folder, strerror (errno));
        return ZC_EXIT_FAILURE;
    }
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < count; i++) {
        char *name = s_name (files[i]->d_name);
        zc_options_t *options = name ? s_resolve (name) : NULL;
        if (name && !options)
            status = ZC_EXIT_FAILURE;
        if (options) {
            zc_columns_cell (&table, current && strcmp (current, name) == 0 ? "*" : "");
            zc_columns_cell (&table, name);
            zc_columns_cell (&table, zc_options_text (options, "control"));
        }
        zc_options_destroy (&options);
        free (name);
        free (files[i]);
    }
    free (files);
    zc_columns_end (&table, "", stdout);
    return status;
}

static int s_run (const zc_options_t *options)
{
    const char *name = zc_options_word (options, 0);
    if (name)
        return s_show (name);
    char *folder = zc_context_folder ();
    if (!folder) {
        zc_tool_say ("there is no folder for contexts: HOME is not set");
        return ZC_EXIT_FAILURE;
    }
    int status = s_list_folder (folder, zc_options_text (options, "context"));
    free (folder);
    return status;
}

const zc_tool_command_t zc_tool_context = {&s_program, s_run};
