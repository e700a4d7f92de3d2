/*  session.h - one connection of zcast-ws, from accept to close.
 *
 *  session.c    its life: reading, sending, keep-alive, the ways to close
 *  handshake.c  the answer to its request head
 *  talk.c       what it says once it is open
 *
 *  Each state has a timeout (lib/base/timeouts.h), so a session needs no timer of its own. */
#ifndef ZC_SESSION_H
#define ZC_SESSION_H

#include <sys/queue.h>
#include <uv.h>

#include "lib/engine/client.h"
#include "lib/base/limit.h"
#include "ws/head.h"
#include "ws/receiver.h"
#include "ws/server.h"

typedef enum {
    ZC_SESSION_HEAD,    /* its request head isn't complete */
    ZC_SESSION_OPEN,    /* heard of lately */
    ZC_SESSION_PINGED,  /* silent for so long that it was asked for a sign of life */
    ZC_SESSION_CLOSING, /* our close frame, or the answer that refuses it, is on its way */
    ZC_SESSION_CLOSED,  /* waits to be released */
} zc_session_state_t;

typedef enum { ZC_MODE_RAW, ZC_MODE_V1, ZC_MODE_ECHO } zc_session_mode_t;

typedef struct {
    zc_head_t head;
    zc_buf_t bytes; /* owned: what has come of it */
} zc_handshake_t;

typedef struct zc_publish zc_publish_t;

struct zc_session {
    zc_client_t client;                 /* the engine's; must be first */
    zc_timeout_t timeout;               /* of its state */
    zc_server_t *server;                /* borrowed */
    zc_handshake_t *handshake;          /* owned; NULL once it is answered */
    zc_receiver_t *receiver;            /* owned; NULL between messages */
    char *address;                      /* owned; what its connections are counted by, or NULL */
    char *last_id;                      /* owned; where its first subscription resumes, or NULL */
    LIST_HEAD (, zc_publish) publishes; /* not yet answered by the broker */
    zc_bucket_t bucket;                 /* of its messages */
    uint16_t publishing;                /* length of publishes */
    uint8_t state;                      /* zc_session_state_t */
    uint8_t mode;                       /* zc_session_mode_t */
    uint8_t events;                     /* that its socket is watched for */
    bool want_write : 1;                /* the engine waits for the socket */
    bool deaf : 1;                      /* what it still sends is passed over */
    bool said_close : 1;                /* its close frame has come */
    bool shut : 1;                      /* nothing more will be written */
    bool deflate : 1;                   /* permessage-deflate was negotiated */
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

/*  handshake.c: takes more bytes of the head; answers it when it is complete or bad. */
void zc_handshake_read (zc_session_t *self, const uint8_t *bytes, size_t len);
/*  Answers with an HTTP error and closes. */
void zc_handshake_refuse (zc_session_t *self, int status, const char *reason);
void zc_handshake_destroy (zc_handshake_t **self_p);

/*  talk.c: a zc_receiver_fn; arg is the session. */
unsigned zc_talk_frame (void *arg, unsigned opcode, const uint8_t *data, size_t len);
/*  The session is gone; answers to its publishes are passed over. */
void zc_talk_forget (zc_session_t *self);

#endif
