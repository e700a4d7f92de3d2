/*  instructions.c - a queue in the order of numbers, and a table of the last word on each subject,
 * key and token: a revocation, or, for as long as it is kept, its end.
 *
 *  The file has the revocations, one a line, and is written anew with each change: these are rare,
 * and a file that is replaced as a whole is never half written. */
#include "broker/instructions.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "lib/base/table.h"

#define S_KEPT_MAX 10000
#define S_KEPT_BYTES (1u << 20)
#define S_KEPT_MS \
    600000 /* a worker that was cut off for longer has lost its clients' connections */
#define S_LASTING_MAX 10000
#define S_REPEAT_MS 60000

typedef struct s_kept {
    zc_node_t node; /* in the table, if it has a key */
    zc_slice_t key; /* of a REVOKE or RESTORE: a digit for the kind, and the name */
    TAILQ_ENTRY (s_kept) entry, turn;
    zc_id_t number;
    uint64_t place;
    uint64_t at_ms, until_ms; /* as in the instruction */
    uint64_t taken_ms;        /* when it was taken in */
    uint64_t told_ms;         /* when it was last told again */
    bool lasts;
    zc_slice_t text; /* lies behind the struct, as the key does */
} s_kept_t;

struct zc_instructions {
    TAILQ_HEAD (s_queue, s_kept) queue;     /* owned: all of them */
    TAILQ_HEAD (s_passing, s_kept) passing; /* those that don't last */
    zc_table_t named;
    size_t count, bytes; /* of those that pass */
    size_t lasting;
    uint64_t looked_ms;
    zc_id_t head;
    zc_id_t floor; /* those up to here may be forgotten */
    char *path;    /* owned; NULL: no file */
    bool unsaved;  /* the file lacks what was heard */
};

zc_instructions_t *zc_instructions_new (void)
{
    zc_instructions_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    TAILQ_INIT (&self->queue);
    TAILQ_INIT (&self->passing);
    zc_table_init (&self->named);
    return self;
}

static void s_remove (zc_instructions_t *self, s_kept_t *kept)
{
    TAILQ_REMOVE (&self->queue, kept, entry);
    if (kept->key.len)
        zc_table_remove (&self->named, &kept->node);
    if (kept->lasts) {
        self->lasting--;
    } else {
        TAILQ_REMOVE (&self->passing, kept, turn);
        self->count--;
        self->bytes -= kept->text.len;
    }
    free (kept);
}

static void s_forget (zc_instructions_t *self, s_kept_t *kept)
{
    if (self->floor < kept->number)
        self->floor = kept->number;
    s_remove (self, kept);
}

void zc_instructions_destroy (zc_instructions_t **self_p)
{
    zc_instructions_t *self = *self_p;
    if (!self)
        return;
    while (!TAILQ_EMPTY (&self->queue))
        s_remove (self, TAILQ_FIRST (&self->queue));
    zc_table_clear (&self->named);
    free (self->path);
    free (self);
    *self_p = NULL;
}

/*  The file. */

static bool s_write_lines (const zc_instructions_t *self, FILE *file)
{
    const s_kept_t *kept;
    TAILQ_FOREACH (kept, &self->queue, entry)
    if (kept->lasts && (fwrite (kept->text.at, 1, kept->text.len, file) != kept->text.len ||
                        fputc ('\n', file) == EOF))
        return false;
    return fflush (file) == 0 && fsync (fileno (file)) == 0;
}

/*  So that the new name is on the disk, too. */
static void s_sync_folder (const char *path)
{
    char copy[4096 + 8];
    snprintf (copy, sizeof copy, "%s", path);
    int folder = open (dirname (copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    fsync (folder);
    close (folder);
}

static int s_save (const zc_instructions_t *self)
{
    char path[4096 + 8];
    if (!self->path)
        return 0;
    snprintf (path, sizeof path, "%s.new", self->path);
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    FILE *file = fd >= 0 ? fdopen (fd, "w") : NULL;
    if (!file) {
        int unopened = errno;
        if (fd >= 0)
            close (fd);
        errno = unopened;
        return -1;
    }
    bool written = s_write_lines (self, file);
    int error = errno;
    written = fclose (file) == 0 && written;
    if (written && rename (path, self->path) == 0) {
        s_sync_folder (self->path);
        return 0;
    }
    errno = written ? errno : error;
    return -1;
}

/*  Taking in. */

static s_kept_t *s_new (zc_id_t number, const zc_instruction_t *instruction)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_instruction_write (instruction, &text);
    s_kept_t *kept = calloc (1, sizeof *kept + text.len + 1 + ZC_REVOKED_MAX);
    if (!kept)
        abort ();
    char *at = (char *)(kept + 1);
    memcpy (at, text.data, text.len);
    kept->text = (zc_slice_t){at, text.len};
    at += text.len;
    if (instruction->name.len) {
        *at = (char)('0' + instruction->what);
        memcpy (at + 1, instruction->name.at, instruction->name.len);
        kept->key = (zc_slice_t){at, 1 + instruction->name.len};
    }
    kept->number = number;
    kept->at_ms = instruction->at_ms;
    kept->until_ms = instruction->until_ms;
    kept->lasts = instruction->kind == ZC_INSTRUCTION_REVOKE;
    zc_buf_clear (&text);
    return kept;
}

static void s_add (zc_instructions_t *self, s_kept_t *kept)
{
    TAILQ_INSERT_TAIL (&self->queue, kept, entry);
    if (kept->key.len)
        zc_table_add (&self->named, kept);
    if (kept->lasts) {
        self->lasting++;
        return;
    }
    TAILQ_INSERT_TAIL (&self->passing, kept, turn);
    self->count++;
    self->bytes += kept->text.len;
    while (self->count > S_KEPT_MAX || self->bytes > S_KEPT_BYTES)
        s_forget (self, TAILQ_FIRST (&self->passing));
}

void zc_instructions_hear (zc_instructions_t *self, zc_id_t number, uint64_t place,
                           const zc_instruction_t *instruction, uint64_t now_ms)
{
    s_kept_t *kept = s_new (number, instruction);
    s_kept_t *before = kept->key.len ? zc_table_get (&self->named, kept->key) : NULL;
    self->head = number;
    /* A revocation that is told again, while it was lifted. */
    if (before && kept->lasts && !before->lasts && before->at_ms >= kept->at_ms) {
        free (kept);
        return;
    }
    bool changed = kept->lasts || (before && before->lasts);
    bool same =
        before && before->lasts && kept->lasts && zc_slice_compare (before->text, kept->text) == 0;
    if (before)
        s_remove (self, before);
    kept->place = place;
    kept->taken_ms = now_ms;
    s_add (self, kept);
    self->unsaved |= changed && !same;
}

int zc_instructions_save (zc_instructions_t *self)
{
    bool unsaved = self->unsaved;
    self->unsaved = false;
    return unsaved ? s_save (self) : 0;
}

int zc_instructions_take (zc_instructions_t *self, zc_id_t number, uint64_t place,
                          const zc_instruction_t *instruction, uint64_t now_ms)
{
    zc_instructions_hear (self, number, place, instruction, now_ms);
    return zc_instructions_save (self);
}

static int s_load_line (zc_instructions_t *self, zc_slice_t line, const char **error)
{
    zc_instruction_t one;
    if (zc_instruction_parse (&one, line, error) != 0)
        return -1;
    bool good = one.kind == ZC_INSTRUCTION_REVOKE && one.at_ms > 0;
    s_kept_t *kept = good ? s_new (ZC_ID_NONE + 1, &one) : NULL;
    *error = "a line is one revocation, with its time";
    zc_instruction_clear (&one);
    if (!kept)
        return -1;
    s_kept_t *before = zc_table_get (&self->named, kept->key);
    if (before)
        s_remove (self, before);
    s_add (self, kept);
    return 0;
}

static int s_load (zc_instructions_t *self, FILE *file, char *error, size_t size)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t len;
    int rc = 0;
    const char *wrong;
    while (rc == 0 && (len = getline (&line, &room, file)) > 0) {
        number++;
        rc = s_load_line (self, (zc_slice_t){line, (size_t)len}, &wrong);
        if (rc != 0)
            snprintf (error, size, "%s:%zu: %s", self->path, number, wrong);
    }
    free (line);
    if (rc == 0 && ferror (file)) {
        snprintf (error, size, "%s: %s", self->path, strerror (errno));
        rc = -1;
    }
    return rc;
}

int zc_instructions_open (zc_instructions_t *self, const char *path, char *error, size_t size)
{
    if (!(self->path = strdup (path)))
        abort ();
    FILE *file = fopen (path, "re");
    if (!file && errno == ENOENT)
        return 0;
    if (!file) {
        snprintf (error, size, "%s: %s", path, strerror (errno));
        return -1;
    }
    int rc = s_load (self, file, error, size);
    fclose (file);
    return rc;
}

bool zc_instructions_has_file (const zc_instructions_t *self)
{
    return self->path != NULL;
}

bool zc_instructions_full (const zc_instructions_t *self, const zc_instruction_t *instruction)
{
    return instruction->kind == ZC_INSTRUCTION_REVOKE && self->lasting >= S_LASTING_MAX;
}

void zc_instructions_lose (zc_instructions_t *self, zc_id_t number)
{
    if (self->floor < number)
        self->floor = number;
    if (self->head < number)
        self->head = number;
}

/*  Telling. */

zc_id_t zc_instructions_list (const zc_instructions_t *self, zc_id_t since, zc_buf_t *list)
{
    zc_id_t from = since < self->floor ? ZC_ID_NONE : since;
    const s_kept_t *kept = TAILQ_LAST (&self->queue, s_queue), *first = NULL;
    for (; kept && kept->number > from; kept = TAILQ_PREV (kept, s_queue, entry))
        first = kept;
    for (kept = first; kept; kept = TAILQ_NEXT (kept, entry))
        zc_instruction_add (list, kept->number, kept->text);
    return from;
}

zc_id_t zc_instructions_head (const zc_instructions_t *self)
{
    return self->head;
}

/*  Revocations of tokens that have all ended by now. */
static void s_end_revocations (zc_instructions_t *self, uint64_t wall_ms)
{
    bool ended = false;
    s_kept_t *next;
    for (s_kept_t *kept = TAILQ_FIRST (&self->queue); kept; kept = next) {
        next = TAILQ_NEXT (kept, entry);
        if (!kept->lasts || !kept->until_ms || kept->until_ms >= wall_ms)
            continue;
        ended = true;
        s_remove (self, kept);
    }
    if (ended)
        s_save (self);
}

void zc_instructions_turn (zc_instructions_t *self, uint64_t now_ms, uint64_t wall_ms)
{
    s_kept_t *first;
    while ((first = TAILQ_FIRST (&self->passing)) && now_ms - first->taken_ms > S_KEPT_MS)
        s_forget (self, first);
    if (now_ms - self->looked_ms >= S_REPEAT_MS) {
        self->looked_ms = now_ms;
        s_end_revocations (self, wall_ms);
    }
}

bool zc_instructions_repeat (zc_instructions_t *self, zc_id_t number, uint64_t place,
                             uint64_t now_ms, zc_slice_t *text)
{
    s_kept_t *kept;
    TAILQ_FOREACH (kept, &self->queue, entry)
    {
        if (kept->number >= number && kept->place >= place)
            return false;
        if (!kept->lasts || (kept->told_ms && now_ms - kept->told_ms < S_REPEAT_MS))
            continue;
        kept->told_ms = now_ms;
        *text = kept->text;
        return true;
    }
    return false;
}
