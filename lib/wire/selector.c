/*  selector.c - each form is compiled to the steps of a matcher. */
#include "lib/wire/selector.h"

#include <stdlib.h>
#include <string.h>

#include "lib/wire/matcher.h"
#include "lib/wire/message.h"

/*  A match takes at most so many steps for each byte of a topic. */
#define S_STEPS_MAX 512

struct zc_selector {
    zc_matcher_t *matcher; /* owned */
    bool tree;
    bool wild;  /* a filter that begins with a wildcard: topics that begin with $ don't match */
    bool named; /* a template matches its own text, too */
    size_t beginning_len, name_len;
    char bytes[]; /* the name, and behind it the beginning */
};

/*  Filters. */

static const char *s_compile_filter (zc_selector_t *self, zc_slice_t text)
{
    static const char wrong[] = "in a filter, + stands for a whole level, and # for all that "
                                "follow, at the end: as in news/+/title and news/#";
    zc_matcher_t *matcher = self->matcher;
    self->wild = text.at[0] == '+' || text.at[0] == '#';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool begins = i == 0 || text.at[i - 1] == '/', last = i + 1 == text.len;
        if (c == '/' && i > 0 && i + 2 == text.len && text.at[i + 1] == '#')
            break;
        if ((c == '#' && (!begins || !last)) ||
            (c == '+' && (!begins || (!last && text.at[i + 1] != '/'))))
            return wrong;
        if (c == '+')
            zc_matcher_take_many (matcher, ZC_BYTE_LEVEL);
        else if (c == '#')
            zc_matcher_take_rest (matcher);
        else
            zc_matcher_take (matcher, c);
    }
    self->tree = text.len > 2 && text.at[text.len - 1] == '#'; /* behind a '/' */
    if (self->tree) {                                          /* the level above is part of it */
        size_t branch = zc_matcher_branch (matcher);
        zc_matcher_take (matcher, '/');
        zc_matcher_take_rest (matcher);
        zc_matcher_aim (matcher, branch, zc_matcher_here (matcher));
    }
    return NULL;
}

/*  Templates (RFC 6570 §2). */

typedef struct {
    char operator; /* 0: none */
    char first, separator;
    bool pairs;    /* name=value */
    bool reserved; /* reserved characters are part of values */
} s_expression_t;

static const s_expression_t *s_expression (char operator)
{
    static const s_expression_t all[] = {
        {0, 0, ',', false, false},     {'+', 0, ',', false, true},    {'#', '#', ',', false, true},
        {'.', '.', '.', false, false}, {'/', '/', '/', false, false}, {';', ';', ';', true, false},
        {'?', '?', '&', true, false},  {'&', '&', '&', true, false},
    };
    for (size_t i = 1; i < sizeof all / sizeof *all; i++)
        if (all[i].operator== operator)
            return &all[i];
    return &all[0];
}

static bool s_is_alnum (char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/*  Reads a name of variables. Returns its length, 0 where it is malformed. */
static size_t s_variable (const char *at, const char *end)
{
    const char *begin = at;
    while (at < end && (s_is_alnum (*at) || *at == '_' || *at == '%' || *at == '.'))
        at++;
    return at > begin && *begin != '.' && at[-1] != '.' ? (size_t)(at - begin) : 0;
}

/*  Reads the list of variables. Returns their number, 0 where the list is malformed. */
static size_t s_variables (const char *at, const char *end, bool *explodes)
{
    for (size_t count = 1;; count++) {
        size_t len = s_variable (at, end);
        if (len == 0)
            return 0;
        at += len;
        if (at < end && *at == '*') {
            *explodes = true;
            at++;
        } else if (at < end && *at == ':') {
            const char *digits = ++at;
            while (at < end && *at >= '0' && *at <= '9')
                at++;
            if (at == digits || *digits == '0' || at - digits > 4)
                return 0;
        }
        if (at == end)
            return count;
        if (*at++ != ',')
            return 0;
    }
}

/*  A value, or several with commas: any number of characters of a kind, or %XX. */
static void s_take_value (zc_matcher_t *matcher, zc_byte_t kind)
{
    size_t begin = zc_matcher_branch (matcher), other = zc_matcher_branch (matcher);
    zc_matcher_take_one_of (matcher, kind);
    zc_matcher_aim (matcher, zc_matcher_jump (matcher), begin);
    zc_matcher_aim (matcher, other, zc_matcher_here (matcher));
    zc_matcher_take (matcher, '%');
    zc_matcher_take_one_of (matcher, ZC_BYTE_HEX);
    zc_matcher_take_one_of (matcher, ZC_BYTE_HEX);
    zc_matcher_aim (matcher, zc_matcher_jump (matcher), begin);
    zc_matcher_aim (matcher, begin, zc_matcher_here (matcher));
}

/*  Any number of values, or `most`, each behind a separator. */
static void s_take_values (zc_matcher_t *matcher, char separator, zc_byte_t kind, size_t most,
                           bool explodes)
{
    for (size_t i = 0; i < (explodes ? 1 : most); i++) {
        size_t branch = zc_matcher_branch (matcher);
        zc_matcher_take (matcher, separator);
        s_take_value (matcher, kind);
        if (explodes)
            zc_matcher_aim (matcher, zc_matcher_jump (matcher), branch);
        zc_matcher_aim (matcher, branch, zc_matcher_here (matcher));
    }
}

static const char *s_compile_expression (zc_matcher_t *matcher, const char *at, const char *end)
{
    static const char wrong[] = "a template has expressions like {id}, {+path} and {?a,b} "
                                "(RFC 6570)";
    const s_expression_t *expression = s_expression (at < end ? *at : 0);
    bool explodes = false;
    at += expression->operator!= 0;
    size_t count = s_variables (at, end, &explodes);
    if (count == 0)
        return wrong;
    zc_byte_t plain = expression->reserved ? ZC_BYTE_RESERVED : ZC_BYTE_VALUE;
    zc_byte_t pairs = expression->reserved ? ZC_BYTE_RESERVED : ZC_BYTE_PAIR;
    size_t branch = expression->first ? zc_matcher_branch (matcher) : 0;
    if (expression->first)
        zc_matcher_take (matcher, expression->first);
    s_take_value (matcher, expression->pairs || explodes ? pairs : plain);
    s_take_values (matcher, expression->separator, expression->pairs || explodes ? pairs : plain,
                   count - 1, explodes);
    if (expression->first)
        zc_matcher_aim (matcher, branch, zc_matcher_here (matcher));
    return NULL;
}

static const char *s_compile_template (zc_selector_t *self, zc_slice_t text)
{
    const char *at = text.at, *end = text.at + text.len, *wrong = NULL;
    self->named = true;
    while (at < end && !wrong) {
        if (*at == '}')
            return "a } in a template ends an expression that begins with {";
        if (*at != '{') {
            zc_matcher_take (self->matcher, *at++);
            continue;
        }
        const char *close = memchr (at, '}', (size_t)(end - at));
        if (!close)
            return "an expression in a template ends with }";
        wrong = s_compile_expression (self->matcher, at + 1, close);
        at = close + 1;
    }
    return wrong;
}

/*  Patterns (WHATWG URL Pattern). */

typedef enum { S_CHAR, S_NAME, S_STAR, S_OPEN, S_CLOSE, S_STOP } s_token_kind_t;

typedef struct {
    s_token_kind_t kind;
    char byte;     /* CHAR */
    bool escaped;  /* CHAR: it ends no part of the URL */
    char modifier; /* NAME, STAR, CLOSE: ? * + or 0 */
} s_token_t;

/*  The part of the URL that a token is in. A pattern without a scheme is no URL to us, but one path
 *  that may contain any byte. */
typedef enum { S_TEXT, S_SCHEME, S_HOST, S_PATH, S_SEARCH, S_HASH } s_part_t;

typedef struct {
    zc_matcher_t *matcher;
    const s_token_t *tokens; /* the last one is STOP */
    s_part_t part;
    const char *wrong;
} s_pattern_t;

static bool s_begins_name (char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '$' ||
           (uint8_t)c >= 0x80;
}

static char s_modifier (const char **at, const char *end)
{
    bool there = *at < end && (**at == '?' || **at == '*' || **at == '+');
    return there ? *(*at)++ : 0;
}

/*  Reads the token at *at. */
static const char *s_next_token (const char **at, const char *end, s_token_t *token)
{
    char c = *(*at)++;
    *token = (s_token_t){.kind = S_CHAR, .byte = c};
    if (c == '\\') {
        if (*at == end)
            return "a pattern doesn't end with a backslash";
        token->byte = *(*at)++;
        token->escaped = true;
    } else if (c == ':' && *at < end && s_begins_name (**at)) {
        token->kind = S_NAME;
        while (*at < end && (s_begins_name (**at) || s_is_alnum (**at)))
            ++*at;
    } else if (c == '*') {
        token->kind = S_STAR;
    } else if (c == '{') {
        token->kind = S_OPEN;
    } else if (c == '}') {
        token->kind = S_CLOSE;
    } else if (c == '(' || c == ')') {
        return "a pattern has no regular expressions (…) here";
    }
    if (token->kind == S_NAME || token->kind == S_STAR || token->kind == S_CLOSE)
        token->modifier = s_modifier (at, end);
    return NULL;
}

static bool s_is_plain (const s_token_t *token, char byte)
{
    return token->kind == S_CHAR && !token->escaped && token->byte == byte;
}

static bool s_is_scheme_end (const s_token_t *token)
{
    return s_is_plain (token, ':') && s_is_plain (token + 1, '/') && s_is_plain (token + 2, '/');
}

/*  A plain character may begin the next part of the URL. */
static void s_move_on (s_pattern_t *self, const s_token_t *token)
{
    bool second = token > self->tokens && s_is_plain (token, '/') && s_is_plain (token - 1, '/');
    if (self->part == S_SCHEME && second)
        self->part = S_HOST;
    else if (self->part == S_HOST && s_is_plain (token, '/'))
        self->part = S_PATH;
    else if ((self->part == S_HOST || self->part == S_PATH) && s_is_plain (token, '?'))
        self->part = S_SEARCH;
    else if (self->part >= S_HOST && s_is_plain (token, '#'))
        self->part = S_HASH;
}

static void s_take_wildcard (const s_pattern_t *self, const s_token_t *token)
{
    static const zc_byte_t names[] = {
        [S_TEXT] = ZC_BYTE_LEVEL, [S_SCHEME] = ZC_BYTE_HOST,   [S_HOST] = ZC_BYTE_HOST,
        [S_PATH] = ZC_BYTE_PATH,  [S_SEARCH] = ZC_BYTE_SEARCH, [S_HASH] = ZC_BYTE_ANY};
    static const zc_byte_t stars[] = {
        [S_TEXT] = ZC_BYTE_ANY,   [S_SCHEME] = ZC_BYTE_HOST,   [S_HOST] = ZC_BYTE_HOSTS,
        [S_PATH] = ZC_BYTE_PATHS, [S_SEARCH] = ZC_BYTE_SEARCH, [S_HASH] = ZC_BYTE_ANY};
    bool name = token->kind == S_NAME;
    zc_byte_t kind = name ? names[self->part] : stars[self->part];
    if (!name && kind == ZC_BYTE_ANY && token[1].kind == S_STOP && !token->modifier) {
        zc_matcher_take_rest (self->matcher);
        return;
    }
    if (name) /* at least one byte */
        zc_matcher_take_one_of (self->matcher, kind);
    zc_matcher_take_many (self->matcher, kind);
}

/*  Characters and wildcards without a modifier of their own. */
static void s_take_tokens (s_pattern_t *self, const s_token_t *from, const s_token_t *to)
{
    for (const s_token_t *token = from; token < to; token++) {
        if (token->kind != S_CHAR) {
            s_take_wildcard (self, token);
            continue;
        }
        s_move_on (self, token);
        zc_matcher_take (self->matcher, token->byte);
    }
}

static void s_take_group (s_pattern_t *self, const s_token_t *from, const s_token_t *to,
                          char modifier)
{
    zc_matcher_t *matcher = self->matcher;
    bool optional = modifier == '?' || modifier == '*';
    bool repeated = modifier == '*' || modifier == '+';
    size_t branch = optional ? zc_matcher_branch (matcher) : 0, begin = zc_matcher_here (matcher);
    s_take_tokens (self, from, to);
    if (repeated) {
        size_t again = zc_matcher_branch (matcher), jump = zc_matcher_jump (matcher);
        zc_matcher_aim (matcher, again, zc_matcher_here (matcher));
        zc_matcher_aim (matcher, jump, begin);
    }
    if (optional)
        zc_matcher_aim (matcher, branch, zc_matcher_here (matcher));
}

/*  Takes a group in braces. Returns the token behind it. */
static const s_token_t *s_take_braces (s_pattern_t *self, const s_token_t *open)
{
    const s_token_t *close = open + 1;
    while (close->kind < S_OPEN && !(close->kind != S_CHAR && close->modifier))
        close++;
    if (close->kind != S_CLOSE) {
        self->wrong = close->kind == S_STOP ? "a group in a pattern ends with }"
                                            : "a group in a pattern has no group in it";
        return close;
    }
    s_take_group (self, open + 1, close, close->modifier);
    return close + 1;
}

/*  A `/` before a wildcard with a modifier belongs to it: /:id? is {/:id}?. */
static const s_token_t *s_take_next (s_pattern_t *self, const s_token_t *token)
{
    bool path = self->part == S_PATH || self->part == S_TEXT;
    const s_token_t *wildcard = token + (path && s_is_plain (token, '/'));
    bool modified = (wildcard->kind == S_NAME || wildcard->kind == S_STAR) && wildcard->modifier;
    if (token->kind == S_OPEN)
        return s_take_braces (self, token);
    if (token->kind == S_CLOSE) {
        self->wrong = "a } in a pattern ends a group that begins with {";
        return token;
    }
    if (modified)
        s_take_group (self, token, wildcard + 1, wildcard->modifier);
    else
        s_take_tokens (self, token, token + 1);
    return modified ? wildcard + 1 : token + 1;
}

/*  The parts of the URL behind the last one that the pattern names may be anything. */
static void s_take_unnamed (const s_pattern_t *self)
{
    zc_matcher_t *matcher = self->matcher;
    if (self->part == S_HOST || self->part == S_PATH) {
        size_t branch = zc_matcher_branch (matcher);
        zc_matcher_take (matcher, '?');
        zc_matcher_take_many (matcher, ZC_BYTE_SEARCH);
        zc_matcher_aim (matcher, branch, zc_matcher_here (matcher));
    }
    if (self->part >= S_HOST && self->part <= S_SEARCH) {
        size_t branch = zc_matcher_branch (matcher);
        zc_matcher_take (matcher, '#');
        zc_matcher_take_rest (matcher);
        zc_matcher_aim (matcher, branch, zc_matcher_here (matcher));
    }
}

static const char *s_compile_pattern (zc_selector_t *selector, zc_slice_t text)
{
    s_token_t tokens[ZC_TOPIC_MAX + 3];
    const char *at = text.at, *end = text.at + text.len, *wrong = NULL;
    size_t count = 0;
    while (at < end && !wrong)
        wrong = s_next_token (&at, end, &tokens[count++]);
    if (wrong)
        return wrong;
    for (size_t i = 0; i < 3; i++) /* whoever looks ahead sees at most two of them */
        tokens[count + i] = (s_token_t){.kind = S_STOP};
    s_pattern_t self = {.matcher = selector->matcher, .tokens = tokens, .part = S_TEXT};
    for (size_t i = 0; i < count && self.part == S_TEXT; i++)
        if (s_is_scheme_end (&tokens[i]))
            self.part = S_SCHEME;
    const s_token_t *token = tokens;
    while (token->kind != S_STOP && !self.wrong)
        token = s_take_next (&self, token);
    s_take_unnamed (&self);
    return self.wrong;
}

/*  All forms. */

static const char *s_compile (zc_selector_t *self, zc_selector_form_t form, zc_slice_t text)
{
    const char *wrong = NULL;
    if (form != ZC_SELECTOR_FILTER && zc_slice_is (text, "*"))
        zc_matcher_take_rest (self->matcher);
    else if (form == ZC_SELECTOR_FILTER)
        wrong = s_compile_filter (self, text);
    else if (form == ZC_SELECTOR_TEMPLATE)
        wrong = s_compile_template (self, text);
    else if (form == ZC_SELECTOR_PATTERN)
        wrong = s_compile_pattern (self, text);
    else
        wrong = "a selector is a filter, a template or a pattern";
    zc_matcher_end (self->matcher);
    self->beginning_len =
        zc_matcher_literal (self->matcher, self->bytes + self->name_len, text.len);
    if (!wrong && zc_selector_steps (self) > S_STEPS_MAX)
        wrong = "a selector has too many wildcards, or goes on too long behind the first one";
    if (!wrong && self->beginning_len == 0 && zc_matcher_is_literal (self->matcher))
        wrong = "a pattern isn't only empty groups: no topic is empty";
    return wrong;
}

zc_selector_t *zc_selector_new (zc_selector_form_t form, zc_slice_t text, const char **error)
{
    *error = "a selector is 1 to 1024 bytes of UTF-8 without control characters";
    if (!zc_topic_valid (text.at, text.len))
        return NULL;
    size_t name_len = text.len + ZC_SELECTOR_HEAD;
    zc_selector_t *self = calloc (1, sizeof *self + name_len + text.len);
    if (!self)
        abort ();
    self->name_len = name_len;
    self->bytes[0] = ZC_SELECTOR_MARK;
    self->bytes[1] = (char)form;
    memcpy (self->bytes + ZC_SELECTOR_HEAD, text.at, text.len);
    self->matcher = zc_matcher_new ();
    *error = s_compile (self, form, text);
    if (*error) {
        zc_selector_destroy (&self);
        return NULL;
    }
    /*  `news/+/#` is no tree: its beginning is no topic of it. */
    self->tree &= self->beginning_len + 2 == text.len;
    return self;
}

void zc_selector_destroy (zc_selector_t **self_p)
{
    zc_selector_t *self = *self_p;
    if (!self)
        return;
    zc_matcher_destroy (&self->matcher);
    free (self);
    *self_p = NULL;
}

bool zc_selector_match (zc_selector_t *self, zc_slice_t topic)
{
    size_t begun = self->beginning_len;
    if (!zc_slice_begins (topic, zc_selector_beginning (self)) || zc_topic_is_canary (topic) ||
        (self->wild && topic.len && topic.at[0] == '$'))
        return false;
    const zc_slice_t rest = {topic.at + begun, topic.len - begun};
    return zc_matcher_matches (self->matcher, begun, rest) ||
           (self->named &&
            zc_slice_compare (topic, zc_selector_text (zc_selector_name (self))) == 0);
}

zc_slice_t zc_selector_beginning (const zc_selector_t *self)
{
    return (zc_slice_t){self->bytes + self->name_len, self->beginning_len};
}

size_t zc_selector_steps (const zc_selector_t *self)
{
    return zc_matcher_here (self->matcher) - self->beginning_len;
}

bool zc_selector_is_topic (const zc_selector_t *self)
{
    return zc_matcher_is_literal (self->matcher);
}

bool zc_selector_is_tree (const zc_selector_t *self)
{
    return self->tree;
}

zc_slice_t zc_selector_name (const zc_selector_t *self)
{
    return (zc_slice_t){self->bytes, self->name_len};
}

/*  Names. */

bool zc_names_selector (zc_slice_t name)
{
    return name.len > ZC_SELECTOR_HEAD && name.at[0] == ZC_SELECTOR_MARK;
}

zc_slice_t zc_selector_text (zc_slice_t name)
{
    return (zc_slice_t){name.at + ZC_SELECTOR_HEAD, name.len - ZC_SELECTOR_HEAD};
}

zc_slice_t zc_selector_shown (zc_slice_t name)
{
    return zc_names_selector (name) ? zc_selector_text (name) : name;
}

zc_selector_t *zc_selector_of (zc_slice_t name, const char **error)
{
    *error = "this is no name of a selector";
    if (!zc_names_selector (name))
        return NULL;
    return zc_selector_new ((zc_selector_form_t)name.at[1], zc_selector_text (name), error);
}

bool zc_is_topic_or_selector (zc_slice_t name)
{
    const char *error;
    if (!zc_names_selector (name))
        return zc_topic_valid (name.at, name.len);
    zc_selector_t *self = zc_selector_of (name, &error);
    bool valid = self != NULL;
    zc_selector_destroy (&self);
    return valid;
}
