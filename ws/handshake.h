/*  handshake.h - the doors at which a connection becomes a WebSocket (RFC 6455 §4.2). */
#ifndef ZC_HANDSHAKE_H
#define ZC_HANDSHAKE_H

#include "lib/front/front.h"

/*  Messages; and an echo, for conformance tests. */
extern const zc_door_t zc_door_ws, zc_door_echo;

/*  Browsers tell a page nothing about a WebSocket that wasn't opened. So if a refused request is
 *  well-formed and offers zcast.v1, the WebSocket is opened, and closed with 4000 + status and
 *  the refusal's text. Before that, the client is told to come back after `after` ms, unless
 *  that is 0. Returns false if the exchange is no such request. */
bool zc_handshake_refuse (zc_exchange_t *exchange, const zc_denial_t *refusal, unsigned after);

#endif
