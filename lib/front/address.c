/*  address.c - see address.h. */
#include "lib/front/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/wire/field.h"

zc_trust_t zc_trust_parse (const char *name)
{
    return strcmp (name, "always") == 0  ? ZC_TRUST_ALWAYS
           : strcmp (name, "never") == 0 ? ZC_TRUST_NEVER
                                         : ZC_TRUST_LOCAL;
}

/*  Whether the text is an address; *local: it is one that a proxy on this machine would have. */
static bool s_parse (const char *text, bool *local)
{
    struct in_addr in;
    struct in6_addr in6;
    if (inet_pton (AF_INET, text, &in) == 1) {
        *local = ntohl (in.s_addr) >> 24 == 127;
        return true;
    }
    if (inet_pton (AF_INET6, text, &in6) != 1)
        return false;
    *local = IN6_IS_ADDR_LOOPBACK (&in6) || (IN6_IS_ADDR_V4MAPPED (&in6) && in6.s6_addr[12] == 127);
    return true;
}

static bool s_copy (zc_slice_t from, char text[INET6_ADDRSTRLEN])
{
    if (from.len == 0 || from.len >= INET6_ADDRSTRLEN)
        return false;
    memcpy (text, from.at, from.len);
    text[from.len] = 0;
    return true;
}

/*  "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80" */
bool zc_address_forwarded (zc_slice_t value, char text[INET6_ADDRSTRLEN])
{
    zc_slice_t last = {NULL, 0}, element, part, port;
    bool local;
    while (zc_list_next (&value, &element))
        last = element;
    if (last.len > 0 && last.at[0] == '[') {
        last.at++, last.len--;
        if (!zc_field_cut (&last, ']', &part))
            return false;
    } else {
        zc_slice_t rest = last;
        part = last;
        if (zc_field_cut (&rest, ':', &part) && zc_field_cut (&rest, ':', &port))
            part = last; /* more than one colon: IPv6 */
    }
    return s_copy (part, text) && s_parse (text, &local);
}

/*  Fills in the address at the other end, as text; "" where there is none. Returns whether it is on
 *  this machine. */
static bool s_peer (const zc_request_t *request, char text[INET6_ADDRSTRLEN])
{
    bool local = true;
    text[0] = 0;
    if (s_copy (request->peer, text) && !s_parse (text, &local))
        local = false; /* a name that a web server gave: it stands for itself */
    return local;
}

bool zc_address_is_trusted (const zc_request_t *request, zc_trust_t trust)
{
    char text[INET6_ADDRSTRLEN];
    return trust == ZC_TRUST_ALWAYS || (trust == ZC_TRUST_LOCAL && s_peer (request, text));
}

bool zc_address_of (const zc_request_t *request, zc_trust_t trust, char text[INET6_ADDRSTRLEN])
{
    char forwarded[INET6_ADDRSTRLEN];
    bool local = s_peer (request, text);
    if (trust == ZC_TRUST_NEVER)
        return text[0] != 0;
    if (!zc_address_is_trusted (request, trust) ||
        !zc_address_forwarded (request->fields[ZC_FIELD_X_FORWARDED_FOR], forwarded))
        return !local && text[0] != 0;
    memcpy (text, forwarded, sizeof forwarded);
    return strcmp (text, "127.0.0.1") != 0 && strcmp (text, "::1") != 0 &&
           strcmp (text, "::ffff:127.0.0.1") != 0;
}
