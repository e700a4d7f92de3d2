/*  inquiry.h - a question to the broker for an exchange, which may end before the answer comes. */
#ifndef ZC_INQUIRY_H
#define ZC_INQUIRY_H

#include "lib/front/front.h"
#include "lib/wire/answer.h"
#include "lib/wire/ask.h"

/*  Ends the exchange. The answer's kind is ZC_OK, or there is none that helps: it was an error,
 *  or the broker didn't answer in 3 seconds, or isn't connected. */
typedef void zc_inquiry_fn (zc_exchange_t *exchange, const zc_answer_t *answer);

/*  Calls `answer` once, unless the exchange is gone by then; at once, if the broker isn't
 *  connected. The exchange's `state` is the question's; its door has zc_inquiry_gone as `gone`. */
void zc_inquiry_ask (zc_exchange_t *exchange, const zc_ask_t *ask, zc_inquiry_fn *answer);

/*  For an answer of several parts: `part` is called for each but the last one, and writes what is
 * to be kept of it; `answer` gets that text (borrowed) with the last part. */
typedef void zc_inquiry_part_fn (zc_exchange_t *exchange, zc_buf_t *text, const zc_answer_t *part);
typedef void zc_inquiry_whole_fn (zc_exchange_t *exchange, zc_slice_t text,
                                  const zc_answer_t *answer);
void zc_inquiry_gather (zc_exchange_t *exchange, const zc_ask_t *ask, zc_inquiry_part_fn *part,
                        zc_inquiry_whole_fn *answer);

void zc_inquiry_gone (zc_exchange_t *exchange);

#endif
