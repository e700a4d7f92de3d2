/*  tool.h - what the subcommands of `zmq` share. */
#ifndef ZC_TOOL_H
#define ZC_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/text.h"
#include "lib/config/options.h"
#include "lib/peer/control.h"
#include "lib/peer/curve.h"

/*  A command: its options, and what it does with them once they are read; `run` returns the exit
 *  status. SIGINT and SIGTERM set zc_tool_stopped by then. */
typedef struct {
    const zc_program_t *program;
    int (*run) (const zc_options_t *options);
} zc_tool_command_t;

extern const zc_tool_command_t zc_tool_pub, zc_tool_sub, zc_tool_stat, zc_tool_ping, zc_tool_token,
    zc_tool_keygen;

/*  The broker's endpoints, alike in every subcommand (stack them all, so that one set of options
 *  fits all). */
#define ZC_TOOL_ENDPOINTS                                                           \
    {"publish",                                                                     \
     0,                                                                             \
     ZC_OPT_ENDPOINT,                                                               \
     "tcp://127.0.0.1:5560",                                                        \
     0,                                                                             \
     0,                                                                             \
     NULL,                                                                          \
     "ENDPOINT",                                                                    \
     "where the broker takes messages",                                             \
     false},                                                                        \
        {"subscribe",                                                               \
         0,                                                                         \
         ZC_OPT_ENDPOINT,                                                           \
         "tcp://127.0.0.1:5561",                                                    \
         0,                                                                         \
         0,                                                                         \
         NULL,                                                                      \
         "ENDPOINT",                                                                \
         "where the broker's subscribers connect",                                  \
         false},                                                                    \
        {"control", 0,    ZC_OPT_ENDPOINT, "tcp://127.0.0.1:5562",          0,      \
         0,         NULL, "ENDPOINT",      "the broker's control endpoint", false}, \
        ZC_CURVE_KEY_OPTION, ZC_CURVE_SERVER_OPTION

/*  Keys of the section `zmq`, alike too: what else a subcommand knows is for its command line. */
#define ZC_TOOL_KEYS "publish subscribe control curve-key curve-server"

/*  Saying things. What came from outside is escaped (zc_text_escape): always in what zc_tool_say
 *  prints to stderr, as "zmq pub: …"; on stdout only where that is a terminal. */
void zc_tool_say (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
void zc_tool_name (const char *name); /* borrowed; what zc_tool_say begins with */
/*  Prints to stderr what is wrong with the command line, and how to get help; returns
 *  ZC_EXIT_USAGE. */
int zc_tool_misuse (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
/*  Says that no broker is there, or that it doesn't answer, and what to do; returns
 *  ZC_EXIT_FAILURE. */
int zc_tool_no_broker (const char *option, const char *endpoint, bool connected,
                       int64_t timeout_ms);
void zc_tool_put (zc_slice_t text);
/*  JSON stays JSON: what a terminal would obey is shown as \u009b. */
void zc_tool_put_json (const char *json);
/*  Writes out what stdout holds. False where that failed, which is then said (but for a pipe that
 *  was closed, and where a signal said to stop). */
bool zc_tool_flush (void);

/*  Waiting. Whatever waits waits for these two as well: a signal, and who reads our output having
 *  left. */
extern volatile bool zc_tool_stopped; /* SIGINT or SIGTERM came; a second one ends the program */
void zc_tool_catch_signals (void);
int zc_tool_stop_fd (void); /* can be read once stopped */
#define ZC_TOOL_ITEMS 2
/*  Waits for the first `count` items, which have room for ZC_TOOL_ITEMS more, or `ms` (-1: no
 *  limit). Ends the program quietly, as writing would have, where the reader of our output has
 * left; `output`: whether there will be more of that. */
void zc_tool_poll (zmq_pollitem_t *items, size_t count, long ms, bool output);
/*  Ends it so, where the reader has left already. */
void zc_tool_end_unread (void);

/*  Asking. */
typedef struct zc_tool_link zc_tool_link_t;
/*  To the broker's control endpoint. NULL after saying why. `options` are borrowed. */
zc_tool_link_t *zc_tool_link_new (const zc_options_t *options, unsigned timeout_ms);
void zc_tool_link_destroy (zc_tool_link_t **self_p);
/*  Asks, and hands the answer's parts to `fn` as they come: OK, or MSG and END. Returns ZC_EXIT_OK;
 *  or says that it was refused or not answered, and returns the exit status. */
int zc_tool_ask (zc_tool_link_t *self, const zc_ask_t *ask, zc_control_fn fn, void *arg);
/*  STATS or PING on a connection of its own, with the option `timeout`. On success returns 0, with
 *  the answer's text in `text` (caller frees); else says why and returns the exit status. */
int zc_tool_request (const zc_options_t *options, zc_verb_t verb, char **text);

#endif
