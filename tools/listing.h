/*  listing.h - the broker's topics with their part of history (LIST), all pages together. */
#ifndef ZC_LISTING_H
#define ZC_LISTING_H

#include "tools/tool.h"

typedef struct {
    zc_id_t last; /* position of its last message, kept or not */
    uint64_t messages, bytes;
    char *topic; /* owned; NUL-terminated */
} zc_listed_t;

typedef struct {
    zc_listed_t *at; /* the topics published on last come first */
    size_t count, cap;
} zc_listing_t;

/*  Reads the topics that begin with `prefix`, but only the `most` that were published on last,
 *  unless `most` is 0. Returns ZC_EXIT_OK; or the exit status, after it has said why. The
 *  listing is to be cleared in either case. */
int zc_listing_read (zc_listing_t *self, zc_tool_link_t *link, zc_slice_t prefix, size_t most);
void zc_listing_clear (zc_listing_t *self);

#endif
