/*  publication.h - what a request wants published: from the query, from header fields, from a form,
 *  or from a line of JSON. Bytes in, a message out; no I/O.
 *
 *  The same names everywhere: topic, event, id, key, ttl, retry, private, and for the payload,
 * where it isn't the body itself, data (or base64, in JSON). As fields they are called Zcast-Topic
 * and so on; Idempotency-Key is key. Each may be given once. */
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
    ZC_ITEM_CONTENT_TYPE, /* of the payload; by Content-Type only */
    ZC_ITEM_COUNT
} zc_publication_item_t;

typedef struct {
    zc_slice_t items[ZC_ITEM_COUNT]; /* at is NULL where it isn't given */
    zc_buf_t headers;                /* owned; as PUBLISH takes them, by zc_publication_finish */
    char *text[2];                   /* owned: what the items of query and form lie in */
    void *root;                      /* owned: what those of JSON lie in */
    zc_buf_t decoded;                /* owned: base64, decoded */
    char *line_key;                  /* owned */
} zc_publication_t;

void zc_publication_init (zc_publication_t *self);
void zc_publication_clear (zc_publication_t *self);

/*  Each takes what is given there. Returns NULL, or what is wrong (static). All bytes are borrowed
 *  for the life of the publication. */
const zc_refusal_t *zc_publication_take_request (zc_publication_t *self,
                                                 const zc_request_t *request);
const zc_refusal_t *zc_publication_take_form (zc_publication_t *self, zc_slice_t body);
/*  One line of a batch; `common` has what the request says for all its lines, and may be NULL. Its
 *  key is made another one for each line: "KEY.NUMBER". */
const zc_refusal_t *zc_publication_take_line (zc_publication_t *self, zc_slice_t line,
                                              const zc_publication_t *common, size_t number);
/*  Makes the headers, and checks the whole as the broker will. `payload` is for where there is no
 *  item data. */
const zc_refusal_t *zc_publication_finish (zc_publication_t *self, zc_slice_t payload,
                                           size_t max_payload);

/*  Whether a body that calls itself a form has a field that one of ours would have: topic or data.
 *  Any other is a payload as it is, such as what `curl -d` sends. */
bool zc_publication_is_form (zc_slice_t body);

#endif
