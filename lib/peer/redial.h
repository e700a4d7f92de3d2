/*  redial.h - a ZeroMQ connection that is made anew where ZeroMQ has given it up.
 *
 *  ZeroMQ comes back by itself after a connection that can't be made, or breaks. But where the
 * other side broke the protocol, such as another program that had the port for a while, it ends the
 *  session for good, and no event says so: the socket is deaf from then on. */
#ifndef ZC_REDIAL_H
#define ZC_REDIAL_H

#include <stdbool.h>
#include <stdint.h>

/*  A peer whose machine or network is gone is noticed within seconds, by TCP. ZMTP's heartbeats
 * must not be used: where one is due while the socket's queue is full, as a slow reader's is,
 * libzmq 4.3.4 ends in an assertion (libzmq's issues 3937, 4364). That a peer stands still is for
 * its answers to tell. */
void zc_keepalive (void *socket);

/*  Whether the endpoint's host is a name, which may stand for addresses of IPv4 and of IPv6. */
bool zc_endpoint_named (const char *endpoint);
/*  Before the socket is connected or bound: of which family the address is to be. What is written
 *  as an address has its own. A name is looked up by ZeroMQ, which takes the first address of one
 *  family only: so attempts go by turns, that of an even number for IPv4. */
void zc_endpoint_family (void *socket, const char *endpoint, unsigned attempt);

#define ZC_REDIAL_MS 5000 /* without a sign of life; ZeroMQ tries every second or two */

typedef struct {
    void *socket;     /* borrowed */
    char *endpoint;   /* owned */
    uint64_t due_ms;  /* monotonic: when to do something about it */
    unsigned attempt; /* by which a name's family is chosen */
    bool named;
    bool good;  /* this attempt came to something: the next one is for the same family */
    bool apart; /* disconnected, and not yet connected again */
} zc_redial_t;

/*  Connects in the background, beginning with the attempt of that number (0, where there was none
 *  before). Returns 0, or -1 with errno where the endpoint is malformed; to be
 *  cleared in either case. */
int zc_redial_connect (zc_redial_t *self, void *socket, const char *endpoint, unsigned attempt);
void zc_redial_clear (zc_redial_t *self);

/*  A sign of life, or the end of a connection that has lived until now. */
void zc_redial_good (zc_redial_t *self);
/*  The connection is of no use, whatever ZeroMQ takes it for. */
void zc_redial_now (zc_redial_t *self);
/*  To be called again and again while there is no connection, also soon after zc_redial_timeout:
 *  makes it anew where it is time to. What waits in the socket's queue is lost; subscriptions stay.
 */
void zc_redial_try (zc_redial_t *self);
/*  Milliseconds until it is time. */
long zc_redial_timeout (const zc_redial_t *self);

#endif
