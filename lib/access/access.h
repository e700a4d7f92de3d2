/*  access.h - the subject of a request and its rights, decided in one place for every transport
 *  and door.
 *
 *  zc_access_new reads files; all other functions do no I/O. A decision holds for one moment: a
 *  connection keeps its identity, whose rights end at `expires_ms`. */
#ifndef ZC_ACCESS_H
#define ZC_ACCESS_H

#include "lib/access/rules.h"
#include "lib/access/token.h"
#include "lib/config/options.h"
#include "lib/wire/selector.h"

/*  The options that zc_access_new reads; a program with doors puts them into its table. */
/* clang-format off */
#define ZC_ACCESS_OPTIONS                                                                         \
    {.name = "tokens", .type = ZC_OPT_CHOICE, .preset = "open", .choices = "open|publish|all",    \
     .argument = "WHO",                                                                           \
     .help = "who needs a token: nobody (open), publishers, or all", .reload = true},             \
    {.name = "access", .type = ZC_OPT_MAP, .argument = "PREFIX=RULE",                             \
     .help = "topics that are public or private, and publish=anyone|token|zeromq|redis|nobody",   \
     .reload = true},                                                                             \
    {.name = "token-keys", .type = ZC_OPT_LIST, .min = 1, .max = 4096, .argument = "[KID=]FILE",  \
     .help = "keys that tokens are checked with: PEM, a secret, or JSON Web Keys",                \
     .reload = true},                                                                             \
    {.name = "token-issuers", .type = ZC_OPT_LIST, .min = 1, .max = 1024, .argument = "TEXT",     \
     .help = "a token's iss must be one of these", .reload = true},                               \
    {.name = "token-audiences", .type = ZC_OPT_LIST, .min = 1, .max = 1024, .argument = "TEXT",   \
     .help = "a token's aud must have one of these", .reload = true},                             \
    {.name = "token-leeway", .type = ZC_OPT_SECONDS, .preset = "5s", .max = 300000,               \
     .argument = "TIME",                                                                          \
     .help = "how far the clock of the tokens' issuer may be off", .reload = true},               \
    {.name = "token-expiry", .type = ZC_OPT_BOOL, .preset = "no",                                 \
     .help = "a token must say when it expires", .reload = true},                                 \
    {.name = "token-cookie", .type = ZC_OPT_TEXT, .preset = "zcast_token", .max = 128,            \
     .argument = "NAME",                                                                          \
     .help = "the cookie that a token may come in; empty: none", .reload = true},                 \
    {.name = "token-query", .type = ZC_OPT_BOOL, .preset = "no",                                  \
     .help = "a token may come as access_token in the query, where logs show it", .reload = true},\
    {.name = "selector-prefix", .type = ZC_OPT_NUMBER, .preset = "1", .max = 1024,                \
     .argument = "BYTES",                                                                         \
     .help = "how much text a selector begins with, unless a token grants all that it may match", \
     .reload = true},                                                                             \
    {.name = "api-keys", .type = ZC_OPT_TEXT, .min = 1, .max = 4096, .argument = "FILE",          \
     .help = "API keys of publishers", .reload = true}
/* clang-format on */

typedef struct zc_access zc_access_t;

/*  The credentials in a request, borrowed. `at` is NULL where the request has none of a kind. */
typedef struct {
    zc_slice_t authorization; /* the header's value */
    zc_slice_t cookie;        /* the header's value */
    zc_slice_t query;         /* as in the URL, encoded */
    zc_slice_t protocols;     /* Sec-WebSocket-Protocol: one that begins with ZC_ACCESS_PROTOCOL */
} zc_credentials_t;
#define ZC_ACCESS_PROTOCOL "zcast.token."

/*  The subject of a request. */
typedef struct {
    char *subject;       /* owned; a token's `sub`, or an API key's name; "": not said */
    char *id;            /* owned; a token's `jti`, or "" */
    char *kid;           /* owned; the `kid` of the key that signed a token, or "" */
    char key[41];        /* names the subject to limits: a digest of `sub`, or of a token without */
    uint64_t issued_ms;  /* 0: not said */
    uint64_t expires_ms; /* UINT64_MAX: never */
    zc_grants_t *grants; /* owned */
    bool by_cookie;      /* a browser sent it unasked: the door checks the page's origin */
} zc_identity_t;

typedef enum {
    ZC_ACCESS_GRANTED,
    ZC_ACCESS_UNAUTHORIZED, /* 401: a token is needed */
    ZC_ACCESS_FORBIDDEN,    /* 403: not with this token, or never */
} zc_decision_t;

/*  Reads the files that the options name. NULL with one sentence in `error` that names the
 *  option and the file at fault. The options are borrowed for the call. */
zc_access_t *zc_access_new (const zc_options_t *options, char *error, size_t size);
void zc_access_destroy (zc_access_t **self_p);
/*  Whether a file that it was read from has changed, by its time, size or inode number. The
 *  owner then makes a new one, and keeps this one where that fails. Looks at the disk. */
bool zc_access_changed (const zc_access_t *self);
zc_mode_t zc_access_mode (const zc_access_t *self);
/*  Whether anything can be checked: tokens, or API keys. */
bool zc_access_has_keys (const zc_access_t *self);

/*  Identifies the subject. Of several credentials the Authorization header counts, then the
 *  protocol, the query, the cookie. *identity is NULL for anonymous requests, and else the
 *  caller's. Bad credentials never make a request anonymous: the error then says what is wrong.
 *  Where the operator named no keys, every request is anonymous. */
zc_token_error_t zc_access_identify (const zc_access_t *self, const zc_credentials_t *credentials,
                                     uint64_t now_ms, zc_identity_t **identity);
/*  Whether the request brings credentials, good or bad, that zc_access_identify would check. */
bool zc_access_brings (const zc_access_t *self, const zc_credentials_t *credentials);
void zc_identity_destroy (zc_identity_t **self_p);

/*  `identity` may be NULL: an anonymous request. */
zc_decision_t zc_access_subscribe (const zc_access_t *self, const zc_identity_t *identity,
                                   zc_slice_t topic);
/*  Whether the subject may ask for the selector. It then sees of the topics that match those that
 *  are public, and those that its grants cover. A selector that begins with less text than
 *  `selector-prefix` is for subjects whose token grants all of them. */
zc_decision_t zc_access_select (const zc_access_t *self, const zc_identity_t *identity,
                                const zc_selector_t *selector);
/*  Whether a message on the topic is only for subjects whose token grants the topic. */
bool zc_access_restricts (const zc_access_t *self, zc_slice_t topic);
/*  The subject's view of topics and selectors, which it may have. `text` gets the view's bytes. */
zc_view_t zc_access_view (const zc_access_t *self, const zc_identity_t *identity,
                          const zc_slice_t *topics, size_t count, zc_buf_t *text);
zc_decision_t zc_access_publish (const zc_access_t *self, const zc_identity_t *identity,
                                 zc_slice_t topic);

/*  The value of WWW-Authenticate for an answer with 401 (RFC 6750 §3), static. `error` is
 *  ZC_TOKEN_OK where no token came. */
const char *zc_access_challenge (zc_token_error_t error);

#endif
