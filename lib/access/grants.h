/*  grants.h - the topics, topic prefixes and selectors that a token or an API key may publish and
 *  subscribe to; and views: the grants that decide what a client sees on its topics. No I/O. */
#ifndef ZC_GRANTS_H
#define ZC_GRANTS_H

#include <jansson.h>
#include "lib/wire/selector.h"

#define ZC_GRANTS_MAX 1000 /* topics of one list */

typedef enum { ZC_GRANT_PUBLISH, ZC_GRANT_SUBSCRIBE } zc_grant_t;
#define ZC_GRANT_KINDS (ZC_GRANT_SUBSCRIBE + 1)

typedef struct zc_grants zc_grants_t;

zc_grants_t *zc_grants_new (void);
void zc_grants_destroy (zc_grants_t **self_p);

/*  Allows one topic, or, with a `*` at its end, all topics that begin with the text before it;
 *  `*` alone is every topic; or, by the name of a selector, all topics that match. The text is
 *  copied. Returns 0, or -1 where it is none of these, or where there are ZC_GRANTS_MAX already, or
 *  the selectors have too many wildcards together. */
int zc_grants_add (zc_grants_t *self, zc_grant_t kind, zc_slice_t topic);
/*  Adds the members "publish" and "subscribe" of a JSON object (borrowed): lists of texts for
 *  zc_grants_add. Other members are passed over; a missing one grants nothing. Returns 0, or -1
 *  where `object` is no object, or a member is no list of such texts. */
int zc_grants_add_claim (zc_grants_t *self, const json_t *object);

/*  Adds the topics of other grants (borrowed), as far as there is room. */
void zc_grants_add_all (zc_grants_t *self, const zc_grants_t *others);

bool zc_grants_allow (const zc_grants_t *self, zc_grant_t kind, zc_slice_t topic);
/*  Whether every topic that begins with this text, which may be empty, is allowed. */
bool zc_grants_allow_all (const zc_grants_t *self, zc_grant_t kind, zc_slice_t prefix);
/*  Whether a topic is allowed; or, by the name of a selector, whether any topic that matches may
 *  be. */
bool zc_grants_meet (const zc_grants_t *self, zc_grant_t kind, zc_slice_t topic);
/*  Whether anything at all is granted. */
bool zc_grants_any (const zc_grants_t *self, zc_grant_t kind);
/*  Whether the topic was added by its own name: a prefix doesn't count. */
bool zc_grants_name (const zc_grants_t *self, zc_grant_t kind, zc_slice_t topic);
/*  The topics of one kind, as they were added, for showing them. False past the end. */
bool zc_grants_item (const zc_grants_t *self, zc_grant_t kind, size_t index, zc_slice_t *topic);

/*  Views.
 *
 *  What a client may see of the messages on its topics: those that are for everyone, and those that
 *  its grants cover. */
typedef struct {
    zc_slice_t grants; /* as zc_grants_view writes them (borrowed); empty: none */
    bool selective;    /* it has a selector that may match topics which aren't for everyone */
} zc_view_t;
/*  Appends those of the grants to subscribe that can matter to a client with these topics (or names
 *  of selectors), in one order and with LF between them: clients that see the same have the same
 *  text. `topics` are without repeats. */
void zc_grants_view (const zc_grants_t *self, const zc_slice_t *topics, size_t count,
                     zc_buf_t *out);
/*  The grants of a view; the caller owns them. NULL: none. */
zc_grants_t *zc_grants_of_view (zc_slice_t view);

#endif
