/*  zcast-ws.c - serves topics by WebSocket and HTTP/1.1. */
#include <stdio.h>

#include "lib/base/daemon.h"
#include "lib/base/listen.h"
#include "lib/base/log.h"
#include "lib/base/succession.h"
#include "lib/config/logging.h"
#include "ws/server.h"
#include "ws/shared.h"

static const zc_option_t s_options[] = {
    {.name = "listen",
     .letter = 'l',
     .type = ZC_OPT_TEXT,
     .preset = "127.0.0.1:8081",
     .min = 1,
     .max = 255,
     .argument = "HOST:PORT|PATH",
     .help = "where clients, or the web server in front, connect"},
    {.name = "socket-mode",
     .type = ZC_OPT_TEXT,
     .preset = "0660",
     .min = 3,
     .max = 4,
     .argument = "MODE",
     .help = "permissions of a Unix socket, in octal"},
    {.name = "processes",
     .letter = 'n',
     .type = ZC_OPT_NUMBER,
     .preset = "1",
     .min = 1,
     .max = 256,
     .argument = "N",
     .help = "processes that share the listening socket"},
    {.name = "path",
     .type = ZC_OPT_TEXT,
     .preset = "/ws",
     .min = 1,
     .max = 255,
     .argument = "PATH",
     .help = "the path that clients ask for; / is always served"},
    {.name = "test-echo",
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "serve /echo, which returns each message: for conformance tests only"},
    {.name = "proxy-protocol",
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help =
         "connections of trust-proxy begin with the PROXY protocol, version 1 or 2, or are refused",
     .reload = true},
    {.name = "head-timeout",
     .type = ZC_OPT_SECONDS,
     .preset = "10s",
     .min = 100,
     .max = 600000,
     .argument = "TIME",
     .help = "for a request head to be complete, and for each 4 KiB of a body",
     .reload = true},
    {.name = "keep-alive",
     .type = ZC_OPT_SECONDS,
     .preset = "75s",
     .min = 100,
     .max = 3600000,
     .argument = "TIME",
     .help = "how long a connection without a request is kept",
     .reload = true},
    {.name = "pong-timeout",
     .type = ZC_OPT_SECONDS,
     .preset = "30s",
     .min = 300,
     .max = 3600000,
     .argument = "TIME",
     .help = "a client that is silent for so long, also when pinged, is dropped",
     .reload = true},
    {.name = "max-message",
     .type = ZC_OPT_SIZE,
     .preset = "64K",
     .min = 128,
     .max = 1 << 30,
     .argument = "SIZE",
     .help = "largest message of a client",
     .reload = true},
    {.name = "deflate-from",
     .type = ZC_OPT_SIZE,
     .preset = "1K",
     .max = 1 << 30,
     .argument = "SIZE",
     .help = "messages of this size and more are compressed for clients that can; 0: none",
     .reload = true},
    {.name = "rate",
     .type = ZC_OPT_NUMBER,
     .preset = "100",
     .max = 1000000,
     .argument = "N",
     .help = "messages a second of one client; 0: no limit",
     .reload = true},
    {.name = "burst",
     .type = ZC_OPT_NUMBER,
     .preset = "200",
     .min = 1,
     .max = 1000000,
     .argument = "N",
     .help = "and how many at once",
     .reload = true},
    {.name = "publish",
     .type = ZC_OPT_ENDPOINT,
     .preset = "tcp://127.0.0.1:5560",
     .argument = "ENDPOINT",
     .help = "where the broker's publishers connect; clients publish through control"},
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

static int s_serve (zc_options_t *options)
{
    const char *listen = zc_options_text (options, "listen");
    unsigned mode = zc_file_mode (zc_options_text (options, "socket-mode"));
    char error[256];
    const zc_inheritance_t *inherited = zc_succession_inherited ();
    bool first = inherited->role == ZC_SUCCESSION_NONE;
    zc_hold_signals ();
    int listener =
        first ? zc_listen (listen, mode, ZC_BACKLOG, error, sizeof error) : inherited->listener;
    if (listener < 0) {
        zc_error (ZC_EVENT ("start.failed error", "%s"), error);
        return ZC_EXIT_FAILURE;
    }
    zc_raise_descriptor_limit ();
    int status = zc_worker_processes (options, listener, zc_ws_run);
    if (inherited->role != ZC_SUCCESSION_WORKER) /* whose master goes on */
        zc_unlisten (listen);
    return status;
}

int main (int argc, char **argv)
{
    int status;
    zc_succession_init (argv);
    zc_hold_standard_descriptors ();
    zc_keep_memory_out_of_dumps ();
    zc_options_t *options = zc_options_new (&s_program, argc, argv, &status);
    if (!options)
        return status;
    zc_logging_open (options);
    status = s_serve (options);
    zc_options_destroy (&options);
    return status;
}
