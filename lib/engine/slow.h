/*  slow.h - clients that don't take their bytes. */
#ifndef ZC_SLOW_H
#define ZC_SLOW_H

#include "lib/engine/channel.h"

/*  Applies the policy of its channel to a client that lags too far. It may be gone afterwards. */
void zc_slow_check (zc_shared_t *shared, zc_client_t *client);
/*  To be called when more is held for clients than may be, and no client is due in a round:
 *  frees bytes that are kept for clients that may come back, and then, where that isn't enough,
 *  disconnects the clients that lag most, whatever their policy. */
void zc_slow_relieve (zc_shared_t *shared, zc_channels_t *channels);
/*  Writes up to `max` of the clients whose sockets would block: those with the greatest lag, the
 *  greatest first. Returns how many. */
size_t zc_slow_worst (const zc_rounds_t *rounds, zc_client_t **clients, size_t max);

#endif
