/*  The head of an HTTP request, its meaning, and whether it opens a WebSocket. The same bytes
 *  must end in the same way, whole and a byte at a time. */
#include <stdlib.h>
#include <string.h>

#include "lib/front/address.h"
#include "lib/wire/field.h"
#include "lib/wire/head.h"
#include "ws/upgrade.h"

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

static void s_check_upgrade (const zc_request_t *request)
{
    zc_upgrade_t upgrade;
    zc_response_t response;
    unsigned status = zc_upgrade_check (&upgrade, request);
    if (status != 101 && status != 400 && status != 426)
        abort ();
    if ((status == 101) != (upgrade.reason == NULL))
        abort ();
    if ((zc_extension_answer (&upgrade.extension) != NULL) != upgrade.extension.deflate)
        abort ();
    if (status != 101)
        return;
    zc_upgrade_answer (&upgrade, upgrade.extension.deflate, &response);
    zc_response_clear (&response);
}

static void s_check (const zc_head_t *head, const char *bytes)
{
    zc_request_t request;
    zc_slice_t name, value;
    char text[INET6_ADDRSTRLEN];
    const zc_trust_t trust = {.always = true, .field = ZC_FIELD_FORWARDED};
    zc_request_init (&request);
    if (head->path.len == 0 || (head->path.at[0] != '/' && !zc_slice_is (head->path, "*")))
        abort ();
    if (head->chunked && head->content_length > 0)
        abort ();
    if (!zc_host_valid (head->authority) || (head->minor == 1 && !head->authority.at))
        abort ();
    request.method = zc_method_parse (head->method);
    request.websocket = head->websocket;
    for (size_t at = 0; zc_head_next (head, bytes, &at, &name, &value);) {
        int field = zc_field_find (name);
        if (!zc_token_valid (name))
            abort ();
        if (field >= 0)
            zc_request_add (&request, (zc_field_t)field, value);
    }
    zc_address_of (&request, &trust, text);
    zc_accept_weight (request.fields[ZC_FIELD_ACCEPT], "application/json");
    s_check_upgrade (&request);
    zc_request_clear (&request);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_head_t whole, piecewise;
    char *bytes = malloc (size ? size : 1); /* so that a read past the end is seen */
    memcpy (bytes, data, size);
    int status = s_whole (&whole, bytes, size);
    if (s_piecewise (&piecewise, bytes, size) != status)
        abort ();
    if (status == 200 && whole.length != piecewise.length)
        abort ();
    if (status == 200)
        s_check (&whole, bytes);
    else if (status != 0 && (!whole.reason || status < 400))
        abort ();
    free (bytes);
    return 0;
}
