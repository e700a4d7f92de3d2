/*  The opening handshake of a WebSocket: each MUST of RFC 6455 §4.2 is a row. */
#include "tests/unit/unit.h"

#include "ws/upgrade.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

typedef struct {
    unsigned status;
    const char *rule;
    const char *key, *version, *protocol, *extensions; /* NULL: not there */
    const char *answers;                               /* a part of the answer, or of the reason */
    bool plain, http10, body;
} row_t;

static const row_t rows[] = {
    {101, "§4.2.1", KEY, "13", NULL, NULL, "Upgrade: websocket\r\nConnection: Upgrade\r\n", 0, 0,
     0},
    {101, "§4.2.2 a sub-protocol as it was offered", KEY, "13", "chat, zcast.v1", NULL,
     "Sec-WebSocket-Protocol: zcast.v1\r\n", 0, 0, 0},
    {101, "§4.2.2 in its own letters", KEY, "13", "ZCAST.V1", NULL,
     "Sec-WebSocket-Protocol: ZCAST.V1\r\n", 0, 0, 0},
    {101, "§4.2.2 the first that is known", KEY, "13", "a,Zcast.V1,zcast.v1", NULL,
     "Sec-WebSocket-Protocol: Zcast.V1\r\n", 0, 0, 0},
    {101, "§4.2.2 none that is known", KEY, "13", "zcast.v11, zcast", NULL, NULL, 0, 0, 0},
    {101, "§9.1 an extension", KEY, "13", NULL, "permessage-deflate",
     "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover", 0, 0, 0},
    {426, "§4.2.1 Upgrade", KEY, "13", NULL, NULL, "ask for an upgrade", true, 0, 0},
    {426, "§4.2.1 the version", KEY, NULL, NULL, NULL, "version 13", 0, 0, 0},
    {426, "§4.2.1 the version", KEY, "8", NULL, NULL, "version 13", 0, 0, 0},
    {426, "§4.2.1 the version", KEY, "013", NULL, NULL, "version 13", 0, 0, 0},
    {426, "§4.2.1 the version", KEY, "13, 8", NULL, NULL, "version 13", 0, 0, 0},
    {400, "§4.2.1 HTTP/1.1", KEY, "13", NULL, NULL, "HTTP/1.1", 0, true, 0},
    {400, "§4.2.1 the key", NULL, "13", NULL, NULL, "Sec-WebSocket-Key", 0, 0, 0},
    {400, "§4.2.1 of 16 bytes", "AAAA", "13", NULL, NULL, "Sec-WebSocket-Key", 0, 0, 0},
    {400, "§4.2.1 in base64", "dGhlIHNhbXBs*SBub25jZQ==", "13", NULL, NULL, "Sec-WebSocket-Key", 0,
     0, 0},
    {400, "§4.2.1 in base64", "dGhlIHNhbXBsZSBub25jZQ=a", "13", NULL, NULL, "Sec-WebSocket-Key", 0,
     0, 0},
    {400, "§4.1 no body", KEY, "13", NULL, NULL, "body", 0, 0, true},
    {400, "§4.1 tokens", KEY, "13", "zcast v1", NULL, "Sec-WebSocket-Protocol", 0, 0, 0},
    {400, "§4.1 tokens", KEY, "13", "zcast.v1;q=1", NULL, "Sec-WebSocket-Protocol", 0, 0, 0},
    {400, "§9.1 the form", KEY, "13", NULL, "permessage-deflate;", "Sec-WebSocket-Extensions", 0, 0,
     0},
};

static void s_set (zc_request_t *request, zc_field_t field, const char *value)
{
    if (value)
        zc_request_add (request, field, (zc_slice_t){value, strlen (value)});
}

static void s_check (const row_t *row)
{
    zc_request_t request;
    zc_upgrade_t upgrade;
    zc_request_init (&request);
    request.websocket = !row->plain;
    request.http10 = row->http10;
    request.body = row->body;
    s_set (&request, ZC_FIELD_SEC_WEBSOCKET_KEY, row->key);
    s_set (&request, ZC_FIELD_SEC_WEBSOCKET_VERSION, row->version);
    s_set (&request, ZC_FIELD_SEC_WEBSOCKET_PROTOCOL, row->protocol);
    s_set (&request, ZC_FIELD_SEC_WEBSOCKET_EXTENSIONS, row->extensions);
    unsigned status = zc_upgrade_check (&upgrade, &request);
    if (status != row->status)
        fail_msg ("%s: %u, not %u", row->rule, status, row->status);
    if (status == 101) {
        zc_response_t response;
        zc_upgrade_answer (&upgrade, upgrade.extension.deflate, &response);
        assert_int_equal (response.status, 101);
        const char *text = zc_buf_str (&response.fields);
        if (row->answers ? !strstr (text, row->answers) : strstr (text, "Protocol") != NULL)
            fail_msg ("%s: %s", row->rule, text);
        assert_non_null (strstr (text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert_int_equal (response.body.len, 0);
        zc_response_clear (&response);
    } else {
        assert_non_null (strstr (upgrade.reason, row->answers));
    }
    zc_request_clear (&request);
}

static void test_rows (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (rows); i++)
        s_check (&rows[i]);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rows),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
