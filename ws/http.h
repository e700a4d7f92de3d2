/*  http.h - HTTP/1.1 on a session's connection, until it streams or becomes a WebSocket (RFC 9112):
 *  requests one behind the other, their bodies, and the answers to them. The carrier of the front's
 *  exchanges. */
#ifndef ZC_HTTP_H
#define ZC_HTTP_H

#include "ws/session.h"

/*  A connection was accepted: its requests are answered from now on. Takes the socket. */
void zc_http_serve (zc_server_t *server, int fd);

/*  The session of an exchange that came by HTTP/1.1. */
zc_session_t *zc_http_session (const zc_exchange_t *exchange);
/*  Answers with 101: what follows on the connection is not HTTP any more. The caller starts the
 *  protocol that it is then. */
void zc_http_upgrade (zc_session_t *session, const zc_response_t *response);

#endif
