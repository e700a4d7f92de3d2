/*  peers.c - an index and a queue. */
#include "broker/peers.h"

#include <string.h>

void zc_peers_init (zc_peers_t *self)
{
    zc_table_init (&self->index);
    TAILQ_INIT (&self->queue);
}

void zc_peers_clear (zc_peers_t *self)
{
    zc_table_clear (&self->index);
    TAILQ_INIT (&self->queue);
}

static bool s_same (const zc_node_t *node, const void *key)
{
    const zc_peer_t *peer = (const zc_peer_t *)node;
    const zc_slice_t *identity = key;
    return peer->len == identity->len && memcmp (peer->identity, identity->at, peer->len) == 0;
}

static uint64_t s_hash (zc_slice_t identity)
{
    return zc_hash (identity.at, identity.len, 2);
}

zc_peer_t *zc_peers_find (const zc_peers_t *self, zc_slice_t identity)
{
    if (TAILQ_EMPTY (&self->queue))
        return NULL;
    return (zc_peer_t *)zc_table_find (&self->index, s_hash (identity), s_same, &identity);
}

void zc_peers_add (zc_peers_t *self, zc_peer_t *peer, zc_slice_t identity)
{
    peer->len = (uint8_t)identity.len;
    memcpy (peer->identity, identity.at, identity.len);
    zc_table_insert (&self->index, &peer->node, s_hash (identity));
    TAILQ_INSERT_TAIL (&self->queue, peer, turn);
}

void zc_peers_remove (zc_peers_t *self, zc_peer_t *peer)
{
    zc_table_remove (&self->index, &peer->node);
    TAILQ_REMOVE (&self->queue, peer, turn);
}

zc_peer_t *zc_peers_turn (zc_peers_t *self)
{
    zc_peer_t *peer = TAILQ_FIRST (&self->queue);
    if (peer) {
        TAILQ_REMOVE (&self->queue, peer, turn);
        TAILQ_INSERT_TAIL (&self->queue, peer, turn);
    }
    return peer;
}

size_t zc_peers_size (const zc_peers_t *self)
{
    return self->index.size;
}
