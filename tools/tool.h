/*  tool.h - what the subcommands of `zmq` share. */
#ifndef ZC_TOOL_H
#define ZC_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/config/options.h"
#include "lib/base/text.h"

/*  Subcommands: argv[0] is "zmq pub" and so on. Return the exit status. */
int zc_tool_pub (int argc, char **argv);
int zc_tool_sub (int argc, char **argv);
int zc_tool_stat (int argc, char **argv);
int zc_tool_ping (int argc, char **argv);
int zc_tool_token (int argc, char **argv);

/*  The broker's endpoints, alike in every subcommand (stack them all, so that one set of options
 *  fits all). */
#define ZC_TOOL_ENDPOINTS                                                              \
    {"publish",                                                                        \
     0,                                                                                \
     ZC_OPT_ENDPOINT,                                                                  \
     "tcp://127.0.0.1:5560",                                                           \
     0,                                                                                \
     0,                                                                                \
     NULL,                                                                             \
     "ENDPOINT",                                                                       \
     "where the broker takes messages",                                                \
     false},                                                                           \
        {"subscribe",                                                                  \
         0,                                                                            \
         ZC_OPT_ENDPOINT,                                                              \
         "tcp://127.0.0.1:5561",                                                       \
         0,                                                                            \
         0,                                                                            \
         NULL,                                                                         \
         "ENDPOINT",                                                                   \
         "where the broker's subscribers connect",                                     \
         false},                                                                       \
    {                                                                                  \
        "control", 0, ZC_OPT_ENDPOINT, "tcp://127.0.0.1:5562", 0, 0, NULL, "ENDPOINT", \
            "the broker's control endpoint", false                                     \
    }

/*  Keys of the section `zmq`, alike too: what else a subcommand knows is for its command line. */
#define ZC_TOOL_KEYS "publish subscribe control"

/*  Prints "zmq pub: …" to stderr. */
void zc_tool_say (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
void zc_tool_name (const char *name); /* borrowed; what zc_tool_say begins with */
/*  Prints to stderr what is wrong with the command line, and how to get help; returns
 *  ZC_EXIT_USAGE. */
int zc_tool_misuse (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
/*  Says that no broker is there, or that it doesn't answer, and what to do; returns
 *  ZC_EXIT_FAILURE. */
int zc_tool_no_broker (const char *option, const char *endpoint, bool connected,
                       int64_t timeout_ms);
/*  Writes out what stdout holds. False where that failed, which is then said (but for a pipe that
 *  was closed). */
bool zc_tool_flush (void);
/*  One request to control, one answer. On success returns 0, with the text of the `want`th frame of
 *  an OK in `text` (caller frees); else says why and returns the exit status. */
int zc_tool_request (const zc_options_t *options, const char *verb, size_t want, char **text);
/*  SIGINT and SIGTERM set this. */
extern volatile bool zc_tool_stopped;
void zc_tool_catch_signals (void);

#endif
