/*  printer.h - the output of `zmq sub`: messages on standard output, and gaps on standard error,
 *  whatever the source. */
#ifndef ZC_PRINTER_H
#define ZC_PRINTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/wire/message.h"

typedef struct {
    bool json;     /* one JSON object a line; else the payload */
    bool topics;   /* the topic stands before the payload */
    uint64_t want; /* messages to print; 0: no limit */
    uint64_t seen;
} zc_printer_t;

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
