/*  http.h - HTTP/1.1 on a session's connection, until it streams or becomes a WebSocket (RFC 9112):
 *  requests one behind the other, their bodies, and the answers to them. The carrier of the front's
 *  exchanges. */
#ifndef ZC_HTTP_H
#define ZC_HTTP_H

#include "ws/session.h"

/*  Bytes that have come. Requests behind the one that is being answered are kept, and answered in
 *  their turn. */
void zc_http_take (zc_session_t *session, const uint8_t *bytes, size_t len);
/*  The client sends no more: it is answered what it has asked, and its connection is closed. */
void zc_http_take_end (zc_session_t *session);
/*  Goes on with requests that wait, where the client has taken the answers before them. */
void zc_http_resume (zc_session_t *session);
/*  Nothing is read from the client for now. */
bool zc_http_is_full (const zc_http_t *self);
/*  Its time in its queue is over. */
void zc_http_expire (zc_session_t *session);
/*  Answers a request that can't be read to its end, and closes. */
void zc_http_refuse (zc_session_t *session, unsigned status, const char *reason);
void zc_http_destroy (zc_http_t **self_p);

/*  The session of an exchange of ours. */
zc_session_t *zc_http_session (const zc_exchange_t *exchange);
/*  A browser shows a page nothing of a WebSocket that wasn't opened. So one whose request is in
 * order, and offers zcast.v1, is opened, and closed with 4000 + status and the sentence. False:
 * that isn't such a request. */
bool zc_handshake_refuse (zc_exchange_t *exchange, const zc_denial_t *refusal, unsigned after);
/*  Answers with 101: what follows on the connection is not HTTP any more. */
void zc_http_upgrade (zc_session_t *session, const zc_response_t *response);

#endif
