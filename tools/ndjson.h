/*  ndjson.h - a line of NDJSON as a message to publish, as `zmq history --ndjson` and `zmq sub
 *  --json` print it, or as written by hand. No I/O.
 *
 *  The members: topic; data, or base64; event; event-id (the publisher's own id); key, ttl,
 *  retry, private, content-type; and headers, an object with all others. `id` and `time` come
 *  from an earlier broker, and are ignored, unless `id` can't be a position: then it is an own
 *  id. */
#ifndef ZC_NDJSON_H
#define ZC_NDJSON_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

typedef struct {
    zc_slice_t topic, payload; /* borrowed from the record */
    zc_buf_t headers;          /* owned; as PUBLISH takes them */
    zc_buf_t decoded;          /* owned; base64, decoded */
    void *root;                /* owned; the JSON */
} zc_ndjson_t;

void zc_ndjson_clear (zc_ndjson_t *self);
/*  Parses a line, and checks the message as the broker will. `topic` is used if the line has none,
 *  and may be NULL. Returns NULL; or a sentence, valid as long as the record. The record is to be
 *  cleared in either case. */
const char *zc_ndjson_parse (zc_ndjson_t *self, zc_slice_t line, const char *topic);

#endif
