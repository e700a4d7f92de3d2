/*  talk.h - the messages of a WebSocket's client, and the answers. */
#ifndef ZC_TALK_H
#define ZC_TALK_H

#include "ws/session.h"

/*  The session is a WebSocket from now on. */
void zc_talk_start (zc_session_t *session, zc_session_mode_t mode, bool deflate);

#endif
