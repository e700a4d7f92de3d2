/*  response.h - the answer to a request: status, header fields, body. The carrier frames it: in the
 *  form of a CGI program (RFC 3875 §6), or of HTTP/1.1. No I/O. */
#ifndef ZC_RESPONSE_H
#define ZC_RESPONSE_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

typedef struct {
    unsigned status;
    zc_buf_t fields; /* owned; lines that end in CR LF, without those of the framing:
                        Content-Length, Transfer-Encoding, Connection, Date */
    zc_buf_t body;   /* owned; for HEAD, the carrier leaves it out */
    bool cut;        /* it must look cut off, so that the client comes back */
    bool endless;    /* the head of a stream, whose body has no length */
    bool close;      /* the connection ends after this answer */
} zc_response_t;

void zc_response_init (zc_response_t *self, unsigned status);
void zc_response_clear (zc_response_t *self);

/*  Adds a field. If `value` has a control character, the field is left out, since the value may
 *  come from outside. */
void zc_response_field (zc_response_t *self, const char *name, zc_slice_t value);
/*  The same for a text of our own. */
void zc_response_say (zc_response_t *self, const char *name, const char *value);
/*  Sets a body of one line of text, and its Content-Type. */
void zc_response_text (zc_response_t *self, const char *text);

/*  The phrase of a status: "Not Found" for 404. */
const char *zc_status_phrase (unsigned status);
/*  Whether an answer with this status has a body (RFC 9110 §6.4.1). */
bool zc_status_has_body (unsigned status);

/*  Appends the answer in the form of a CGI program's output. `head`: without the body. */
void zc_response_write_cgi (const zc_response_t *self, bool head, zc_buf_t *out);

#endif
