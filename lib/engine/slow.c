/*  slow.c - the lag of a client is a subtraction; its channel's policy decides what happens to
 *  it. */
#include "lib/engine/slow.h"

#include <stdlib.h>

#include "lib/engine/join.h"

/*  A client that lacks only the newest message isn't slow, however large that message is. */
static bool s_lags (const zc_client_t *client, size_t max_lag)
{
    if (client->join)
        return zc_join_lag (client) > max_lag;
    return zc_client_lag (client) > max_lag &&
           client->cursor < zc_feed_newest (zc_channel_feed (client->channel));
}

/*  The transport frees the client. */
static void s_drop (zc_client_t *client, zc_gone_t why)
{
    zc_shared_t *shared = zc_channel_shared (client->channel);
    size_t count;
    zc_incidents_add (&shared->incidents, why == ZC_GONE_SLOW ? ZC_LOSS_SLOW : ZC_LOSS_HELD,
                      shared->now_ms, *zc_channel_topics (client->channel, &count), client);
    client->leaving = true;
    zc_join_leave (client);
    client->transport->gone (client, why);
}

void zc_slow_check (zc_shared_t *shared, zc_client_t *client)
{
    if (!client->blocked || client->leaving || !s_lags (client, shared->config.max_lag))
        return;
    if (zc_channel_policy (client->channel) != ZC_SLOW_DISCONNECT) {
        zc_join_skip (client);
        return;
    }
    shared->stats.slow_dropped++;
    s_drop (client, ZC_GONE_SLOW);
}

/*  The bound on the sum of all bytes. */

static int s_compare_lags (const void *a, const void *b)
{
    size_t left = zc_client_lag (*(zc_client_t *const *)a);
    size_t right = zc_client_lag (*(zc_client_t *const *)b);
    return (left < right) - (left > right);
}

static void s_drop_worst (zc_shared_t *shared)
{
    const zc_slots_t *blocked = zc_rounds_blocked (shared->rounds);
    zc_client_t **clients = malloc ((blocked->count + 1) * sizeof *clients);
    size_t count = 0;
    if (!clients)
        abort ();
    for (size_t i = 0; i < blocked->count; i++) {
        zc_client_t *client = blocked->at[i].item;
        if (client->channel && !client->leaving)
            clients[count++] = client;
    }
    qsort (clients, count, sizeof *clients, s_compare_lags);
    for (size_t i = 0; i < count && zc_held_bytes (&shared->held) > zc_held_goal (&shared->held);
         i++) {
        zc_channel_t *channel = clients[i]->channel;
        if (!channel)
            continue; /* it was found slow by its own limit meanwhile */
        shared->stats.held_dropped++;
        s_drop (clients[i], ZC_GONE_HELD);
        zc_channel_let_go (channel);
    }
    free (clients);
}

void zc_slow_relieve (zc_shared_t *shared, zc_channels_t *channels)
{
    size_t goal = zc_held_goal (&shared->held);
    shared->stats.relieved++;
    zc_channels_let_go (channels, goal);
    if (zc_held_bytes (&shared->held) > goal)
        s_drop_worst (shared);
}

/*  Inserts a client among `found` others, by lag. Returns their new number. */
static size_t s_insert (zc_client_t **clients, size_t found, size_t max, zc_client_t *client)
{
    size_t lag = zc_client_lag (client), place = found;
    while (place > 0 && zc_client_lag (clients[place - 1]) < lag) {
        if (place < max)
            clients[place] = clients[place - 1];
        place--;
    }
    if (place < max)
        clients[place] = client;
    return place < max && found < max ? found + 1 : found;
}

size_t zc_slow_worst (const zc_rounds_t *rounds, zc_client_t **clients, size_t max)
{
    const zc_slots_t *blocked = zc_rounds_blocked (rounds);
    size_t found = 0;
    for (size_t i = 0; i < blocked->count; i++)
        found = s_insert (clients, found, max, blocked->at[i].item);
    return found;
}
