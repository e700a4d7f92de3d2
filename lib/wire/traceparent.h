/*  traceparent.h - the place of a message in a distributed trace, as publishers send it (W3C Trace
 *  Context §3.2): version, trace id, id of the span that published, flags. No I/O.
 *
 *    00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 */
#ifndef ZC_TRACEPARENT_H
#define ZC_TRACEPARENT_H

#include "lib/base/text.h"

#define ZC_TRACEPARENT_LEN 55 /* bytes in version 00 */

typedef struct {
    zc_slice_t trace_id, span_id; /* 32 and 16 digits; borrowed from the text */
    uint8_t flags;                /* 1: sampled; 2: the trace id is random; others are left out */
} zc_trace_t;

/*  Returns 0; or -1 where the text is no valid traceparent, which is then to be ignored. Of a
 *  version above 00, the parts that 00 has are read; of its flags, `sampled`. */
int zc_traceparent_parse (zc_slice_t text, zc_trace_t *trace);
/*  Writes it in version 00, without a NUL. */
void zc_traceparent_write (const zc_trace_t *trace, char text[ZC_TRACEPARENT_LEN]);
/*  What is logged belongs to this trace, if the text is valid, until zc_log_no_trace. */
void zc_traceparent_log (zc_slice_t text);

#endif
