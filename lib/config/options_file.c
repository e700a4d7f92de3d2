/*  options_file.c - zcast.conf: sections and keys onto the table. zconfig visits items in the order
 *  of the text, so counting them gives their lines. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/config/options_private.h"
#include "lib/config/zpl.h"

/*  What zcast.conf holds for all programs. A program has only its own table: by these it tells a
 *  slip from what is there for another. tests/integration/test_docs.py compares them with the
 *  sample. */
static const char s_sections[] = " common broker fcgi ws bridge zmq ";
static const char s_keys[] =
    " address-burst address-rate allow-origin allow-publish burst control control-hwm "
    "cors-origin database dedup-max dedup-window default-event deflate-from drain-timeout "
    "head-timeout heartbeat history history-age history-bytes history-map history-messages "
    "insecure io-threads io-uring linger listen log-level max-clients "
    "max-connections-per-address max-delay max-head max-lag max-message max-payload "
    "max-topics name outgoing outgoing-format outgoing-prefix password password-file path "
    "pong-timeout processes publish publish-hwm queue-bytes rate redis request-timeout "
    "retain retry site slow slow-topics socket socket-mode subscribe subscribe-channel "
    "subscribe-hwm subscribe-pattern sync sync-interval syslog test-echo topic topic-age "
    "topic-bytes topic-messages trust-proxy user ";

typedef struct {
    zc_options_t *self;
    zc_value_t *values;
    const zc_zpl_t *zpl;
    size_t item; /* of those that zpl has lines for */
    zc_origin_t origin;
    size_t option; /* the key we are in; the table's count: none */
    char *error;
    size_t size;
    bool failed;
} s_reader_t;

/*  Whether `words` has it, each with a space on either side. */
static bool s_has (const char *words, const char *name)
{
    char word[64];
    int len = snprintf (word, sizeof word, " %s ", name);
    return len < (int)sizeof word && strstr (words, word);
}

static void s_fail_line (s_reader_t *reader, const char *name, const char *what)
{
    zc_origin_wrong (&reader->origin, name, what, reader->error, reader->size);
    reader->failed = true;
}

static void s_read_section (s_reader_t *reader, const char *name, const char *value)
{
    const char *own = reader->self->program->section;
    reader->origin.rank = own && strcmp (name, own) == 0 ? ZC_RANK_SECTION
                          : strcmp (name, "common") == 0 ? ZC_RANK_COMMON
                                                         : ZC_RANK_PRESET;
    if (*value)
        s_fail_line (reader, name, "expected the name of a section here, without a value");
    else if (reader->origin.rank == ZC_RANK_PRESET && !s_has (s_sections, name))
        s_fail_line (reader, name,
                     "unknown section; expected common, broker, fcgi, ws, bridge or zmq");
}

static void s_read_key (s_reader_t *reader, const char *name, const char *value)
{
    zc_options_t *self = reader->self;
    size_t i = reader->option = zc_options_find (self, name, strlen (name));
    if (i < self->count && !zc_option_is_key (self->program, &self->table[i]))
        i = reader->option = self->count;
    if (i == self->count && reader->origin.rank == ZC_RANK_COMMON) {
        if (!s_has (s_keys, name))
            s_fail_line (reader, name, "unknown key; no program has it");
    } else if (i == self->count) {
        char what[160];
        snprintf (what, sizeof what, "unknown key; %s --help shows those of section '%s'",
                  self->program->program, self->program->section);
        s_fail_line (reader, name, what);
    }
    if (i == self->count)
        return;
    if (zc_value_set (&self->table[i], &reader->values[i], value, &reader->origin, reader->error,
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
    if (zc_value_set (option, &reader->values[reader->option], pair, &reader->origin, reader->error,
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
    else if (reader->origin.rank == ZC_RANK_PRESET)
        return 0;
    else if (level == 2)
        s_read_key (reader, name, value);
    else if (level == 3)
        s_read_pair (reader, name, value);
    else
        s_fail_line (reader, name, "indented too deep");
    return 0;
}

int zc_options_read_text (zc_options_t *self, zc_value_t *values, const char *path,
                          const char *text, size_t len, char *error, size_t size)
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
