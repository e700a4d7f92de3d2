/*  rules.c - see rules.h. The rules are sorted by the length of their prefix, longest first, so
 *  the first that matches is the one that counts. A search is linear, as operators write tens of
 *  rules. */
#include "lib/access/rules.h"

#include <stdlib.h>
#include <string.h>

#define S_ANYONE 1u
#define S_TOKEN 2u
#define S_ZEROMQ 4u
#define S_REDIS 8u
#define S_NOBODY 16u

typedef struct {
    zc_slice_t prefix; /* owned */
    int subscribe;     /* a zc_may_t, or -1: not given */
    unsigned publish;  /* ZC_PUBLISH_… flags; 0: not given */
} s_rule_t;

struct zc_rules {
    zc_mode_t mode;
    s_rule_t *rules; /* owned; longest prefix first */
    size_t count;
};

zc_rules_t *zc_rules_new (zc_mode_t mode)
{
    zc_rules_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->mode = mode;
    return self;
}

void zc_rules_destroy (zc_rules_t **self_p)
{
    zc_rules_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        free ((char *)(uintptr_t)self->rules[i].prefix.at);
    free (self->rules);
    free (self);
    *self_p = NULL;
}

/*  Reading a rule. */

static zc_slice_t s_part (const char **at, const char *separators)
{
    zc_slice_t part = {*at, strcspn (*at, separators)};
    *at += part.len;
    return part;
}

static unsigned s_who (zc_slice_t name)
{
    static const struct {
        const char *name;
        unsigned who;
    } names[] = {{"anyone", S_ANYONE | S_ZEROMQ | S_REDIS},
                 {"token", S_TOKEN},
                 {"zeromq", S_ZEROMQ},
                 {"redis", S_REDIS},
                 {"nobody", S_NOBODY}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (zc_slice_is (name, names[i].name))
            return names[i].who;
    return 0;
}

static const char *s_read_publish (s_rule_t *rule, const char **at)
{
    static const char expected[] =
        "expected publish= with anyone, token, zeromq, redis or nobody, and commas between";
    if (rule->publish)
        return "publish= is said twice";
    for (;;) {
        unsigned who = s_who (s_part (at, ", "));
        if (!who)
            return expected;
        rule->publish |= who;
        if (**at != ',')
            break;
        ++*at;
    }
    return rule->publish & S_NOBODY && rule->publish != S_NOBODY ? expected : NULL;
}

static const char *s_read_word (s_rule_t *rule, const char **at)
{
    static const char publish[] = "publish=";
    if (strncmp (*at, publish, sizeof publish - 1) == 0) {
        *at += sizeof publish - 1;
        return s_read_publish (rule, at);
    }
    zc_slice_t word = s_part (at, " ");
    int may = zc_slice_is (word, "public")    ? (int)ZC_MAY
              : zc_slice_is (word, "private") ? (int)ZC_MAY_WITH_TOKEN
                                              : -1;
    if (may < 0)
        return "expected public or private, and publish=anyone|token|zeromq|redis|nobody";
    if (rule->subscribe >= 0)
        return "public and private don't go together";
    rule->subscribe = may;
    return NULL;
}

static const char *s_read (s_rule_t *rule, const char *words)
{
    const char *wrong = NULL;
    rule->subscribe = -1;
    rule->publish = 0;
    while (!wrong && *(words += strspn (words, " ")))
        wrong = s_read_word (rule, &words);
    if (!wrong && rule->subscribe < 0 && !rule->publish)
        wrong = "expected public or private, or publish=";
    return wrong;
}

const char *zc_rules_add (zc_rules_t *self, const char *prefix, const char *words)
{
    s_rule_t rule = {.prefix = {prefix, strlen (prefix)}};
    const char *wrong = s_read (&rule, words);
    if (wrong)
        return wrong;
    if (rule.prefix.len > ZC_TOPIC_MAX || !zc_text_plain (prefix, rule.prefix.len))
        return "a prefix has at most 1024 bytes of UTF-8 without control characters";
    size_t at = 0;
    while (at < self->count && self->rules[at].prefix.len >= rule.prefix.len) {
        if (zc_slice_compare (self->rules[at].prefix, rule.prefix) == 0)
            return "this prefix has a rule already";
        at++;
    }
    self->rules = realloc (self->rules, (self->count + 1) * sizeof *self->rules);
    char *copy = strdup (prefix);
    if (!self->rules || !copy)
        abort ();
    rule.prefix.at = copy;
    memmove (self->rules + at + 1, self->rules + at, (self->count - at) * sizeof *self->rules);
    self->rules[at] = rule;
    self->count++;
    return NULL;
}

/*  Asking the rules. */

static int s_said_of_subscribing (const zc_rules_t *self, zc_slice_t topic)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->rules[i].subscribe >= 0 && zc_slice_begins (topic, self->rules[i].prefix))
            return self->rules[i].subscribe;
    return -1;
}

zc_may_t zc_rules_subscribe (const zc_rules_t *self, zc_slice_t topic)
{
    int said = s_said_of_subscribing (self, topic);
    if (said >= 0)
        return (zc_may_t)said;
    return self->mode == ZC_MODE_ALL ? ZC_MAY_WITH_TOKEN : ZC_MAY;
}

bool zc_rules_next_private (const zc_rules_t *self, zc_slice_t prefix, size_t *at,
                            zc_slice_t *private_)
{
    while (*at < self->count) {
        const s_rule_t *rule = &self->rules[(*at)++];
        if (rule->subscribe == (int)ZC_MAY_WITH_TOKEN && rule->prefix.len > prefix.len &&
            zc_slice_begins (rule->prefix, prefix)) {
            *private_ = rule->prefix;
            return true;
        }
    }
    return false;
}

static unsigned s_said_of_publishing (const zc_rules_t *self, zc_slice_t topic)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->rules[i].publish && zc_slice_begins (topic, self->rules[i].prefix))
            return self->rules[i].publish;
    return S_ZEROMQ | S_REDIS | (self->mode == ZC_MODE_OPEN ? S_ANYONE : S_TOKEN);
}

zc_may_t zc_rules_publish (const zc_rules_t *self, zc_source_t source, zc_slice_t topic)
{
    unsigned who = s_said_of_publishing (self, topic);
    switch (source) {
    case ZC_SOURCE_ZEROMQ:
        return who & S_ZEROMQ ? ZC_MAY : ZC_MAY_NOT;
    case ZC_SOURCE_REDIS:
        return who & S_REDIS ? ZC_MAY : ZC_MAY_NOT;
    default:
        return who & S_ANYONE ? ZC_MAY : who & S_TOKEN ? ZC_MAY_WITH_TOKEN : ZC_MAY_NOT;
    }
}
