/*  The PROXY protocol: whole and a byte at a time must give the same result. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/proxy.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_check (const zc_proxy_t *proxy)
{
    uint8_t binary[16];
    if (proxy->address[0] && inet_pton (AF_INET, proxy->address, binary) != 1 &&
        inet_pton (AF_INET6, proxy->address, binary) != 1)
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_proxy_t whole, cut;
    long length = zc_proxy_read (&whole, data, size), step = 0;
    for (size_t have = 0; have <= size && step == 0; have++) {
        uint8_t *bytes = malloc (have ? have : 1); /* so that a read past the end is seen */
        memcpy (bytes, data, have);
        step = zc_proxy_read (&cut, bytes, have);
        free (bytes);
    }
    if (step != length || (length > 0 && strcmp (whole.address, cut.address) != 0))
        abort ();
    if (length > (long)size || length > ZC_PROXY_MAX)
        abort ();
    if (length > 0 && !zc_proxy_begins (data, size))
        abort ();
    if (length > 0)
        s_check (&whole);
    return 0;
}
