/*  Environment variables: lines NAME=VALUE, each for a variable ZCAST_NAME; \x1f stands for LF
 *  in a value. They are accepted, or refused with one line that names a variable. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/program.h"

#define VARIABLES_MAX 20

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  Returns the name that was set, which the caller frees; NULL if the line is malformed. */
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
    s_use (options, 1);
    if (zc_options_load_text (options, "FILE", "", 0, error, sizeof error) != rc)
        abort ();
    while (count) {
        unsetenv (names[--count]);
        free (names[count]);
    }
    zc_options_destroy (&options);
    return 0;
}
