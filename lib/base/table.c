/*  table.c - linear probing with backward-shift deletion: no tombstones, so a table that lives for
 *  years under churn stays as fast as a new one. */
#include "lib/base/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

bool zc_table_repeatable = false;

void zc_table_init (zc_table_t *self)
{
    *self = (zc_table_t){.secret = 0x9e3779b97f4a7c15u};
    if (!zc_table_repeatable && getrandom (&self->secret, sizeof self->secret, GRND_NONBLOCK) < 0)
        self->secret ^= (uint64_t)(uintptr_t)self; /* early boot: less secret, still works */
}

void zc_table_clear (zc_table_t *self)
{
    free (self->slots);
    self->slots = NULL;
    self->cap = self->count = 0;
}

static uint64_t s_mix (uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*  Eight bytes a step, folded by 64x64 multiplication. */
static uint64_t s_hash (uint64_t secret, zc_slice_t key)
{
    const uint64_t k = 0xa0761d6478bd642fu;
    uint64_t hash = secret ^ key.len, word;
    size_t i = 0;
    for (; i + 8 <= key.len; i += 8) {
        memcpy (&word, key.at + i, 8);
        hash = s_mix (hash ^ word, k ^ secret);
    }
    word = 0;
    if (i < key.len)
        memcpy (&word, key.at + i, key.len - i);
    return s_mix (hash ^ word, k + key.len);
}

static zc_slice_t s_key (const void *object)
{
    return *(const zc_slice_t *)object;
}

static size_t s_home (const zc_table_t *self, const void *object)
{
    return s_hash (self->secret, s_key (object)) & (self->cap - 1);
}

void *zc_table_get (const zc_table_t *self, zc_slice_t key)
{
    if (self->count == 0)
        return NULL;
    for (size_t i = s_hash (self->secret, key) & (self->cap - 1); self->slots[i];
         i = (i + 1) & (self->cap - 1)) {
        zc_slice_t have = s_key (self->slots[i]);
        if (have.len == key.len && memcmp (have.at, key.at, key.len) == 0)
            return self->slots[i];
    }
    return NULL;
}

static void s_place (zc_table_t *self, void *object)
{
    size_t i = s_home (self, object);
    while (self->slots[i])
        i = (i + 1) & (self->cap - 1);
    self->slots[i] = object;
}

void zc_table_add (zc_table_t *self, void *object)
{
    if (4 * (self->count + 1) > 3 * self->cap) {
        size_t old_cap = self->cap;
        void **old = self->slots;
        self->cap = old_cap ? old_cap * 2 : 16;
        self->slots = calloc (self->cap, sizeof *self->slots);
        if (!self->slots)
            abort ();
        for (size_t i = 0; i < old_cap; i++)
            if (old[i])
                s_place (self, old[i]);
        free (old);
    }
    s_place (self, object);
    self->count++;
}

void zc_table_remove (zc_table_t *self, const void *object)
{
    size_t mask = self->cap - 1, hole = s_home (self, object);
    while (self->slots[hole] != object) {
        assert (self->slots[hole]);
        hole = (hole + 1) & mask;
    }
    for (size_t i = (hole + 1) & mask; self->slots[i]; i = (i + 1) & mask) {
        size_t home = s_home (self, self->slots[i]);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            self->slots[hole] = self->slots[i];
            hole = i;
        }
    }
    self->slots[hole] = NULL;
    self->count--;
}

void *zc_table_next (const zc_table_t *self, size_t *at)
{
    while (*at < self->cap) {
        void *object = self->slots[(*at)++];
        if (object)
            return object;
    }
    return NULL;
}
