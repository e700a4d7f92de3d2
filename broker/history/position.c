/*  position.c - 56 bytes, overwritten in place by one system call: a process that is killed
 *  leaves the old ones or the new ones. Files of earlier versions have only the first 32 bytes. */
#include "broker/history/position.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>
#include "lib/base/listen.h"
#include "lib/base/log.h"

#define S_MAGIC 0x314e4f4954534f50u /* "POSTION1" */

typedef struct {
    uint64_t magic, reserved, lost, check;
    uint64_t begin, random, line_check; /* of the line; all 0: there is none yet */
} s_file_t;

#define S_FIRST offsetof (s_file_t, begin) /* the size without the line */

struct zc_position {
    int fd;
    s_file_t file;
};

static uint64_t s_check (const s_file_t *file)
{
    return (file->magic ^ file->reserved * 3 ^ file->lost * 7) * 0x9e3779b97f4a7c15u;
}

static uint64_t s_line_check (const s_file_t *file)
{
    return (file->begin * 5 ^ file->random * 11) * 0x9e3779b97f4a7c15u;
}

static void s_write (zc_position_t *self)
{
    static zc_log_limit_t limit;
    self->file.magic = S_MAGIC;
    self->file.check = s_check (&self->file);
    s_file_t file = self->file;
    if (pwrite (self->fd, &file, sizeof file, 0) != sizeof file)
        zc_log_limited (&limit, ZC_LOG_ERROR,
                        ZC_EVENT ("positions.unkept error", "history: can't note positions: %s"),
                        strerror (errno));
}

static void s_read (zc_position_t *self)
{
    s_file_t *file = &self->file;
    ssize_t size = pread (self->fd, file, sizeof *file, 0);
    if (size < (ssize_t)S_FIRST || file->magic != S_MAGIC || file->check != s_check (file))
        *file = (s_file_t){0};
    else if (size != sizeof *file || file->line_check != s_line_check (file))
        file->begin = file->random = file->line_check = 0;
}

/*  Waits for a broker that is stopping. */
static int s_lock (int fd)
{
    unsigned waited = 0;
    int rc;
    do
        rc = flock (fd, LOCK_EX | LOCK_NB);
    while (rc != 0 && errno == EWOULDBLOCK && zc_wait_for_end (&waited));
    return rc;
}

zc_position_t *zc_position_new (const char *path, char *error, size_t size)
{
    zc_position_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (self->fd < 0) {
        snprintf (error, size, "history: can't open %s: %s", path, strerror (errno));
    } else if (s_lock (self->fd) != 0) {
        if (errno == EWOULDBLOCK)
            snprintf (error, size, "history: another broker has %s", path);
        else
            snprintf (error, size, "history: can't lock %s: %s", path, strerror (errno));
    } else {
        s_read (self);
        return self;
    }
    if (self->fd >= 0)
        close (self->fd);
    free (self);
    return NULL;
}

zc_position_t *zc_position_take (int fd)
{
    zc_position_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->fd = fd;
    s_read (self);
    return self;
}

int zc_position_fd (const zc_position_t *self)
{
    return self->fd;
}

void zc_position_leave (zc_position_t **self_p)
{
    if (*self_p) {
        close ((*self_p)->fd);
        free (*self_p);
    }
    *self_p = NULL;
}

void zc_position_destroy (zc_position_t **self_p, zc_id_t last)
{
    zc_position_t *self = *self_p;
    if (!self)
        return;
    self->file.reserved = last;
    s_write (self);
    close (self->fd);
    free (self);
    *self_p = NULL;
}

zc_id_t zc_position_reserved (const zc_position_t *self)
{
    return self->file.reserved;
}

zc_id_t zc_position_lost (const zc_position_t *self)
{
    return self->file.lost;
}

void zc_position_line (zc_position_t *self, zc_id_t begin, zc_line_t *line, bool *made)
{
    s_file_t *file = &self->file;
    *made = file->random == 0;
    if (*made) {
        file->begin = begin;
        while (getrandom (&file->random, sizeof file->random, 0) != sizeof file->random ||
               file->random == 0)
            continue;
        file->line_check = s_line_check (file);
        s_write (self);
    }
    zc_line_make (line, file->begin, file->random);
}

int zc_position_adopt (zc_position_t *self, const zc_line_t *line)
{
    zc_line_t again;
    zc_id_t begin;
    const char *dot = strchr (line->text, '.');
    if (!dot || zc_id_parse (line->text, (size_t)(dot - line->text), &begin) != 0)
        return -1;
    uint64_t random = strtoull (dot + 1, NULL, 16);
    zc_line_make (&again, begin, random);
    if (!random || !zc_line_same (&again, line))
        return -1;
    self->file.begin = begin;
    self->file.random = random;
    self->file.line_check = s_line_check (&self->file);
    s_write (self);
    return 0;
}

void zc_position_reserve (zc_position_t *self, zc_id_t id)
{
    zc_id_t ahead = zc_id_from_ms (ZC_POSITION_AHEAD_MS);
    if (id + ahead / 2 <= self->file.reserved)
        return;
    self->file.reserved = id + ahead;
    s_write (self);
}

void zc_position_lose (zc_position_t *self, zc_id_t id)
{
    self->file.lost = id;
    s_write (self);
}
