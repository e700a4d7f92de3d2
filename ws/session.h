/*  session.h - one connection of zcast-ws, from accept to close: its socket, its state and timeout,
 *  what is sent on it. Protocols are above it: http.h, stream.h, and talk.h with websocket.h.
 *
 *  Each state has a timeout (lib/base/timeouts.h), so a session needs no timer of its own. */
#ifndef ZC_SESSION_H
#define ZC_SESSION_H

#include "lib/base/limit.h"
#include "lib/engine/client.h"
#include "ws/publishes.h"
#include "ws/receiver.h"
#include "ws/shared.h"

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
typedef struct zc_session zc_session_t;

/*  The protocol that a connection speaks: HTTP at first, then perhaps a stream or a WebSocket. */
typedef struct {
    /*  Bytes that have come. */
    void (*take) (zc_session_t *self, const uint8_t *bytes, size_t len);
    /*  The client sends no more. */
    void (*take_end) (zc_session_t *self);
    /*  The client has taken something that was sent to it. NULL: nothing to do. */
    void (*resume) (zc_session_t *self);
    /*  The client isn't read for now. NULL: it always is. */
    bool (*is_full) (const zc_session_t *self);
    /*  The timeout of its state is over. */
    void (*expire) (zc_session_t *self);
    /*  Its token has expired. */
    void (*revoke) (zc_session_t *self);
    /*  The daemon stops: the client is told to come back. */
    void (*restart) (zc_session_t *self);
    /*  Frees what the protocol keeps of the session. NULL: nothing. */
    void (*release) (zc_session_t *self);
} zc_protocol_t;

struct zc_session {
    zc_client_t client;            /* the engine's; must be first */
    zc_timeout_t timeout;          /* of its state */
    zc_server_t *server;           /* borrowed */
    const zc_protocol_t *protocol; /* the one it speaks now */
    zc_http_t *http;               /* http.c's; NULL while there is no request */
    zc_receiver_t *receiver;       /* talk.c's; NULL between messages */
    zc_publishes_t *publishes;     /* owned; NULL before the first one */
    char *address;                 /* owned; what its connections are counted by, or NULL */
    char *peer;                    /* owned; for whom a proxy has made it, or NULL */
    zc_rights_t *rights;           /* owned; NULL: anyone's */
    char *last_id;                 /* owned; where its first subscription resumes, or NULL */
    zc_bucket_t bucket;            /* of its messages */
    uint32_t unheard;              /* bytes that came behind the request of a stream */
    uint8_t state;                 /* zc_session_state_t */
    uint8_t mode;                  /* zc_session_mode_t */
    uint8_t events;                /* that its socket is watched for */
    bool want_write : 1;           /* the engine waits for the socket */
    bool deaf : 1;                 /* what it still sends is passed over */
    bool said_close : 1;           /* its close frame has come */
    bool shut : 1;                 /* nothing more will be written */
    bool deflate : 1;              /* permessage-deflate was negotiated */
    bool chunked : 1;              /* its stream goes in chunks */
    bool stays : 1;                /* it is among the front's clients */
    bool proxied : 1;              /* it begins with the PROXY protocol */
};

/*  Takes an accepted, non-blocking socket, and closes it in the end. Returns NULL where it can't be
 *  watched: it is closed then. */
zc_session_t *zc_session_new (zc_server_t *server, int fd, const zc_protocol_t *protocol);
/*  For the server's watch: its socket is ready; it is over, and is freed. */
void zc_session_ready (void *session, int events);
void zc_session_release (void *session);
/*  Closes its socket now. Its memory stays until it is released, so callers up the stack can still
 *  read its state. */
void zc_session_drop (zc_session_t *self);
/*  Hands bytes that have come to its protocol. */
void zc_session_take (zc_session_t *self, const uint8_t *bytes, size_t len);

/*  Sends what is waiting, as far as the socket takes it. The session may be closed afterwards. */
void zc_session_flush (zc_session_t *self);
/*  Its state is this one from now on, with its timeout. */
void zc_session_enter (zc_session_t *self, zc_session_state_t state);
/*  Takes it out of the hub; bytes that wait for it are kept. */
void zc_session_leave_hub (zc_session_t *self);
/*  Writes the name that logs use: the peer, and the client for whom it is a proxy. */
void zc_session_name (const zc_session_t *self, char *text, size_t size);
/*  The exchange's address is counted, and its rights hold, for as long as the session lives. */
void zc_session_take_over (zc_session_t *self, zc_exchange_t *exchange);
/*  The client leaves so much unread that it is answered nothing more for now. */
bool zc_session_is_stuffed (const zc_session_t *self);

#endif
