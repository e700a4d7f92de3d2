/*  main.c - zcast-fcgi: Server-Sent Events behind a web server, by FastCGI or as a CGI program. */
#include "fcgi/cgi.h"
#include "fcgi/server.h"
#include "lib/base/daemon.h"
#include "lib/base/succession.h"
#include "lib/config/logging.h"
#include "lib/front/keeper.h"

static const zc_option_t s_options[] = {
    {.name = "socket",
     .letter = 's',
     .type = ZC_OPT_TEXT,
     .preset = "/run/zcast/sse.sock",
     .min = 1,
     .max = 255,
     .argument = "ADDRESS",
     .help = "where web servers connect: a path, :PORT or HOST:PORT"},
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
     .max = 64,
     .argument = "N",
     .help = "processes that share the socket"},
    {.name = "request-timeout",
     .type = ZC_OPT_SECONDS,
     .preset = "10s",
     .min = 100,
     .max = 3600000,
     .argument = "TIME",
     .help = "a web server's request is complete within this, or its connection is closed",
     .reload = true},
    {.name = "publish",
     .type = ZC_OPT_ENDPOINT,
     .preset = "tcp://127.0.0.1:5560",
     .argument = "ENDPOINT",
     .help = "where the broker's publishers connect; clients publish through control"},
    {.name = "allow-peer",
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = 64,
     .argument = "WHO",
     .help = "web servers that may connect over TCP, as all that they say is believed: local (this "
             "machine; the default), an address, a network such as 192.0.2.0/24, or always; "
             "repeatable",
     .reload = true},
    ZC_FRONT_OPTIONS ("0", "0"),
    ZC_KEEPER_OPTIONS,
    ZC_WORKER_OPTIONS,
    ZC_OPTION_END,
};

static const char *s_verify (const zc_options_t *options, char *error, size_t size)
{
    const char *wrong = zc_worker_verify (options, "socket", error, size);
    if (!wrong)
        wrong = zc_keeper_verify (options, "socket", error, size);
    return wrong ? wrong : zc_server_verify (options, error, size);
}

static const zc_program_t s_program = {
    .program = "zcast-fcgi",
    .section = "fcgi",
    .usage = "[OPTION…]",
    .summary = "Serves topics to browsers as Server-Sent Events, behind a web server.",
    .epilog =
        "With a listening socket on descriptor 0 (spawn-fcgi, lighttpd's bin-path, systemd) it "
        "serves that one;\nas a web server's CGI program it serves one client.\n"
        "Examples:\n"
        "  zcast-fcgi --socket /run/zcast/sse.sock --processes 2\n"
        "  spawn-fcgi -s /run/zcast/sse.sock -n -- /usr/sbin/zcast-fcgi\n",
    .options = s_options,
    .verify = s_verify,
};

static int s_serve (zc_options_t *options)
{
    const zc_inheritance_t *succeeds = zc_succession_inherited ();
    bool first = succeeds->role == ZC_SUCCESSION_NONE, inherited = zc_server_inherited ();
    zc_hold_signals ();
    zc_raise_descriptor_limit ();
    int listener = first ? zc_server_listen (options) : succeeds->listener;
    if (listener < 0)
        return ZC_EXIT_FAILURE;
    if (!zc_server_may_serve (options, listener))
        return ZC_EXIT_USAGE;
    int status = zc_worker_processes (options, listener, zc_fcgi_run);
    if (first && !inherited) /* else the socket may be another one's, such as systemd's */
        zc_server_unlisten (options);
    return status;
}

int main (int argc, char **argv)
{
    int status;
    zc_succession_init (argv);
    zc_hold_standard_descriptors ();
    zc_keep_memory_out_of_dumps ();
    bool cgi = zc_cgi_wanted ();
    if (cgi && zc_cgi_words_are_foreign ())
        argc = 1;
    zc_options_t *options = zc_options_new (&s_program, argc, argv, &status);
    if (!options)
        return status;
    zc_logging_open (options);
    status = cgi ? zc_cgi_run (options) : s_serve (options);
    zc_options_destroy (&options);
    return status;
}
