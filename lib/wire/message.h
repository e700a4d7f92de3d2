/*  message.h - one message, and the wire envelope that carries it (doc/protocol.md).
 *
 *  Publishing:  topic | payload [| headers], or one frame split at its first space.
 *  Delivery:    topic | payload | meta.
 *  Headers and meta are UTF-8 lines `name: value`, each ended by LF. */
#ifndef ZC_MESSAGE_H
#define ZC_MESSAGE_H

#include "lib/base/buf.h"
#include "lib/wire/id.h"
#include "lib/base/text.h"

#define ZC_HEADERS_MAX 8192 /* bytes of headers that a publisher may send */
#define ZC_EVENT_ID_MAX 256 /* bytes of a publisher's own id */
#define ZC_KEY_MAX 256      /* bytes of a key */
#define ZC_EVENT_MAX 256    /* bytes of an event type */
#define ZC_RETRY_MAX 600000 /* ms; a retry is for all clients of the topic */
/*  Every broker takes frames of up to this many bytes on control, whatever its max-payload: a list
 *  of ten thousand topics has as many. The broker closes the connection on a larger frame, unless
 *  its max-payload (see LIMITS) is larger. */
#define ZC_FRAME_SURE ((size_t)10000 * (ZC_TOPIC_MAX + 1))

/*  A message as it is delivered. All slices are borrowed from the bytes that were parsed, except in
 *  a copy made by zc_message_copy, whose slices lie in the copy's own allocation. */
typedef struct {
    zc_slice_t topic;
    zc_slice_t payload;
    zc_slice_t meta;        /* the whole meta frame */
    zc_id_t id;             /* position given by the broker */
    zc_id_t prev;           /* nothing was published on the topic in (prev, id) */
    zc_id_t dropped;        /* last position at which the broker had to drop, or ZC_ID_NONE */
    zc_slice_t event;       /* SSE event type; empty: none */
    zc_slice_t event_id;    /* the publisher's own id; empty: none */
    zc_slice_t key;         /* identifies a repeat: the own id, unless `reuse` is given, else `key`;
                                  zc_publish_parse sets it */
    zc_slice_t retry;       /* digits; empty: none */
    zc_slice_t traceparent; /* delivery only: valid; empty: none */
    zc_slice_t ttl;         /* publishing only: digits; empty: none */
    zc_slice_t topics;      /* all topics of its update (update.h); empty: only its own */
    bool reuse;             /* publishing only: other messages may have the same own id */
    bool private_;          /* there was a `private` header */
} zc_message_t;

enum {
    ZC_EFRAMES = -1,    /* not one, two or three frames */
    ZC_ETOPIC = -2,     /* not a valid topic */
    ZC_ESIZE = -3,      /* payload or headers too large */
    ZC_EHEADER = -4,    /* headers are not lines of `name: value`, or one has a bad value */
    ZC_EMETA = -5,      /* meta has no valid id or prev */
    ZC_EEVENTID = -6,   /* an own id that isn't valid: zc_event_id_valid */
    ZC_ERESERVED = -7,  /* an event type that is the broker's own: zc_event_reserved */
    ZC_ECONFLICT = -8,  /* another message has this own id or key */
    ZC_EFORBIDDEN = -9, /* the publisher may not publish on this topic */
    ZC_ERETRY = -10,    /* a retry above ZC_RETRY_MAX */
};

/*  Why a message is refused, as every door tells publishers: the code of ERR, and one sentence
 *  without a full stop. Static. */
typedef struct {
    const char *code, *text;
} zc_refusal_t;
/*  Never NULL. For a code that isn't above, the refusal's code is "internal". */
const zc_refusal_t *zc_message_refusal (int code);
/*  The sentence alone. */
const char *zc_message_strerror (int code);

/*  Whether this is a valid own id of a publisher: 1 to ZC_EVENT_ID_MAX bytes of visible ASCII (0x21
 *  to 0x7e), so that any client can send it back in a header. `earliest` isn't valid, nor is text
 *  of a position's form (digits, '-', digits, however large), which would be taken for a
 *  position. */
bool zc_event_id_valid (zc_slice_t id);
/*  Topics that begin so are zcast's own: the canaries of /ready. Only a worker publishes them. */
#define ZC_CANARY_TOPIC "$zcast/"
bool zc_topic_is_canary (zc_slice_t topic);

/*  Whether zcast itself speaks to clients with this event type: types that begin with `zcast.`, and
 *  `mercure`; or whether an EventSource calls handlers of its own for it: `error` and `open`. No
 *  publisher may use them. */
bool zc_event_reserved (zc_slice_t event);

/*  Splits one frame at its first space. Returns 0; or ZC_ETOPIC if there is no space. */
int zc_publish_split (const void *frame, size_t len, zc_slice_t *topic, zc_slice_t *payload);
/*  Checks a publisher's message: topic, payload size (at most max_payload bytes) and headers (may
 *  be empty). Returns 0, and fills *message except for id, prev and dropped; or returns an error.
 *  The value of `id` must be zc_event_id_valid; those of `event` and `key` must be plain text
 *  (zc_text_plain); `retry` and `ttl` must be digits. `event` must not be zc_event_reserved. `id`
 *  and `key` come at most once. */
int zc_publish_parse (zc_message_t *message, zc_slice_t topic, zc_slice_t payload,
                      zc_slice_t headers, size_t max_payload);
/*  Appends the meta frame to `out`: id; prev; dropped unless it is ZC_ID_NONE; then the publisher's
 *  header lines, with `id` renamed to `event-id`. A publisher's lines named prev, dropped or
 *  event-id are left out. zc_publish_parse must have accepted `headers`. */
void zc_meta_write (zc_buf_t *out, zc_id_t id, zc_id_t prev, zc_id_t dropped, zc_slice_t headers);
/*  Appends a copy of a meta frame that zc_meta_write wrote, with this `dropped` in place of its
 *  own. `dropped` is not ZC_ID_NONE. */
void zc_meta_set_dropped (zc_buf_t *out, zc_slice_t meta, zc_id_t dropped);
/*  Parses a delivered message. Returns 0, ZC_ETOPIC or ZC_EMETA. Unknown names stay in meta. A
 *  reserved event type is ignored, since clients must be able to trust such types; an older broker,
 *  its history, or another publisher of this form may have let one through. */
int zc_delivery_parse (zc_message_t *message, zc_slice_t topic, zc_slice_t payload,
                       zc_slice_t meta);
/*  Takes the next line `name: value` off headers or meta, which shrink. False at the end, or if the
 *  next line has another form. */
bool zc_header_next (zc_slice_t *headers, zc_slice_t *name, zc_slice_t *value);
/*  Finds a line `name: value` in headers or meta. False if there is none. */
bool zc_header_find (zc_slice_t headers, const char *name, zc_slice_t *value);

/*  Copies a message into one allocation. The caller owns the result, and frees it with free(). */
zc_message_t *zc_message_copy (const zc_message_t *message);
/*  The bytes of memory that a copy takes. */
size_t zc_message_size (const zc_message_t *message);

#endif
