/*  origin.c - see origin.h. */
#include "lib/wire/origin.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *prefix, *port;
} s_schemes[] = {{"http://", "80"}, {"https://", "443"}, {"ws://", "80"}, {"wss://", "443"}};

typedef struct {
    zc_slice_t name, port; /* port: empty if there is none */
} s_host_t;

/*  "example.org", "example.org:80", "[::1]:80". */
static s_host_t s_split (zc_slice_t text)
{
    s_host_t host = {text, {"", 0}};
    const char *close = text.len && text.at[0] == '[' ? memchr (text.at, ']', text.len) : NULL;
    size_t from = close ? (size_t)(close - text.at) : 0;
    const char *colon = memchr (text.at + from, ':', text.len - from);
    if (colon) {
        host.name.len = (size_t)(colon - text.at);
        host.port = (zc_slice_t){colon + 1, text.len - host.name.len - 1};
    }
    return host;
}

static bool s_same (zc_slice_t a, zc_slice_t b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (tolower ((unsigned char)a.at[i]) != tolower ((unsigned char)b.at[i]))
            return false;
    return true;
}

bool zc_origin_is_of_host (zc_slice_t origin, zc_slice_t host)
{
    for (size_t i = 0; i < sizeof s_schemes / sizeof *s_schemes; i++) {
        zc_slice_t prefix = {s_schemes[i].prefix, strlen (s_schemes[i].prefix)};
        zc_slice_t implied = {s_schemes[i].port, strlen (s_schemes[i].port)};
        if (!zc_slice_begins (origin, prefix))
            continue;
        s_host_t page = s_split ((zc_slice_t){origin.at + prefix.len, origin.len - prefix.len});
        s_host_t asked = s_split (host);
        return page.name.len > 0 && s_same (page.name, asked.name) &&
               s_same (page.port.len ? page.port : implied, asked.port.len ? asked.port : implied);
    }
    return false;
}
