/*  zcast-ws.c - serves topics by WebSocket and HTTP/1.1. */
#include <stdio.h>
#include <unistd.h>

#include "lib/base/daemon.h"
#include "lib/base/listen.h"
#include "lib/base/processes.h"
#include "lib/base/log.h"
#include "ws/server.h"
#include "ws/shared.h"

static const zc_option_t s_options[] = {
    {"listen", 'l', ZC_OPT_TEXT, "127.0.0.1:8081", 1, 255, NULL, "HOST:PORT|PATH",
     "where clients, or the web server in front, connect", false},
    {"socket-mode", 0, ZC_OPT_TEXT, "0660", 3, 4, NULL, "MODE",
     "permissions of a Unix socket, in octal", false},
    {"processes", 'n', ZC_OPT_NUMBER, "1", 1, 256, NULL, "N",
     "processes that share the listening socket", false},
    {"path", 0, ZC_OPT_TEXT, "/ws", 1, 255, NULL, "PATH",
     "the path that clients ask for; / is always served", false},
    {"test-echo", 0, ZC_OPT_BOOL, "no", 0, 0, NULL, NULL,
     "serve /echo, which returns each message: for conformance tests only", false},
    {"proxy-protocol", 0, ZC_OPT_BOOL, "no", 0, 0, NULL, NULL,
     "connections of trust-proxy begin with the PROXY protocol, version 1 or 2, or are refused",
     true},
    {"head-timeout", 0, ZC_OPT_SECONDS, "10s", 100, 600000, NULL, "TIME",
     "for a request head to be complete, and for each 4 KiB of a body", true},
    {"keep-alive", 0, ZC_OPT_SECONDS, "75s", 100, 3600000, NULL, "TIME",
     "how long a connection without a request is kept", true},
    {"pong-timeout", 0, ZC_OPT_SECONDS, "30s", 300, 3600000, NULL, "TIME",
     "a client that is silent for so long, also when pinged, is dropped", true},
    {"max-message", 0, ZC_OPT_SIZE, "64K", 128, 1 << 30, NULL, "SIZE",
     "largest message of a client", true},
    {"deflate-from", 0, ZC_OPT_SIZE, "1K", 0, 1 << 30, NULL, "SIZE",
     "messages of this size and more are compressed for clients that can; 0: none", true},
    {"rate", 0, ZC_OPT_NUMBER, "100", 0, 1000000, NULL, "N",
     "messages a second of one client; 0: no limit", true},
    {"burst", 0, ZC_OPT_NUMBER, "200", 1, 1000000, NULL, "N", "and how many at once", true},
    {"publish", 0, ZC_OPT_ENDPOINT, "tcp://127.0.0.1:5560", 0, 0, NULL, "ENDPOINT",
     "where the broker's publishers connect; clients publish through control", false},
    ZC_FRONT_OPTIONS ("1000", "100"),
    ZC_KEEPER_OPTIONS,
    ZC_WORKER_OPTIONS,
    ZC_OPTION_END,
};

static const char *s_verify (const zc_options_t *options, char *error, size_t size)
{
    if (zc_options_text (options, "path")[0] == '/') {
        const char *wrong = zc_worker_verify (options, "listen", error, size);
        return wrong ? wrong : zc_keeper_verify (options, "listen", error, size);
    }
    snprintf (error, size, "expected a path that begins with /");
    return "path";
}

static const zc_program_t s_program = {
    .program = "zcast-ws",
    .section = "ws",
    .usage = "[OPTION…]",
    .summary = "Serves topics to browsers by WebSocket and by Server-Sent Events.",
    .epilog = "A client connects to ws://HOST:PORT/ws?topic=NAME, with sub-protocol zcast.v1 for "
              "JSON,\nor asks http://HOST:PORT/events?topic=NAME.\n"
              "Examples:\n"
              "  zcast-ws --listen 127.0.0.1:8081\n"
              "  zcast-ws --listen /run/zcast-ws/ws.sock --processes 2\n",
    .options = s_options,
    .verify = s_verify,
};

typedef struct {
    zc_options_t *options;
    int listener;
} s_program_t;

static int s_work (void *arg, unsigned index)
{
    s_program_t *self = arg;
    int listener = self->listener;
    self->listener = -1;
    return zc_ws_run (self->options, listener, index);
}

static bool s_reload (void *arg)
{
    return zc_worker_reload (((s_program_t *)arg)->options);
}

/*  No process accepts any more: another server may use the address. */
static void s_release (void *arg)
{
    s_program_t *self = arg;
    if (self->listener >= 0)
        close (self->listener);
    self->listener = -1;
}

static int s_serve (zc_options_t *options)
{
    const char *listen = zc_options_text (options, "listen");
    unsigned mode = zc_file_mode (zc_options_text (options, "socket-mode"));
    char error[256];
    zc_hold_signals ();
    s_program_t self = {options, zc_listen (listen, mode, ZC_BACKLOG, error, sizeof error)};
    if (self.listener < 0) {
        zc_error ("%s", error);
        return ZC_EXIT_FAILURE;
    }
    zc_raise_descriptor_limit ();
    const zc_work_t work = {&self, s_work, s_reload, s_release};
    int status = zc_processes ((unsigned)zc_options_number (options, "processes"), &work);
    s_release (&self);
    zc_unlisten (listen);
    return status;
}

int main (int argc, char **argv)
{
    int status;
    zc_hold_standard_descriptors ();
    zc_keep_memory_out_of_dumps ();
    zc_options_t *options = zc_options_new (&s_program, argc, argv, &status);
    if (!options)
        return status;
    zc_log_open (s_program.program, zc_log_parse_level (zc_options_text (options, "log-level")),
                 zc_options_bool (options, "syslog"));
    status = s_serve (options);
    zc_options_destroy (&options);
    return status;
}
