/*  matcher.c - see matcher.h. Rejected: backtracking, whose time may double with each wildcard; a
 *  library for regular expressions, of which Debian's that are linear are in C++. */
#include "lib/wire/matcher.h"

#include <stdlib.h>
#include <string.h>

typedef enum { S_BYTE, S_KIND, S_BRANCH, S_JUMP, S_REST, S_END } s_op_t;

typedef struct {
    uint8_t op;
    uint8_t arg;     /* BYTE, KIND */
    uint16_t target; /* BRANCH, JUMP */
} s_step_t;

/*  The steps at which a match may be. */
typedef struct {
    uint16_t *steps;
    size_t count;
} s_set_t;

struct zc_matcher {
    s_step_t *steps; /* owned */
    size_t count, cap;
    /*  For matching. */
    size_t tail; /* from this step to END, each takes one byte, and every match passes them all */
    uint16_t *room; /* owned: the two sets and the stack */
    uint32_t *seen; /* owned: for each step, the round in which it was last added */
    uint32_t round;
};

static uint16_t s_kinds[256]; /* a bit for each kind that a byte is of */

static void s_exclude (zc_byte_t kind, const char *bytes)
{
    for (size_t byte = 0; byte < 256; byte++)
        if (byte == 0 || !strchr (bytes, (int)byte))
            s_kinds[byte] |= (uint16_t)(1u << kind);
}

static void s_include (zc_byte_t kind, const char *bytes)
{
    for (; *bytes; bytes++)
        s_kinds[(uint8_t)*bytes] |= (uint16_t)(1u << kind);
}

static void s_fill_kinds (void)
{
    static const char unreserved[] =
        "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    s_exclude (ZC_BYTE_ANY, "");
    s_exclude (ZC_BYTE_LEVEL, "/");
    s_exclude (ZC_BYTE_HOST, "./:?#");
    s_exclude (ZC_BYTE_HOSTS, "/?#");
    s_exclude (ZC_BYTE_PATH, "/?#");
    s_exclude (ZC_BYTE_PATHS, "?#");
    s_exclude (ZC_BYTE_SEARCH, "#");
    s_include (ZC_BYTE_HEX, "0123456789ABCDEFabcdef");
    for (zc_byte_t kind = ZC_BYTE_VALUE; kind <= ZC_BYTE_RESERVED; kind++) {
        s_include (kind, unreserved);
        s_include (kind, ",");
    }
    s_include (ZC_BYTE_PAIR, "=");
    s_include (ZC_BYTE_RESERVED, ":/?#[]@!$&'()*+;=");
}

/*  Building. */

zc_matcher_t *zc_matcher_new (void)
{
    zc_matcher_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    if (!s_kinds['a'])
        s_fill_kinds ();
    return self;
}

void zc_matcher_destroy (zc_matcher_t **self_p)
{
    zc_matcher_t *self = *self_p;
    if (!self)
        return;
    free (self->steps);
    free (self->room);
    free (self->seen);
    free (self);
    *self_p = NULL;
}

/*  The last step is kept for END. */
static size_t s_add (zc_matcher_t *self, s_op_t op, uint8_t arg)
{
    if (self->count == ZC_MATCHER_MAX - 1 && op != S_END) {
        return self->count - 1; /* the program is useless, and refused for its length */
    }
    if (self->count == self->cap) {
        self->cap = self->cap ? 2 * self->cap : 32;
        self->steps = realloc (self->steps, self->cap * sizeof *self->steps);
        if (!self->steps)
            abort ();
    }
    self->steps[self->count] = (s_step_t){.op = (uint8_t)op, .arg = arg};
    return self->count++;
}

void zc_matcher_take (zc_matcher_t *self, char byte)
{
    s_add (self, S_BYTE, (uint8_t)byte);
}

void zc_matcher_take_one_of (zc_matcher_t *self, zc_byte_t kind)
{
    s_add (self, S_KIND, (uint8_t)kind);
}

size_t zc_matcher_branch (zc_matcher_t *self)
{
    return s_add (self, S_BRANCH, 0);
}

size_t zc_matcher_jump (zc_matcher_t *self)
{
    return s_add (self, S_JUMP, 0);
}

void zc_matcher_aim (zc_matcher_t *self, size_t number, size_t target)
{
    self->steps[number].target = (uint16_t)target;
}

size_t zc_matcher_here (const zc_matcher_t *self)
{
    return self->count;
}

void zc_matcher_take_many (zc_matcher_t *self, zc_byte_t kind)
{
    size_t branch = zc_matcher_branch (self);
    zc_matcher_take_one_of (self, kind);
    zc_matcher_aim (self, zc_matcher_jump (self), branch);
    zc_matcher_aim (self, branch, zc_matcher_here (self));
}

void zc_matcher_take_rest (zc_matcher_t *self)
{
    s_add (self, S_REST, 0);
}

/*  No step jumps behind the tail's first one, and none ends the match before. */
static void s_find_tail (zc_matcher_t *self)
{
    self->tail = self->count - 1;
    while (self->tail > 0 && self->steps[self->tail - 1].op == S_BYTE)
        self->tail--;
    for (size_t i = 0; i < self->count; i++) {
        const s_step_t *step = &self->steps[i];
        if (step->op == S_REST)
            self->tail = self->count - 1;
        if ((step->op == S_BRANCH || step->op == S_JUMP) && step->target > self->tail)
            self->tail = step->target;
    }
}

void zc_matcher_end (zc_matcher_t *self)
{
    s_add (self, S_END, 0);
    s_find_tail (self);
    self->steps = realloc (self->steps, self->count * sizeof *self->steps);
    self->room =
        malloc ((4 * self->count + 2) * sizeof *self->room); /* a branch leaves two on the stack */
    self->seen = calloc (self->count, sizeof *self->seen);
    if (!self->steps || !self->room || !self->seen)
        abort ();
}

size_t zc_matcher_literal (const zc_matcher_t *self, char *out, size_t max)
{
    size_t count = 0;
    for (; count < max && self->steps[count].op == S_BYTE; count++)
        out[count] = (char)self->steps[count].arg;
    return count;
}

bool zc_matcher_is_literal (const zc_matcher_t *self)
{
    size_t count = 0;
    while (self->steps[count].op == S_BYTE)
        count++;
    return self->steps[count].op == S_END;
}

/*  Matching. */

static void s_begin_round (zc_matcher_t *self)
{
    if (++self->round == 0) {
        memset (self->seen, 0, self->count * sizeof *self->seen);
        self->round = 1;
    }
}

/*  Adds a step and those that it leads to without taking a byte, each once. Returns true at a step
 *  that takes all the rest. */
static bool s_reach (zc_matcher_t *self, s_set_t *set, size_t first)
{
    uint16_t *stack = self->room + 2 * self->count;
    size_t depth = 0;
    stack[depth++] = (uint16_t)first;
    while (depth > 0) {
        uint16_t at = stack[--depth];
        const s_step_t *step = &self->steps[at];
        if (self->seen[at] == self->round)
            continue;
        self->seen[at] = self->round;
        if (step->op == S_REST)
            return true;
        if (step->op == S_JUMP || step->op == S_BRANCH)
            stack[depth++] = step->target;
        else
            set->steps[set->count++] = at;
        if (step->op == S_BRANCH)
            stack[depth++] = (uint16_t)(at + 1);
    }
    return false;
}

static bool s_takes (const s_step_t *step, uint8_t byte)
{
    return step->op == S_BYTE ? step->arg == byte
                              : step->op == S_KIND && s_kinds[byte] >> step->arg & 1;
}

/*  Most texts that don't match end otherwise than the tail. */
static bool s_ends_well (const zc_matcher_t *self, size_t from, zc_slice_t text)
{
    size_t first = from > self->tail ? from : self->tail, len = self->count - 1 - first;
    if (text.len < len)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)text.at[text.len - len + i] != self->steps[first + i].arg)
            return false;
    return true;
}

bool zc_matcher_matches (zc_matcher_t *self, size_t from, zc_slice_t text)
{
    if (!s_ends_well (self, from, text))
        return false;
    s_set_t now = {self->room, 0}, next = {self->room + self->count, 0};
    s_begin_round (self);
    bool rest = s_reach (self, &now, from);
    for (size_t i = 0; i < text.len && !rest && now.count > 0; i++) {
        s_begin_round (self);
        next.count = 0;
        for (size_t k = 0; k < now.count && !rest; k++)
            if (s_takes (&self->steps[now.steps[k]], (uint8_t)text.at[i]))
                rest = s_reach (self, &next, now.steps[k] + 1u);
        s_set_t spare = now;
        now = next;
        next = spare;
    }
    for (size_t k = 0; k < now.count && !rest; k++)
        rest = self->steps[now.steps[k]].op == S_END;
    return rest;
}
