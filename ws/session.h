/*  session.h - one connection of zcast-ws, from accept to close: its socket, its state and
 *  timeout, and sending. Protocols are above it: http.h, stream.h, and talk.h with websocket.h.
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
    ZC_SESSION_HEAD,    /* its first request is incomplete, or a later one that has begun */
    ZC_SESSION_WAITING, /* its request is complete, and isn't answered */
    ZC_SESSION_KEPT,    /* between two requests */
    ZC_SESSION_STREAM,  /* Server-Sent Events */
    ZC_SESSION_OPEN,    /* a WebSocket from which something came lately */
    ZC_SESSION_PINGED,  /* a WebSocket that was silent for long, and was sent a ping */
    ZC_SESSION_CLOSING, /* our close frame, or the last answer, is on its way */
    ZC_SESSION_CLOSED,  /* waits to be freed */
} zc_session_state_t;

typedef enum { ZC_MODE_RAW, ZC_MODE_V1, ZC_MODE_ECHO } zc_session_mode_t;

typedef struct zc_http zc_http_t;
typedef struct zc_session zc_session_t;

/*  The protocol that a connection speaks: HTTP at first, then perhaps a stream or a WebSocket. */
typedef struct {
    /*  Handles bytes from the client. */
    void (*take) (zc_session_t *self, const uint8_t *bytes, size_t len);
    /*  The client sends no more. */
    void (*take_end) (zc_session_t *self);
    /*  The client has taken bytes that were sent to it. NULL: nothing to do. */
    void (*resume) (zc_session_t *self);
    /*  Whether the client isn't read for now. NULL: it always is. */
    bool (*is_full) (const zc_session_t *self);
    /*  The timeout of its state is over. */
    void (*expire) (zc_session_t *self);
    /*  It is told why its connection ends. */
    void (*dismiss) (zc_session_t *self, const zc_farewell_t *why);
    /*  The daemon stops: the client is told to come back. */
    void (*restart) (zc_session_t *self);
    /*  Frees the protocol's part of the session. NULL: there is none. */
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
    char *address;       /* owned; the address by which its connections are counted, or NULL */
    char *peer;          /* owned; the client that a proxy names, or NULL */
    char *waits;         /* owned; the address that it counts for until it is a client, or NULL */
    zc_rights_t *rights; /* owned; NULL: of no subject */
    char *last_id;       /* owned; where its first subscription resumes, or NULL */
    zc_bucket_t bucket;  /* of its messages */
    uint32_t unheard;    /* bytes that followed the request of a stream */
    uint8_t state;       /* zc_session_state_t */
    uint8_t mode;        /* zc_session_mode_t */
    uint8_t events;      /* for which its socket is watched */
    bool want_write : 1; /* the engine waits for the socket */
    bool deaf : 1;       /* its bytes are read and dropped */
    bool said_close : 1; /* the client's close frame has come */
    bool shut : 1;       /* nothing more will be written */
    bool deflate : 1;    /* permessage-deflate was negotiated */
    bool chunked : 1;    /* its stream goes in chunks */
    bool stays : 1;      /* it is among the front's clients */
    bool proxied : 1;    /* it begins with the PROXY protocol */
    bool foreign : 1;    /* its client asked by a name that isn't ours */
    bool leaves : 1;     /* for another process, so it isn't read any more */
};

/*  Takes an accepted, non-blocking socket, and closes it in the end. Returns NULL if it can't be
 *  watched; it is closed then. */
zc_session_t *zc_session_new (zc_server_t *server, int fd, const zc_protocol_t *protocol);
/*  For the server's watch: the socket is ready; the session has ended, and is freed. */
void zc_session_ready (void *session, int events);
void zc_session_release (void *session);
/*  Closes its socket here and now; another process may have the connection. Its memory stays until
 * it is released, so callers up the stack can still read its state. */
void zc_session_drop (zc_session_t *self);
/*  It isn't read any more, as another process will. */
void zc_session_hold (zc_session_t *self);
/*  Hands bytes that have come to its protocol. */
void zc_session_take (zc_session_t *self, const uint8_t *bytes, size_t len);

/*  Sends the bytes that wait, as far as the socket takes them. The session may be closed
 *  afterwards. */
void zc_session_flush (zc_session_t *self);
/*  Its state is this one from now on, with its timeout. */
void zc_session_enter (zc_session_t *self, zc_session_state_t state);
/*  Takes it out of the hub; bytes that wait for it are kept. */
void zc_session_leave_hub (zc_session_t *self);
/*  Writes the name that logs use: the peer, and the client for whom it is a proxy. */
void zc_session_name (const zc_session_t *self, char *text, size_t size);
/*  Counts it by `address` until it is a client, unless that is a proxy of ours. False: there are
 *  too many of that address, and it is to be dropped. */
bool zc_session_wait (zc_session_t *self, const char *address);
/*  The exchange's address is counted, and its rights hold, for as long as the session lives. */
void zc_session_take_over (zc_session_t *self, zc_exchange_t *exchange);
/*  The client leaves so much unread that it is answered nothing more for now. */
bool zc_session_is_stuffed (const zc_session_t *self);

#endif
