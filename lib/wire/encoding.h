/*  encoding.h - how messages become the bytes of a feed. A new transport needs one zc_transport_t
 *  (client.h), and one zc_encoding_t if its text differs from those of the other transports. */
#ifndef ZC_ENCODING_H
#define ZC_ENCODING_H

#include "lib/base/buf.h"
#include "lib/wire/message.h"

typedef struct {
    bool gap;          /* false: continued */
    zc_slice_t since;  /* the last id that the client sent (plain text) */
    zc_id_t from;      /* gap only: the position after which the replay begins */
    uint64_t replayed; /* messages from history that follow */
    zc_id_t position;  /* the id that a client has after this verdict */
    zc_slice_t topic;  /* gap in a running stream: its topic; empty: all topics */
} zc_verdict_t;

/*  Every function appends whole frames to `out`, and nothing else. None does I/O. */
typedef struct zc_encoding zc_encoding_t;

struct zc_encoding {
    const char *name; /* "sse", "sse+json", "ws", "ws+json+deflate", …; unique */
    void (*message) (zc_buf_t *out, const zc_message_t *message);
    /*  The first event of a client that came with a last id, or a gap in a running stream. */
    void (*verdict) (zc_buf_t *out, const zc_verdict_t *verdict);
    /*  Keeps an idle connection open. Unless `position` is ZC_ID_NONE, the heartbeat also tells the
     *  client that it is complete up to `position`. */
    void (*heartbeat) (zc_buf_t *out, zc_id_t position);
    bool tells_position; /* heartbeats tell the position */
    /*  A cheaper encoding for messages that only one client gets; NULL: this one. Frames of both
     *  may be mixed in one stream. */
    const zc_encoding_t *alone;
    /*  Tells the client that the worker's broker doesn't answer, so that messages may be late
     *  (`stale` is true); or that the broker answers again. NULL: the encoding has no place for
     *  it. */
    void (*stale) (zc_buf_t *out, bool stale, zc_id_t position);
};

/*  {"status":"continued"|"gap","since":"…","from":"…","replayed":n} (from and topic for a gap). */
void zc_verdict_json (zc_buf_t *out, const zc_verdict_t *verdict);
/*  {"status":"stale"|"live"}. */
const char *zc_stale_json (bool stale);
/*  {"id","topic","event","data"|"base64"}, with "eventId" behind the id if the publisher gave an id
 *  of its own, and "traceparent" behind the event if it gave one. This is the text of zcast.v1 on
 * both transports. */
void zc_message_json (zc_buf_t *out, const zc_message_t *message);
/*  Appends a JSON string with its quotes. `bytes` is valid UTF-8. */
void zc_json_string (zc_buf_t *out, const char *bytes, size_t len);

#endif
