/*  registry.h - the clients of a worker by their ids, which no other connection of any worker has,
 * and which travel with a client to another process. */
#ifndef ZC_REGISTRY_H
#define ZC_REGISTRY_H

#include "lib/engine/client.h"

typedef struct {
    zc_table_t clients;
} zc_registry_t;

/*  Gives the client an id; or the one that it had in another process, unless that is 0. A client
 * that has one keeps it. */
void zc_registry_add (zc_registry_t *self, zc_client_t *client, uint64_t id);
/*  Does nothing for a client without an id. */
void zc_registry_remove (zc_registry_t *self, zc_client_t *client);
/*  NULL: no client has this id. */
zc_client_t *zc_registry_find (const zc_registry_t *self, uint64_t id);
/*  0: it has none. */
uint64_t zc_client_id (const zc_client_t *client);

#endif
