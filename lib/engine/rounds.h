/*  rounds.h - the clients that are to be sent something next.
 *
 *  An audience is all clients of one feed. It is dirty from the moment when bytes are appended
 *  to the feed until a round has taken it. A round visits all clients of the audiences that were
 *  dirty when it began; it may be left at any point and continued later, while clients come and
 *  go. A client that got bytes of its own outside of its turn is ready. */
#ifndef ZC_ROUNDS_H
#define ZC_ROUNDS_H

#include "lib/base/slots.h"
#include "lib/engine/client.h"

typedef struct zc_rounds zc_rounds_t;

/*  Embedded in the owner of the feed. All zero: there are no clients. Only rounds.c changes it. */
typedef struct {
    zc_client_t **clients; /* owned array; borrowed clients, each of which knows its slot */
    size_t count, cap;
    size_t left;            /* clients [0, left) are still to be flushed in this round */
    size_t dirty, flushing; /* slots: in the list for the next round, and in that of this one */
} zc_audience_t;

/*  `check` is called for a client whose turn it is while its socket would block: it may be too
 *  slow. It may be gone when `check` returns. */
zc_rounds_t *zc_rounds_new (void (*check) (void *arg, zc_client_t *client), void *arg);
void zc_rounds_destroy (zc_rounds_t **self_p);

void zc_audience_add (zc_audience_t *self, zc_client_t *client);
void zc_audience_remove (zc_audience_t *self, zc_client_t *client);
/*  The audience goes away; it has no clients. */
void zc_rounds_forget (zc_rounds_t *self, zc_audience_t *audience);
/*  Bytes were appended to the feed. */
void zc_rounds_add (zc_rounds_t *self, zc_audience_t *audience);
/*  Calls `check` for each client of the audience whose socket would block. */
void zc_rounds_check (zc_rounds_t *self, const zc_audience_t *audience);
/*  The client got bytes of its own. */
void zc_rounds_ready (zc_rounds_t *self, zc_client_t *client);
/*  Whether the client's socket would block. A blocked client isn't ready. */
void zc_rounds_set_blocked (zc_rounds_t *self, zc_client_t *client, bool blocked);
/*  The clients whose sockets would block (borrowed). */
const zc_slots_t *zc_rounds_blocked (const zc_rounds_t *self);
/*  The client goes away; safe where it is in no list. */
void zc_rounds_leave (zc_rounds_t *self, zc_client_t *client);

/*  For the pump. */

bool zc_rounds_dirty (const zc_rounds_t *self);
bool zc_rounds_under_way (const zc_rounds_t *self);
/*  Whether a client is still to be sent something: in this round or the next one, or because it
 *  is ready. */
bool zc_rounds_busy (const zc_rounds_t *self);
void zc_rounds_begin (zc_rounds_t *self);
/*  The next client to send to; NULL at the round's end. */
zc_client_t *zc_rounds_next (zc_rounds_t *self);
/*  A ready client; NULL when none is left. */
zc_client_t *zc_rounds_next_ready (zc_rounds_t *self);

#endif
