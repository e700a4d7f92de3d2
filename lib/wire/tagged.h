/*  tagged.h - frames of tagged fields, in which a process tells its successor what it leaves.
 *
 *  A frame is a length (4 bytes, big-endian) of the rest, a kind (1 byte), and fields. A field is a
 *  tag (1 byte), a length (4 bytes, big-endian) and a value; a number's value has 8 bytes,
 *  big-endian. A field that is 0 or empty is left out. One row for each field tells its place, the
 *  kinds that have it, and its valid values, so that writing and reading can't differ. No I/O. */
#ifndef ZC_TAGGED_H
#define ZC_TAGGED_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

#define ZC_TAGGED_OF(kind) (1u << (kind))

typedef bool (*zc_tagged_check_fn) (zc_slice_t value);

typedef struct {
    size_t offset;            /* in the object: a zc_slice_t or, without a check, a uint64_t */
    unsigned kinds;           /* kinds of frames that may have it: ZC_TAGGED_OF */
    unsigned needs;           /* kinds of frames that must have it */
    zc_tagged_check_fn check; /* of a slice that isn't empty; NULL: a number */
    uint64_t max;             /* of a number */
} zc_tagged_field_t;

typedef struct {
    /*  The index is the tag, from 1 up to 31; a tag is never given to another field. */
    const zc_tagged_field_t *fields;
    size_t count;       /* of `fields`, with the first one, which is empty */
    size_t size;        /* of the object */
    unsigned kinds;     /* a kind is from 1 to below this, at most 31 */
    uint32_t frame_max; /* bytes after the length */
} zc_tagged_t;

/*  Appends a frame. */
void zc_tagged_write (const zc_tagged_t *self, zc_buf_t *out, unsigned kind, const void *object);
/*  Parses the frame at the beginning of `bytes` into the object; fields that aren't there become 0.
 *  Returns the frame's length; 0 if more bytes are needed; -1 with one sentence in *error if it is
 *  malformed. Slices borrow from `bytes`. */
long zc_tagged_read (const zc_tagged_t *self, const void *bytes, size_t len, unsigned *kind,
                     void *object, const char **error);

/*  Checks. */
bool zc_tagged_plain (zc_slice_t value); /* zc_text_plain */
bool zc_tagged_bytes (zc_slice_t value); /* any */

#endif
