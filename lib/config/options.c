/*  options.c - the table, and the source of each value.
 *
 *  A value has a rank: default, section `common`, own section, environment, command line. A
 *  value of a higher rank replaces one of a lower rank, and also a whole list. A value of a
 *  lower rank is checked and dropped, so the order of sections in the file is free. Reading
 *  again makes new values beside the old ones; either all are taken, or none. */
#include "lib/config/options.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/daemon.h"
#include "lib/config/options_private.h"

static const zc_value_t *s_value (const zc_options_t *self, const char *name)
{
    size_t i = zc_options_find (self, name, strlen (name));
    assert (i < self->count);
    return &self->values[i];
}

/* All sources */

static char *s_copy (const char *text)
{
    char *copy = strdup (text);
    if (!copy)
        abort ();
    return copy;
}

static void s_values_destroy (const zc_options_t *self, zc_value_t **values_p)
{
    for (size_t i = 0; *values_p && i < self->count; i++)
        zc_value_clear (&(*values_p)[i]);
    free (*values_p);
    *values_p = NULL;
}

static zc_value_t *s_presets (const zc_options_t *self)
{
    zc_value_t *values = calloc (self->count, sizeof *values);
    if (!values)
        abort ();
    char error[ZC_OPTIONS_ERROR_MAX];
    zc_setter_t origin = {ZC_RANK_PRESET, 0, "default"};
    for (size_t i = 0; i < self->count; i++) {
        const char *preset = self->table[i].preset;
        int rc = preset ? zc_value_set (&self->table[i], &values[i], preset, &origin, error,
                                        sizeof error)
                        : 0;
        assert (rc == 0);
        (void)rc;
    }
    return values;
}

static int s_apply_given (const zc_options_t *self, zc_value_t *values, char *error, size_t size)
{
    zc_setter_t origin = {ZC_RANK_COMMAND, 0, NULL};
    for (size_t i = 0; i < self->given_count; i++) {
        size_t at = self->given[i].option;
        if (zc_value_set (&self->table[at], &values[at], self->given[i].text, &origin, error,
                          size) != 0)
            return -1;
    }
    return 0;
}

static int s_verify (zc_options_t *self, char *error, size_t size)
{
    char what[ZC_OPTIONS_ERROR_MAX / 2] = "";
    const char *name = NULL;
    if (self->program->verify)
        name = self->program->verify (self, what, sizeof what);
    if (!name)
        return 0;
    size_t at = zc_options_find (self, name, strlen (name));
    assert (at < self->count);
    const zc_value_t *value = &self->values[at];
    char variable[ZC_VARIABLE_MAX] = "";
    zc_setter_t origin = {value->rank == ZC_RANK_PRESET ? ZC_RANK_COMMAND : value->rank,
                          value->line, self->path};
    if (origin.rank == ZC_RANK_ENVIRONMENT) {
        zc_variable_find (self->program, &self->table[at], variable);
        origin.path = variable;
    }
    return zc_setter_wrong (&origin, name, what, error, size);
}

/*  Names the options whose value has changed and that can't change while running. Returns 1 if
 *  there are any. */
static int s_name_fixed (const zc_options_t *self, const zc_value_t *values, char *error,
                         size_t size)
{
    zc_buf_t names = ZC_BUF_INIT;
    for (size_t i = 0; i < self->count; i++) {
        const zc_option_t *option = &self->table[i];
        if (!option->reload && !zc_value_same (option, &self->values[i], &values[i]))
            zc_buf_addf (&names, "%s%s", names.len ? ", " : "", option->name);
    }
    int rc = names.len > 0;
    if (rc)
        snprintf (error, size, "%s: takes effect after a restart", zc_buf_str (&names));
    zc_buf_clear (&names);
    return rc;
}

/*  Values that can't change while running stay in place: their text is borrowed for good. */
static void s_swap_fixed (const zc_options_t *self, zc_value_t *a, zc_value_t *b)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->table[i].reload)
            continue;
        zc_value_t value = a[i];
        a[i] = b[i];
        b[i] = value;
    }
}

/*  Takes the new values, or destroys them and leaves the old ones. */
static int s_take (zc_options_t *self, zc_value_t *values, bool again, char *error, size_t size)
{
    zc_value_t *before = self->values;
    if (again)
        s_swap_fixed (self, before, values);
    self->values = values;
    int rc = s_verify (self, error, size);
    if (rc != 0) {
        self->values = before;
        if (again)
            s_swap_fixed (self, before, values);
    }
    zc_value_t *gone = rc == 0 ? before : values;
    s_values_destroy (self, &gone);
    return rc;
}

static int s_load_text (zc_options_t *self, const char *text, size_t len, bool again, char *error,
                        size_t size)
{
    zc_value_t *values = s_presets (self);
    int kept = 0;
    if ((self->path &&
         zc_options_read_text (self, values, self->path, text, len, error, size) != 0) ||
        zc_options_read_context (self, values, error, size) != 0 ||
        zc_options_read_environment (self, values, error, size) != 0 ||
        s_apply_given (self, values, error, size) != 0) {
        s_values_destroy (self, &values);
        return -1;
    }
    char fixed[ZC_OPTIONS_ERROR_MAX / 2];
    if (again)
        kept = s_name_fixed (self, values, fixed, sizeof fixed);
    if (s_take (self, values, again, error, size) != 0)
        return -1;
    if (kept)
        snprintf (error, size, "%s", fixed);
    return kept;
}

static int s_load (zc_options_t *self, bool again, char *error, size_t size)
{
    zc_buf_t text = ZC_BUF_INIT;
    int rc = self->path ? zc_options_read_file (self->path, &text, error, size) : 0;
    if (rc == 0)
        rc = s_load_text (self, zc_buf_str (&text), text.len, again, error, size);
    zc_buf_clear (&text);
    return rc;
}

int zc_options_reload (zc_options_t *self, char *error, size_t size)
{
    return s_load (self, true, error, size);
}

int zc_options_load_text (zc_options_t *self, const char *path, const char *text, size_t len,
                          char *error, size_t size)
{
    char *before = self->path;
    self->path = s_copy (path);
    int rc = s_load_text (self, text, len, false, error, size);
    free (rc == 0 ? before : self->path);
    if (rc != 0)
        self->path = before;
    return rc;
}

/* The whole */

static const char *s_given_text (const zc_options_t *self, const char *name)
{
    const char *text = NULL;
    for (size_t i = 0; i < self->given_count; i++)
        if (strcmp (self->table[self->given[i].option].name, name) == 0)
            text = self->given[i].text;
    return text;
}

static void s_find_file (zc_options_t *self)
{
    static const char usual[] = SYSCONFDIR "/zcast/zcast.conf";
    const char *path = s_given_text (self, "config");
    char variable[ZC_VARIABLE_MAX];
    if (!path)
        path = zc_variable_find (self->program, &zc_common_options[0], variable);
    if (!path && self->program->section && (access (usual, F_OK) == 0 || errno != ENOENT))
        path = usual;
    self->path = path ? s_copy (path) : NULL;
}

/*  Ends -t: returns -1, or the program's status. */
static int s_checked (const zc_options_t *self)
{
    if (!self->program->section || self->program->keys || !zc_options_bool (self, "check"))
        return -1;
    if (self->path)
        printf ("%s: ok\n", self->path);
    else
        printf ("no configuration file (%s): ok\n", SYSCONFDIR "/zcast/zcast.conf");
    return ZC_EXIT_OK;
}

/*  The exit status after --help, --version or -t, which only write output. */
static int s_written (const zc_program_t *program)
{
    int error = fflush (stdout) != 0 ? errno : ferror (stdout) ? EIO : 0;
    if (error && error != EPIPE)
        fprintf (stderr, "%s: cannot write: %s\n", program->program, strerror (error));
    return error ? ZC_EXIT_FAILURE : ZC_EXIT_OK;
}

/*  The format in which mistakes are told. */
static void s_choose_format (const zc_program_t *program, int argc, char **argv)
{
    static const zc_option_t log_format = {.name = "log-format"};
    char variable[ZC_VARIABLE_MAX];
    zc_options_mistakes_as (program, argc, argv, zc_variable_find (program, &log_format, variable));
}

zc_options_t *zc_options_new (const zc_program_t *program, int argc, char **argv, int *status)
{
    zc_options_t *self = calloc (1, sizeof *self);
    size_t room = argc > 0 ? (size_t)argc : 1;
    if (!self)
        abort ();
    self->program = program;
    self->table = zc_program_table (program);
    while (self->table[self->count].name)
        self->count++;
    /* each letter of an argument can be an option */
    for (int i = 1; i < argc; i++)
        room += strlen (argv[i]);
    self->secrets = calloc (self->count + 1, sizeof *self->secrets);
    self->given = calloc (room, sizeof *self->given);
    self->words = calloc (room, sizeof *self->words);
    if (!self->secrets || !self->given || !self->words)
        abort ();
    char error[ZC_OPTIONS_ERROR_MAX];
    s_choose_format (program, argc, argv);
    *status = zc_options_read_line (self, argc, argv);
    if (*status < 0) {
        s_find_file (self);
        self->whole = s_given_text (self, "check") != NULL;
        zc_options_warn_environment (self);
        if (s_load (self, false, error, sizeof error) != 0) {
            zc_options_mistake (program, error);
            *status = ZC_EXIT_USAGE;
        } else {
            *status = s_checked (self);
        }
    }
    if (*status == ZC_EXIT_OK)
        *status = s_written (program);
    if (*status >= 0)
        zc_options_destroy (&self);
    else
        *status = ZC_EXIT_OK;
    return self;
}

void zc_options_destroy (zc_options_t **self_p)
{
    zc_options_t *self = *self_p;
    if (!self)
        return;
    s_values_destroy (self, &self->values);
    free (self->table);
    for (size_t i = 0; i < self->count; i++)
        free (self->secrets[i]);
    free (self->secrets);
    for (size_t i = 0; i < self->given_count; i++)
        free (self->given[i].own);
    free (self->given);
    free (self->words);
    free (self->context_path);
    free (self->path);
    free (self);
    *self_p = NULL;
}

const char *zc_options_text (const zc_options_t *self, const char *name)
{
    return s_value (self, name)->text;
}

int64_t zc_options_number (const zc_options_t *self, const char *name)
{
    return s_value (self, name)->number;
}

bool zc_options_bool (const zc_options_t *self, const char *name)
{
    return s_value (self, name)->number != 0;
}

bool zc_options_item (const zc_options_t *self, const char *name, size_t index, const char **key,
                      const char **value)
{
    const zc_value_t *from = s_value (self, name);
    if (index >= from->count)
        return false;
    *key = from->items[index].key;
    *value = from->items[index].value;
    return true;
}

const char *zc_options_context (const zc_options_t *self)
{
    return self->context_path;
}

const char *zc_options_program (const zc_options_t *self)
{
    return self->program->program;
}

const char *zc_options_word (const zc_options_t *self, size_t index)
{
    return index < self->words_count ? self->words[index] : NULL;
}

bool zc_file_exposed (const char *path)
{
    struct stat info;
    return stat (path, &info) == 0 && S_ISREG (info.st_mode) && (info.st_mode & S_IROTH);
}

const char *zc_options_exposed (const zc_options_t *self, const char **path)
{
    *path = self->path;
    if (!self->path || !zc_file_exposed (self->path))
        return NULL;
    for (size_t i = 0; i < self->count; i++) {
        const zc_value_t *value = &self->values[i];
        bool from_file = value->rank == ZC_RANK_COMMON || value->rank == ZC_RANK_SECTION;
        if (from_file && value->text && zc_option_secret (&self->table[i], value->text).len)
            return self->table[i].name;
    }
    return NULL;
}
