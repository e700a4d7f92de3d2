/*  rules.h - which topics are public or private, and who may publish to them: the table `access`
 *  of zcast.conf. No I/O.
 *
 *  A rule is a prefix of topics, and words separated by blanks:
 *
 *       public | private      anyone may subscribe, or subjects whose token grants the topic
 *       publish=WHO[,WHO…]    who may publish: `anyone`, `token` (a subject whose token grants the
 *                             topic), `zeromq`, `redis`, `nobody`
 *
 *  Of the rules about subscribing, and of those about publishing, the one with the longest
 *  prefix holds. For a topic without such a rule the mode holds. */
#ifndef ZC_RULES_H
#define ZC_RULES_H

#include "lib/base/text.h"

typedef enum {
    ZC_MODE_OPEN,    /* nobody needs a token */
    ZC_MODE_PUBLISH, /* publishers need a token */
    ZC_MODE_ALL,     /* publishers and subscribers need a token */
} zc_mode_t;

/*  The source of a message. HTTP and WebSocket are one source: there the token decides. */
typedef enum { ZC_SOURCE_DOOR, ZC_SOURCE_ZEROMQ, ZC_SOURCE_REDIS } zc_source_t;

typedef enum { ZC_MAY, ZC_MAY_WITH_TOKEN, ZC_MAY_NOT } zc_may_t;

typedef struct zc_rules zc_rules_t;

zc_rules_t *zc_rules_new (zc_mode_t mode);
void zc_rules_destroy (zc_rules_t **self_p);
/*  Adds a rule; `prefix` may be empty (all topics). Returns NULL, or a description of the
 *  expected words. */
const char *zc_rules_add (zc_rules_t *self, const char *prefix, const char *words);

zc_may_t zc_rules_subscribe (const zc_rules_t *self, zc_slice_t topic);
/*  Visits the prefixes that are private, and that begin with `prefix` and are longer: *at begins at
 * 0. False at the end. */
bool zc_rules_next_private (const zc_rules_t *self, zc_slice_t prefix, size_t *at,
                            zc_slice_t *private_);
/*  For ZeroMQ and Redis the result is ZC_MAY or ZC_MAY_NOT. */
zc_may_t zc_rules_publish (const zc_rules_t *self, zc_source_t source, zc_slice_t topic);

#endif
