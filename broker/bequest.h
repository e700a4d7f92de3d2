/*  bequest.h - what a broker leaves to the process that succeeds it (doc/upgrade.md): frames of
 *  tagged fields (lib/wire/tagged.h). No I/O.
 *
 *  The successor says HELLO. While the broker still serves, it sends a MESSAGE for each message of
 *  history in memory, by age. Then it stops for a moment, and sends what has gone since, and the
 *  rest. READY says that the successor can serve, and COMMIT that it does. */
#ifndef ZC_BEQUEST_H
#define ZC_BEQUEST_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

/*  The version of this format: a broker leaves its state only to a successor that speaks the same.
 *  Any new field or kind makes another version. */
#define ZC_BEQUEST_VERSION 1
#define ZC_BEQUEST_FRAME_MAX \
    ((1u << 30) + (1u << 20)) /* bytes: the largest payload, and the rest */
#define ZC_BEQUEST_DIGEST 16  /* bytes */

typedef enum {
    ZC_BEQUEST_HELLO =
        1, /* successor: `number` is its version; `text` tells its files and addresses */
    ZC_BEQUEST_MESSAGE,  /* a message that history in memory keeps */
    ZC_BEQUEST_GONE,     /* messages that history let go of after they were sent: `ids` */
    ZC_BEQUEST_STATE,    /* the broker's */
    ZC_BEQUEST_TOPIC,    /* one topic; the least recently used one comes first */
    ZC_BEQUEST_SEEN,     /* a message that is recognised where it is repeated; by age */
    ZC_BEQUEST_LISTENER, /* a listening socket, which comes along */
    ZC_BEQUEST_DONE,     /* this was all */
    ZC_BEQUEST_READY,    /* successor: it could serve */
    ZC_BEQUEST_COMMIT,   /* it is to serve */
    ZC_BEQUEST_REFUSED,  /* either: it is over; `text` says why */
} zc_bequest_kind_t;
#define ZC_BEQUEST_KINDS (ZC_BEQUEST_REFUSED + 1)

/*  A frame. Slices are borrowed. */
typedef struct {
    zc_bequest_kind_t kind;
    uint64_t number;
    zc_slice_t text;
    zc_slice_t topic;
    uint64_t id;         /* a position: of the message, or the last one that was given */
    uint64_t expires_ms; /* of a MESSAGE: wall clock; 0: it has no ttl */
    uint64_t event_at,
        event_len; /* and its own id or key, within `meta`; length 0: there is none */
    zc_slice_t meta, payload;
    zc_slice_t ids; /* 8 bytes each, big-endian; each is above the one before */
    uint64_t sent;  /* of a TOPIC: these are as in topics.h */
    uint64_t floor; /* also of the STATE: of all topics */
    uint64_t lost;  /* also of the STATE: zc_history_lose */
    uint64_t published;
    zc_slice_t name; /* of a SEEN: its own id or key; these are as in dedup.h */
    zc_slice_t digest;
    uint64_t at_ms;     /* monotonic */
    uint64_t role;      /* of a LISTENER: zc_intake_role_t, and 1 */
    zc_slice_t address; /* as ZeroMQ writes it */
    /*  Of the STATE. */
    uint64_t head, dropped, forgotten, trimmed;
    uint64_t started_ms; /* monotonic: when what is SEEN begins */
    uint64_t file;       /* 1: a descriptor comes along, of the file of the last position */
    zc_slice_t line;
    zc_slice_t secret; /* of the digests */
} zc_bequest_t;

/*  Appends a frame. */
void zc_bequest_write (zc_buf_t *out, const zc_bequest_t *self);
/*  Parses the frame at the beginning of `bytes`. Returns its length; 0 if more bytes are needed;
 *  -1 with one sentence in *error if it is malformed. Slices borrow from `bytes`. */
long zc_bequest_read (zc_bequest_t *self, const void *bytes, size_t len, const char **error);
/*  Takes the next position from `ids`. Returns false at the end. */
bool zc_bequest_next_id (zc_slice_t *ids, uint64_t *id);
void zc_bequest_add_id (zc_buf_t *ids, uint64_t id);

#endif
