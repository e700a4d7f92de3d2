/*  http.h - HTTP/1.1 on a session's connection, until it streams or becomes a WebSocket (RFC
 *  9112): requests one after the other, their bodies, and their answers. It is a carrier of the
 *  front's exchanges. */
#ifndef ZC_HTTP_H
#define ZC_HTTP_H

#include "ws/session.h"

/*  A connection was accepted: answers its requests from now on. Takes the socket. */
void zc_http_serve (zc_server_t *server, int fd);

/*  The session of an exchange that HTTP/1.1 carries. */
zc_session_t *zc_http_session (const zc_exchange_t *exchange);
/*  Answers with 101: later bytes on the connection aren't HTTP. The caller starts the new
 *  protocol. */
void zc_http_upgrade (zc_session_t *session, const zc_response_t *response);

#endif
