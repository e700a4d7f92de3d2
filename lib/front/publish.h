/*  publish.h - the door for publishers: POST /publish.
 *
 *  The body is the payload, of any type; or a form with topic and data; or, as
 *  application/x-ndjson, a batch of messages, one a line. The answer comes once the broker has
 *  acknowledged: 200 and the id. After any other answer the message was not published, except after
 *  a 503 with the code `timeout`, which leaves that open. */
#ifndef ZC_PUBLISH_H
#define ZC_PUBLISH_H

#include "lib/front/front.h"

#define ZC_BATCH_MAX 10000 /* lines of one batch */

extern const zc_door_t zc_door_publish;

#endif
