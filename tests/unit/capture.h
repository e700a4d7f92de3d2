/*  capture.h - what a test prints on a descriptor, as text. The text goes through a temporary
 *  file, so that nothing blocks however long it is. */
#ifndef ZC_CAPTURE_H
#define ZC_CAPTURE_H

#include "tests/unit/unit.h"

#include <unistd.h>

typedef struct {
    int fd, kept;
    FILE *file;
    char text[65536];
} capture_t;

static inline void capture_begin (capture_t *self, int fd)
{
    fflush (NULL);
    self->fd = fd;
    self->kept = dup (fd);
    self->file = tmpfile ();
    assert_non_null (self->file);
    assert_int_equal (dup2 (fileno (self->file), fd), fd);
}

/*  Puts the descriptor back; the text is in self->text. */
static inline void capture_end (capture_t *self)
{
    fflush (NULL);
    dup2 (self->kept, self->fd);
    close (self->kept);
    rewind (self->file);
    self->text[fread (self->text, 1, sizeof self->text - 1, self->file)] = 0;
    fclose (self->file);
}

#endif
