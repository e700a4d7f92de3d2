/*  response.h - the answer to a request: status, header fields, body. A carrier frames it: as a CGI
 *  program writes it (RFC 3875 §6), or as HTTP/1.1 does. No I/O. */
#ifndef ZC_RESPONSE_H
#define ZC_RESPONSE_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

typedef struct {
    unsigned status;
    zc_buf_t fields; /* owned; lines that end in CR LF, without those of the framing:
                      * Content-Length, Transfer-Encoding, Connection, Date */
    zc_buf_t body;   /* owned; what HEAD's answer leaves out is left out by the carrier */
    bool cut;        /* it is to look cut off, so that a client comes back: its end isn't marked */
    bool endless;    /* it is the head of a stream, whose body has no length */
    bool close;      /* the connection ends with it */
} zc_response_t;

void zc_response_init (zc_response_t *self, unsigned status);
void zc_response_clear (zc_response_t *self);

/*  Adds a field. `value` comes from outside, maybe: with a control character in it, it is left out.
 */
void zc_response_field (zc_response_t *self, const char *name, zc_slice_t value);
/*  The same for text of our own. */
void zc_response_say (zc_response_t *self, const char *name, const char *value);
/*  A body of one line of text, and its Content-Type. */
void zc_response_text (zc_response_t *self, const char *text);

/*  "Not Found" of 404. */
const char *zc_status_phrase (unsigned status);
/*  Whether an answer with this status has a body (RFC 9110 §6.4.1). */
bool zc_status_has_body (unsigned status);

/*  Appends the answer as a CGI program writes it; `head`: without the body. */
void zc_response_write_cgi (const zc_response_t *self, bool head, zc_buf_t *out);

#endif
