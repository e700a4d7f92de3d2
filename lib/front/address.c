/*  address.c - see address.h. */
#include "lib/front/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/listen.h"
#include "lib/wire/field.h"

/*  ---------------------------------------------------------------- networks */

/*  IPv4 addresses are in ::ffff:0:0/96 (RFC 4291 §2.5.5.2), so that one form serves both
 *  families. */
struct zc_network {
    uint8_t address[16];
    unsigned bits;
};

static bool s_parse (const char *text, uint8_t address[16], bool *ip4)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    *ip4 = inet_pton (AF_INET, text, address + 12) == 1;
    if (*ip4)
        memcpy (address, mapped, sizeof mapped);
    return *ip4 || inet_pton (AF_INET6, text, address) == 1;
}

/*  Parses "192.0.2.0/24", "2001:db8::/32", or a single address. */
static bool s_parse_network (const char *text, struct zc_network *network)
{
    zc_slice_t rest = {text, strlen (text)}, address = rest;
    char copy[INET6_ADDRSTRLEN];
    uint64_t bits;
    bool ip4, whole = !zc_field_cut (&rest, '/', &address);
    if (address.len >= sizeof copy)
        return false;
    memcpy (copy, address.at, address.len);
    copy[address.len] = 0;
    if (!s_parse (copy, network->address, &ip4))
        return false;
    if (!whole && zc_text_u64 (rest.at, rest.len, ip4 ? 32 : 128, &bits) != 0)
        return false;
    network->bits = whole ? 128 : (unsigned)bits + (ip4 ? 96 : 0);
    return true;
}

static bool s_is_within (const struct zc_network *network, const uint8_t address[16])
{
    unsigned bytes = network->bits / 8, rest = network->bits % 8;
    return memcmp (network->address, address, bytes) == 0 &&
           (rest == 0 || (network->address[bytes] ^ address[bytes]) >> (8 - rest) == 0);
}

/*  ---------------------------------------------------------------- trusted proxies */

const char *zc_trust_check (const char *item)
{
    struct zc_network network;
    bool good = strcmp (item, "local") == 0 || strcmp (item, "always") == 0 ||
                strcmp (item, "never") == 0 || s_parse_network (item, &network);
    return good ? NULL
                : "expected local, always, never, an address, or a network such as 192.0.2.0/24";
}

static void s_add (zc_trust_t *self, const char *item)
{
    if (strcmp (item, "local") == 0)
        self->local = true;
    else if (strcmp (item, "always") == 0)
        self->always = true;
    if (!s_parse_network (item, &self->networks[self->count]))
        return;
    self->count++;
}

void zc_trust_read_list (zc_trust_t *self, const zc_options_t *options, const char *name)
{
    const char *key, *item;
    size_t items = 0;
    zc_trust_clear (self);
    while (zc_options_item (options, name, items, &key, &item))
        items++;
    self->local = items == 0;
    self->networks = calloc (items + 1, sizeof *self->networks);
    if (!self->networks)
        abort ();
    for (size_t i = 0; i < items && zc_options_item (options, name, i, &key, &item); i++)
        s_add (self, item);
}

void zc_trust_read (zc_trust_t *self, const zc_options_t *options)
{
    zc_trust_read_list (self, options, "trust-proxy");
    self->field = strcmp (zc_options_text (options, "forwarded"), "forwarded") == 0
                      ? ZC_FIELD_FORWARDED
                      : ZC_FIELD_X_FORWARDED_FOR;
}

void zc_trust_clear (zc_trust_t *self)
{
    free (self->networks);
    *self = (zc_trust_t){.local = false};
}

static bool s_is_listed (const zc_trust_t *self, const char *address)
{
    uint8_t binary[16];
    bool ip4;
    if (!s_parse (address, binary, &ip4))
        return false;
    for (size_t i = 0; i < self->count; i++)
        if (s_is_within (&self->networks[i], binary))
            return true;
    return false;
}

bool zc_trust_has (const zc_trust_t *self, const char *address)
{
    bool local = !*address || zc_is_loopback (address);
    return self->always || (self->local && local) || s_is_listed (self, address);
}

/*  ---------------------------------------------------------------- the client's address */

/*  The peer's address as text; "" if the peer is on this machine. */
static void s_peer (const zc_request_t *request, zc_hop_t text)
{
    zc_slice_t peer = request->peer;
    size_t len = peer.len < INET6_ADDRSTRLEN ? peer.len : INET6_ADDRSTRLEN - 1;
    memcpy (text, peer.at, len);
    text[len] = 0;
}

bool zc_address_is_trusted (const zc_request_t *request, const zc_trust_t *trust)
{
    zc_hop_t peer;
    s_peer (request, peer);
    return zc_trust_has (trust, peer);
}

/*  The addresses that programs of this machine have by default. Another address of 127.0.0.0/8
 *  was chosen by somebody. */
static bool s_is_here (const char *hop)
{
    return strcmp (hop, "127.0.0.1") == 0 || strcmp (hop, "::1") == 0 ||
           strcmp (hop, "::ffff:127.0.0.1") == 0;
}

static bool s_is_ours (const zc_trust_t *trust, const char *hop)
{
    return !trust->always && (s_is_listed (trust, hop) || (trust->local && s_is_here (hop)));
}

/*  Takes the last address that isn't a trusted proxy's, or the first one if all are. Where every
 *  peer is trusted, the last address is the only one that the peer itself vouches for. Returns
 *  1, 0 if there is no address, -1 on a malformed one. */
static int s_forwarded (const zc_request_t *request, const zc_trust_t *trust, zc_hop_t text)
{
    zc_slice_t list = request->fields[trust->field];
    zc_hop_t hop;
    int rc, found = 0;
    while ((rc = trust->field == ZC_FIELD_FORWARDED ? zc_forwarded_next (&list, hop)
                                                    : zc_x_forwarded_for_next (&list, hop)) > 0) {
        if (!found || !s_is_ours (trust, hop))
            memcpy (text, hop, sizeof (zc_hop_t));
        found = 1;
    }
    return rc < 0 || (found && !text[0]) ? -1 : found;
}

int zc_address_of (const zc_request_t *request, const zc_trust_t *trust, zc_hop_t text)
{
    zc_hop_t hop;
    s_peer (request, text);
    bool here = !text[0] || zc_is_loopback (text);
    if (!zc_trust_has (trust, text))
        return text[0] != 0; /* an address of this machine, too: no proxy speaks for it */
    int rc = s_forwarded (request, trust, hop);
    if (rc < 0)
        return -1;
    if (rc > 0) {
        memcpy (text, hop, sizeof hop);
        here &= s_is_here (hop);
    }
    return !here && text[0] != 0;
}
