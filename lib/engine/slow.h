/*  slow.h - clients that don't take what they are sent. */
#ifndef ZC_SLOW_H
#define ZC_SLOW_H

#include "lib/engine/channel.h"

/*  Applies the policy of its channel to a client that lags too far. It may be gone afterwards. */
void zc_slow_check (zc_shared_t *shared, zc_client_t *client);
/*  More is held for clients than may be, and nobody is to be sent something: what is kept for those
 *  who come back goes, and where that isn't enough, clients that lag most, whatever their policy.
 */
void zc_slow_relieve (zc_shared_t *shared, zc_channels_t *channels);
/*  Of the clients whose sockets would block, up to `max` with the greatest lag, worst first.
 * Returns how many. */
size_t zc_slow_worst (const zc_rounds_t *rounds, zc_client_t **clients, size_t max);

#endif
