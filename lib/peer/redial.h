/*  redial.h - makes a ZeroMQ connection anew where ZeroMQ has given it up.
 *
 *  ZeroMQ reconnects by itself after a connection that can't be made, or breaks. But where the
 *  other side broke the protocol, such as another program that used the port for a while, ZeroMQ
 *  ends the session for good without an event: the socket is deaf from then on. */
#ifndef ZC_REDIAL_H
#define ZC_REDIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/peer/monitor.h"

/*  Makes TCP notice within seconds that a peer's machine or network is gone. ZMTP's heartbeats
 *  must not be used: where one is due while the socket's queue is full, as a slow reader's is,
 *  libzmq 4.3.4 fails an assertion (libzmq's issues 3937, 4364). A peer that stands still shows
 *  by its missing answers. */
void zc_keepalive (void *socket);

/*  Makes TCP give up after so many milliseconds in which a peer took nothing, or too slowly, of
 * what it was sent; TCP itself would try for a quarter of an hour. Not for a socket that sends
 * much: whether bytes move says more there (zc_monitor_quiet_ms). To be called before the socket is
 * connected. */
void zc_give_up_sending (void *socket, int ms);
#define ZC_SUB_UNANSWERED_MS 30000 /* for subscriptions: some megabytes over a narrow tunnel */

/*  Whether the endpoint's host is a name, which may have IPv4 and IPv6 addresses. */
bool zc_endpoint_named (const char *endpoint);
/*  Sets the address family of a socket before it is connected or bound. An endpoint with an
 *  address has that address's family. ZeroMQ looks a name up, and takes the first address of one
 *  family only: so attempts take turns, and attempts with an even number take IPv4. */
void zc_endpoint_family (void *socket, const char *endpoint, unsigned attempt);

#define ZC_REDIAL_MS 5000 /* ms without a sign of life; ZeroMQ itself tries every second or two */

typedef struct {
    void *socket;     /* borrowed */
    char *endpoint;   /* owned */
    char *next;       /* the endpoint of the next attempt, if it is another one; owned; or NULL */
    uint64_t due_ms;  /* monotonic ms: when to act */
    unsigned moves;   /* to other endpoints, since a connection worked */
    unsigned attempt; /* its number chooses the family of a name's address */
    bool named;
    bool good;  /* this attempt worked: the next one is for the same family */
    bool apart; /* disconnected, and not yet connected again */
} zc_redial_t;

/*  Connects in the background, beginning with the attempt of that number (0 at first). Returns
 *  0, or -1 with errno where the endpoint is malformed; zc_redial_clear is to be called in
 *  either case. */
int zc_redial_connect (zc_redial_t *self, void *socket, const char *endpoint, unsigned attempt);
void zc_redial_clear (zc_redial_t *self);

/*  The next event of the socket's monitor. While the connection is about to be made anew, the one
 *  before may still come up, and ends without an event: that it is up is passed over. */
zc_monitor_event_t zc_redial_event (const zc_redial_t *self, zc_monitor_t *monitor);
/*  A sign of life has come, or a connection has ended that worked until now. */
void zc_redial_good (zc_redial_t *self);
/*  The connection is useless, whatever ZeroMQ takes it for. */
void zc_redial_now (zc_redial_t *self);
/*  Gives the connection up, and goes on at another endpoint. */
void zc_redial_move (zc_redial_t *self, const char *endpoint);
/*  To be called repeatedly while there is no connection, also soon after zc_redial_timeout:
 *  makes the connection anew when it is time. Messages in the socket's queue are lost;
 *  subscriptions stay. */
void zc_redial_try (zc_redial_t *self);
/*  Milliseconds until zc_redial_try has something to do. */
long zc_redial_timeout (const zc_redial_t *self);

#endif
