/*  zcast.conf. Any text is taken or refused with one line that begins with the file's name; taken
 *  twice it means the same. What is refused is refused by -t too, which looks at more. */
#include <stdlib.h>
#include <string.h>

#include "lib/config/options_private.h"
#include "lib/engine/worker.h"

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
        if (key || strlen (value) > 10)
            abort ();
    zc_endpoint_exposed (zc_options_text (options, "publish"));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int status;
    char name[] = "fuzz", none[] = "--config=/dev/null", error[2048] = "";
    char *argv[] = {name, none};
    zc_options_t *options = zc_options_new (&s_program, 2, argv, &status);
    if (!options)
        abort ();
    const char *text = (const char *)data;
    int rc = zc_options_load_text (options, "FILE", text, size, error, sizeof error);
    if (rc != 0 && (strncmp (error, "FILE:", 5) != 0 || strchr (error, '\n')))
        abort ();
    s_use (options);
    if (zc_options_load_text (options, "FILE", text, size, error, sizeof error) != rc)
        abort ();
    options->whole = true;
    int whole = zc_options_load_text (options, "FILE", text, size, error, sizeof error);
    if ((rc != 0 && whole == 0) || (whole != 0 && strncmp (error, "FILE:", 5) != 0))
        abort ();
    zc_options_destroy (&options);
    return 0;
}
