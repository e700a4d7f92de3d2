/*  client.h - one connected client: a cursor on a feed, and the hooks of its transport.
 *
 *  A transport embeds zc_client_t as the first member of its connection, and fills in `transport`
 *  and `fd` before it calls zc_hub_join. A client is sent first its private bytes (response head,
 *  verdict, replay, pong), then the feed from `cursor` on. */
#ifndef ZC_CLIENT_H
#define ZC_CLIENT_H

#include <sys/uio.h>
#include "lib/base/buf.h"
#include "lib/base/histogram.h"
#include "lib/base/table.h"
#include "lib/wire/encoding.h"
#include "lib/wire/id.h"

typedef struct zc_client zc_client_t;
typedef struct zc_feed zc_feed_t;
typedef struct zc_channel zc_channel_t;
typedef struct zc_join zc_join_t;

#define ZC_CLIENT_HEAD 8 /* bytes that a transport may put before a run of bytes */

typedef enum {
    ZC_GONE_SLOW,    /* lagged more than max-lag under policy disconnect */
    ZC_GONE_HELD,    /* lagged most when more than max-held was held for all clients */
    ZC_GONE_ERROR,   /* the socket failed (errno during the call is for the log) */
    ZC_GONE_EXPIRED, /* its token has expired */
    ZC_GONE_REVOKED, /* its token was revoked */
    ZC_GONE_DROPPED, /* an operator doesn't want it any more */
} zc_gone_t;

/*  The reason why a client had to go, for logs; NULL for an error, which errno explains. */
const char *zc_gone_reason (zc_gone_t why);
/*  What a client is told before its connection ends. */
typedef struct {
    unsigned status; /* as HTTP's: 401, if another token helps; 429, if the client may come back */
    const char *code;
    const char *text;
} zc_farewell_t;
/*  NULL: it is told nothing. */
const zc_farewell_t *zc_gone_farewell (zc_gone_t why);

typedef struct {
    const char *name; /* "sse", "ws": for logs and stats */
    /*  Sends as much of iov[0..count) as it can without blocking. Returns the bytes taken, not
     *  counting the framing that the transport adds; 0 if the socket would block; -1 if it
     *  failed. */
    long (*write) (zc_client_t *client, const struct iovec *iov, int count);
    /*  Turns the wait for a writable socket on or off. When the socket is writable, the transport
     *  calls zc_pump_writable. */
    void (*want_write) (zc_client_t *client, bool on);
    /*  The client must go; the transport closes it (now or soon) and calls zc_hub_leave. */
    void (*gone) (zc_client_t *client, zc_gone_t why);
    /*  A name for logs: peer address or request. Written into `text` (size bytes). */
    void (*describe) (zc_client_t *client, char *text, size_t size);
    /*  The work of `write` for one run of bytes, in two halves, so that the pump can send to many
     *  clients in one system call. NULL: never.
     *
     *  Before: writes into `head` the bytes that the transport sends ahead of a run of `len` bytes.
     *  Returns their number; or -1 if only `write` will do. */
    int (*begin) (zc_client_t *client, size_t len, uint8_t head[ZC_CLIENT_HEAD]);
    /*  After: the socket took `sent` bytes of that head and run; 0 if it would block. Returns how
     *  many of them were of the run. */
    size_t (*end) (zc_client_t *client, size_t len, size_t sent);
} zc_transport_t;

struct zc_client {
    const zc_transport_t *transport; /* borrowed, static */
    zc_channel_t *channel;           /* NULL before join and after leave */
    const zc_feed_t *feed; /* the feed of the channel, while the client follows it; else NULL */
    zc_buf_t *private_;    /* owned; NULL while there is none */
    zc_join_t *join;       /* join.c's; NULL once it follows the feed */
    uint64_t cursor;       /* position in the feed that it follows */
    size_t waits;          /* slot among the ready clients, or the blocked ones; rounds.c's */
    uint32_t slot;         /* index in the channel's audience; rounds.c's */
    uint32_t private_sent; /* bytes of private_ already sent */
    bool blocked;          /* its socket would block; want_write is on; rounds.c's */
    bool leaving;          /* gone was called */
    uint16_t asked_ms;     /* when it came, in 16 bits; 0: its first byte was sent */
    int fd;                /* the transport's; -1: none */
    zc_node_t named;       /* in the worker's registry; registry.c's */
};

/*  Puts bytes (copied) before everything that the client has not been sent yet, at the next message
 *  boundary. They go out with the pump's next round, or at once by zc_pump_send. */
void zc_client_add (zc_client_t *self, const void *bytes, size_t len);
/*  Bytes that wait to be sent to the client: private ones and the feed's. */
size_t zc_client_lag (const zc_client_t *self);
/*  Of those, the private ones. */
size_t zc_client_private (const zc_client_t *self);
/*  Gives the next bytes to send as one or two runs (borrowed until the client or the feed changes).
 *  Returns the number of runs; 0 if there is nothing to send. */
size_t zc_client_gather (const zc_client_t *self, struct iovec iov[2]);
/*  `len` bytes of the runs that zc_client_gather gave were sent. */
void zc_client_sent (zc_client_t *self, size_t len);
/*  Notes when the client asked to be served, on the monotonic clock, to measure the time until its
 *  first byte. */
void zc_client_asked (zc_client_t *self, uint64_t mono_ms);
/*  The times until the first byte, of all clients of this process; at most a minute can be
 *  measured. */
const zc_histogram_t *zc_client_first_bytes (void);
/*  Frees the private bytes. zc_hub_leave does it too. */
void zc_client_clear (zc_client_t *self);
/*  True when every byte for the client is with the kernel. */
bool zc_client_drained (const zc_client_t *self);
/*  Memory of the private bytes of all clients in this process. */
size_t zc_client_private_bytes (void);

#endif
