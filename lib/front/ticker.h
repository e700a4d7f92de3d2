/*  ticker.h - figures that come by themselves: while clients stream them, this process asks the
 * broker for STATS every two seconds, once for all of them, and publishes the answer on a topic of
 * its own. It comes back through broker, feed and pump like any message. History keeps nothing of
 * it, and no door lets a client publish to that topic, or read it but by this one. */
#ifndef ZC_TICKER_H
#define ZC_TICKER_H

#include "lib/front/front.h"

/*  Answers with that stream. The client's right to it was checked. */
void zc_ticker_stream (zc_exchange_t *exchange);

/*  For a drain, and for the end. */
void zc_ticker_rest (zc_front_t *front);

#endif
