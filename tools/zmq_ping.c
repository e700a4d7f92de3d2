/*  zmq_ping.c - `zmq ping`: whether the broker answers, or with --through, whether a public URL
 *  delivers events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "tools/doctor_probe.h"
#include "tools/http.h"
#include "tools/tool.h"

#define S_UNKNOWN 3 /* as monitoring systems count: 0 OK, 1 WARNING, 2 CRITICAL */

static const zc_option_t s_options[] = {
    ZC_TOOL_ENDPOINTS,
    ZC_TOOL_TIMEOUT ("5s", "how long to wait for the broker, or for the first event"),
    {.name = "through",
     .type = ZC_OPT_TEXT,
     .min = 8,
     .max = 2000,
     .argument = "URL",
     .help = "not the broker: whether a zcast's public door at http://… or https://… gives events"},
    {.name = "topic",
     .type = ZC_OPT_TEXT,
     .preset = "zmq-doctor",
     .min = 1,
     .max = ZC_TOPIC_MAX,
     .argument = "TOPIC",
     .help = "with --through: the topic to ask for"},
    {.name = "warning",
     .letter = 'w',
     .type = ZC_OPT_SECONDS,
     .preset = "1s",
     .min = 1,
     .max = 86400000,
     .argument = "TIME",
     .help = "with --through: a first event that takes longer is a warning"},
    ZC_HTTP_TOKEN_OPTIONS,
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
              "  until zmq ping --timeout 0.2; do echo waiting; done\n"
              "  zmq ping --through https://www.example.org\n"
              "Exit status with --through: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.\n",
    .options = s_options,
};

/*  One line, as monitoring systems read it. */
static int s_through (const zc_options_t *options)
{
    zc_doctor_facts_t facts;
    zc_doctor_wish_t wish = {
        .options = options,
        .url = zc_options_text (options, "through"),
        .topic = zc_options_text (options, "topic"),
        .timeout_ms = (long)zc_options_number (options, "timeout"),
        .glance = true,
    };
    if (zc_doctor_probe (&wish, &facts) != ZC_EXIT_OK) {
        printf ("ZCAST UNKNOWN - nothing was measured\n");
        return S_UNKNOWN;
    }
    zc_buf_t line = ZC_BUF_INIT;
    int status = zc_doctor_ping (&facts, (long)zc_options_number (options, "warning"), &line);
    printf ("%s\n", zc_buf_str (&line)); /* all texts in it are escaped */
    zc_buf_clear (&line);
    return status;
}

static int s_run (const zc_options_t *options)
{
    char *version = NULL, *place = NULL;
    if (zc_options_text (options, "through"))
        return s_through (options);
    uint64_t begun = zc_mono_us ();
    int status = zc_tool_request (options, ZC_PING, &version, &place);
    if (status == ZC_EXIT_OK) {
        printf ("%s zcast ", place);
        zc_tool_put ((zc_slice_t){version, strlen (version)});
        printf (", %.1f ms\n", (double)(zc_mono_us () - begun) / 1000);
    }
    free (version);
    free (place);
    return status;
}

const zc_tool_command_t zc_tool_ping = {&s_program, s_run};
