/*  travel.h - sessions that leave for another process, and those that come from one
 *  (doc/upgrade.md). Streams and WebSockets travel; requests are answered where they came in. */
#ifndef ZC_TRAVEL_H
#define ZC_TRAVEL_H

#include "lib/engine/giver.h"
#include "ws/shared.h"

/*  Gives those that can go now. A WebSocket waits until all that it has published is answered, and
 *  a client that has just come until it is served. */
void zc_travel_give (zc_server_t *server, zc_giver_t *giver);
/*  Those that couldn't go aren't read any more, so that they soon can. */
void zc_travel_hold (zc_server_t *server);
/*  How many are still to go. */
size_t zc_travel_left (const zc_server_t *server);

/*  NULL where there is none by this name. */
const zc_encoding_t *zc_travel_encoding (zc_slice_t name);
bool zc_travel_can_take (const zc_server_t *server, const zc_handover_t *client);
/*  Takes the descriptor. */
void zc_travel_take (zc_server_t *server, const zc_handover_t *client, int fd);

#endif
