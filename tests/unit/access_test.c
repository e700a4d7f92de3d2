/*  Rules, API keys, and the subject of a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/access/access.h"
#include "lib/access/apikeys.h"
#include "tests/unit/unit.h"

#define NOW_MS 1800000000000 /* 2027-01-15T08:00:00Z */
#define SECRET "0123456789abcdef0123456789abcdef"

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, text ? strlen (text) : 0};
}

/*  Rules. */

static void test_modes_without_rules (void **state)
{
    (void)state;
    static const struct {
        zc_mode_t mode;
        zc_may_t subscribe, publish;
    } rows[] = {
        {ZC_MODE_OPEN, ZC_MAY, ZC_MAY},
        {ZC_MODE_PUBLISH, ZC_MAY, ZC_MAY_WITH_TOKEN},
        {ZC_MODE_ALL, ZC_MAY_WITH_TOKEN, ZC_MAY_WITH_TOKEN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_rules_t *rules = zc_rules_new (rows[i].mode);
        assert_int_equal (zc_rules_subscribe (rules, s_slice ("a")), rows[i].subscribe);
        assert_int_equal (zc_rules_publish (rules, ZC_SOURCE_DOOR, s_slice ("a")), rows[i].publish);
        assert_int_equal (zc_rules_publish (rules, ZC_SOURCE_ZEROMQ, s_slice ("a")), ZC_MAY);
        assert_int_equal (zc_rules_publish (rules, ZC_SOURCE_REDIS, s_slice ("a")), ZC_MAY);
        zc_rules_destroy (&rules);
        zc_rules_destroy (&rules);
    }
}

static void test_rules (void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *words;
    } given[] = {
        {"news/", "public publish=redis"},     {"news/staff/", " private "},
        {"audit/", "private  publish=nobody"}, {"", "publish=token,zeromq"},
        {"wall/", "publish=anyone"},
    };
    static const struct {
        const char *topic;
        zc_may_t subscribe, door, zeromq, redis;
    } rows[] = {
        {"news/a", ZC_MAY, ZC_MAY_NOT, ZC_MAY_NOT, ZC_MAY},
        {"news/staff/a", ZC_MAY_WITH_TOKEN, ZC_MAY_NOT, ZC_MAY_NOT, ZC_MAY},
        {"news", ZC_MAY_WITH_TOKEN, ZC_MAY_WITH_TOKEN, ZC_MAY, ZC_MAY_NOT},
        {"audit/x", ZC_MAY_WITH_TOKEN, ZC_MAY_NOT, ZC_MAY_NOT, ZC_MAY_NOT},
        {"wall/x", ZC_MAY_WITH_TOKEN, ZC_MAY, ZC_MAY, ZC_MAY},
    };
    zc_rules_t *rules = zc_rules_new (ZC_MODE_ALL);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        assert_null (zc_rules_add (rules, given[i].prefix, given[i].words));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_slice_t topic = s_slice (rows[i].topic);
        assert_int_equal (zc_rules_subscribe (rules, topic), rows[i].subscribe);
        assert_int_equal (zc_rules_publish (rules, ZC_SOURCE_DOOR, topic), rows[i].door);
        assert_int_equal (zc_rules_publish (rules, ZC_SOURCE_ZEROMQ, topic), rows[i].zeromq);
        assert_int_equal (zc_rules_publish (rules, ZC_SOURCE_REDIS, topic), rows[i].redis);
    }
    assert_non_null (zc_rules_add (rules, "news/", "public"));
    zc_rules_destroy (&rules);
}

static void test_bad_rules (void **state)
{
    (void)state;
    static const char *const words[] = {
        "",
        " ",
        "secret",
        "Public",
        "public private",
        "public public",
        "publish=",
        "publish=me",
        "publish=token,",
        "publish=token,,redis",
        "publish=token publish=redis",
        "publish=nobody,token",
        "public, publish=token",
        "publish = token",
    };
    zc_rules_t *rules = zc_rules_new (ZC_MODE_OPEN);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!zc_rules_add (rules, "a", words[i]))
            fail_msg ("%s", words[i]);
    assert_non_null (zc_rules_add (rules, "a\tb", "public"));
    assert_int_equal (zc_rules_subscribe (rules, s_slice ("a")), ZC_MAY);
    zc_rules_destroy (&rules);
}

/*  API keys. */

static void test_api_keys (void **state)
{
    (void)state;
    zc_buf_t key = ZC_BUF_INIT, other = ZC_BUF_INIT, hash = ZC_BUF_INIT, file = ZC_BUF_INIT;
    char error[256];
    assert_int_equal (zc_apikey_make (&key, &hash), 0);
    zc_buf_addf (&file, "# who\n\nann %s publish=a,b/* subscribe=c\r\n", zc_buf_str (&hash));
    hash.len = 0;
    assert_int_equal (zc_apikey_make (&other, &hash), 0);
    zc_buf_addf (&file, "  bob   %s", zc_buf_str (&hash));
    zc_apikeys_t *keys =
        zc_apikeys_new ((zc_slice_t){(const char *)file.data, file.len}, error, sizeof error);
    assert_non_null (keys);
    zc_slice_t text = {(const char *)key.data, key.len};
    assert_true (zc_apikey_form (text));
    const zc_apikey_t *found = zc_apikeys_find (keys, text);
    assert_non_null (found);
    assert_string_equal (found->name, "ann");
    assert_true (zc_grants_allow (found->grants, ZC_GRANT_PUBLISH, s_slice ("b/1")));
    assert_false (zc_grants_allow (found->grants, ZC_GRANT_PUBLISH, s_slice ("c")));
    assert_true (zc_grants_allow (found->grants, ZC_GRANT_SUBSCRIBE, s_slice ("c")));
    assert_string_equal (
        zc_apikeys_find (keys, (zc_slice_t){(const char *)other.data, other.len})->name, "bob");
    key.data[10] ^= 1;
    assert_null (zc_apikeys_find (keys, text));
    assert_null (zc_apikeys_find (keys, s_slice ("")));
    zc_apikeys_destroy (&keys);
    zc_apikeys_destroy (&keys);
    zc_buf_t *all[] = {&key, &other, &hash, &file};
    for (size_t i = 0; i < 4; i++)
        zc_buf_clear (all[i]);
}

#define HASH "0000000000000000000000000000000000000000000000000000000000000000"

static void test_bad_api_key_files (void **state)
{
    (void)state;
    static const char *const files[] = {
        "ann",
        "ann " HASH "0",
        "ann 000000000000000000000000000000000000000000000000000000000000000G",
        "ann 000000000000000000000000000000000000000000000000000000000000000A",
        "ann " HASH " publish",
        "ann " HASH " publish=",
        "ann " HASH " publish=a,,b",
        "ann " HASH " read=a",
        "ann " HASH "\npublish=a",
        "a\tb " HASH,
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn " HASH,
    };
    char error[256];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (zc_apikeys_new (s_slice (files[i]), error, sizeof error))
            fail_msg ("%s", files[i]);
        assert_true (strncmp (error, "line ", 5) == 0);
    }
}

/*  Access: options, files, credentials. */

static const zc_option_t s_table[] = {ZC_ACCESS_OPTIONS, ZC_OPTION_END};
static const zc_program_t s_program = {"test", "test", "", "A test.", NULL, s_table, NULL, 0, NULL};
static char s_folder[] = "/tmp/zcast-access-XXXXXX";

static int s_make_folder (void **state)
{
    (void)state;
    return mkdtemp (s_folder) ? 0 : -1;
}

static int s_remove_folder (void **state)
{
    (void)state;
    char command[128];
    snprintf (command, sizeof command, "rm -r %s", s_folder);
    return system (command);
}

static const char *s_write (const char *name, const char *text)
{
    static char path[256];
    snprintf (path, sizeof path, "%s/%s", s_folder, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
    chmod (path, 0600);
    return path;
}

/*  An access of words separated by blanks; NULL if they are refused, with the reason in s_error. */
static char s_error[512];

static zc_access_t *s_access (const char *words)
{
    char copy[1024], *argv[32] = {"test"};
    int argc = 1, status;
    snprintf (copy, sizeof copy, "%s", words);
    for (char *word = strtok (copy, " "); word; word = strtok (NULL, " "))
        argv[argc++] = word;
    zc_options_t *options = zc_options_new (&s_program, argc, argv, &status);
    assert_non_null (options);
    zc_access_t *access = zc_access_new (options, s_error, sizeof s_error);
    zc_options_destroy (&options);
    return access;
}

static zc_access_t *s_access_with_secret (const char *more)
{
    char words[1024];
    snprintf (words, sizeof words, "--token-keys %s %s", s_write ("secret", SECRET "\n"), more);
    zc_access_t *access = s_access (words);
    if (!access)
        fail_msg ("%s", s_error);
    return access;
}

/*  A token of this subject, which may publish and subscribe below `mine/`. */
static const char *s_token (const char *subject, long long expires_ms)
{
    static char text[1024];
    char error[128];
    zc_buf_t out = ZC_BUF_INIT;
    zc_keys_t *keys = zc_keys_new ();
    assert_int_equal (zc_keys_add (keys, s_slice (SECRET), NULL, error, sizeof error), 0);
    json_t *claims = json_pack ("{s:s, s:I, s:{s:[s], s:[s]}}", "sub", subject, "exp",
                                (json_int_t)(expires_ms / 1000), "zcast", "publish", "mine/*",
                                "subscribe", "mine/*");
    assert_int_equal (zc_token_make (&out, zc_keys_item (keys, 0), ZC_ALG_HS256, claims), 0);
    snprintf (text, sizeof text, "%s", zc_buf_str (&out));
    json_decref (claims);
    zc_keys_destroy (&keys);
    zc_buf_clear (&out);
    return text;
}

/*  Identifies the request. Returns "", or the subject, or "!" with the error's number. */
static const char *s_who (const zc_access_t *access, const char *authorization, const char *cookie,
                          const char *query, const char *protocols)
{
    static char text[300];
    zc_credentials_t credentials = {s_slice (authorization), s_slice (cookie), s_slice (query),
                                    s_slice (protocols)};
    zc_identity_t *identity;
    zc_token_error_t rc = zc_access_identify (access, &credentials, NOW_MS, &identity);
    if (rc != ZC_TOKEN_OK) {
        assert_null (identity);
        snprintf (text, sizeof text, "!%d", rc);
    } else {
        snprintf (text, sizeof text, "%s%s", identity ? identity->subject : "",
                  identity && identity->by_cookie ? " by cookie" : "");
    }
    zc_identity_destroy (&identity);
    return text;
}

static const char *s_with (const char *format, const char *token)
{
    static char text[4][2048];
    static unsigned next;
    char *out = text[next++ % 4];
    const char *mark = strchr (format, '@');
    snprintf (out, sizeof text[0], "%.*s%s%s", (int)(mark - format), format, token, mark + 1);
    return out;
}

static void test_where_a_token_comes (void **state)
{
    (void)state;
    zc_access_t *access = s_access_with_secret ("--tokens all --token-query");
    const char *ann = s_token ("ann", NOW_MS + 60000);
    assert_string_equal (s_who (access, NULL, NULL, NULL, NULL), "");
    assert_string_equal (s_who (access, s_with ("Bearer @", ann), NULL, NULL, NULL), "ann");
    assert_string_equal (s_who (access, s_with (" bEARER  @ ", ann), NULL, NULL, NULL), "ann");
    assert_string_equal (s_who (access, "Basic YTpi", NULL, NULL, NULL), "");
    assert_string_equal (s_who (access, "Bearer ", NULL, NULL, NULL), "!-2");
    assert_string_equal (s_who (access, "Bearer x", NULL, NULL, NULL), "!-2");
    assert_string_equal (s_who (access, NULL, s_with ("a=b; zcast_token=@; c=d", ann), NULL, NULL),
                         "ann by cookie");
    assert_string_equal (s_who (access, NULL, s_with ("zcast_token=\"@\"", ann), NULL, NULL),
                         "ann by cookie");
    assert_string_equal (s_who (access, NULL, s_with ("xzcast_token=@", ann), NULL, NULL), "");
    assert_string_equal (s_who (access, NULL, "zcast_token=; a=b", NULL, NULL), "");
    assert_string_equal (s_who (access, NULL, "zcast_token=bad", NULL, NULL), "!-2");
    assert_string_equal (s_who (access, NULL, NULL, s_with ("topic=a&access_token=@", ann), NULL),
                         "ann");
    assert_string_equal (s_who (access, NULL, NULL, NULL, s_with ("zcast.v1, zcast.token.@", ann)),
                         "ann");
    /* the first credential counts, even if it is invalid */
    assert_string_equal (s_who (access, "Bearer x", s_with ("zcast_token=@", ann), NULL, NULL),
                         "!-2");
    assert_string_equal (
        s_who (access, NULL, NULL, NULL, s_with ("zcast.token.@", s_token ("ann", NOW_MS - 60000))),
        "!-9");
    zc_access_destroy (&access);

    access = s_access_with_secret ("--tokens all --token-cookie=");
    ann = s_token ("ann", NOW_MS + 60000);
    assert_string_equal (
        s_who (access, NULL, s_with ("zcast_token=@", ann), s_with ("access_token=@", ann), NULL),
        "");
    zc_access_destroy (&access);
    /* without keys, a site's own tokens are ignored */
    access = s_access ("");
    assert_string_equal (s_who (access, "Bearer x", "zcast_token=bad", NULL, NULL), "");
    zc_access_destroy (&access);
}

static void s_key_of (const zc_access_t *access, const char *token, char key[41])
{
    zc_credentials_t credentials = {.authorization = s_slice (s_with ("Bearer @", token))};
    zc_identity_t *identity;
    assert_true (zc_access_brings (access, &credentials));
    assert_int_equal (zc_access_identify (access, &credentials, NOW_MS, &identity), ZC_TOKEN_OK);
    memcpy (key, identity->key, sizeof identity->key);
    zc_identity_destroy (&identity);
}

/*  Tokens of one subject share its limits; one without a subject has its own. */
static void test_names_for_limits (void **state)
{
    (void)state;
    zc_access_t *access = s_access_with_secret ("--tokens all");
    char first[41], second[41];
    static const struct {
        const char *subject[2];
        int later; /* ms by which the second one expires later */
        bool same;
    } rows[] = {
        {{"ann", "ann"}, 1000, true}, {{"ann", "bob"}, 0, false}, {{"ann", ""}, 0, false},
        {{"", ""}, 0, true},          {{"", ""}, 1000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        s_key_of (access, s_token (rows[i].subject[0], NOW_MS + 60000), first);
        s_key_of (access, s_token (rows[i].subject[1], NOW_MS + 60000 + rows[i].later), second);
        assert_int_equal (strlen (first), 40);
        assert_int_equal (strcmp (first, second) == 0, rows[i].same);
    }
    zc_credentials_t none = {.cookie = s_slice ("a=b")};
    assert_false (zc_access_brings (access, &none));
    zc_access_destroy (&access);
}

static void test_selectors (void **state)
{
    (void)state;
    zc_access_t *access = s_access_with_secret (
        "--tokens publish --access secret/=private --access secret/wall/=public "
        "--access a/b=private --access mine/=private --access mine/c/=private --selector-prefix 3");
    zc_credentials_t credentials = {
        .authorization = s_slice (s_with ("Bearer @", s_token ("ann", NOW_MS + 60000)))};
    zc_identity_t *ann;
    assert_int_equal (zc_access_identify (access, &credentials, NOW_MS, &ann), ZC_TOKEN_OK);
    static const struct {
        const char *text;
        zc_decision_t anyone, ann;
    } rows[] = {
        {"open/#", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED},
        {"open/+/x", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED},
        {"a/+", ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_FORBIDDEN}, /* too short, and a/b is private */
        {"ac/#", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED},       /* ac, and all that begins with ac/ */
        {"a/b/#", ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_FORBIDDEN},
        {"a/c/#", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED},
        {"#", ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_FORBIDDEN},
        {"+/+", ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_FORBIDDEN},
        {"secret/#", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED}, /* `secret` itself is public */
        {"secret/+", ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_FORBIDDEN},
        {"secret/wall/+", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED},
        {"mine/+", ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_GRANTED},
        {"mine/#", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED}, /* `mine` itself is public */
        {"mine/c/+", ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_GRANTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *error;
        zc_selector_t *selector =
            zc_selector_new (ZC_SELECTOR_FILTER, s_slice (rows[i].text), &error);
        assert_non_null (selector);
        if (zc_access_select (access, NULL, selector) != rows[i].anyone ||
            zc_access_select (access, ann, selector) != rows[i].ann)
            fail_msg ("%s", rows[i].text);
        zc_selector_destroy (&selector);
    }
    zc_identity_destroy (&ann);
    zc_access_destroy (&access);
}

static void test_decisions (void **state)
{
    (void)state;
    zc_access_t *access = s_access_with_secret ("--tokens publish --access secret/=private "
                                                "--access wall/=publish=anyone");
    zc_credentials_t credentials = {
        .authorization = s_slice (s_with ("Bearer @", s_token ("ann", NOW_MS + 60000)))};
    zc_identity_t *ann;
    assert_int_equal (zc_access_identify (access, &credentials, NOW_MS, &ann), ZC_TOKEN_OK);
    static const struct {
        const char *topic;
        zc_decision_t anyone_reads, ann_reads, anyone_writes, ann_writes;
    } rows[] = {
        {"a", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED, ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_FORBIDDEN},
        {"mine/a", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED, ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_GRANTED},
        {"secret/a", ZC_ACCESS_UNAUTHORIZED, ZC_ACCESS_FORBIDDEN, ZC_ACCESS_UNAUTHORIZED,
         ZC_ACCESS_FORBIDDEN},
        {"wall/a", ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED, ZC_ACCESS_GRANTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_slice_t topic = s_slice (rows[i].topic);
        assert_int_equal (zc_access_subscribe (access, NULL, topic), rows[i].anyone_reads);
        assert_int_equal (zc_access_subscribe (access, ann, topic), rows[i].ann_reads);
        assert_int_equal (zc_access_publish (access, NULL, topic), rows[i].anyone_writes);
        assert_int_equal (zc_access_publish (access, ann, topic), rows[i].ann_writes);
    }
    zc_identity_destroy (&ann);
    zc_access_destroy (&access);
}

static void test_files (void **state)
{
    (void)state;
    assert_null (s_access ("--tokens all"));
    assert_non_null (strstr (s_error, "token-keys"));
    assert_null (s_access ("--token-keys /nowhere/key"));
    assert_string_equal (s_error, "token-keys /nowhere/key: No such file or directory");
    char words[512];
    snprintf (words, sizeof words, "--token-keys main=%s", s_write ("short", "short"));
    assert_null (s_access (words));
    assert_non_null (strstr (s_error, "32 bytes"));
    snprintf (words, sizeof words, "--api-keys %s", s_write ("api", "ann"));
    assert_null (s_access (words));
    assert_non_null (strstr (s_error, "line 1"));
    assert_null (s_access ("--access a=nonsense"));
    assert_non_null (strstr (s_error, "access a=nonsense: expected public"));
    assert_null (s_access ("--token-keys /"));
    assert_non_null (strstr (s_error, "directory"));

    zc_access_t *access = s_access_with_secret ("");
    assert_false (zc_access_changed (access));
    s_write ("secret", SECRET SECRET);
    assert_true (zc_access_changed (access));
    zc_access_destroy (&access);
    access = s_access_with_secret ("");
    char path[256];
    snprintf (path, sizeof path, "%s", s_write ("secret", SECRET "\n"));
    unlink (path);
    assert_true (zc_access_changed (access));
    zc_access_destroy (&access);
    zc_access_destroy (&access);
}

static void test_api_key_as_token (void **state)
{
    (void)state;
    zc_buf_t key = ZC_BUF_INIT, hash = ZC_BUF_INIT;
    char words[512], file[256];
    assert_int_equal (zc_apikey_make (&key, &hash), 0);
    snprintf (file, sizeof file, "shop %s publish=orders/*\n", zc_buf_str (&hash));
    snprintf (words, sizeof words, "--tokens publish --api-keys %s", s_write ("api", file));
    zc_access_t *access = s_access (words);
    assert_non_null (access);
    const char *header = s_with ("Bearer @", zc_buf_str (&key));
    assert_string_equal (s_who (access, header, NULL, NULL, NULL), "shop");
    zc_credentials_t credentials = {.authorization = s_slice (header)};
    zc_identity_t *shop;
    assert_int_equal (zc_access_identify (access, &credentials, NOW_MS, &shop), ZC_TOKEN_OK);
    assert_int_equal (zc_access_publish (access, shop, s_slice ("orders/1")), ZC_ACCESS_GRANTED);
    assert_int_equal (zc_access_publish (access, shop, s_slice ("order")), ZC_ACCESS_FORBIDDEN);
    zc_identity_destroy (&shop);
    key.data[20] ^= 1;
    assert_string_equal (s_who (access, s_with ("Bearer @", zc_buf_str (&key)), NULL, NULL, NULL),
                         "!-14");
    zc_access_destroy (&access);
    zc_buf_clear (&key);
    zc_buf_clear (&hash);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_modes_without_rules), cmocka_unit_test (test_rules),
        cmocka_unit_test (test_bad_rules),           cmocka_unit_test (test_api_keys),
        cmocka_unit_test (test_bad_api_key_files),   cmocka_unit_test (test_where_a_token_comes),
        cmocka_unit_test (test_names_for_limits),    cmocka_unit_test (test_decisions),
        cmocka_unit_test (test_selectors),           cmocka_unit_test (test_files),
        cmocka_unit_test (test_api_key_as_token),
    };
    return cmocka_run_group_tests (tests, s_make_folder, s_remove_folder);
}
