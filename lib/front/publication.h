/*  publication.h - the message that a request wants to publish: from the query, from header fields,
 *  from a form, or from a line of JSON. Bytes in, a message out; no I/O.
 *
 *  The names are the same everywhere: topic, event, id, key, ttl, retry, private, traceparent; and
 * data (or base64, in JSON) for the payload if the payload isn't the body itself. Header fields are
 * called Zcast-Topic and so on; Idempotency-Key stands for key. Each name may be given once.
 *
 *  A traceparent may come from a proxy that knows nothing of the message: one that isn't valid is
 *  left out, and the others count before the field. */
#ifndef ZC_PUBLICATION_H
#define ZC_PUBLICATION_H

#include "lib/base/buf.h"
#include "lib/front/request.h"
#include "lib/wire/message.h"

typedef enum {
    ZC_ITEM_TOPIC,
    ZC_ITEM_DATA,
    ZC_ITEM_EVENT,
    ZC_ITEM_ID,
    ZC_ITEM_KEY,
    ZC_ITEM_TTL,
    ZC_ITEM_RETRY,
    ZC_ITEM_PRIVATE,
    ZC_ITEM_TRACEPARENT,
    ZC_ITEM_CONTENT_TYPE, /* of the payload; from Content-Type only */
    ZC_ITEM_COUNT
} zc_publication_item_t;

typedef struct {
    zc_slice_t items[ZC_ITEM_COUNT]; /* at is NULL if the item isn't given */
    zc_buf_t headers; /* owned; in the form that PUBLISH takes, made by zc_publication_finish */
    char *text[2];    /* owned: the bytes of items from query and form */
    void *root;       /* owned: the bytes of items from JSON */
    zc_buf_t decoded; /* owned: base64, decoded */
    char *line_key;   /* owned */
    bool untraced;    /* a traceparent wasn't valid */
} zc_publication_t;

void zc_publication_init (zc_publication_t *self);
void zc_publication_clear (zc_publication_t *self);

/*  Each takes the items of one source. Returns NULL, or the error (static). All bytes are borrowed
 *  for the life of the publication. */
const zc_refusal_t *zc_publication_take_request (zc_publication_t *self,
                                                 const zc_request_t *request);
const zc_refusal_t *zc_publication_take_form (zc_publication_t *self, zc_slice_t body);
/*  `object` is a json_t object; it is kept, and numbers in it become text. */
const zc_refusal_t *zc_publication_take_object (zc_publication_t *self, void *object);
/*  Takes one line of a batch. `common` has the items that the request gives for all lines, and may
 *  be NULL. Each line gets a key of its own from the common key: "KEY.NUMBER". */
const zc_refusal_t *zc_publication_take_line (zc_publication_t *self, zc_slice_t line,
                                              const zc_publication_t *common, size_t number);
/*  Makes the headers, and checks the whole message as the broker will. `payload` is used if there
 *  is no item data. */
const zc_refusal_t *zc_publication_finish (zc_publication_t *self, zc_slice_t payload,
                                           size_t max_payload);

/*  Whether a body whose type is a form has one of the fields topic and data. Any other body of that
 *  type is a payload as it stands, such as the body that `curl -d` sends. */
bool zc_publication_is_form (zc_slice_t body);

#endif
