/*  matcher.h - matches text against a program of steps, in time that is linear in the length of the
 *  text: the steps at which the match may be are a set, and each byte moves the whole set on. So
 *  no program can make a match expensive by alternatives. No I/O. */
#ifndef ZC_MATCHER_H
#define ZC_MATCHER_H

#include "lib/base/text.h"

typedef struct zc_matcher zc_matcher_t;

/*  Which bytes one step takes. */
typedef enum {
    ZC_BYTE_ANY,
    ZC_BYTE_LEVEL,  /* all but '/' */
    ZC_BYTE_HOST,   /* part of a host's label: all but . / : ? # */
    ZC_BYTE_HOSTS,  /* all but / ? # */
    ZC_BYTE_PATH,   /* part of a path's segment: all but / ? # */
    ZC_BYTE_PATHS,  /* all but ? # */
    ZC_BYTE_SEARCH, /* all but # */
    ZC_BYTE_HEX,
    ZC_BYTE_VALUE,    /* RFC 6570: unreserved, and the comma between values */
    ZC_BYTE_PAIR,     /* the same, and = between name and value */
    ZC_BYTE_RESERVED, /* unreserved and reserved */
    ZC_BYTE_KINDS
} zc_byte_t;

/*  Building. A program begins at its first step and goes on step by step; a branch may also go on
 *  elsewhere. Beyond ZC_MATCHER_MAX steps, further ones are left out. */
#define ZC_MATCHER_MAX 4096
zc_matcher_t *zc_matcher_new (void);
void zc_matcher_destroy (zc_matcher_t **self_p);
void zc_matcher_take (zc_matcher_t *self, char byte);
void zc_matcher_take_one_of (zc_matcher_t *self, zc_byte_t kind);
/*  Adds a branch or a jump whose target zc_matcher_aim sets. Returns its number. */
size_t zc_matcher_branch (zc_matcher_t *self);
size_t zc_matcher_jump (zc_matcher_t *self);
void zc_matcher_aim (zc_matcher_t *self, size_t number, size_t target);
/*  The number of the next step. */
size_t zc_matcher_here (const zc_matcher_t *self);
/*  Any bytes of a kind, as many as there are. */
void zc_matcher_take_many (zc_matcher_t *self, zc_byte_t kind);
/*  The rest of the text, whatever it is, matches. */
void zc_matcher_take_rest (zc_matcher_t *self);
/*  The program ends, and the text has to. */
void zc_matcher_end (zc_matcher_t *self);

/*  How many of the steps that the program begins with take one certain byte each. These bytes are
 *  written to `out`, which has room for `max`. */
size_t zc_matcher_literal (const zc_matcher_t *self, char *out, size_t max);
/*  Whether the program is only these. */
bool zc_matcher_is_literal (const zc_matcher_t *self);
/*  Whether all of the text matches from this step on. */
bool zc_matcher_matches (zc_matcher_t *self, size_t from, zc_slice_t text);

#endif
