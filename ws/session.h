/*  session.h - one connection of zcast-ws, from accept to close.
 *
 *  session.c    its life: reading, sending, keep-alive, the ways to close
 *  http.c       the requests that come on it, and the answers
 *  handshake.c  the doors behind which it becomes a WebSocket
 *  talk.c       what it says once it is one
 *
 *  Each state has a timeout (lib/base/timeouts.h), so a session needs no timer of its own. */
#ifndef ZC_SESSION_H
#define ZC_SESSION_H

#include <sys/queue.h>
#include <uv.h>

#include "lib/engine/client.h"
#include "lib/base/limit.h"
#include "lib/front/keeper.h"
#include "ws/receiver.h"
#include "ws/server.h"

typedef enum {
    ZC_SESSION_HEAD,    /* its first request isn't complete, or the next one, which has begun */
    ZC_SESSION_WAITING, /* its request is complete, and isn't answered */
    ZC_SESSION_KEPT,    /* between two requests */
    ZC_SESSION_STREAM,  /* Server-Sent Events */
    ZC_SESSION_OPEN,    /* a WebSocket, heard of lately */
    ZC_SESSION_PINGED,  /* one that was silent for so long that it was asked for a sign of life */
    ZC_SESSION_CLOSING, /* our close frame, or the last answer, is on its way */
    ZC_SESSION_CLOSED,  /* waits to be released */
} zc_session_state_t;

typedef enum { ZC_MODE_RAW, ZC_MODE_V1, ZC_MODE_ECHO } zc_session_mode_t;

typedef struct zc_http zc_http_t;
typedef struct zc_publish zc_publish_t;

struct zc_session {
    zc_client_t client;                 /* the engine's; must be first */
    zc_timeout_t timeout;               /* of its state */
    zc_server_t *server;                /* borrowed */
    zc_http_t *http;                    /* owned; NULL while there is no request */
    zc_receiver_t *receiver;            /* owned; NULL between messages */
    char *address;                      /* owned; what its connections are counted by, or NULL */
    char *peer;                         /* owned; for whom a proxy has made it, or NULL */
    zc_rights_t *rights;                /* owned; NULL: anyone's */
    char *last_id;                      /* owned; where its first subscription resumes, or NULL */
    LIST_HEAD (, zc_publish) publishes; /* not yet answered by the broker */
    zc_bucket_t bucket;                 /* of its messages */
    uint32_t unheard;                   /* bytes that came behind the request of a stream */
    uint16_t publishing;                /* length of publishes */
    uint8_t state;                      /* zc_session_state_t */
    uint8_t mode;                       /* zc_session_mode_t */
    uint8_t events;                     /* that its socket is watched for */
    bool want_write : 1;                /* the engine waits for the socket */
    bool deaf : 1;                      /* what it still sends is passed over */
    bool said_close : 1;                /* its close frame has come */
    bool shut : 1;                      /* nothing more will be written */
    bool deflate : 1;                   /* permessage-deflate was negotiated */
    bool chunked : 1;                   /* its stream goes in chunks */
    bool proxied : 1;                   /* it begins with the PROXY protocol */
};

/*  Takes an accepted, non-blocking socket, and closes it in the end. */
void zc_session_new (zc_server_t *server, int fd);
/*  For the server's watch: its socket is ready; it is over, and is freed. */
void zc_session_ready (void *session, int events);
void zc_session_release (void *session);
/*  Closes its socket now. Its memory stays until it is released, so callers up the stack can still
 *  read its state. */
void zc_session_drop (zc_session_t *self);
/*  Bytes that have come from it. */
void zc_session_take (zc_session_t *self, const uint8_t *bytes, size_t len);
/*  Its state's timeout is over. */
void zc_session_expire (zc_session_t *self);

/*  Sends a close frame, and waits for the client's. Does nothing where it closes already. `reason`
 *  is for the client and the log. */
void zc_session_close (zc_session_t *self, unsigned code, const char *reason);
/*  For `stop`: tells a client of zcast.v1 when to come back, then closes with 1012. */
void zc_session_restart (zc_session_t *self);

/*  Sends a frame as soon as the one that was begun is finished; none after a close frame. */
void zc_session_send (zc_session_t *self, unsigned opcode, const void *payload, size_t len);
/*  Sends what is waiting, as far as the socket takes it. The session may be closed afterwards. */
void zc_session_flush (zc_session_t *self);
/*  Its state is this one from now on, with its timeout. */
void zc_session_enter (zc_session_t *self, zc_session_state_t state);
/*  Takes it out of the hub; bytes that wait for it are kept. */
void zc_session_leave_hub (zc_session_t *self);
/*  What its messages are sent in. */
const zc_encoding_t *zc_session_encoding (const zc_session_t *self);
/*  What logs call it: the peer, and for whom a proxy speaks. */
void zc_session_name (const zc_session_t *self, char *text, size_t size);

/*  An exchange that came on it is answered by a stream: it is one from now on. */
void zc_session_start_stream (zc_session_t *self, zc_exchange_t *exchange);
/*  The exchange's address is counted, and its rights hold, for as long as the session lives. */
void zc_session_take_over (zc_session_t *self, zc_exchange_t *exchange);
/*  The client leaves so much unread that it is answered nothing more for now. */
bool zc_session_is_stuffed (const zc_session_t *self);

/*  handshake.c: WebSocket, and its echo for conformance tests. */
extern const zc_door_t zc_door_ws, zc_door_echo;

/*  talk.c: a zc_receiver_fn; arg is the session. */
unsigned zc_talk_frame (void *arg, unsigned opcode, const uint8_t *data, size_t len);
/*  The session is gone; answers to its publishes are passed over. */
void zc_talk_forget (zc_session_t *self);

#endif
