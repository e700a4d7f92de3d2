/*  rules.h - which topics are public or private, and who may publish them: the table `access` of
 *  zcast.conf. No I/O.
 *
 *  A rule is a prefix of topics and words with blanks between them:
 *
 *      public | private      who may subscribe: anyone, or who has a token that grants the topic
 *      publish=WHO[,WHO…]    who may publish: `anyone`, `token` (who has one that grants the
 * topic), `zeromq`, `redis`, `nobody`
 *
 *  Of the rules that say something of subscribing, or of publishing, the one with the longest
 * prefix holds; where none says it, the mode does. */
#ifndef ZC_RULES_H
#define ZC_RULES_H

#include "lib/base/text.h"

typedef enum {
    ZC_MODE_OPEN,    /* nobody needs a token */
    ZC_MODE_PUBLISH, /* who publishes does */
    ZC_MODE_ALL,     /* who subscribes, too */
} zc_mode_t;

/*  How a message comes in. HTTP and WebSocket are one: what counts there is the token. */
typedef enum { ZC_SOURCE_DOOR, ZC_SOURCE_ZEROMQ, ZC_SOURCE_REDIS } zc_source_t;

typedef enum { ZC_MAY, ZC_MAY_WITH_TOKEN, ZC_MAY_NOT } zc_may_t;

typedef struct zc_rules zc_rules_t;

zc_rules_t *zc_rules_new (zc_mode_t mode);
void zc_rules_destroy (zc_rules_t **self_p);
/*  Adds a rule; `prefix` may be empty (all topics). Returns NULL, or what was expected. */
const char *zc_rules_add (zc_rules_t *self, const char *prefix, const char *words);

zc_may_t zc_rules_subscribe (const zc_rules_t *self, zc_slice_t topic);
/*  From ZeroMQ and Redis: ZC_MAY or ZC_MAY_NOT. */
zc_may_t zc_rules_publish (const zc_rules_t *self, zc_source_t source, zc_slice_t topic);

#endif
