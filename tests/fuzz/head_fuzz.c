/*  The WebSocket handshake's request head. The same bytes whole and a byte at a time must end the
 *  same way. */
#include <stdlib.h>
#include <string.h>

#include "ws/head.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static int s_whole (zc_head_t *head, const char *bytes, size_t len)
{
    zc_head_init (head, 2048);
    return zc_head_feed (head, bytes, len);
}

static int s_piecewise (zc_head_t *head, const char *bytes, size_t len)
{
    int status = 0;
    zc_head_init (head, 2048);
    for (size_t have = 1; have <= len && status == 0; have++)
        status = zc_head_feed (head, bytes, have);
    return status;
}

static void s_check (zc_head_t *head)
{
    char text[64], accept[ZC_HEAD_ACCEPT + 1];
    int status = zc_head_check (head);
    if (status != 101 && status != 400 && status != 405 && status != 426)
        abort ();
    if ((status == 101) != (head->reason == NULL) || head->path.len == 0 || head->path.at[0] != '/')
        abort ();
    zc_head_forwarded (head, text, sizeof text);
    if ((zc_extension_answer (&head->extension) != NULL) != head->extension.deflate)
        abort ();
    if (status == 101)
        zc_head_accept (head->key, accept);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_head_t whole, piecewise;
    char *bytes = malloc (size ? size : 1); /* so that reading beyond it is seen */
    memcpy (bytes, data, size);
    int status = s_whole (&whole, bytes, size);
    if (s_piecewise (&piecewise, bytes, size) != status)
        abort ();
    if (status == 200 && whole.length != piecewise.length)
        abort ();
    if (status == 200)
        s_check (&whole);
    else if (status != 0 && (!whole.reason || (status != 400 && status != 414 && status != 431)))
        abort ();
    free (bytes);
    return 0;
}
