/*  peers.c - an index and a ring. */
#include "broker/peers.h"

#include <string.h>

void zc_peers_init (zc_peers_t *self)
{
    zc_table_init (&self->index);
    self->first = NULL;
}

void zc_peers_clear (zc_peers_t *self)
{
    zc_table_clear (&self->index);
    self->first = NULL;
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
    if (!self->first)
        return NULL;
    return (zc_peer_t *)zc_table_find (&self->index, s_hash (identity), s_same, &identity);
}

void zc_peers_add (zc_peers_t *self, zc_peer_t *peer, zc_slice_t identity)
{
    peer->len = (uint8_t)identity.len;
    memcpy (peer->identity, identity.at, identity.len);
    zc_table_insert (&self->index, &peer->node, s_hash (identity));
    if (!self->first)
        self->first = peer->next = peer->previous = peer;
    peer->next = self->first;
    peer->previous = self->first->previous;
    peer->next->previous = peer->previous->next = peer;
}

void zc_peers_remove (zc_peers_t *self, zc_peer_t *peer)
{
    zc_table_remove (&self->index, &peer->node);
    if (self->first == peer)
        self->first = peer->next == peer ? NULL : peer->next;
    peer->next->previous = peer->previous;
    peer->previous->next = peer->next;
}

zc_peer_t *zc_peers_turn (zc_peers_t *self)
{
    zc_peer_t *peer = self->first;
    if (peer)
        self->first = peer->next;
    return peer;
}

size_t zc_peers_size (const zc_peers_t *self)
{
    return self->index.size;
}
