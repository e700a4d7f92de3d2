/*  upgrade.c - see upgrade.h. */
#include "ws/upgrade.h"

#include <czmq.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/wire/field.h"

static unsigned s_refuse (zc_upgrade_t *self, unsigned status, const char *reason)
{
    self->reason = reason;
    return status;
}

/*  Base64 of 16 bytes. */
static bool s_is_key (zc_slice_t key)
{
    if (key.len != 24 || memcmp (key.at + 22, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '+' || c == '/'))
            return false;
    }
    return true;
}

/*  The client compares the answer with its offer (RFC 6455 §4.1), so the answer repeats the name
 *  as the client wrote it. Returns false if the list isn't one of tokens. */
static bool s_choose_protocol (zc_upgrade_t *self, zc_slice_t offers)
{
    zc_slice_t offer;
    while (zc_list_next (&offers, &offer)) {
        if (!zc_token_valid (offer))
            return false;
        if (!self->protocol.at && zc_field_is (offer, "zcast.v1"))
            self->protocol = offer;
    }
    return true;
}

unsigned zc_upgrade_check (zc_upgrade_t *self, const zc_request_t *request)
{
    const zc_slice_t *fields = request->fields;
    memset (self, 0, sizeof *self);
    self->key = fields[ZC_FIELD_SEC_WEBSOCKET_KEY];
    if (request->http10)
        return s_refuse (self, 400, "a WebSocket needs HTTP/1.1");
    if (!request->websocket)
        return s_refuse (self, 426, "this is a WebSocket: ask for an upgrade");
    if (!zc_slice_is (fields[ZC_FIELD_SEC_WEBSOCKET_VERSION], "13"))
        return s_refuse (self, 426, "WebSocket version 13 is needed");
    if (!s_is_key (self->key))
        return s_refuse (self, 400, "malformed Sec-WebSocket-Key");
    if (request->body != 0)
        return s_refuse (self, 400, "a body is not expected");
    if (!s_choose_protocol (self, fields[ZC_FIELD_SEC_WEBSOCKET_PROTOCOL]))
        return s_refuse (self, 400, "malformed Sec-WebSocket-Protocol");
    if (zc_extension_offer (&self->extension, fields[ZC_FIELD_SEC_WEBSOCKET_EXTENSIONS]) != 0)
        return s_refuse (self, 400, "malformed Sec-WebSocket-Extensions");
    return 101;
}

void zc_upgrade_answer (const zc_upgrade_t *self, bool deflate, zc_response_t *response)
{
    char accept[ZC_UPGRADE_ACCEPT + 1];
    zc_upgrade_accept (self->key, accept);
    zc_response_init (response, 101);
    zc_response_say (response, "Upgrade", "websocket");
    zc_response_say (response, "Connection", "Upgrade");
    zc_response_say (response, "Sec-WebSocket-Accept", accept);
    if (self->protocol.at)
        zc_response_field (response, "Sec-WebSocket-Protocol", self->protocol);
    if (deflate)
        zc_response_say (response, "Sec-WebSocket-Extensions",
                         zc_extension_answer (&self->extension));
}

void zc_upgrade_accept (zc_slice_t key, char text[ZC_UPGRADE_ACCEPT + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    zdigest_t *digest = zdigest_new ();
    zdigest_update (digest, (const byte *)key.at, key.len);
    zdigest_update (digest, (const byte *)guid, sizeof guid - 1);
    zc_base64 (zdigest_data (digest), zdigest_size (digest), text);
    text[ZC_UPGRADE_ACCEPT] = 0;
    zdigest_destroy (&digest);
}
