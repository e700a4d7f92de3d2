/*  record.h - FastCGI 1.0 records as a responder reads them: bytes in, events and bytes out, no
 *  I/O.
 *
 *  Each connection has a zc_record_t, which reads the web server's bytes, cut anywhere. It
 *  answers by itself all records that need no response of ours: GET_VALUES, management records
 *  of unknown type, roles other than responder, a second request on a connection that has one.
 *  The events below are for its owner. */
#ifndef ZC_RECORD_H
#define ZC_RECORD_H

#include "fcgi/params.h"
#include "lib/base/buf.h"

typedef enum {
    ZC_RECORD_MORE,    /* all bytes are taken */
    ZC_RECORD_REQUEST, /* a request's parameters are complete: zc_record_take_params */
    ZC_RECORD_BODY,    /* `body` is the next run of the active request's body */
    ZC_RECORD_END,     /* the body is complete */
    ZC_RECORD_ABORT,   /* the web server gave the active request up */
    ZC_RECORD_CLOSE,   /* a request was refused, and its connection closes once `out` is sent */
    ZC_RECORD_ERROR,   /* these are no FastCGI 1.0 records: close; see zc_record_strerror */
} zc_record_event_t;

/*  Public so that a connection can embed it: with ten thousand idle ones, every byte counts. */
typedef struct {
    uint8_t scratch[8];  /* a header, or the body of BEGIN_REQUEST, while it is incomplete */
    uint8_t have;        /* bytes in scratch */
    uint8_t part;        /* header, content or padding; see record.c */
    uint8_t type;        /* of the record being read */
    uint8_t padding;     /* bytes of its padding still to come */
    uint16_t left;       /* bytes of its content still to come */
    uint16_t id;         /* its request id */
    uint16_t request;    /* id of the active request; 0: none */
    bool body;           /* its body isn't complete */
    uint8_t error;       /* why ZC_RECORD_ERROR */
    bool keep;           /* the active request, or the last one, asked for KEEP_CONN */
    zc_params_t *params; /* owned; of a request that is still being read, else NULL */
    zc_params_t *values; /* owned; names in a GET_VALUES that is being read, else NULL */
} zc_record_t;

void zc_record_init (zc_record_t *self);
/*  Frees what it owns; it can be initialised again. */
void zc_record_clear (zc_record_t *self);

/*  Takes bytes from *bytes and *len until an event happens or none are left. Answers to the web
 *  server are appended to `out` as whole records; `body` is borrowed from the bytes. After
 *  ZC_RECORD_ERROR it always returns that. */
zc_record_event_t zc_record_read (zc_record_t *self, const uint8_t **bytes, size_t *len,
                                  zc_buf_t *out, zc_slice_t *body);
const char *zc_record_strerror (const zc_record_t *self);

/*  Whether what was read ends with a whole record: only then can another process read on. */
bool zc_record_whole (const zc_record_t *self);
/*  A parser that another process has brought to where this request is active. */
void zc_record_adopt (zc_record_t *self, uint16_t request, bool body, bool keep);

/*  The parameters of the request that was just announced; caller owns the result. */
zc_params_t *zc_record_take_params (zc_record_t *self);
/*  Whether these bytes, which come next, are the end of the active request's body and nothing
 *  more. */
bool zc_record_is_end (const zc_record_t *self, const uint8_t *bytes, size_t len);
/*  Whether all requests that were begun have ended. */
bool zc_record_idle (const zc_record_t *self);
/*  The response to the active request is complete: appends the end of STDOUT and END_REQUEST.
 *  Later records of the web server for it are skipped, and another request may begin. */
void zc_record_finish (zc_record_t *self, zc_buf_t *out);

/*  Writes a record header (8 bytes). */
void zc_record_header (uint8_t *out, uint8_t type, uint16_t id, uint16_t length);
/*  Appends STDOUT records for the active request. */
void zc_record_stdout (const zc_record_t *self, zc_buf_t *out, const void *bytes, size_t len);

#endif
