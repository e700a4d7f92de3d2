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

#define ZC_HEADERS_MAX 8192 /* bytes of headers a publisher may send */
#define ZC_EVENT_ID_MAX 256 /* bytes of a publisher's own id */
#define ZC_KEY_MAX 256      /* bytes of a key */
#define ZC_EVENT_MAX 256    /* bytes of an event type */
/*  Bytes of a frame that every broker takes on control, whatever its max-payload: a list of ten
 *  thousand topics has as many. It closes the connection on a larger one, unless LIMITS says that
 *  payloads may be. */
#define ZC_FRAME_SURE ((size_t)10000 * (ZC_TOPIC_MAX + 1))

/*  A message as delivered. All slices are borrowed from whoever parsed it, but in a copy made by
 *  zc_message_copy, where they lie in the same allocation. */
typedef struct {
    zc_slice_t topic;
    zc_slice_t payload;
    zc_slice_t meta;     /* the whole meta frame */
    zc_id_t id;          /* position given by the broker */
    zc_id_t prev;        /* nothing was published on the topic in (prev, id) */
    zc_id_t dropped;     /* last position at which the broker had to drop, or ZC_ID_NONE */
    zc_slice_t event;    /* SSE event type; empty: none */
    zc_slice_t event_id; /* the publisher's own id; empty: none */
    zc_slice_t key;      /* what a repeat is known by: the publisher's own id, else its `key`;
                          * by zc_publish_parse only */
    zc_slice_t retry;    /* digits; empty: none */
    zc_slice_t ttl;      /* publishing only: digits; empty: none */
    bool private_;       /* a `private` header was there */
} zc_message_t;

enum {
    ZC_EFRAMES = -1,    /* not one, two or three frames */
    ZC_ETOPIC = -2,     /* not a valid topic */
    ZC_ESIZE = -3,      /* payload or headers too large */
    ZC_EHEADER = -4,    /* headers are not lines of `name: value`, or one has a bad value */
    ZC_EMETA = -5,      /* meta has no valid id or prev */
    ZC_EEVENTID = -6,   /* an own id that can't be one: zc_event_id_valid */
    ZC_ERESERVED = -7,  /* an event type that is the broker's own: zc_event_reserved */
    ZC_ECONFLICT = -8,  /* its own id or key is another message's */
    ZC_EFORBIDDEN = -9, /* the publisher may not publish on this topic */
};

/*  Why a message is refused, as a publisher is told on every door: the code of ERR, and one
 * sentence without a full stop. Static. */
typedef struct {
    const char *code, *text;
} zc_refusal_t;
/*  Never NULL; of a code that isn't above, its code is "internal". */
const zc_refusal_t *zc_message_refusal (int code);
/*  The sentence alone. */
const char *zc_message_strerror (int code);

/*  A publisher's own id: 1 to ZC_EVENT_ID_MAX bytes of visible ASCII (0x21 to 0x7e), so that any
 *  client can send it back in a header; not `earliest`; and not of a position's form (digits, '-',
 *  digits, however large), which would be taken for one. */
bool zc_event_id_valid (zc_slice_t id);
/*  Event types by which the broker and its workers speak to clients: those that begin with
 * `zcast.`, and `mercure`. No publisher may use them. */
bool zc_event_reserved (zc_slice_t event);

/*  Splits one frame at its first space. Returns 0 or ZC_ETOPIC where there is no space. */
int zc_publish_split (const void *frame, size_t len, zc_slice_t *topic, zc_slice_t *payload);
/*  Checks what a publisher sent: topic, payload size (bytes, max_payload) and headers (may be
 *  empty). On success returns 0 and fills *message but for id, prev and dropped. The value of id
 *  must be zc_event_id_valid; those of event and key are plain text (zc_text_plain), retry and ttl
 *  digits; an event isn't zc_event_reserved; id and key come at most once. */
int zc_publish_parse (zc_message_t *message, zc_slice_t topic, zc_slice_t payload,
                      zc_slice_t headers, size_t max_payload);
/*  Writes the meta frame: id, prev, dropped where it isn't ZC_ID_NONE, then the publisher's header
 *  lines with `id` renamed to `event-id`; lines named prev, dropped or event-id that a publisher
 *  sent are left out. `headers` was accepted by zc_publish_parse. Appends to `out`. */
void zc_meta_write (zc_buf_t *out, zc_id_t id, zc_id_t prev, zc_id_t dropped, zc_slice_t headers);
/*  Appends what it wrote, with this `dropped` (not ZC_ID_NONE) in the place of the one it has. */
void zc_meta_set_dropped (zc_buf_t *out, zc_slice_t meta, zc_id_t dropped);
/*  Parses a delivered message. Returns 0, ZC_ETOPIC or ZC_EMETA. Unknown meta names are kept (they
 *  stay in meta). A reserved event type, which an older broker, its history, or another publisher
 * of this form may have let pass, is passed over: clients must be able to believe it. */
int zc_delivery_parse (zc_message_t *message, zc_slice_t topic, zc_slice_t payload,
                       zc_slice_t meta);
/*  Takes the next line `name: value` off headers or meta, which shrink. False at the end, or where
 *  what follows isn't one. */
bool zc_header_next (zc_slice_t *headers, zc_slice_t *name, zc_slice_t *value);
/*  Finds a line `name: value` in headers or meta. Returns false where there is none. */
bool zc_header_find (zc_slice_t headers, const char *name, zc_slice_t *value);

/*  A copy in one allocation; caller owns the result, frees it with free(). */
zc_message_t *zc_message_copy (const zc_message_t *message);
/*  The bytes of memory that such a copy takes. */
size_t zc_message_size (const zc_message_t *message);

#endif
