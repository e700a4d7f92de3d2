/*  framing.h - wraps a stream of bytes into STDOUT records at the moment when it is sent. No
 *  I/O.
 *
 *  A feed holds plain Server-Sent Events, the same for every request id and for plain CGI. The
 *  bytes that have gathered for a client are sent as one record (or a few, of 65535 bytes at
 *  most), in one system call. Where the socket takes only a part, the record has been promised
 *  to the web server: its rest is sent first the next time. */
#ifndef ZC_FRAMING_H
#define ZC_FRAMING_H

#include <stdbool.h>
#include <sys/uio.h>
#include "lib/base/buf.h"

#define ZC_FRAMING_RECORDS 4 /* records in one call */
#define ZC_FRAMING_IOV 16    /* pieces in one call */

/*  The unsent rest of a record that was begun; public, to be embedded. */
typedef struct {
    uint16_t content; /* bytes of its content still to be sent */
    uint8_t header;   /* bytes of its header still to be sent, before the content */
} zc_framing_t;

/*  One call's worth of bytes, ready for sendmsg. */
typedef struct {
    struct iovec iov[ZC_FRAMING_IOV];
    int count;                               /* of iov */
    int records;                             /* begun or gone on with */
    zc_framing_t record[ZC_FRAMING_RECORDS]; /* the part of each that the plan sends */
    uint16_t missing[ZC_FRAMING_RECORDS];    /* and the content that is promised beyond it */
    uint8_t headers[ZC_FRAMING_RECORDS][8];
} zc_framing_plan_t;

/*  Plans to send the bytes of iov[0..count) (borrowed) as records of request `id`. Bytes that
 *  don't fit into the plan are left for the next one. */
void zc_framing_plan (const zc_framing_t *self, uint16_t id, const struct iovec *iov, int count,
                      zc_framing_plan_t *plan);
/*  The socket took `sent` bytes of the plan. Returns how many of them were content. */
size_t zc_framing_sent (zc_framing_t *self, const zc_framing_plan_t *plan, size_t sent);

/*  The same for a single record, whose header goes before one run of `len` bytes in a call of the
 *  caller's: writes the header and returns its size, or -1 where a plan is needed. */
int zc_framing_begin (const zc_framing_t *self, uint16_t id, size_t len, uint8_t header[8]);
/*  The socket took `sent` bytes of both. Returns how many of them were content. */
size_t zc_framing_end (zc_framing_t *self, size_t len, size_t sent);

/*  Whether every record that was begun is whole: other records may be sent now. */
bool zc_framing_idle (const zc_framing_t *self);
/*  Completes the record that was begun with empty lines, which a stream of events ignores
 *  between two events: appends the bytes to `out`. */
void zc_framing_fill (zc_framing_t *self, uint16_t id, zc_buf_t *out);

#endif
