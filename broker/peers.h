/*  peers.h - the peers of the control endpoint that have something waiting: a table by identity,
 *  and a queue in which each peer gets its turn. An owner keeps the waiting objects in a struct
 *  of its own, which begins with zc_peer_t. No I/O. */
#ifndef ZC_PEERS_H
#define ZC_PEERS_H

#include <sys/queue.h>
#include "lib/base/table.h"
#include "lib/base/text.h"

typedef struct zc_peer {
    zc_node_t node;             /* in the table */
    TAILQ_ENTRY (zc_peer) turn; /* in the queue */
    uint8_t len;
    uint8_t identity[255];
} zc_peer_t;

typedef struct {
    zc_table_t index;
    TAILQ_HEAD (, zc_peer) queue; /* the first one has its turn next */
} zc_peers_t;

void zc_peers_init (zc_peers_t *self);
/*  Frees the table, not the peers. */
void zc_peers_clear (zc_peers_t *self);
/*  NULL if there is no such peer. */
zc_peer_t *zc_peers_find (const zc_peers_t *self, zc_slice_t identity);
/*  Adds a peer that isn't in the table; it has its turn last. */
void zc_peers_add (zc_peers_t *self, zc_peer_t *peer, zc_slice_t identity);
void zc_peers_remove (zc_peers_t *self, zc_peer_t *peer);
/*  The peer whose turn it is; it becomes the last one. NULL if there is none. */
zc_peer_t *zc_peers_turn (zc_peers_t *self);
size_t zc_peers_size (const zc_peers_t *self);

#endif
