/*  encoding.h - how messages become the bytes of a feed. Adding a transport means writing one of
 *  these (where its text differs) and one zc_transport_t (client.h). */
#ifndef ZC_ENCODING_H
#define ZC_ENCODING_H

#include "lib/base/buf.h"
#include "lib/wire/message.h"

typedef struct {
    bool gap;          /* false: continued */
    zc_slice_t since;  /* the client's last id, as it came (plain text) */
    zc_id_t from;      /* where the replay begins (a gap only) */
    uint64_t replayed; /* messages that follow from history */
    zc_id_t position;  /* the id a client holds once it has seen this verdict */
    zc_slice_t topic;  /* a gap in a running stream names its topic; empty: all */
} zc_verdict_t;

/*  Every function appends whole frames to `out` and nothing else; none does I/O. */
typedef struct zc_encoding zc_encoding_t;

struct zc_encoding {
    const char *name; /* "sse", "sse+json", "ws", "ws+json+deflate", …: unlike any other's */
    void (*message) (zc_buf_t *out, const zc_message_t *message);
    /*  The first event of a client that came with a last id, or a stated gap in the stream. */
    void (*verdict) (zc_buf_t *out, const zc_verdict_t *verdict);
    /*  Keeps an idle connection open; where `position` isn't ZC_ID_NONE it also tells the client
     *  that it is complete up to there. */
    void (*heartbeat) (zc_buf_t *out, zc_id_t position);
    bool tells_position; /* heartbeats do */
    /*  For messages that only one client gets, at less cost; NULL: this one. Its frames may stand
     *  among this one's. */
    const zc_encoding_t *alone;
    /*  The worker's broker doesn't answer, so that nothing may come though something is published;
     *  and that this is over. NULL: there is no place for it. */
    void (*stale) (zc_buf_t *out, bool stale, zc_id_t position);
};

/*  {"status":"continued"|"gap","since":"…","from":"…","replayed":n} (from and topic for a gap). */
void zc_verdict_json (zc_buf_t *out, const zc_verdict_t *verdict);
/*  {"status":"stale"|"live"}. */
const char *zc_stale_json (bool stale);
/*  {"id","topic","event","data"|"base64"}, with "eventId" behind the id where the publisher gave
 * one of its own; the text of zcast.v1 on both transports. */
void zc_message_json (zc_buf_t *out, const zc_message_t *message);
/*  A JSON string with its quotes; `bytes` is valid UTF-8. */
void zc_json_string (zc_buf_t *out, const char *bytes, size_t len);
/*  Appends the bytes that standard base64 with padding stands for (RFC 4648 §4). False where the
 * text is none. */
bool zc_base64_decode (zc_buf_t *out, zc_slice_t text);

#endif
