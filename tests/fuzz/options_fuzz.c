/*  zcast.conf. Any text is accepted, or refused with one line that begins with the file's name;
 *  the second reading gives the same. A text that is refused is also refused by -t, which checks
 *  more. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/program.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

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
    s_use (options, 0);
    if (zc_options_load_text (options, "FILE", text, size, error, sizeof error) != rc)
        abort ();
    options->whole = true;
    int whole = zc_options_load_text (options, "FILE", text, size, error, sizeof error);
    if ((rc != 0 && whole == 0) || (whole != 0 && strncmp (error, "FILE:", 5) != 0))
        abort ();
    zc_options_destroy (&options);
    return 0;
}
