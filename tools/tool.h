/*  tool.h - the code that the subcommands of `zmq` share. */
#ifndef ZC_TOOL_H
#define ZC_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/text.h"
#include "lib/config/options.h"
#include "lib/peer/control.h"
#include "lib/peer/curve.h"

/*  A subcommand: its options, and `run`, which is called once they are read, and returns the exit
 *  status. By then, SIGINT and SIGTERM set zc_tool_stopped. */
typedef struct {
    const zc_program_t *program;
    int (*run) (const zc_options_t *options);
} zc_tool_command_t;

/*  A row of the table of subcommands. */
typedef struct {
    const char *name, *summary;
    const zc_tool_command_t *command; /* NULL: zmq.c's own */
} zc_tool_entry_t;
extern const zc_tool_entry_t zc_tool_entries[]; /* ends with a row without a name */

extern const zc_tool_command_t zc_tool_pub, zc_tool_sub, zc_tool_stat, zc_tool_ping, zc_tool_token,
    zc_tool_keygen, zc_tool_topics, zc_tool_history, zc_tool_purge, zc_tool_top, zc_tool_latency,
    zc_tool_bench, zc_tool_completion, zc_tool_doctor, zc_tool_context, zc_tool_revoke;

/*  The broker's endpoints, or those of several brokers on one log. Every subcommand has all of
 * them, so that one set of options fits all. */
#define ZC_TOOL_ENDPOINTS                                                                \
    {.name = "publish",                                                                  \
     .type = ZC_OPT_ENDPOINTS,                                                           \
     .preset = "tcp://127.0.0.1:5560",                                                   \
     .argument = "ENDPOINT…",                                                            \
     .help = "where the broker takes messages"},                                         \
        {.name = "subscribe",                                                            \
         .type = ZC_OPT_ENDPOINTS,                                                       \
         .preset = "tcp://127.0.0.1:5561",                                               \
         .argument = "ENDPOINT…",                                                        \
         .help = "where the broker's subscribers connect"},                              \
        {.name = "control",                                                              \
         .type = ZC_OPT_ENDPOINTS,                                                       \
         .preset = "tcp://127.0.0.1:5562",                                               \
         .argument = "ENDPOINT…",                                                        \
         .help = "the broker's control endpoint"},                                       \
        ZC_CURVE_KEY_OPTION, ZC_CURVE_SERVER_OPTION,                                     \
    {                                                                                    \
        .name = "context", .type = ZC_OPT_TEXT, .min = 1, .max = 64, .argument = "NAME", \
        .help = "the broker of one of your contexts: see zmq context"                    \
    }

/*  How long a subcommand waits for the broker. */
#define ZC_TOOL_TIMEOUT(default_, help_)                                                        \
    {                                                                                           \
        .name = "timeout", .letter = 't', .type = ZC_OPT_SECONDS, .preset = default_, .min = 1, \
        .max = 86400000, .argument = "TIME", .help = help_                                      \
    }

/*  The keys of the section `zmq`, the same for every subcommand. Other options of a subcommand are
 *  for its command line only. */
#define ZC_TOOL_KEYS "publish subscribe control curve-key curve-server"

/*  Output. Text from outside is escaped (zc_text_escape): always in the lines "zmq pub: …" that
 *  zc_tool_say prints to stderr; on stdout only if that is a terminal. */
void zc_tool_say (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
void zc_tool_name (const char *name); /* the beginning of zc_tool_say's lines; borrowed */
/*  Prints to stderr the error in the command line, and how to get help. Returns ZC_EXIT_USAGE. */
int zc_tool_misuse (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
/*  Says that there is no broker, or that it doesn't answer, and what the user can do. Returns
 *  ZC_EXIT_FAILURE. */
int zc_tool_no_broker (const char *option, const char *endpoint, bool connected,
                       int64_t timeout_ms);
bool zc_tool_on_terminal (void); /* stdout is */
void zc_tool_put (zc_slice_t text);
/*  Prints valid JSON, which stays JSON: a character that a terminal would obey is shown as \u009b.
 */
void zc_tool_put_json (const char *json);
/*  Flushes stdout. False if that failed; the failure is reported, unless the pipe was closed or a
 *  signal asked to stop. */
bool zc_tool_flush (void);

/*  Waiting. Every wait also ends when a signal comes, and when the reader of our output leaves. */
extern volatile bool zc_tool_stopped; /* SIGINT or SIGTERM came; a second one ends the program */
void zc_tool_catch_signals (void);
int zc_tool_stop_fd (void); /* readable once zc_tool_stopped is set */
#define ZC_TOOL_ITEMS 2
/*  Waits for the first `count` items, for at most `ms` (-1: no limit). The array has room for
 *  ZC_TOOL_ITEMS more items. If the reader of our output has left, ends the program quietly, as a
 *  write would have; `output`: whether the program will still write output. */
void zc_tool_poll (zmq_pollitem_t *items, size_t count, long ms, bool output);
/*  Ends the program in the same way if the reader has already left. */
void zc_tool_end_unread (void);

/*  Requests. */
typedef struct zc_tool_link zc_tool_link_t;
/*  A connection to the broker's control endpoint. NULL after saying why. `options` are borrowed. */
zc_tool_link_t *zc_tool_link_new (const zc_options_t *options, unsigned timeout_ms);
/*  From now on, nothing is said of requests that fail. */
void zc_tool_link_hush (zc_tool_link_t *self);
void zc_tool_link_destroy (zc_tool_link_t **self_p);
/*  The endpoint of the broker that answers, or is asked, now; borrowed until the next request. */
const char *zc_tool_link_place (const zc_tool_link_t *self);
/*  Sends a request, and hands the parts of the answer to `fn` as they come: OK, or MSG and END.
 *  Among several brokers, one that is gone, silent or behind is left, and the next one is asked; it
 *  isn't asked to publish or purge a second time. Returns ZC_EXIT_OK; or the exit status, after
 *  saying that the request was refused or not answered. */
int zc_tool_ask (zc_tool_link_t *self, const zc_ask_t *ask, zc_control_fn fn, void *arg);
/*  Sends STATS or PING on a connection of its own, with the option `timeout`. Returns 0, with the
 *  answer's text in `text` and the broker's endpoint in `place` (the caller frees both); or the
 * exit status, after saying why. */
int zc_tool_request (const zc_options_t *options, zc_verb_t verb, char **text, char **place);

#endif
