/*  envelope.h - a message on its way through Redis to other sites (doc/protocol.md, "Redis relay"):
 *
 *      zcast/1 LF
 *      site: NAME LF
 *      id: POSITION LF          at that site
 *      line: LINE LF            of the position, where it is known
 *      the meta lines but id, prev and dropped
 *      LF
 *      payload
 *
 *  Bytes in, bytes out. */
#ifndef ZC_ENVELOPE_H
#define ZC_ENVELOPE_H

#include "lib/base/buf.h"
#include "lib/wire/message.h"

#define ZC_SITE_MAX 64

/*  Whether the name is 1 to ZC_SITE_MAX letters, digits, '-', '_' and '.'. */
bool zc_site_valid (const char *name, size_t len);

/*  Appends the envelope of a delivered message; `line`: that of its position, or empty. */
void zc_envelope_write (zc_buf_t *out, const char *site, zc_slice_t line,
                        const zc_message_t *message);

/*  Takes an envelope apart. Returns false if the bytes are no envelope. `headers` gets the headers
 *  with which to publish at this site: the publisher's headers; its own id, or else the key
 *  SITE.POSITION, so that the broker recognises repeats; `origin` and `via`. `site`, `line` (empty
 * if the site doesn't tell) and `payload` are borrowed from `bytes`. */
bool zc_envelope_read (zc_slice_t bytes, zc_slice_t *site, zc_slice_t *line, zc_buf_t *headers,
                       zc_slice_t *payload);

/*  Whether a bridge has brought the message in from Redis. Such a message is not sent to Redis
 *  again, so sites never relay in circles. */
bool zc_envelope_is_from_redis (const zc_message_t *message);
#define ZC_VIA_REDIS "via: redis\n"

#endif
