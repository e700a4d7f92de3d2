/*  arena.c - see arena.h. A piece is twice as large as the one before; the last one is kept. */
#include "lib/redis/arena.h"

#include <stdlib.h>
#include <string.h>
#include "lib/redis/reply.h"

#define S_FIRST ((size_t)64 << 10)
#define S_KEPT ((size_t)8 << 20) /* larger pieces aren't kept */

#if HIREDIS_MAJOR >= 1
typedef size_t s_elements_t;
#else
typedef int s_elements_t;
#endif

typedef struct s_piece {
    struct s_piece *before;
    size_t size, used;
    max_align_t bytes[];
} s_piece_t;

struct zc_reply_arena {
    s_piece_t *last; /* NULL: none */
};

static void *s_take (zc_reply_arena_t *self, size_t size)
{
    size = (size + sizeof (max_align_t) - 1) / sizeof (max_align_t) * sizeof (max_align_t);
    s_piece_t *piece = self->last;
    if (!piece || piece->size - piece->used < size) {
        size_t room = piece ? piece->size * 2 : S_FIRST;
        room = room < size ? size : room;
        piece = malloc (sizeof *piece + room);
        if (!piece)
            return NULL;
        *piece = (s_piece_t){self->last, room, 0};
        self->last = piece;
    }
    void *at = (char *)piece->bytes + piece->used;
    piece->used += size;
    return at;
}

/*  Puts a new reply in its place within its array. */
static redisReply *s_reply (const redisReadTask *task)
{
    redisReply *reply = s_take (task->privdata, sizeof *reply);
    if (!reply)
        return NULL;
    memset (reply, 0, sizeof *reply);
    reply->type = task->type;
    if (task->parent)
        ((redisReply *)task->parent->obj)->element[task->idx] = reply;
    return reply;
}

static void *s_string (const redisReadTask *task, char *text, size_t len)
{
    redisReply *reply = s_reply (task);
    char *copy = reply ? s_take (task->privdata, len + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy (copy, text, len);
    copy[len] = 0;
    reply->str = copy;
    reply->len = len;
    return reply;
}

static void *s_array (const redisReadTask *task, s_elements_t elements)
{
    if (elements > ZC_REPLY_ELEMENTS_MAX)
        return NULL;
    redisReply *reply = s_reply (task);
    size_t size = (size_t)elements * sizeof *reply->element;
    if (!reply || !(reply->element = s_take (task->privdata, size)))
        return NULL;
    memset (reply->element, 0, size);
    reply->elements = (size_t)elements;
    return reply;
}

static void *s_integer (const redisReadTask *task, long long value)
{
    redisReply *reply = s_reply (task);
    if (reply)
        reply->integer = value;
    return reply;
}

static void *s_nil (const redisReadTask *task)
{
    redisReply *reply = s_reply (task);
    if (reply)
        reply->type = REDIS_REPLY_NIL;
    return reply;
}

#if HIREDIS_MAJOR >= 1
/*  RESP3, which we don't speak. */
static void *s_double (const redisReadTask *task, double value, char *text, size_t len)
{
    (void)task, (void)value, (void)text, (void)len;
    return NULL;
}

static void *s_bool (const redisReadTask *task, int value)
{
    (void)task, (void)value;
    return NULL;
}
#endif

/*  All of it goes at once. */
static void s_free (void *reply)
{
    (void)reply;
}

void zc_reply_arena_serve (zc_reply_arena_t *self, redisReader *reader)
{
    static redisReplyObjectFunctions functions = {
        .createString = s_string,
        .createArray = s_array,
        .createInteger = s_integer,
        .createNil = s_nil,
#if HIREDIS_MAJOR >= 1
        .createDouble = s_double,
        .createBool = s_bool,
#endif
        .freeObject = s_free,
    };
    zc_reply_arena_reset (self);
    reader->fn = &functions;
    reader->privdata = self;
    reader->maxbuf = S_KEPT; /* else its buffer is given back and grown again with each reply */
}

void zc_reply_arena_reset (zc_reply_arena_t *self)
{
    s_piece_t *piece = self->last, *keep = piece && piece->size <= S_KEPT ? piece : NULL;
    for (s_piece_t *next = keep ? keep->before : piece; next;) {
        s_piece_t *before = next->before;
        free (next);
        next = before;
    }
    if (keep)
        *keep = (s_piece_t){NULL, keep->size, 0};
    self->last = keep;
}

zc_reply_arena_t *zc_reply_arena_new (void)
{
    zc_reply_arena_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void zc_reply_arena_destroy (zc_reply_arena_t **self_p)
{
    zc_reply_arena_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->last)
        self->last->size = S_KEPT + 1;
    zc_reply_arena_reset (self);
    free (self);
}
