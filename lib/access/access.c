/*  access.c - see access.h.
 *
 *  When a file changes, all files are read again and replace the old state as a whole, so the
 *  state in use is never half old and half new. */
#define _GNU_SOURCE /* memrchr */
#include "lib/access/access.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/access/apikeys.h"
#include "lib/base/log.h"
#include "lib/wire/field.h"

/*  A file and its state when it was read. */
typedef struct {
    char *path; /* owned */
    struct timespec modified;
    off_t size;
    ino_t number;
    mode_t mode;
} s_file_t;

typedef struct {
    char **texts; /* owned */
    size_t count;
} s_texts_t;

struct zc_access {
    zc_mode_t mode;
    zc_rules_t *rules;      /* owned */
    size_t selector_prefix; /* bytes */
    zc_keys_t *keys;        /* owned */
    zc_apikeys_t *api_keys; /* owned; NULL: none */
    s_texts_t issuers, audiences;
    zc_token_policy_t policy; /* borrows the texts */
    char *cookie;             /* owned; "": none */
    bool query;
    s_file_t *files; /* owned */
    size_t file_count;
};

/*  Reading the files that the options name. */

static char *s_copy (const char *text)
{
    char *copy = strdup (text ? text : "");
    if (!copy)
        abort ();
    return copy;
}

static void s_note_file (zc_access_t *self, const char *path, const struct stat *info)
{
    self->files = realloc (self->files, (self->file_count + 1) * sizeof *self->files);
    if (!self->files)
        abort ();
    self->files[self->file_count++] =
        (s_file_t){s_copy (path), info->st_mtim, info->st_size, info->st_ino, info->st_mode};
}

/*  Reads the whole file, of at most `max` bytes. The caller frees it with OPENSSL_clear_free.
 *  NULL with errno. */
static uint8_t *s_read (int fd, size_t max, size_t *len)
{
    uint8_t *bytes = OPENSSL_malloc (max + 1);
    ssize_t got;
    if (!bytes)
        abort ();
    *len = 0;
    while (*len <= max && (got = read (fd, bytes + *len, max + 1 - *len)) != 0) {
        if (got < 0 && errno != EINTR) {
            OPENSSL_clear_free (bytes, max + 1);
            return NULL;
        }
        *len += got > 0 ? (size_t)got : 0;
    }
    return bytes;
}

typedef int (*s_take_fn) (zc_access_t *self, zc_slice_t file, const char *kid, char *error,
                          size_t size);

/*  Opens a file, and hands its bytes to `take`. The file need not be a plain one: one of
 *  systemd's credentials is plain, a shell's pipe isn't. */
static int s_file (zc_access_t *self, const char *option, const char *path, size_t max,
                   s_take_fn take, const char *kid, char *error, size_t size)
{
    char why[256] = "";
    struct stat info;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = -1;
    size_t len = 0;
    uint8_t *bytes = fd >= 0 && fstat (fd, &info) == 0 ? s_read (fd, max, &len) : NULL;
    if (!bytes) {
        snprintf (why, sizeof why, "%s", strerror (errno));
    } else {
        rc = take (self, (zc_slice_t){(const char *)bytes, len}, kid, why, sizeof why);
        s_note_file (self, path, &info);
        OPENSSL_clear_free (bytes, max + 1);
    }
    if (fd >= 0)
        close (fd);
    if (rc != 0)
        snprintf (error, size, "%s %s: %s", option, path, why);
    return rc;
}

static int s_take_keys (zc_access_t *self, zc_slice_t file, const char *kid, char *error,
                        size_t size)
{
    return zc_keys_add (self->keys, file, kid, error, size);
}

/*  A key that can sign is a secret: a user who can read it can make tokens. */
static void s_warn_of_readers (const zc_access_t *self, size_t before)
{
    const s_file_t *file = &self->files[self->file_count - 1];
    const zc_key_t *key;
    for (size_t i = before; (key = zc_keys_item (self->keys, i)); i++) {
        if (zc_key_signs (key) && file->mode & S_IROTH) {
            zc_warn (
                ZC_EVENT (
                    "secret.exposed path",
                    "token-keys %s: every user of this machine can read this secret; chmod o-r"),
                file->path);
            return;
        }
    }
}

static int s_take_api_keys (zc_access_t *self, zc_slice_t file, const char *kid, char *error,
                            size_t size)
{
    (void)kid;
    self->api_keys = zc_apikeys_new (file, error, size);
    return self->api_keys ? 0 : -1;
}

/*  Parses "[KID=]FILE". A path that has a `=` needs a kid before it, or begins with `./`. */
static int s_key_file (zc_access_t *self, const char *value, char *error, size_t size)
{
    const char *equals = strchr (value, '='), *slash = strchr (value, '/');
    bool named = equals && (!slash || equals < slash);
    char *kid = named ? strndup (value, (size_t)(equals - value)) : NULL;
    size_t before = zc_keys_count (self->keys);
    int rc = s_file (self, "token-keys", named ? equals + 1 : value, ZC_KEYS_FILE_MAX, s_take_keys,
                     kid, error, size);
    free (kid);
    if (rc == 0)
        s_warn_of_readers (self, before);
    return rc;
}

static int s_load_files (zc_access_t *self, const zc_options_t *options, char *error, size_t size)
{
    const char *name, *value, *api_keys = zc_options_text (options, "api-keys");
    for (size_t i = 0; zc_options_item (options, "token-keys", i, &name, &value); i++)
        if (s_key_file (self, value, error, size) != 0)
            return -1;
    if (!api_keys)
        return 0;
    return s_file (self, "api-keys", api_keys, ZC_APIKEYS_FILE_MAX, s_take_api_keys, NULL, error,
                   size);
}

static int s_load_rules (zc_access_t *self, const zc_options_t *options, char *error, size_t size)
{
    const char *prefix, *words;
    for (size_t i = 0; zc_options_item (options, "access", i, &prefix, &words); i++) {
        const char *wrong = zc_rules_add (self->rules, prefix, words);
        if (wrong) {
            snprintf (error, size, "access %s=%s: %s", prefix, words, wrong);
            return -1;
        }
    }
    return 0;
}

static s_texts_t s_load_texts (const zc_options_t *options, const char *option)
{
    s_texts_t list = {NULL, 0};
    const char *name, *value;
    for (size_t i = 0; zc_options_item (options, option, i, &name, &value); i++) {
        list.texts = realloc (list.texts, (list.count + 1) * sizeof *list.texts);
        if (!list.texts)
            abort ();
        list.texts[list.count++] = s_copy (value);
    }
    return list;
}

static zc_mode_t s_mode (const zc_options_t *options)
{
    const char *mode = zc_options_text (options, "tokens");
    return strcmp (mode, "all") == 0       ? ZC_MODE_ALL
           : strcmp (mode, "publish") == 0 ? ZC_MODE_PUBLISH
                                           : ZC_MODE_OPEN;
}

bool zc_access_has_keys (const zc_access_t *self)
{
    return zc_keys_count (self->keys) > 0 || self->api_keys;
}

static int s_load (zc_access_t *self, const zc_options_t *options, char *error, size_t size)
{
    if (s_load_rules (self, options, error, size) != 0 ||
        s_load_files (self, options, error, size) != 0)
        return -1;
    if (self->mode == ZC_MODE_OPEN || zc_access_has_keys (self))
        return 0;
    snprintf (error, size,
              "tokens = %s: nobody could come in: name keys with token-keys or api-keys",
              zc_options_text (options, "tokens"));
    return -1;
}

zc_access_t *zc_access_new (const zc_options_t *options, char *error, size_t size)
{
    zc_access_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->mode = s_mode (options);
    self->rules = zc_rules_new (self->mode);
    self->selector_prefix = (size_t)zc_options_number (options, "selector-prefix");
    self->keys = zc_keys_new ();
    self->issuers = s_load_texts (options, "token-issuers");
    self->audiences = s_load_texts (options, "token-audiences");
    self->policy = (zc_token_policy_t){
        (const char *const *)self->issuers.texts,
        self->issuers.count,
        (const char *const *)self->audiences.texts,
        self->audiences.count,
        (uint64_t)zc_options_number (options, "token-leeway"),
        zc_options_bool (options, "token-expiry"),
    };
    self->cookie = s_copy (zc_options_text (options, "token-cookie"));
    self->query = zc_options_bool (options, "token-query");
    if (s_load (self, options, error, size) != 0)
        zc_access_destroy (&self);
    return self;
}

static void s_texts_clear (s_texts_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->texts[i]);
    free (self->texts);
}

void zc_access_destroy (zc_access_t **self_p)
{
    zc_access_t *self = *self_p;
    if (!self)
        return;
    zc_rules_destroy (&self->rules);
    zc_keys_destroy (&self->keys);
    zc_apikeys_destroy (&self->api_keys);
    s_texts_clear (&self->issuers);
    s_texts_clear (&self->audiences);
    for (size_t i = 0; i < self->file_count; i++)
        free (self->files[i].path);
    free (self->files);
    free (self->cookie);
    free (self);
    *self_p = NULL;
}

static bool s_is_another (const s_file_t *file)
{
    struct stat info;
    if (stat (file->path, &info) != 0)
        return true;
    return info.st_mtim.tv_sec != file->modified.tv_sec ||
           info.st_mtim.tv_nsec != file->modified.tv_nsec || info.st_size != file->size ||
           info.st_ino != file->number;
}

bool zc_access_changed (const zc_access_t *self)
{
    for (size_t i = 0; i < self->file_count; i++)
        if (s_is_another (&self->files[i]))
            return true;
    return false;
}

zc_mode_t zc_access_mode (const zc_access_t *self)
{
    return self->mode;
}

/*  Credentials. */

/*  Parses "Bearer TOKEN" (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1). Other schemes
 *  are for other parties, such as the web server. */
static bool s_bearer (zc_slice_t header, zc_slice_t *token)
{
    static const char scheme[] = "bearer";
    size_t len = sizeof scheme - 1;
    header = zc_field_trim (header);
    if (header.len < len || strncasecmp (header.at, scheme, len) != 0 ||
        (header.len > len && header.at[len] != ' '))
        return false;
    *token = zc_field_trim ((zc_slice_t){header.at + len, header.len - len});
    return true;
}

/*  Finds the first part of `list` that begins with `prefix`; *rest is what follows the prefix. */
static bool s_part (zc_slice_t list, char separator, zc_slice_t prefix, zc_slice_t *rest)
{
    while (list.len) {
        const char *end = memchr (list.at, separator, list.len);
        size_t len = end ? (size_t)(end - list.at) : list.len;
        zc_slice_t part = zc_field_trim ((zc_slice_t){list.at, len});
        if (zc_slice_begins (part, prefix)) {
            *rest = (zc_slice_t){part.at + prefix.len, part.len - prefix.len};
            return true;
        }
        len += end != NULL;
        list = (zc_slice_t){list.at + len, list.len - len};
    }
    return false;
}

/*  A cookie's value (RFC 6265 §4.2.1), without quotes. */
static bool s_cookie (const zc_access_t *self, zc_slice_t header, zc_slice_t *token)
{
    char name[160];
    int len = snprintf (name, sizeof name, "%s=", self->cookie);
    if (!*self->cookie || !s_part (header, ';', (zc_slice_t){name, (size_t)len}, token))
        return false;
    if (token->len >= 2 && token->at[0] == '"' && token->at[token->len - 1] == '"')
        *token = (zc_slice_t){token->at + 1, token->len - 2};
    return token->len > 0; /* some servers can only empty a cookie to delete it */
}

/*  RFC 6750 §2.3. No character of a token needs an escape, so an escaped token is invalid. */
static bool s_query (const zc_access_t *self, zc_slice_t query, zc_slice_t *token)
{
    static const char name[] = "access_token=";
    return self->query && s_part (query, '&', (zc_slice_t){name, sizeof name - 1}, token);
}

static bool s_find (const zc_access_t *self, const zc_credentials_t *credentials, zc_slice_t *token,
                    bool *by_cookie)
{
    static const char protocol[] = ZC_ACCESS_PROTOCOL;
    *by_cookie = false;
    if (s_bearer (credentials->authorization, token) ||
        s_part (credentials->protocols, ',', (zc_slice_t){protocol, sizeof protocol - 1}, token) ||
        s_query (self, credentials->query, token))
        return true;
    *by_cookie = s_cookie (self, credentials->cookie, token);
    return *by_cookie;
}

bool zc_access_brings (const zc_access_t *self, const zc_credentials_t *credentials)
{
    zc_slice_t text;
    bool by_cookie;
    return zc_access_has_keys (self) && s_find (self, credentials, &text, &by_cookie);
}

static zc_identity_t *s_identity (void)
{
    zc_identity_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

/*  Of a token without a subject, what is signed: the signature of some algorithms can be written in
 *  several ways, by whoever has the token. */
static void s_set_key (zc_identity_t *self, zc_slice_t token)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    const char *end = memrchr (token.at, '.', token.len);
    zc_slice_t named = {self->subject, strlen (self->subject)};
    unsigned len;
    if (named.len == 0)
        named = (zc_slice_t){token.at, end ? (size_t)(end - token.at) : token.len};
    if (EVP_Digest (named.at, named.len, digest, &len, EVP_sha256 (), NULL) != 1)
        abort ();
    for (size_t i = 0; i < (sizeof self->key - 1) / 2; i++)
        snprintf (self->key + 2 * i, 3, "%02x", digest[i]);
}

static zc_token_error_t s_by_api_key (const zc_access_t *self, zc_slice_t text,
                                      zc_identity_t **identity)
{
    const zc_apikey_t *key = self->api_keys ? zc_apikeys_find (self->api_keys, text) : NULL;
    if (!key)
        return ZC_TOKEN_API_KEY;
    *identity = s_identity ();
    (*identity)->subject = s_copy (key->name);
    (*identity)->id = s_copy (NULL);
    (*identity)->kid = s_copy (NULL);
    (*identity)->expires_ms = UINT64_MAX;
    (*identity)->grants = zc_grants_new ();
    zc_grants_add_all ((*identity)->grants, key->grants);
    return ZC_TOKEN_OK;
}

static zc_token_error_t s_by_token (const zc_access_t *self, zc_slice_t text, uint64_t now_ms,
                                    zc_identity_t **identity)
{
    zc_token_t token;
    zc_token_error_t rc = zc_token_check (&token, text, self->keys, &self->policy, now_ms);
    if (rc != ZC_TOKEN_OK)
        return rc;
    *identity = s_identity ();
    **identity = (zc_identity_t){.subject = token.subject,
                                 .id = token.id,
                                 .kid = token.kid,
                                 .issued_ms = token.issued_ms,
                                 .expires_ms = token.expires_ms,
                                 .grants = token.grants};
    json_decref (token.claims);
    return ZC_TOKEN_OK;
}

zc_token_error_t zc_access_identify (const zc_access_t *self, const zc_credentials_t *credentials,
                                     uint64_t now_ms, zc_identity_t **identity)
{
    zc_slice_t text;
    bool by_cookie;
    *identity = NULL;
    if (!zc_access_has_keys (self) || !s_find (self, credentials, &text, &by_cookie))
        return ZC_TOKEN_OK;
    zc_token_error_t rc = zc_apikey_form (text) ? s_by_api_key (self, text, identity)
                                                : s_by_token (self, text, now_ms, identity);
    if (*identity) {
        (*identity)->by_cookie = by_cookie;
        s_set_key (*identity, text);
    }
    return rc;
}

void zc_identity_destroy (zc_identity_t **self_p)
{
    zc_identity_t *self = *self_p;
    if (!self)
        return;
    free (self->subject);
    free (self->id);
    free (self->kid);
    zc_grants_destroy (&self->grants);
    free (self);
    *self_p = NULL;
}

/*  Decisions. */

static zc_decision_t s_decide (zc_may_t may, const zc_identity_t *identity, zc_grant_t kind,
                               zc_slice_t topic)
{
    if (may == ZC_MAY)
        return ZC_ACCESS_GRANTED;
    if (may == ZC_MAY_NOT)
        return ZC_ACCESS_FORBIDDEN;
    if (!identity)
        return ZC_ACCESS_UNAUTHORIZED;
    return zc_grants_allow (identity->grants, kind, topic) ? ZC_ACCESS_GRANTED
                                                           : ZC_ACCESS_FORBIDDEN;
}

zc_decision_t zc_access_subscribe (const zc_access_t *self, const zc_identity_t *identity,
                                   zc_slice_t topic)
{
    return s_decide (zc_rules_subscribe (self->rules, topic), identity, ZC_GRANT_SUBSCRIBE, topic);
}

bool zc_access_restricts (const zc_access_t *self, zc_slice_t topic)
{
    return zc_rules_subscribe (self->rules, topic) != ZC_MAY;
}

static bool s_grants_all (const zc_identity_t *identity, zc_slice_t prefix)
{
    return identity && zc_grants_allow_all (identity->grants, ZC_GRANT_SUBSCRIBE, prefix);
}

/*  Whether each topic that begins with this text is public, or granted. */
static bool s_sees_all (const zc_access_t *self, const zc_identity_t *identity, zc_slice_t prefix)
{
    size_t at = 0;
    zc_slice_t private_;
    if (s_grants_all (identity, prefix))
        return true;
    if (zc_access_restricts (self, prefix))
        return false;
    while (zc_rules_next_private (self->rules, prefix, &at, &private_))
        if (!s_grants_all (identity, private_))
            return false;
    return true;
}

zc_decision_t zc_access_select (const zc_access_t *self, const zc_identity_t *identity,
                                const zc_selector_t *selector)
{
    zc_slice_t beginning = zc_selector_beginning (selector);
    size_t len = beginning.len + zc_selector_is_tree (selector); /* the slash behind it */
    bool enough = len >= self->selector_prefix || s_grants_all (identity, beginning);
    bool some = !zc_access_restricts (self, beginning) ||
                (identity && zc_grants_meet (identity->grants, ZC_GRANT_SUBSCRIBE,
                                             zc_selector_name (selector)));
    if (enough && some)
        return ZC_ACCESS_GRANTED;
    return identity ? ZC_ACCESS_FORBIDDEN : ZC_ACCESS_UNAUTHORIZED;
}

static bool s_is_selective (const zc_access_t *self, const zc_identity_t *identity, zc_slice_t name)
{
    const char *error;
    if (!zc_names_selector (name))
        return false;
    zc_selector_t *selector = zc_selector_of (name, &error);
    bool selective = selector && !s_sees_all (self, identity, zc_selector_beginning (selector));
    zc_selector_destroy (&selector);
    return selective;
}

zc_view_t zc_access_view (const zc_access_t *self, const zc_identity_t *identity,
                          const zc_slice_t *topics, size_t count, zc_buf_t *text)
{
    zc_view_t view = {.selective = false};
    if (identity)
        zc_grants_view (identity->grants, topics, count, text);
    for (size_t i = 0; i < count && !view.selective; i++)
        view.selective = s_is_selective (self, identity, topics[i]);
    view.grants = (zc_slice_t){(const char *)text->data, text->len};
    return view;
}

zc_decision_t zc_access_publish (const zc_access_t *self, const zc_identity_t *identity,
                                 zc_slice_t topic)
{
    return s_decide (zc_rules_publish (self->rules, ZC_SOURCE_DOOR, topic), identity,
                     ZC_GRANT_PUBLISH, topic);
}

const char *zc_access_challenge (zc_token_error_t error)
{
    return error == ZC_TOKEN_OK ? "Bearer" : "Bearer error=\"invalid_token\"";
}
