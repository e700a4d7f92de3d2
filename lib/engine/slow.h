/*  slow.h - clients that don't take what they are sent. */
#ifndef ZC_SLOW_H
#define ZC_SLOW_H

#include "lib/engine/channel.h"

/*  Applies the policy of its channel to a client that lags too far. It may be gone afterwards. */
void zc_slow_check (zc_shared_t *shared, zc_client_t *client);
/*  Of the clients whose sockets would block, up to `max` with the greatest lag, worst first.
 * Returns how many. */
size_t zc_slow_worst (const zc_rounds_t *rounds, zc_client_t **clients, size_t max);

#endif
