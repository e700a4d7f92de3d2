/*  selector.h - selectors: a set of topics, described by the form of their names. No I/O.
 *
 *  Three forms are known:
 *
 *       filter     MQTT 5.0 §4.7: `+` is one level of a topic, `#` at the end all further ones
 *       template   RFC 6570, matched as the hubs of Mercure 0.x do: what `{name}` and the other
 *                  expressions may expand to
 *       pattern    WHATWG URL Pattern, as in Mercure 1.0: `:name`, `*`, and groups `{…}`, each
 *                  optional or repeated where `?`, `*` or `+` follows. It is compared with the
 *                  topic as both are written. A regular expression `(…)` is refused
 *
 *  `*` as a template or a pattern is every topic.
 *
 *  Wherever a topic's name may stand (in a channel, a request to the broker, a handover), a
 *  selector's name may stand too: a byte that no topic has, its form, and its text. */
#ifndef ZC_SELECTOR_H
#define ZC_SELECTOR_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

typedef enum {
    ZC_SELECTOR_FILTER = 'm',
    ZC_SELECTOR_TEMPLATE = 't',
    ZC_SELECTOR_PATTERN = 'p',
} zc_selector_form_t;

#define ZC_SELECTOR_MARK '\x01'
#define ZC_SELECTOR_HEAD 2 /* bytes of a name before the text */
#define ZC_SELECTOR_MAX (ZC_TOPIC_MAX + ZC_SELECTOR_HEAD)

typedef struct zc_selector zc_selector_t;

/*  Parses 1 to ZC_TOPIC_MAX bytes of UTF-8 without control characters. Returns NULL with one
 *  sentence in *error. */
zc_selector_t *zc_selector_new (zc_selector_form_t form, zc_slice_t text, const char **error);
void zc_selector_destroy (zc_selector_t **self_p);
/*  Whether the topic is one of the set. Takes time that is linear in the topic's length. No
 *  selector matches topics of zcast's own (zc_topic_is_canary). */
bool zc_selector_match (zc_selector_t *self, zc_slice_t topic);
/*  All topics that match begin with this text, which may be empty (borrowed). */
zc_slice_t zc_selector_beginning (const zc_selector_t *self);
/*  How many steps a match takes at most for each byte of a topic. A request's selectors are matched
 *  with each topic in history, so together they may have ZC_SELECTORS_STEPS_MAX. */
#define ZC_SELECTORS_STEPS_MAX 2048
size_t zc_selector_steps (const zc_selector_t *self);
/*  Whether only one topic matches, which is then the selector's beginning. */
bool zc_selector_is_topic (const zc_selector_t *self);
/*  Whether the topic that is the selector's beginning matches, although all other topics that match
 *  go on with '/': `news/#` matches `news`, `news/local`, but not `newsletter`. */
bool zc_selector_is_tree (const zc_selector_t *self);
zc_slice_t zc_selector_name (const zc_selector_t *self);

/*  Names. */

/*  Whether this is the name of a selector; it may still be malformed. */
bool zc_names_selector (zc_slice_t name);
/*  The selector of a name. NULL with one sentence in *error. */
zc_selector_t *zc_selector_of (zc_slice_t name, const char **error);
/*  Whether this is a topic, or the name of a selector. */
bool zc_is_topic_or_selector (zc_slice_t name);
/*  The text in the name of a selector. */
zc_slice_t zc_selector_text (zc_slice_t name);
/*  The same, or the topic if it is the name of one: what people are shown. */
zc_slice_t zc_selector_shown (zc_slice_t name);

#endif
