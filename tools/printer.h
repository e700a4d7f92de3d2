/*  printer.h - what `zmq sub` prints: messages on standard output, and on standard error what is
 *  missing, wherever they come from. */
#ifndef ZC_PRINTER_H
#define ZC_PRINTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/wire/message.h"

typedef struct {
    bool json;     /* an object a line; else the payload, */
    bool topics;   /* with its topic before it */
    uint64_t want; /* messages; 0: without end */
    uint64_t seen;
} zc_printer_t;

/*  Whether all that was wanted has come. */
bool zc_printer_full (const zc_printer_t *self);
/*  Prints a message; nothing where it is full. */
void zc_printer_message (zc_printer_t *self, const zc_message_t *message);
/*  Says that what was published on a topic, or on those that begin with it, after `from` and up to
 *  `to` is gone; or where `to` is below `from`, that positions went back. An empty topic: of what
 *  was asked for. */
void zc_printer_gap (zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to);
/*  The exit status, when time is up or a signal came; says why where it failed. */
int zc_printer_verdict (const zc_printer_t *self, bool timed_out);

#endif
