/*  Environment variables: lines NAME=VALUE, each of which is ZCAST_NAME; \x1f stands for LF in a
 *  value. They are taken, or refused with one line that names a variable. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/config/options_private.h"
#include "lib/engine/worker.h"

#define VARIABLES_MAX 20

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const zc_option_t s_options[] = {
    {"flag", 'f', ZC_OPT_BOOL, "no", 0, 0, NULL, NULL, "a flag", true},
    {"number", 'n', ZC_OPT_NUMBER, "1", -10, 10, NULL, "N", "a number", true},
    {"list", 'l', ZC_OPT_LIST, NULL, 1, 10, NULL, "TEXT", "a list", true},
    {"map", 'm', ZC_OPT_MAP, NULL, 0, 0, NULL, "NAME=VALUE", "a map", true},
    {"publish", 0, ZC_OPT_ENDPOINT, "inproc://x", 0, 0, NULL, "ENDPOINT", "an endpoint", true},
    ZC_WORKER_OPTIONS,
    ZC_OPTION_END,
};
static const zc_program_t s_program = {
    .program = "zcast-fuzz", .section = "fuzz", .usage = "", .summary = "", .options = s_options};

static void s_use (const zc_options_t *options)
{
    const char *key, *value;
    if (zc_options_number (options, "number") < -10 || zc_options_number (options, "number") > 10)
        abort ();
    for (size_t i = 0; zc_options_item (options, "map", i, &key, &value); i++)
        if (!*key || !value)
            abort ();
    for (size_t i = 0; zc_options_item (options, "list", i, &key, &value); i++)
        if (key || !*value || strlen (value) > 10)
            abort ();
    zc_endpoint_exposed (zc_options_text (options, "publish"));
}

/*  Returns the name that was set, which the caller frees; NULL where the line is none. */
static char *s_set (const char *at, size_t len)
{
    char *name = malloc (len + 8);
    if (!name)
        abort ();
    char *value = stpcpy (name, "ZCAST_");
    memcpy (value, at, len);
    value[len] = 0;
    for (char *c = value; *c; c++)
        *c = *c == '\x1f' ? '\n' : *c;
    value = strchr (value, '=');
    if (!value) {
        free (name);
        return NULL;
    }
    *value++ = 0;
    setenv (name, value, 1);
    return name;
}

static size_t s_set_all (const char *at, size_t size, char *names[VARIABLES_MAX])
{
    size_t count = 0;
    while (size && count < VARIABLES_MAX) {
        const char *end = memchr (at, '\n', size);
        size_t len = end ? (size_t)(end - at) : size;
        if ((names[count] = s_set (at, len)))
            count++;
        at += len + (end != NULL);
        size -= len + (end != NULL);
    }
    return count;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int status;
    char name[] = "fuzz", none[] = "--config=/dev/null", error[2048] = "", *names[VARIABLES_MAX];
    char *argv[] = {name, none};
    zc_options_t *options = zc_options_new (&s_program, 2, argv, &status);
    if (!options)
        abort ();
    size_t count = s_set_all ((const char *)data, size, names);
    int rc = zc_options_load_text (options, "FILE", "", 0, error, sizeof error);
    if (rc != 0 && (!strstr (error, "ZCAST_") || strchr (error, '\n')))
        abort ();
    s_use (options);
    if (zc_options_load_text (options, "FILE", "", 0, error, sizeof error) != rc)
        abort ();
    while (count) {
        unsetenv (names[--count]);
        free (names[count]);
    }
    zc_options_destroy (&options);
    return 0;
}
