/*  handshake.h - the doors behind which a connection becomes a WebSocket (RFC 6455 §4.2). */
#ifndef ZC_HANDSHAKE_H
#define ZC_HANDSHAKE_H

#include "lib/front/front.h"

/*  Messages; and an echo, for conformance tests. */
extern const zc_door_t zc_door_ws, zc_door_echo;

/*  A browser tells a page nothing about a WebSocket that wasn't opened. So a refused request that
 *  is in order, and offers zcast.v1, is opened, and closed with 4000 + status and the refusal's
 *  text; before that the client is told to come back after `after` ms, where that isn't 0. False:
 *  the exchange is no such request. */
bool zc_handshake_refuse (zc_exchange_t *exchange, const zc_denial_t *refusal, unsigned after);

#endif
