/*  tool.c - what the subcommands of `zmq` share. */
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/peer/context.h"
#include "lib/peer/control.h"
#include "lib/base/daemon.h"

static const char *s_name = "zmq";

void zc_tool_name (const char *name)
{
    s_name = name;
}

__attribute__ ((format (printf, 1, 0))) static void s_vsay (const char *format, va_list args)
{
    fprintf (stderr, "%s: ", s_name);
    vfprintf (stderr, format, args);
    fputc ('\n', stderr);
}

void zc_tool_say (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_vsay (format, args);
    va_end (args);
}

int zc_tool_misuse (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_vsay (format, args);
    va_end (args);
    fprintf (stderr, "Try '%s --help'.\n", s_name);
    return ZC_EXIT_USAGE;
}

int zc_tool_no_broker (const char *option, const char *endpoint, bool connected, int64_t timeout_ms)
{
    double seconds = (double)timeout_ms / 1000;
    if (connected)
        zc_tool_say ("the broker at %s is connected but has not answered within %g s", endpoint,
                     seconds);
    else
        zc_tool_say ("no broker answers at %s (waited %g s): is zcast-broker running, and is this "
                     "its %s endpoint? --%s ENDPOINT or -c FILE gives another",
                     endpoint, seconds, option, option);
    return ZC_EXIT_FAILURE;
}

bool zc_tool_flush (void)
{
    if (fflush (stdout) == 0 && !ferror (stdout))
        return true;
    if (errno != EPIPE)
        zc_tool_say ("cannot write: %s", strerror (errno));
    return false;
}

typedef struct {
    size_t want;
    bool there, refused;
    char *text;
} s_reply_t;

static void s_answer (void *arg, const zc_slice_t *frames, size_t count)
{
    s_reply_t *reply = arg;
    if (count == 0)
        return;
    reply->there = true;
    reply->refused = frames[0].len != 2 || count <= reply->want;
    zc_slice_t text = frames[reply->refused ? count - 1 : reply->want];
    reply->text = strndup (text.at, text.len);
}

static int s_wait (zc_control_t *control, const zc_options_t *options, const s_reply_t *reply)
{
    while (!reply->there && zc_control_pending (control) && !zc_tool_stopped)
        zc_control_wait (control, 1000);
    if (zc_tool_stopped)
        return ZC_EXIT_FAILURE;
    if (!reply->there)
        return zc_tool_no_broker ("control", zc_options_text (options, "control"), false,
                                  zc_options_number (options, "timeout"));
    if (reply->refused)
        zc_tool_say ("the broker refuses: %s", reply->text);
    return reply->refused ? ZC_EXIT_FAILURE : ZC_EXIT_OK;
}

int zc_tool_request (const zc_options_t *options, const char *verb, size_t want, char **text)
{
    const char *endpoint = zc_options_text (options, "control");
    s_reply_t reply = {.want = want};
    int status = ZC_EXIT_FAILURE;
    void *context = zmq_ctx_new ();
    zc_control_t *control = zc_control_new (context, endpoint);
    if (control) {
        zc_slice_t frame = {verb, strlen (verb)};
        zc_control_request (control, &frame, 1, (unsigned)zc_options_number (options, "timeout"),
                            s_answer, &reply);
        status = s_wait (control, options, &reply);
        zc_control_reset (control);
        zc_control_destroy (&control);
    } else {
        zc_tool_say ("%s: %s", endpoint, zmq_strerror (errno));
    }
    zc_context_end (&context, ZC_CONTEXT_END_MS);
    if (status != ZC_EXIT_OK) {
        free (reply.text);
        reply.text = NULL;
    }
    *text = reply.text;
    return status;
}

volatile bool zc_tool_stopped;

static void s_stop (int number)
{
    (void)number;
    zc_tool_stopped = true;
}

void zc_tool_catch_signals (void)
{
    struct sigaction action = {.sa_handler = s_stop};
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
}
