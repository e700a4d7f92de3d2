/*  zmq_ping.c - `zmq ping`: one PING, and its time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    ZC_TOOL_ENDPOINTS,
    {.name = "timeout",
     .letter = 't',
     .type = ZC_OPT_SECONDS,
     .preset = "5s",
     .min = 1,
     .max = 86400000,
     .argument = "TIME",
     .help = "how long to wait for the broker"},
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
              "  until zmq ping --timeout 0.2; do echo waiting; done\n",
    .options = s_options,
};

static int s_run (const zc_options_t *options)
{
    char *version = NULL;
    uint64_t begun = zc_mono_us ();
    int status = zc_tool_request (options, ZC_PING, &version);
    if (status == ZC_EXIT_OK) {
        printf ("%s zcast ", zc_options_text (options, "control"));
        zc_tool_put ((zc_slice_t){version, strlen (version)});
        printf (", %.1f ms\n", (double)(zc_mono_us () - begun) / 1000);
    }
    free (version);
    return status;
}

const zc_tool_command_t zc_tool_ping = {&s_program, s_run};
