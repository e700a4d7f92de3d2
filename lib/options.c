/*  options.c - the table, and where each value came from.
 *
 *  A value has a rank: default, section `common`, own section, command line. A set from a higher
 *  rank replaces what a lower one said (also all of a list), one from a lower rank is checked and
 *  passed over, so the order of sections in the file is free. Reading again makes new values
 *  beside the old ones; either all is taken or nothing. */
#include "lib/options.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "lib/buf.h"
#include "lib/daemon.h"
#include "lib/options_private.h"
#include "lib/text.h"
#include "lib/zpl.h"

#define S_ERROR_MAX 1024

const zc_option_t zc_common_options[] = {
    {"config", 'c', ZC_OPT_TEXT, NULL, 1, 4095, NULL, "FILE",
     "configuration (default: " SYSCONFDIR "/zcast/zcast.conf, where it exists)", false},
    {"check", 't', ZC_OPT_BOOL, NULL, 0, 0, NULL, NULL, "check the configuration and exit", false},
    {"log-level", 0, ZC_OPT_CHOICE, "info", 0, 0, "error|warn|info|debug", "LEVEL",
     "what is logged: error, warn, info or debug", true},
    {"syslog", 0, ZC_OPT_BOOL, "no", 0, 0, NULL, NULL, "log to syslog, not to stderr", false},
    {"help", 'h', ZC_OPT_BOOL, NULL, 0, 0, NULL, NULL, "show this help and exit", false},
    {"version", 'V', ZC_OPT_BOOL, NULL, 0, 0, NULL, NULL, "show the version and exit", false},
    ZC_OPTION_END,
};

typedef enum { S_PRESET, S_COMMON, S_SECTION, S_COMMAND } s_rank_t;

typedef struct {
    char *key, *value; /* owned; key is NULL in a list */
} s_item_t;

typedef struct {
    char *text; /* owned; as it was given; NULL where unset */
    int64_t number;
    s_item_t *items; /* owned; of a map or list */
    size_t count;
    s_rank_t rank;
    unsigned line; /* in the file, of the last set */
} s_value_t;

/*  A set as it was given, for messages. */
typedef struct {
    s_rank_t rank;
    unsigned line;    /* in the file */
    const char *path; /* of the file */
} s_origin_t;

typedef struct {
    size_t option;    /* index in the table */
    const char *text; /* borrowed from argv */
} s_given_t;

struct zc_options {
    const zc_program_t *program;
    zc_option_t *table; /* owned */
    size_t count;
    s_value_t *values; /* owned; one for each of the table */
    s_given_t *given;  /* owned; the command line */
    size_t given_count;
    const char **words; /* owned; borrowed from argv */
    size_t words_count;
    char *path; /* owned; of the file; NULL: none */
};

/* The table */

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

static size_t s_find (const zc_options_t *self, const char *name, size_t len)
{
    size_t i = 0;
    while (i < self->count &&
           (strncmp (self->table[i].name, name, len) != 0 || self->table[i].name[len]))
        i++;
    return i;
}

static const s_value_t *s_value (const zc_options_t *self, const char *name)
{
    size_t i = s_find (self, name, strlen (name));
    assert (i < self->count);
    return &self->values[i];
}

/* Values */

static char *s_copy (const char *text, size_t len)
{
    char *copy = strndup (text, len);
    if (!copy)
        abort ();
    return copy;
}

static void s_value_clear (s_value_t *value)
{
    for (size_t i = 0; i < value->count; i++) {
        free (value->items[i].key);
        free (value->items[i].value);
    }
    free (value->items);
    free (value->text);
    *value = (s_value_t){0};
}

static void s_values_destroy (const zc_options_t *self, s_value_t **values_p)
{
    for (size_t i = 0; *values_p && i < self->count; i++)
        s_value_clear (&(*values_p)[i]);
    free (*values_p);
    *values_p = NULL;
}

static bool s_same_items (const s_value_t *a, const s_value_t *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp (a->items[i].value, b->items[i].value) != 0 ||
            strcmp (a->items[i].key ? a->items[i].key : "",
                    b->items[i].key ? b->items[i].key : "") != 0)
            return false;
    return true;
}

/*  Numbers compare as numbers: "60s" and "1m" are the same. */
static bool s_same (const zc_option_t *option, const s_value_t *a, const s_value_t *b)
{
    bool textual = option->type == ZC_OPT_TEXT || option->type == ZC_OPT_ENDPOINT ||
                   option->type == ZC_OPT_CHOICE;
    if (!a->text != !b->text || !s_same_items (a, b))
        return false;
    return !a->text || (textual ? strcmp (a->text, b->text) == 0 : a->number == b->number);
}

static void s_add_item (s_value_t *value, const char *text, bool map)
{
    const char *equals = map ? strchr (text, '=') : NULL;
    value->items = realloc (value->items, (value->count + 1) * sizeof *value->items);
    if (!value->items)
        abort ();
    s_item_t *item = &value->items[value->count++];
    item->key = equals ? s_copy (text, (size_t)(equals - text)) : NULL;
    text = equals ? equals + 1 : text;
    item->value = s_copy (text, strlen (text));
}

/*  Puts what was given into `quoted` so that it stays one short line. */
static void s_quote (const char *text, char *quoted, size_t size)
{
    size_t len = 0;
    for (; text[len] && len < size - 1; len++) {
        unsigned char c = (unsigned char)text[len];
        quoted[len] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    quoted[len] = 0;
    if (text[len])
        memcpy (quoted + size - 4, "...", 4);
}

static int s_wrong (const s_origin_t *origin, const char *name, const char *what, char *error,
                    size_t size)
{
    if (origin->rank == S_COMMAND)
        snprintf (error, size, "--%s: %s", name, what);
    else
        snprintf (error, size, "%s:%u: %s: %s", origin->path, origin->line, name, what);
    return -1;
}

static int s_wrong_value (const s_origin_t *origin, const zc_option_t *option, const char *text,
                          const char *expected, char *error, size_t size)
{
    char quoted[64], what[S_ERROR_MAX];
    s_quote (text, quoted, sizeof quoted);
    snprintf (what, sizeof what, "%s, not \"%s\"", expected, quoted);
    return s_wrong (origin, option->name, what, error, size);
}

static bool s_repeatable (const zc_option_t *option)
{
    return option->type == ZC_OPT_LIST || option->type == ZC_OPT_MAP;
}

static int s_set (const zc_option_t *option, s_value_t *value, const char *text,
                  const s_origin_t *origin, char *error, size_t size)
{
    char expected[S_ERROR_MAX / 2];
    int64_t number = 0;
    bool empty_list = s_repeatable (option) && !*text;
    if (!empty_list && zc_option_value (option, text, &number, expected, sizeof expected) != 0)
        return s_wrong_value (origin, option, text, expected, error, size);
    if (value->rank > origin->rank)
        return 0;
    bool in_file = origin->rank == S_COMMON || origin->rank == S_SECTION;
    if (value->rank == origin->rank && in_file && !s_repeatable (option)) {
        snprintf (expected, sizeof expected, "given twice, first on line %u", value->line);
        return s_wrong (origin, option->name, expected, error, size);
    }
    if (value->rank < origin->rank || !s_repeatable (option))
        s_value_clear (value);
    value->rank = origin->rank;
    value->line = origin->line;
    value->number = number;
    if (!s_repeatable (option))
        value->text = s_copy (text, strlen (text));
    else if (!empty_list)
        s_add_item (value, text, option->type == ZC_OPT_MAP);
    return 0;
}

/* The file */

typedef struct {
    zc_options_t *self;
    s_value_t *values;
    const zc_zpl_t *zpl;
    size_t item; /* of those that zpl has lines for */
    s_origin_t origin;
    size_t option; /* the key we are in; the table's count: none */
    char *error;
    size_t size;
    bool failed;
} s_reader_t;

static void s_fail_line (s_reader_t *reader, const char *name, const char *what)
{
    s_wrong (&reader->origin, name, what, reader->error, reader->size);
    reader->failed = true;
}

static void s_read_section (s_reader_t *reader, const char *name, const char *value)
{
    const char *own = reader->self->program->section;
    reader->origin.rank = own && strcmp (name, own) == 0 ? S_SECTION
                          : strcmp (name, "common") == 0 ? S_COMMON
                                                         : S_PRESET;
    if (*value)
        s_fail_line (reader, name, "expected the name of a section here, without a value");
}

static void s_read_key (s_reader_t *reader, const char *name, const char *value)
{
    zc_options_t *self = reader->self;
    size_t i = reader->option = s_find (self, name, strlen (name));
    if (i < self->count && !zc_option_is_key (self->program, &self->table[i]))
        i = reader->option = self->count;
    /* A key in common may be another program's. */
    if (i == self->count && reader->origin.rank == S_SECTION) {
        char what[160];
        snprintf (what, sizeof what, "unknown key; %s --help shows those of section '%s'",
                  self->program->program, self->program->section);
        s_fail_line (reader, name, what);
    }
    if (i == self->count)
        return;
    if (s_set (&self->table[i], &reader->values[i], value, &reader->origin, reader->error,
               reader->size) != 0)
        reader->failed = true;
}

static void s_read_pair (s_reader_t *reader, const char *name, const char *value)
{
    const zc_options_t *self = reader->self;
    if (reader->option == self->count)
        return;
    const zc_option_t *option = &self->table[reader->option];
    if (option->type != ZC_OPT_MAP) {
        s_fail_line (reader, name, "nothing can be indented below this key");
        return;
    }
    char pair[2 * ZC_ZPL_LINE_MAX + 2];
    snprintf (pair, sizeof pair, "%s=%s", name, value);
    if (s_set (option, &reader->values[reader->option], pair, &reader->origin, reader->error,
               reader->size) != 0)
        reader->failed = true;
}

static int s_read_item (zconfig_t *item, void *arg, int level)
{
    s_reader_t *reader = arg;
    if (level == 0 || reader->failed)
        return 0;
    reader->origin.line = reader->zpl->lines[reader->item++];
    const char *name = zconfig_name (item), *value = zconfig_value (item);
    if (level == 1)
        s_read_section (reader, name, value);
    else if (reader->origin.rank == S_PRESET)
        return 0;
    else if (level == 2)
        s_read_key (reader, name, value);
    else if (level == 3)
        s_read_pair (reader, name, value);
    else
        s_fail_line (reader, name, "indented too deep");
    return 0;
}

static int s_read_text (zc_options_t *self, s_value_t *values, const char *path, const char *text,
                        size_t len, char *error, size_t size)
{
    zc_zpl_t zpl;
    unsigned line;
    const char *reason;
    if (zc_zpl_parse (&zpl, text, len, &line, &reason) != 0) {
        snprintf (error, size, "%s:%u: %s", path, line, reason);
        return -1;
    }
    s_reader_t reader = {.self = self, .values = values, .zpl = &zpl, .origin = {.path = path}};
    reader.error = error;
    reader.size = size;
    zconfig_execute (zpl.root, s_read_item, &reader);
    zc_zpl_clear (&zpl);
    return reader.failed ? -1 : 0;
}

/*  Reads all of it. Returns 0, or -1 with a line in `error`. */
static int s_read_file (const char *path, zc_buf_t *text, char *error, size_t size)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && text->len <= ZC_OPTIONS_FILE_MAX) {
        got = read (fd, zc_buf_reserve (text, 4096), 4096);
        text->len += got > 0 ? (size_t)got : 0;
    }
    int saved = errno;
    if (fd >= 0)
        close (fd);
    if (got >= 0 && text->len <= ZC_OPTIONS_FILE_MAX)
        return 0;
    snprintf (error, size, "%s: %s", path, got < 0 ? strerror (saved) : "larger than 1 MiB");
    return -1;
}

/* All sources */

static s_value_t *s_presets (const zc_options_t *self)
{
    s_value_t *values = calloc (self->count, sizeof *values);
    if (!values)
        abort ();
    char error[S_ERROR_MAX];
    s_origin_t origin = {S_PRESET, 0, "default"};
    for (size_t i = 0; i < self->count; i++) {
        const char *preset = self->table[i].preset;
        int rc =
            preset ? s_set (&self->table[i], &values[i], preset, &origin, error, sizeof error) : 0;
        assert (rc == 0);
        (void)rc;
    }
    return values;
}

static int s_apply_given (const zc_options_t *self, s_value_t *values, char *error, size_t size)
{
    s_origin_t origin = {S_COMMAND, 0, NULL};
    for (size_t i = 0; i < self->given_count; i++) {
        size_t at = self->given[i].option;
        if (s_set (&self->table[at], &values[at], self->given[i].text, &origin, error, size) != 0)
            return -1;
    }
    return 0;
}

static int s_verify (zc_options_t *self, char *error, size_t size)
{
    char what[S_ERROR_MAX / 2] = "";
    const char *name = NULL;
    if (self->program->verify)
        name = self->program->verify (self, what, sizeof what);
    if (!name)
        return 0;
    const s_value_t *value = s_value (self, name);
    s_origin_t origin = {value->rank == S_PRESET ? S_COMMAND : value->rank, value->line,
                         self->path};
    return s_wrong (&origin, name, what, error, size);
}

/*  Moves those that can't change while running back into the new values; names them in `error`. */
static int s_keep_fixed (zc_options_t *self, s_value_t *values, char *error, size_t size)
{
    zc_buf_t names = ZC_BUF_INIT;
    for (size_t i = 0; i < self->count; i++) {
        const zc_option_t *option = &self->table[i];
        if (option->reload || s_same (option, &self->values[i], &values[i]))
            continue;
        s_value_t kept = self->values[i];
        self->values[i] = values[i];
        values[i] = kept;
        zc_buf_addf (&names, "%s%s", names.len ? ", " : "", option->name);
    }
    int rc = names.len > 0;
    if (rc)
        snprintf (error, size, "%s: takes effect after a restart", zc_buf_str (&names));
    zc_buf_clear (&names);
    return rc;
}

/*  Takes the new values, or destroys them and leaves all as it was. */
static int s_take (zc_options_t *self, s_value_t *values, char *error, size_t size)
{
    s_value_t *before = self->values;
    self->values = values;
    int rc = s_verify (self, error, size);
    if (rc != 0)
        self->values = before;
    s_value_t *gone = rc == 0 ? before : values;
    s_values_destroy (self, &gone);
    return rc;
}

static int s_load_text (zc_options_t *self, const char *text, size_t len, bool again, char *error,
                        size_t size)
{
    s_value_t *values = s_presets (self);
    int kept = 0;
    if ((self->path && s_read_text (self, values, self->path, text, len, error, size) != 0) ||
        s_apply_given (self, values, error, size) != 0) {
        s_values_destroy (self, &values);
        return -1;
    }
    char fixed[S_ERROR_MAX / 2];
    if (again)
        kept = s_keep_fixed (self, values, fixed, sizeof fixed);
    if (s_take (self, values, error, size) != 0)
        return -1;
    if (kept)
        snprintf (error, size, "%s", fixed);
    return kept;
}

static int s_load (zc_options_t *self, bool again, char *error, size_t size)
{
    zc_buf_t text = ZC_BUF_INIT;
    int rc = self->path ? s_read_file (self->path, &text, error, size) : 0;
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
    self->path = s_copy (path, strlen (path));
    int rc = s_load_text (self, text, len, false, error, size);
    free (rc == 0 ? before : self->path);
    if (rc != 0)
        self->path = before;
    return rc;
}

/* The command line */

typedef struct {
    zc_options_t *self;
    int argc, next;
    char **argv;
    int status; /* with which to end at once; -1: go on */
} s_line_t;

static void s_mistake (s_line_t *line, const char *text)
{
    fprintf (stderr, "%s: %s\n", line->self->program->program, text);
    line->status = ZC_EXIT_USAGE;
}

static void s_unknown (s_line_t *line, const char *argument, const char *what)
{
    char quoted[64], text[160];
    s_quote (argument, quoted, sizeof quoted);
    snprintf (text, sizeof text, "%s: %s; see %s --help", quoted, what,
              line->self->program->program);
    s_mistake (line, text);
}

static void s_help (s_line_t *line, const char *form)
{
    const zc_program_t *program = line->self->program;
    if (strcmp (form, "conf") == 0)
        zc_options_write_conf (program, stdout);
    else if (strcmp (form, "man") == 0)
        zc_options_write_man (program, stdout);
    else
        zc_options_write_help (program, stdout);
    line->status = ZC_EXIT_OK;
}

static void s_give (s_line_t *line, size_t option, const char *text)
{
    zc_options_t *self = line->self;
    const char *name = self->table[option].name;
    char error[S_ERROR_MAX];
    s_value_t scratch = {0};
    s_origin_t origin = {S_COMMAND, 0, NULL};
    if (strcmp (name, "help") == 0) {
        s_help (line, text);
    } else if (strcmp (name, "version") == 0) {
        printf ("%s %s\n", self->program->program, PACKAGE_VERSION);
        line->status = ZC_EXIT_OK;
    } else if (s_set (&self->table[option], &scratch, text, &origin, error, sizeof error) != 0) {
        s_mistake (line, error);
    } else {
        self->given[self->given_count++] = (s_given_t){option, text};
    }
    s_value_clear (&scratch);
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

/*  "--name=VALUE", "--name VALUE", "--flag", "--no-flag". */
static void s_long (s_line_t *line, const char *argument)
{
    zc_options_t *self = line->self;
    const char *name = argument + 2;
    size_t len = strcspn (name, "=");
    size_t i = s_find (self, name, len);
    bool no = i == self->count && strncmp (name, "no-", 3) == 0;
    if (no)
        i = s_find (self, name + 3, len - 3);
    bool flag = i < self->count && self->table[i].type == ZC_OPT_BOOL;
    if (i == self->count ||
        (no && (!flag || name[len] || zc_option_only_command_line (&self->table[i]))))
        s_unknown (line, argument, "unknown option");
    else if (name[len])
        s_give (line, i, name + len + 1);
    else if (flag)
        s_give (line, i, no ? "no" : "yes");
    else
        s_give_next (line, i);
}

/*  "-x VALUE", "-xVALUE", and flags together. */
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

/*  Returns -1, or the status with which to end. */
static int s_parse_line (zc_options_t *self, int argc, char **argv)
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
    if (!path && self->program->section && (access (usual, F_OK) == 0 || errno != ENOENT))
        path = usual;
    self->path = path ? s_copy (path, strlen (path)) : NULL;
}

/*  Ends the program after -t: returns -1, or the status. */
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

zc_options_t *zc_options_new (const zc_program_t *program, int argc, char **argv, int *status)
{
    zc_options_t *self = calloc (1, sizeof *self);
    size_t room = argc > 0 ? (size_t)argc : 1;
    if (!self)
        abort ();
    self->program = program;
    self->table = zc_program_table (program);
    self->count = s_table_size (self->table);
    /* Letters in one argument can all be options. */
    for (int i = 1; i < argc; i++)
        room += strlen (argv[i]);
    self->given = calloc (room, sizeof *self->given);
    self->words = calloc (room, sizeof *self->words);
    if (!self->given || !self->words)
        abort ();
    char error[S_ERROR_MAX];
    *status = s_parse_line (self, argc, argv);
    if (*status < 0) {
        s_find_file (self);
        if (s_load (self, false, error, sizeof error) != 0) {
            fprintf (stderr, "%s: %s\n", program->program, error);
            *status = ZC_EXIT_USAGE;
        } else {
            *status = s_checked (self);
        }
    }
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
    free (self->given);
    free (self->words);
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
    const s_value_t *from = s_value (self, name);
    if (index >= from->count)
        return false;
    *key = from->items[index].key;
    *value = from->items[index].value;
    return true;
}

const char *zc_options_word (const zc_options_t *self, size_t index)
{
    return index < self->words_count ? self->words[index] : NULL;
}
