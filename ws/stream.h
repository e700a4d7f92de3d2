/*  stream.h - Server-Sent Events on a connection: an exchange that was answered by a stream. */
#ifndef ZC_STREAM_H
#define ZC_STREAM_H

#include "ws/session.h"

/*  The session is a stream from now on. */
void zc_stream_start (zc_session_t *session, zc_exchange_t *exchange);

/*  The session is a stream that another process has begun. */
void zc_stream_adopt (zc_session_t *session, bool chunked, uint32_t unheard);

#endif
