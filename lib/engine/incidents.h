/*  incidents.h - what clients didn't get, and why: a count for each reason, and the last few times
 *  that it happened. Bounded, whatever happens. No I/O. */
#ifndef ZC_INCIDENTS_H
#define ZC_INCIDENTS_H

#include "lib/engine/client.h"

typedef enum {
    /*  Clients that were disconnected. */
    ZC_LOSS_SLOW,  /* by its own limit */
    ZC_LOSS_HELD,  /* by the limit of all */
    ZC_LOSS_ENDED, /* by an operator */
    /*  Gaps that clients were told of. */
    ZC_LOSS_SKIPPED, /* it was slow, and was led to the newest message */
    ZC_LOSS_HISTORY, /* history no longer had the messages */
    ZC_LOSS_UNKNOWN, /* it came with an id that history doesn't know */
    ZC_LOSS_AHEAD,   /* it had a position that the broker hasn't given, or no longer knows */
    ZC_LOSS_LINE,    /* positions went back */
    ZC_LOSS_KINDS,
} zc_loss_t;

typedef struct {
    uint64_t at_ms; /* when it last happened; wall clock */
    uint64_t count; /* of the same kind, on the same topic, one after the other */
    zc_loss_t kind;
    char topic[128], client[64]; /* of the first one; cut off if longer; "": not of one */
} zc_incident_t;

#define ZC_INCIDENTS 20
typedef struct {
    uint64_t counts[ZC_LOSS_KINDS];
    zc_incident_t last[ZC_INCIDENTS]; /* a ring */
    size_t next;                      /* place of the next one */
} zc_incidents_t;

/*  `client` may be NULL, and `topic` empty. The topic may be the name of a selector. */
void zc_incidents_add (zc_incidents_t *self, zc_loss_t kind, uint64_t now_ms, zc_slice_t topic,
                       const zc_client_t *client);
/*  The last one but `back`; NULL: there were no more. */
const zc_incident_t *zc_incidents_last (const zc_incidents_t *self, size_t back);
/*  One word for programs. */
const char *zc_loss_name (zc_loss_t kind);

#endif
