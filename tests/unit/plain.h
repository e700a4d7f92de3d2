/*  plain.h - clients for tests that look at something else: none ever waits or leaves, and the
 *  encoding is the bare payload. */
#ifndef ZC_PLAIN_H
#define ZC_PLAIN_H

#include "tests/unit/unit.h"

#include "lib/engine/hub.h"

static inline void plain_want_write (zc_client_t *client, bool on)
{
    (void)client, (void)on;
}

static inline void plain_gone (zc_client_t *client, zc_gone_t why)
{
    (void)client, (void)why;
    fail_msg ("a client was dropped");
}

static inline void plain_describe (zc_client_t *client, char *text, size_t size)
{
    (void)client;
    snprintf (text, size, "test");
}

static inline void plain_message (zc_buf_t *out, const zc_message_t *message)
{
    zc_buf_add (out, message->payload.at, message->payload.len);
}

static inline void plain_verdict (zc_buf_t *out, const zc_verdict_t *verdict)
{
    (void)verdict;
    zc_buf_adds (out, "verdict\n");
}

static inline void plain_heartbeat (zc_buf_t *out, zc_id_t position)
{
    (void)position;
    zc_buf_adds (out, "heartbeat\n");
}

static const zc_encoding_t plain_encoding = {"plain", plain_message, plain_verdict, plain_heartbeat,
                                             true,    NULL,          NULL};

#endif
