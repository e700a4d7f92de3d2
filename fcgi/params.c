/*  params.c - a pair is two lengths, a name and a value. Each may be cut by the end of a record
 *  at any byte, so the reader keeps in which of the four parts it is, and how many bytes of that
 *  part are to come. Rejected: gathering the whole stream first, which would hold up to
 *  ZC_PARAMS_MAX for each peer that stops half way. */
#include "fcgi/params.h"

#include <assert.h>
#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"

const char *const zc_value_names[ZC_VALUE_COUNT] = {
    FCGI_MAX_CONNS,
    FCGI_MAX_REQS,
    FCGI_MPXS_CONNS,
};

typedef enum { PART_NAME_LENGTH, PART_VALUE_LENGTH, PART_NAME, PART_VALUE } s_part_t;

struct zc_params {
    zc_params_find_fn find; /* finds the number of a wanted name */
    unsigned count;         /* of wanted names */
    size_t limit;           /* bytes that may still come */
    s_part_t part;          /* of the pair being read */
    unsigned length_bytes;  /* bytes of the current length still to come; 0: it hasn't begun */
    uint32_t left[2];       /* bytes of its name and of its value still to come */
    unsigned name_len;      /* bytes in name */
    char name[ZC_PARAM_NAME_MAX + 1]; /* the name so far; one that is too long matches nothing */
    int wanted;                       /* number of its name, -1: not wanted */
    zc_buf_t bytes;                   /* the values that are kept */
    struct {
        bool here;
        size_t at, len; /* in bytes */
    } value[];
};

zc_params_t *zc_params_new (zc_params_find_fn find, unsigned count, size_t limit)
{
    zc_params_t *self = calloc (1, sizeof *self + count * sizeof *self->value);
    if (!self)
        abort ();
    self->find = find;
    self->count = count;
    self->limit = limit;
    return self;
}

void zc_params_destroy (zc_params_t **self_p)
{
    if (!*self_p)
        return;
    zc_buf_clear (&(*self_p)->bytes);
    free (*self_p);
    *self_p = NULL;
}

int zc_value_find (zc_slice_t name)
{
    for (int i = 0; i < ZC_VALUE_COUNT; i++)
        if (zc_slice_is (name, zc_value_names[i]))
            return i;
    return -1;
}

static int s_find (const zc_params_t *self)
{
    if (self->name_len > ZC_PARAM_NAME_MAX)
        return -1;
    return self->find ((zc_slice_t){self->name, self->name_len});
}

/*  The value of a wanted name begins. */
static void s_begin_value (zc_params_t *self, int number)
{
    self->value[number].here = true;
    self->value[number].at = self->bytes.len;
    self->value[number].len = 0;
}

/*  One byte of a length: 7 bits alone, or four bytes with 31 bits, of which the first has its
 *  top bit set. */
static void s_length (zc_params_t *self, uint8_t byte)
{
    uint32_t *length = &self->left[self->part - PART_NAME_LENGTH];
    if (self->length_bytes == 0) {
        *length = byte & 0x7fu;
        self->length_bytes = byte & 0x80 ? 3 : 0;
    } else {
        *length = *length << 8 | byte;
        self->length_bytes--;
    }
    if (self->length_bytes == 0)
        self->part++;
}

static size_t s_name (zc_params_t *self, const uint8_t *bytes, size_t len)
{
    size_t step = len < self->left[0] ? len : self->left[0];
    size_t room = sizeof self->name - self->name_len;
    size_t kept = step < room ? step : room;
    memcpy (self->name + self->name_len, bytes, kept);
    self->name_len += (unsigned)kept;
    self->left[0] -= (uint32_t)step;
    return step;
}

static size_t s_value (zc_params_t *self, const uint8_t *bytes, size_t len)
{
    size_t step = len < self->left[1] ? len : self->left[1];
    if (self->wanted >= 0) {
        zc_buf_add (&self->bytes, bytes, step);
        self->value[self->wanted].len += step;
    }
    self->left[1] -= (uint32_t)step;
    return step;
}

/*  Skips parts that are complete; empty parts are at once. */
static void s_settle (zc_params_t *self)
{
    if (self->part == PART_NAME && self->left[0] == 0) {
        self->part = PART_VALUE;
        self->wanted = s_find (self);
        if (self->wanted >= 0)
            s_begin_value (self, self->wanted);
    }
    if (self->part == PART_VALUE && self->left[1] == 0) {
        self->part = PART_NAME_LENGTH;
        self->name_len = 0;
    }
}

int zc_params_read (zc_params_t *self, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t step = 1;
        if (self->part <= PART_VALUE_LENGTH) {
            s_length (self, *bytes);
            if (self->part == PART_NAME && (uint64_t)self->left[0] + self->left[1] >= self->limit)
                return -1;
        } else if (self->part == PART_NAME)
            step = s_name (self, bytes, len);
        else
            step = s_value (self, bytes, len);
        if (step > self->limit)
            return -1;
        self->limit -= step;
        bytes += step;
        len -= step;
        s_settle (self);
    }
    return 0;
}

bool zc_params_whole (const zc_params_t *self)
{
    return self->part == PART_NAME_LENGTH && self->length_bytes == 0;
}

void zc_params_read_environment (zc_params_t *self, char *const *environment)
{
    for (; *environment; environment++) {
        const char *equals = strchr (*environment, '=');
        int number =
            equals ? self->find ((zc_slice_t){*environment, (size_t)(equals - *environment)}) : -1;
        if (number < 0)
            continue;
        s_begin_value (self, number);
        self->value[number].len = strlen (equals + 1);
        zc_buf_adds (&self->bytes, equals + 1);
    }
}

bool zc_params_has (const zc_params_t *self, unsigned name)
{
    return self->value[name].here;
}

void zc_params_values (const zc_params_t *self, zc_slice_t *values)
{
    for (unsigned i = 0; i < self->count; i++) {
        bool empty = self->value[i].len == 0;
        const char *at = empty ? "" : (const char *)self->bytes.data + self->value[i].at;
        values[i] = (zc_slice_t){at, self->value[i].len};
    }
}

size_t zc_params_size (const zc_params_t *self)
{
    return self->bytes.len;
}
