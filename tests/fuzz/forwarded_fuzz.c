/*  Forwarded and X-Forwarded-For: the result is an address, or a name that stands for one. The
 *  last hop of a valid list stays the last, whatever valid list a client has put before it. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/wire/forwarded.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef int (s_next_fn) (zc_slice_t *list, zc_hop_t hop);

static void s_check (const zc_hop_t hop)
{
    uint8_t binary[16];
    if (hop[0] && hop[0] != '_' && strcmp (hop, "unknown") != 0 &&
        inet_pton (AF_INET, hop, binary) != 1 && inet_pton (AF_INET6, hop, binary) != 1)
        abort ();
    if (!zc_text_plain (hop, strlen (hop)))
        abort ();
}

/*  The result of the whole list, and its last hop. */
static int s_read (zc_slice_t list, s_next_fn *next, zc_hop_t last)
{
    int rc;
    last[0] = 0;
    while ((rc = next (&list, last)) > 0)
        s_check (last);
    return rc;
}

static void s_check_behind (const uint8_t *data, size_t size, s_next_fn *next, const char *own)
{
    zc_buf_t list = ZC_BUF_INIT;
    zc_hop_t last, hop;
    zc_buf_add (&list, data, size);
    int rc = s_read ((zc_slice_t){(const char *)list.data, list.len}, next, last);
    zc_buf_adds (&list, own);
    zc_slice_t all = {(const char *)list.data, list.len};
    if (rc == 0) {
        while ((rc = next (&all, hop)) > 0)
            memcpy (last, hop, sizeof hop);
        if (rc < 0 || strcmp (last, "192.0.2.1") != 0)
            abort ();
    }
    zc_buf_clear (&list);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    s_check_behind (data, size, zc_forwarded_next, ", for=192.0.2.1");
    s_check_behind (data, size, zc_x_forwarded_for_next, ", 192.0.2.1");
    return 0;
}
