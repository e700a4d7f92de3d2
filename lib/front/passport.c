/*  passport.c - see passport.h. The token itself doesn't travel: it was checked when the client
 *  came, as for every connection that stays. */
#include "lib/front/passport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static size_t s_add_list (zc_buf_t *lists, const zc_grants_t *grants, zc_grant_t kind)
{
    zc_slice_t topic;
    size_t begun = lists->len;
    for (size_t i = 0; zc_grants_item (grants, kind, i, &topic); i++) {
        if (i > 0)
            zc_buf_addc (lists, '\n');
        zc_buf_add (lists, topic.at, topic.len);
    }
    return lists->len - begun;
}

void zc_passport_write (zc_handover_t *client, const zc_rights_t *rights, zc_buf_t *lists)
{
    if (!rights)
        return;
    const zc_identity_t *identity = zc_rights_identity (rights);
    client->flags |= ZC_HANDOVER_IDENTITY | (identity->by_cookie ? ZC_HANDOVER_COOKIE : 0);
    client->subject = s_slice (identity->subject);
    client->token_id = s_slice (identity->id);
    client->key_id = s_slice (identity->kid);
    client->limit_key = s_slice (identity->key);
    client->issued_ms = identity->issued_ms;
    client->expires_ms = identity->expires_ms == UINT64_MAX ? 0 : identity->expires_ms;
    size_t publish = s_add_list (lists, identity->grants, ZC_GRANT_PUBLISH);
    size_t subscribe = s_add_list (lists, identity->grants, ZC_GRANT_SUBSCRIBE);
    client->publish = (zc_slice_t){(const char *)lists->data, publish};
    client->subscribe = (zc_slice_t){(const char *)lists->data + publish, subscribe};
}

static char *s_copy (zc_slice_t text)
{
    char *copy = strndup (text.at ? text.at : "", text.len);
    if (!copy)
        abort ();
    return copy;
}

static void s_take_list (zc_grants_t *grants, zc_grant_t kind, zc_slice_t list)
{
    zc_slice_t topic;
    while (zc_handover_next (&list, &topic))
        zc_grants_add (grants, kind, topic);
}

zc_rights_t *zc_passport_read (const zc_handover_t *client, zc_front_t *front)
{
    if (!(client->flags & ZC_HANDOVER_IDENTITY))
        return NULL;
    zc_identity_t *identity = calloc (1, sizeof *identity);
    if (!identity)
        abort ();
    *identity = (zc_identity_t){
        .subject = s_copy (client->subject),
        .id = s_copy (client->token_id),
        .kid = s_copy (client->key_id),
        .issued_ms = client->issued_ms,
        .expires_ms = client->expires_ms ? client->expires_ms : UINT64_MAX,
        .grants = zc_grants_new (),
        .by_cookie = (client->flags & ZC_HANDOVER_COOKIE) != 0,
    };
    snprintf (identity->key, sizeof identity->key, "%.*s", (int)client->limit_key.len,
              client->limit_key.at ? client->limit_key.at : "");
    s_take_list (identity->grants, ZC_GRANT_PUBLISH, client->publish);
    s_take_list (identity->grants, ZC_GRANT_SUBSCRIBE, client->subscribe);
    return zc_keeper_adopt (front, identity);
}
