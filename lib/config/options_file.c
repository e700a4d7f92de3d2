/*  options_file.c - sets options from zcast.conf, by section and key. zconfig visits items in
 *  the order of the text, so counting them gives their lines. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/config/nearest.h"
#include "lib/config/options_private.h"
#include "lib/config/sections.h"
#include "lib/config/zpl.h"

typedef struct {
    zc_options_t *self;
    zc_value_t *values;
    const zc_zpl_t *zpl;
    size_t item; /* index of the item, as in zpl's lines */
    zc_setter_t origin;
    bool ranked;                     /* all sections have the rank of origin */
    bool own;                        /* the section is ours, or `common` */
    const zc_section_t *section;     /* another program's; NULL: ours, or `common` */
    zc_value_t *others[ZC_SECTIONS]; /* owned: values by section; NULL: not read */
    const zc_option_t *key;          /* the key whose pairs are read; NULL: none */
    zc_value_t *value;               /* of the key */
    char *error;
    size_t size;
    bool failed;
} s_reader_t;

static void s_fail_line (s_reader_t *reader, const char *name, const char *what)
{
    zc_setter_wrong (&reader->origin, name, what, reader->error, reader->size);
    reader->failed = true;
}

/*  Sections ------------------------------------------------------------------------------------ */

static void s_unknown_section (s_reader_t *reader, const char *name)
{
    char what[200] = "unknown section; expected common, broker, fcgi, ws, bridge or zmq";
    zc_nearest_t nearest;
    zc_nearest_init (&nearest, name, strlen (name));
    zc_nearest_try (&nearest, "common");
    for (const zc_section_t *section = zc_sections; section->name; section++)
        zc_nearest_try (&nearest, section->name);
    if (nearest.best)
        snprintf (what, sizeof what, "unknown section; did you mean %s?", nearest.best);
    else if (zc_key_known (name))
        snprintf (what, sizeof what,
                  "this is a key, and there is no section above it that it is "
                  "indented below (by 4 spaces)");
    s_fail_line (reader, name, what);
}

static void s_read_section (s_reader_t *reader, const char *name, const char *value)
{
    const char *ours = reader->self->program->section;
    bool own = ours && strcmp (name, ours) == 0, common = strcmp (name, "common") == 0;
    reader->own = own || common;
    reader->section = reader->own ? NULL : zc_section_find (name);
    if (!reader->ranked)
        reader->origin.rank = common ? ZC_RANK_COMMON : ZC_RANK_SECTION;
    if (*value)
        s_fail_line (reader, name,
                     zc_key_known (name) ? "a key is indented by 4 spaces, below its section"
                                         : "expected the name of a section here, without a value");
    else if (!reader->own && !reader->section)
        s_unknown_section (reader, name);
}

/*  Keys ---------------------------------------------------------------------------------------- */

static const char *s_section_of (const char *key, char *text, size_t size)
{
    size_t len = 0;
    text[0] = 0;
    for (const zc_section_t *section = zc_sections; section->name; section++)
        if (zc_section_key (section, key) && len < size)
            len +=
                (size_t)snprintf (text + len, size - len, "%s'%s'", len ? ", " : "", section->name);
    return text;
}

/*  Suggests what to do about a key that the section doesn't have; `names` lists its keys. */
static void s_unknown_key (s_reader_t *reader, const char *name, const zc_nearest_t *nearest,
                           const char *help)
{
    char what[300], where[80];
    if (nearest->best)
        snprintf (what, sizeof what, "unknown key; did you mean %s?", nearest->best);
    else if (zc_key_known (name))
        snprintf (what, sizeof what, "unknown key in this section; it belongs to %s",
                  s_section_of (name, where, sizeof where));
    else
        snprintf (what, sizeof what, "unknown key; %s", help);
    s_fail_line (reader, name, what);
}

/*  Finds a key of our own section or of `common`. Returns false if our table doesn't have it. */
static bool s_find_own (s_reader_t *reader, const char *name)
{
    const zc_options_t *self = reader->self;
    size_t i = zc_options_find (self, name, strlen (name));
    if (i == self->count || !zc_option_is_key (self->program, &self->table[i]))
        return false;
    reader->key = &self->table[i];
    reader->value = &reader->values[i];
    return true;
}

static void s_try_own (const s_reader_t *reader, zc_nearest_t *nearest)
{
    const zc_options_t *self = reader->self;
    for (size_t i = 0; i < self->count; i++)
        if (zc_option_is_key (self->program, &self->table[i]))
            zc_nearest_try (nearest, self->table[i].name);
}

static void s_unknown_own (s_reader_t *reader, const char *name)
{
    const zc_program_t *program = reader->self->program;
    char help[160];
    zc_nearest_t nearest;
    zc_nearest_init (&nearest, name, strlen (name));
    s_try_own (reader, &nearest);
    snprintf (help, sizeof help, "%s --help shows those of section '%s'", program->program,
              program->section);
    s_unknown_key (reader, name, &nearest, help);
}

static void s_unknown_common (s_reader_t *reader, const char *name)
{
    zc_nearest_t nearest;
    zc_nearest_init (&nearest, name, strlen (name));
    s_try_own (reader, &nearest);
    for (const zc_section_t *section = zc_sections; section->name; section++)
        for (const zc_option_t *key = section->keys; key->name; key++)
            zc_nearest_try (&nearest, key->name);
    s_unknown_key (reader, name, &nearest, "no program has it");
}

/*  Whether another command of the same program has this key. */
static bool s_is_sisters (const s_reader_t *reader, const char *name)
{
    const zc_section_t *section = zc_section_find (reader->self->program->section);
    return reader->self->program->keys && section && zc_section_key (section, name);
}

static zc_value_t *s_other_value (s_reader_t *reader, const zc_section_t *section,
                                  const zc_option_t *key)
{
    zc_value_t **values = &reader->others[section - zc_sections];
    size_t count = 0;
    while (section->keys[count].name)
        count++;
    if (!*values && !(*values = calloc (count, sizeof **values)))
        abort ();
    return &(*values)[key - section->keys];
}

/*  Finds a key of another program's section. */
static void s_find_other (s_reader_t *reader, const char *name)
{
    const zc_section_t *section = reader->section;
    reader->key = zc_section_key (section, name);
    if (reader->key) {
        reader->value = s_other_value (reader, section, reader->key);
        return;
    }
    zc_nearest_t nearest;
    char help[160];
    zc_nearest_init (&nearest, name, strlen (name));
    for (const zc_option_t *key = section->keys; key->name; key++)
        zc_nearest_try (&nearest, key->name);
    snprintf (help, sizeof help, "zcast.conf(5) has those of section '%s'", section->name);
    s_unknown_key (reader, name, &nearest, help);
}

static void s_set (s_reader_t *reader, const char *text)
{
    if (zc_value_set (reader->key, reader->value, text, &reader->origin, reader->error,
                      reader->size) != 0)
        reader->failed = true;
}

/*  With -t: a value in `common` must suit all programs that have the key. */
static void s_check_others (s_reader_t *reader, const char *name, const char *value)
{
    const char *ours = reader->self->program->section;
    for (const zc_section_t *section = zc_sections; section->name && !reader->failed; section++) {
        const zc_option_t *key = zc_section_key (section, name);
        if (!key || (ours && strcmp (ours, section->name) == 0) ||
            (!*value && key->type == ZC_OPT_MAP))
            continue;
        zc_value_t scratch = {0};
        if (zc_value_set (key, &scratch, value, &reader->origin, reader->error, reader->size) != 0)
            reader->failed = true;
        zc_value_clear (&scratch);
    }
}

static void s_read_key (s_reader_t *reader, const char *name, const char *value)
{
    bool common = reader->origin.rank == ZC_RANK_COMMON;
    reader->key = NULL;
    if (reader->section) {
        s_find_other (reader, name);
    } else if (!s_find_own (reader, name)) {
        if (!common && !s_is_sisters (reader, name))
            s_unknown_own (reader, name);
        else if (common && !zc_key_known (name))
            s_unknown_common (reader, name);
    }
    if (reader->key && !reader->failed)
        s_set (reader, value);
    if (common && reader->self->whole && !reader->failed)
        s_check_others (reader, name, value);
}

/*  Reads a line below a key: a pair of a map. */
static void s_read_pair (s_reader_t *reader, const char *name, const char *value)
{
    if (!reader->key)
        return;
    if (reader->key->type != ZC_OPT_MAP) {
        s_fail_line (reader, name, "nothing can be indented below this key");
        return;
    }
    char pair[2 * ZC_ZPL_LINE_MAX + 2];
    snprintf (pair, sizeof pair, "%s=%s", name, value);
    s_set (reader, pair);
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
    else if (!reader->own && !reader->self->whole)
        return 0;
    else if (level == 2)
        s_read_key (reader, name, value);
    else if (level == 3)
        s_read_pair (reader, name, value);
    else
        s_fail_line (reader, name, "indented too deep");
    return 0;
}

static void s_clear_others (s_reader_t *reader)
{
    for (const zc_section_t *section = zc_sections; section->name; section++) {
        zc_value_t *values = reader->others[section - zc_sections];
        for (size_t i = 0; values && section->keys[i].name; i++)
            zc_value_clear (&values[i]);
        free (values);
    }
}

/*  ZC_RANK_PRESET: each section has its own rank. */
int zc_options_read_ranked (zc_options_t *self, zc_value_t *values, const char *path,
                            const char *text, size_t len, zc_rank_t rank, char *error, size_t size)
{
    zc_zpl_t zpl;
    unsigned line;
    const char *reason;
    if (zc_zpl_parse (&zpl, text, len, &line, &reason) != 0) {
        snprintf (error, size, "%s:%u: %s", path, line, reason);
        return -1;
    }
    s_reader_t reader = {.self = self, .values = values, .zpl = &zpl, .origin = {.path = path}};
    reader.origin.rank = rank;
    reader.ranked = rank != ZC_RANK_PRESET;
    reader.error = error;
    reader.size = size;
    zconfig_execute (zpl.root, s_read_item, &reader);
    zc_zpl_clear (&zpl);
    s_clear_others (&reader);
    return reader.failed ? -1 : 0;
}

int zc_options_read_text (zc_options_t *self, zc_value_t *values, const char *path,
                          const char *text, size_t len, char *error, size_t size)
{
    return zc_options_read_ranked (self, values, path, text, len, ZC_RANK_PRESET, error, size);
}

/*  Reads the whole file. Returns 0, or -1 with a line in `error`. */
int zc_options_read_file (const char *path, zc_buf_t *text, char *error, size_t size)
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
