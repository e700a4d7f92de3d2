/*  websocket.h - sending on a session that is a WebSocket (RFC 6455), and ending it. */
#ifndef ZC_WEBSOCKET_H
#define ZC_WEBSOCKET_H

#include "ws/session.h"

/*  The encoding in which the session's messages are sent. */
const zc_encoding_t *zc_websocket_encoding (const zc_session_t *session);
/*  Sends a frame once the one that was begun is finished; sends none after a close frame. */
void zc_websocket_send (zc_session_t *session, unsigned opcode, const void *payload, size_t len);
/*  Sends a close frame, and waits for the client's. Does nothing if the session is closing
 *  already. `reason` is for the client and the log. */
void zc_websocket_close (zc_session_t *session, unsigned code, const char *reason);
/*  Closes after an error that makes all later bytes of the client unreadable. */
void zc_websocket_fail (zc_session_t *session, unsigned code);

/*  Bytes have come from the client, or the client has acknowledged some. */
void zc_websocket_alive (zc_session_t *session);

/*  Hooks of a zc_protocol_t. */
void zc_websocket_expire (zc_session_t *session);
void zc_websocket_dismiss (zc_session_t *session, const zc_farewell_t *why);
/*  Tells a client of zcast.v1 when to come back, then closes with 1012. */
void zc_websocket_restart (zc_session_t *session);

#endif
