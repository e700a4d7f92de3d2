/*  registry.c - an id is a random number, so it serves as its own hash. */
#include "lib/engine/registry.h"

#include <stddef.h>
#include <sys/random.h>

static bool s_any (const zc_node_t *node, const void *key)
{
    (void)node, (void)key;
    return true;
}

static zc_node_t *s_find (const zc_registry_t *self, uint64_t id)
{
    return self->clients.size ? zc_table_find (&self->clients, id, s_any, NULL) : NULL;
}

static uint64_t s_new_id (const zc_registry_t *self)
{
    uint64_t id = 0;
    while (id == 0 || s_find (self, id))
        if (getrandom (&id, sizeof id, 0) != sizeof id)
            id = 0;
    return id;
}

void zc_registry_add (zc_registry_t *self, zc_client_t *client, uint64_t id)
{
    if (client->named.hash)
        return;
    zc_table_insert (&self->clients, &client->named,
                     id && !s_find (self, id) ? id : s_new_id (self));
}

void zc_registry_remove (zc_registry_t *self, zc_client_t *client)
{
    if (!client->named.hash)
        return;
    zc_table_remove (&self->clients, &client->named);
    client->named.hash = 0;
}

zc_client_t *zc_registry_find (const zc_registry_t *self, uint64_t id)
{
    zc_node_t *node = s_find (self, id);
    return node ? (zc_client_t *)(void *)((char *)node - offsetof (zc_client_t, named)) : NULL;
}

uint64_t zc_client_id (const zc_client_t *client)
{
    return client->named.hash;
}
