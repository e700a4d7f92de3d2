/*  zmq_ping.c - `zmq ping`: one PING, and how long it took. */
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    ZC_TOOL_ENDPOINTS,
    {"timeout", 't', ZC_OPT_SECONDS, "5s", 1, 86400000, NULL, "TIME",
     "how long to wait for the broker", false},
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq ping",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]...",
    .summary = "Asks the broker whether it is there; prints its version and the time it took.",
    .epilog = "Examples:\n"
              "  zmq ping\n"
              "  until zmq ping --timeout 1; do echo waiting; done\n",
    .options = s_options,
};

int zc_tool_ping (int argc, char **argv)
{
    int status;
    zc_options_t *options = zc_options_new (&s_program, argc, argv, &status);
    if (!options)
        return status;
    char *version = NULL;
    if (zc_options_word (options, 0)) {
        status = zc_tool_misuse ("'%s' is too much", zc_options_word (options, 0));
    } else {
        uint64_t begun = zc_mono_us ();
        status = zc_tool_request (options, "PING", 1, &version);
        if (status == ZC_EXIT_OK)
            printf ("%s zcast %s, %.1f ms\n", zc_options_text (options, "control"), version,
                    (double)(zc_mono_us () - begun) / 1000);
    }
    if (!zc_tool_flush ())
        status = ZC_EXIT_FAILURE;
    free (version);
    zc_options_destroy (&options);
    return status;
}
