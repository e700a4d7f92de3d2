/*  late.h - FETCHes after a position that the broker hasn't reached yet: each waits a moment for
 *  it. Without a line, nobody knows whether the position is one: it isn't, if the log has been read
 *  since the request came. */
#ifndef ZC_LATE_H
#define ZC_LATE_H

#include "broker/outbox.h"

#define ZC_LATE_MS 1000

typedef struct zc_late zc_late_t;

/*  `reached`: the broker has reached the position, or nobody has given it; the request is borrowed
 *  for the call. `behind`: neither, within ZC_LATE_MS. */
typedef struct {
    void *arg;
    void (*reached) (void *arg, const zc_route_t *route, const zc_ask_t *request);
    void (*behind) (void *arg, const zc_route_t *route);
} zc_late_hooks_t;

zc_late_t *zc_late_new (const zc_late_hooks_t *hooks);
void zc_late_destroy (zc_late_t **self_p);
/*  Takes a FETCH after a position (copied). False if too many wait. */
bool zc_late_add (zc_late_t *self, const zc_route_t *route, const zc_ask_t *request,
                  uint64_t now_ms);
/*  Calls the hooks for those whose time has come. `heard_ms`: all that the log had then is there.
 */
void zc_late_turn (zc_late_t *self, zc_id_t head, uint64_t heard_ms, uint64_t now_ms);

#endif
