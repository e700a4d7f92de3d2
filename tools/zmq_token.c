/*  zmq_token.c - `zmq token`: makes, shows and checks tokens, and makes API keys. It contacts no
 *  server: it checks as the doors of this machine would check. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/access/access.h"
#include "lib/access/apikeys.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    {.name = "key",
     .letter = 'k',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "[KID=]FILE",
     .help = "make: the key that signs: a secret, or a private key in PEM"},
    {.name = "algorithm",
     .letter = 'a',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 8,
     .argument = "NAME",
     .help = "make: HS256, ES256, …; default: the first that the key can"},
    {.name = "subject",
     .letter = 's',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_TOKEN_SUBJECT_MAX,
     .argument = "TEXT",
     .help = "make: whose token it is (sub)"},
    {.name = "for",
     .type = ZC_OPT_SECONDS,
     .preset = "1h",
     .max = 315360000000,
     .argument = "TIME",
     .help = "make: how long it is valid; 0: for ever"},
    {.name = "claim", .type = ZC_OPT_MAP, .argument = "NAME=JSON", .help = "make: another claim"},
    {.name = "publish",
     .letter = 'p',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = ZC_TOPIC_MAX + 1,
     .argument = "TOPIC",
     .help = "a topic, or a prefix with a * at its end, that may be published"},
    {.name = "subscribe",
     .letter = 'r',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = ZC_TOPIC_MAX + 1,
     .argument = "TOPIC",
     .help = "one that may be subscribed"},
    {.name = "file",
     .letter = 'f',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "FILE",
     .help = "api-key: adds the line to this file, and prints the key only"},
    ZC_ACCESS_OPTIONS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq token",
    .section = "zmq",
    .keys = "tokens access token-keys token-issuers token-audiences token-leeway token-expiry "
            "token-cookie token-query api-keys",
    .usage = "make|show|check|api-key [OPTION]... [TOKEN|NAME]",
    .summary = "Makes a token, shows what is in one, or checks one with the keys of zcast.conf; or "
               "makes an API key. A TOKEN that isn't named is read from standard input.",
    .epilog = "Examples:\n"
              "  (umask 027; set -C; openssl rand -base64 48 > /etc/zcast/token.key)\n"
              "  zmq token make --key /etc/zcast/token.key --subject ann --publish 'news/*'\n"
              "  zmq token make -k token.key -r '*' | zmq token show\n"
              "  zmq token check --token-keys token.key --subscribe news/local < token\n"
              "  zmq token api-key shop --publish 'orders/*' --file /etc/zcast/api-keys\n",
    .options = s_options,
    .words = 2,
};

/*  Files and standard input. */

#define S_MAX ZC_KEYS_FILE_MAX

/*  Reads all of a file, to be freed with OPENSSL_clear_free (…, S_MAX + 1). Returns NULL after
 *  it has said why it can't. */
static char *s_read (const char *path, size_t *len)
{
    FILE *file = strcmp (path, "-") == 0 ? stdin : fopen (path, "rb");
    char *bytes = OPENSSL_malloc (S_MAX + 1);
    if (!bytes)
        abort ();
    *len = file ? fread (bytes, 1, S_MAX + 1, file) : 0;
    bool good = file && !ferror (file) && *len <= S_MAX;
    if (!good)
        zc_tool_say ("%s: %s", path, file && *len > S_MAX ? "it is too long" : strerror (errno));
    if (file && file != stdin)
        fclose (file);
    if (good)
        return bytes;
    OPENSSL_clear_free (bytes, S_MAX + 1);
    return NULL;
}

/*  The token that is named, or the one on standard input, without white space around it. Owned;
 *  NULL after it has said why there is none. */
static char *s_token (const zc_options_t *options)
{
    const char *word = zc_options_word (options, 1);
    size_t len;
    if (word && strcmp (word, "-") != 0)
        return strdup (word);
    char *bytes = s_read ("-", &len), *at = bytes;
    if (!bytes)
        return NULL;
    while (len && strchr (" \t\r\n", at[len - 1]))
        len--;
    while (len && strchr (" \t\r\n", *at)) {
        at++;
        len--;
    }
    char *token = strndup (at, len);
    OPENSSL_clear_free (bytes, S_MAX + 1);
    return token;
}

/*  Making. */

static int s_load_key (const char *value, zc_keys_t *keys)
{
    char error[256], kid[256] = "";
    const char *equals = strchr (value, '='), *slash = strchr (value, '/');
    const char *path = equals && (!slash || equals < slash) ? equals + 1 : value;
    if (path != value)
        snprintf (kid, sizeof kid, "%.*s", (int)(equals - value), value);
    size_t len;
    char *bytes = s_read (path, &len);
    if (!bytes)
        return ZC_EXIT_FAILURE;
    int rc = zc_keys_add (keys, (zc_slice_t){bytes, len}, *kid ? kid : NULL, error, sizeof error);
    OPENSSL_clear_free (bytes, S_MAX + 1);
    if (rc != 0)
        zc_tool_say ("%s: %s", path, error);
    return rc == 0 ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
}

/*  The algorithm that was asked for, or else the first that the key can use. Returns -1 after it
 *  has said why there is none. */
static int s_algorithm (const zc_options_t *options, const zc_key_t *key)
{
    const char *name = zc_options_text (options, "algorithm");
    int alg = name ? zc_alg_parse ((zc_slice_t){name, strlen (name)}) : 0;
    if (!name)
        while (!zc_key_checks (key, (zc_alg_t)alg))
            alg++;
    if (alg < 0)
        zc_tool_say (
            "--algorithm %s: expected HS256, HS384, HS512, RS…, PS…, ES256, ES384 or EdDSA", name);
    else if (!zc_key_checks (key, (zc_alg_t)alg))
        zc_tool_say ("--algorithm %s: a key of this type isn't for it", name);
    else if (!zc_key_signs (key))
        zc_tool_say ("--key: a public key checks tokens; to make them takes the private one");
    else
        return alg;
    return -1;
}

static bool s_add_topics (const zc_options_t *options, const char *option, zc_grants_t *grants,
                          zc_grant_t kind, json_t *list)
{
    const char *name, *topic;
    for (size_t i = 0; zc_options_item (options, option, i, &name, &topic); i++) {
        if (zc_grants_add (grants, kind, (zc_slice_t){topic, strlen (topic)}) != 0) {
            zc_tool_say ("--%s %s: expected a topic, or a prefix of topics with a * at its end",
                         option, topic);
            return false;
        }
        json_array_append_new (list, json_string (topic));
    }
    return true;
}

/*  The claim `zcast`. Returns NULL after it has said why there is none. */
static json_t *s_grants (const zc_options_t *options)
{
    zc_grants_t *grants = zc_grants_new ();
    json_t *publish = json_array (), *subscribe = json_array ();
    bool good = s_add_topics (options, "publish", grants, ZC_GRANT_PUBLISH, publish) &&
                s_add_topics (options, "subscribe", grants, ZC_GRANT_SUBSCRIBE, subscribe);
    zc_grants_destroy (&grants);
    json_t *claim = json_pack ("{s:o, s:o}", "publish", publish, "subscribe", subscribe);
    if (good)
        return claim;
    json_decref (claim);
    return NULL;
}

static bool s_add_claims (const zc_options_t *options, json_t *claims)
{
    const char *name, *value;
    for (size_t i = 0; zc_options_item (options, "claim", i, &name, &value); i++) {
        json_error_t error;
        json_t *json = json_loads (value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
        if (!json) {
            zc_tool_say ("--claim %s: %s; a text needs quotes: --claim '%s=\"…\"'", name,
                         error.text, name);
            return false;
        }
        json_object_set_new (claims, name, json);
    }
    return true;
}

static json_t *s_claims (const zc_options_t *options)
{
    json_int_t now = (json_int_t)(zc_wall_ms () / 1000);
    json_int_t seconds = zc_options_number (options, "for") / 1000;
    const char *subject = zc_options_text (options, "subject");
    json_t *grants = s_grants (options), *claims = json_object ();
    if (subject)
        json_object_set_new (claims, "sub", json_string (subject));
    json_object_set_new (claims, "iat", json_integer (now));
    if (zc_options_number (options, "for") > 0)
        json_object_set_new (claims, "exp", json_integer (now + (seconds > 0 ? seconds : 1)));
    if (grants)
        json_object_set_new (claims, "zcast", grants);
    if (grants && s_add_claims (options, claims))
        return claims;
    json_decref (claims);
    return NULL;
}

static int s_make (const zc_options_t *options)
{
    const char *file = zc_options_text (options, "key");
    if (!file)
        return zc_tool_misuse ("make needs --key FILE");
    zc_keys_t *keys = zc_keys_new ();
    json_t *claims = NULL;
    zc_buf_t token = ZC_BUF_INIT;
    int alg, status = s_load_key (file, keys);
    if (status == ZC_EXIT_OK) {
        const zc_key_t *key = zc_keys_item (keys, 0);
        alg = s_algorithm (options, key);
        claims = alg < 0 ? NULL : s_claims (options);
        if (!claims || zc_token_make (&token, key, (zc_alg_t)alg, claims) != 0)
            status = ZC_EXIT_FAILURE;
        else
            puts (zc_buf_str (&token));
    }
    json_decref (claims);
    zc_buf_clear (&token);
    zc_keys_destroy (&keys);
    return status;
}

/*  Showing and checking. */

static int s_show (const zc_options_t *options)
{
    char *token = s_token (options);
    json_t *header, *claims;
    if (!token)
        return ZC_EXIT_FAILURE;
    bool good = zc_token_show ((zc_slice_t){token, strlen (token)}, &header, &claims);
    if (good) {
        json_t *both = json_pack ("{s:o, s:o}", "header", header, "claims", claims);
        char *text = json_dumps (both, JSON_INDENT (2) | JSON_ENSURE_ASCII);
        zc_tool_put_json (text);
        putchar ('\n');
        free (text);
        json_decref (both);
    } else {
        zc_tool_say ("%s", zc_token_strerror (ZC_TOKEN_MALFORMED));
    }
    free (token);
    return good ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
}

static void s_print_time (uint64_t ms)
{
    char text[64];
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (ms == UINT64_MAX || !gmtime_r (&seconds, &tm) ||
        strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        printf ("ends never\n");
    else
        printf ("ends %s\n", text);
}

static void s_print_grants (const zc_grants_t *grants)
{
    static const char *const names[ZC_GRANT_KINDS] = {"publish", "subscribe"};
    zc_slice_t topic;
    for (zc_grant_t kind = 0; kind < ZC_GRANT_KINDS; kind++)
        for (size_t i = 0; zc_grants_item (grants, kind, i, &topic); i++) {
            printf ("%s ", names[kind]);
            zc_tool_put (topic);
            putchar ('\n');
        }
}

/*  Whether the topics of one option are allowed; says which aren't. */
static bool s_allowed (const zc_options_t *options, const char *option, const zc_access_t *access,
                       const zc_identity_t *who,
                       zc_decision_t (*decide) (const zc_access_t *, const zc_identity_t *,
                                                zc_slice_t))
{
    const char *name, *topic;
    bool all = true;
    for (size_t i = 0; zc_options_item (options, option, i, &name, &topic); i++) {
        if (decide (access, who, (zc_slice_t){topic, strlen (topic)}) != ZC_ACCESS_GRANTED) {
            zc_tool_say ("it may not %s %s", option, topic);
            all = false;
        }
    }
    return all;
}

static int s_check_with (const zc_options_t *options, const zc_access_t *access, const char *token)
{
    zc_buf_t header = ZC_BUF_INIT;
    zc_identity_t *who;
    zc_buf_addf (&header, "Bearer %s", token);
    zc_credentials_t credentials = {.authorization = {(const char *)header.data, header.len}};
    zc_token_error_t rc = zc_access_identify (access, &credentials, zc_wall_ms (), &who);
    zc_buf_clear (&header);
    if (rc != ZC_TOKEN_OK) {
        zc_tool_say ("%s", zc_token_strerror (rc));
        return ZC_EXIT_FAILURE;
    }
    if (!who) {
        zc_tool_say ("no keys are named to check it with: --token-keys FILE, or in zcast.conf");
        return ZC_EXIT_FAILURE;
    }
    fputs (*who->subject ? "good, of " : "good", stdout);
    zc_tool_put ((zc_slice_t){who->subject, strlen (who->subject)});
    putchar ('\n');
    s_print_time (who->expires_ms);
    s_print_grants (who->grants);
    bool allowed = s_allowed (options, "publish", access, who, zc_access_publish);
    allowed &= s_allowed (options, "subscribe", access, who, zc_access_subscribe);
    zc_identity_destroy (&who);
    return allowed ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
}

static int s_check (const zc_options_t *options)
{
    char error[512], *token = s_token (options);
    int status = ZC_EXIT_FAILURE;
    zc_access_t *access = token ? zc_access_new (options, error, sizeof error) : NULL;
    if (access)
        status = s_check_with (options, access, token);
    else if (token)
        zc_tool_say ("%s", error);
    zc_access_destroy (&access);
    free (token);
    return status;
}

/*  API keys. */

static bool s_add_grant_text (const zc_options_t *options, const char *option, zc_grant_t kind,
                              zc_buf_t *line)
{
    zc_grants_t *grants = zc_grants_new ();
    const char *name, *topic;
    bool good = true;
    for (size_t i = 0; good && zc_options_item (options, option, i, &name, &topic); i++) {
        good = !strpbrk (topic, " ,\t") &&
               zc_grants_add (grants, kind, (zc_slice_t){topic, strlen (topic)}) == 0;
        if (good)
            zc_buf_addf (line, i == 0 ? " %2$s=%1$s" : ",%1$s", topic, option);
        else
            zc_tool_say (
                "--%s %s: expected a topic without blanks and commas, or a prefix with a * "
                "at its end",
                option, topic);
    }
    zc_grants_destroy (&grants);
    return good;
}

static int s_append (const char *path, zc_buf_t *line)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    zc_buf_addc (line, '\n');
    bool good = fd >= 0 && write (fd, line->data, line->len) == (ssize_t)line->len;
    if (!good)
        zc_tool_say ("%s: %s", path, strerror (errno));
    if (fd >= 0)
        close (fd);
    return good ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
}

static int s_print_api_key (const zc_options_t *options, zc_buf_t *key, zc_buf_t *line)
{
    const char *file = zc_options_text (options, "file");
    if (file) {
        int status = s_append (file, line);
        if (status == ZC_EXIT_OK)
            puts (zc_buf_str (key));
        return status;
    }
    printf ("key   %s\n", zc_buf_str (key));
    printf ("line  %s\n", zc_buf_str (line));
    return ZC_EXIT_OK;
}

static int s_api_key (const zc_options_t *options)
{
    const char *name = zc_options_word (options, 1);
    zc_buf_t key = ZC_BUF_INIT, hash = ZC_BUF_INIT, line = ZC_BUF_INIT;
    char error[256];
    int status = ZC_EXIT_FAILURE;
    if (!name)
        return zc_tool_misuse ("api-key needs a NAME");
    if (zc_apikey_make (&key, &hash) != 0)
        zc_tool_say ("the system gives no random numbers");
    zc_buf_addf (&line, "%s %s", name, zc_buf_str (&hash));
    if (hash.len && s_add_grant_text (options, "publish", ZC_GRANT_PUBLISH, &line) &&
        s_add_grant_text (options, "subscribe", ZC_GRANT_SUBSCRIBE, &line)) {
        zc_slice_t text = {(const char *)line.data, line.len};
        zc_apikeys_t *one = zc_apikeys_new (text, error, sizeof error);
        if (one && !strchr (name, ' ') && name[0] != '#')
            status = s_print_api_key (options, &key, &line);
        else
            zc_tool_say (
                "'%s': a name has 1 to 64 bytes, without blanks, and no # at its beginning", name);
        zc_apikeys_destroy (&one);
    }
    if (key.data)
        OPENSSL_cleanse (key.data, key.cap);
    zc_buf_clear (&key);
    zc_buf_clear (&hash);
    zc_buf_clear (&line);
    return status;
}

static int s_run (const zc_options_t *options)
{
    static const struct {
        const char *name;
        int (*run) (const zc_options_t *options);
    } actions[] = {{"make", s_make}, {"show", s_show}, {"check", s_check}, {"api-key", s_api_key}};
    const char *word = zc_options_word (options, 0);
    for (size_t i = 0; word && i < sizeof actions / sizeof *actions; i++)
        if (strcmp (word, actions[i].name) == 0)
            return actions[i].run (options);
    return zc_tool_misuse ("expected make, show, check or api-key%s%s", word ? ", and not " : "",
                           word ? word : "");
}

const zc_tool_command_t zc_tool_token = {&s_program, s_run};
