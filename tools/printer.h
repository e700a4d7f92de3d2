/*  printer.h - the output of `zmq sub` and `zmq history`: messages on standard output, and gaps on
 * standard error, whatever the source. */
#ifndef ZC_PRINTER_H
#define ZC_PRINTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/config/options.h"
#include "lib/wire/message.h"
#include "tools/format.h"

#define ZC_FORMAT_OPTION                                                                     \
    {                                                                                        \
        .name = "format", .letter = 'f', .type = ZC_OPT_TEXT, .min = 1, .max = 1000,         \
        .argument = "FORMAT",                                                                \
        .help = "how a message is printed: %t topic, %i id, %T time, %p payload, %e event, " \
                "%{NAME} a header, \\n a line feed: see zmq(1)"                              \
    }

typedef struct {
    bool json;           /* one JSON object a line; else the payload */
    bool topics;         /* the topic stands before the payload */
    zc_format_t *format; /* owned; NULL: as the two above say */
    uint64_t want;       /* messages to print; 0: no limit */
    uint64_t seen;
} zc_printer_t;

/*  Prepares a printer: with JSON, or the option `format`, or `preset` (NULL: the payload). Returns
 *  ZC_EXIT_OK; or the exit status after saying what is wrong. It is to be cleared in either case.
 */
int zc_printer_init (zc_printer_t *self, const zc_options_t *options, bool json,
                     const char *preset);
void zc_printer_clear (zc_printer_t *self);
/*  Whether all messages that were wanted have come. */
bool zc_printer_full (const zc_printer_t *self);
/*  Prints a message; does nothing if the printer is full. */
void zc_printer_message (zc_printer_t *self, const zc_message_t *message);
/*  Says that messages after `from` and up to `to` are gone: those of a topic, or with `prefix` of
 *  all topics that begin with it. If `to` is below `from`, says that positions went back. An empty
 *  topic stands for everything that was asked for. */
void zc_printer_gap (zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to);
/*  The exit status when the time is up or a signal came. Says why if it is a failure. */
int zc_printer_verdict (const zc_printer_t *self, bool timed_out);

#endif
