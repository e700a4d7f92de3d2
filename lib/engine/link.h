/*  link.h - a worker's connections to the broker on a libuv loop: SUB for messages, control for
 *  answers, and a monitor that reports every reconnect before the first message after it. */
#ifndef ZC_LINK_H
#define ZC_LINK_H

#include <uv.h>
#include "lib/peer/control.h"
#include "lib/engine/hub.h"
#include "lib/engine/pump.h"

typedef struct zc_link zc_link_t;

typedef struct {
    const char *subscribe; /* the broker's XPUB endpoint, or those of several (places.h) */
    const char *control;   /* the broker's ROUTER endpoint, or as many */
    int hwm;               /* messages queued on SUB; default 10000 */
} zc_link_config_t;

/*  NULL with an errno where an endpoint is malformed. A broker that isn't there is retried for
 *  ever. The hub is attached with zc_link_attach before the loop runs. */
zc_link_t *zc_link_new (uv_loop_t *loop, const zc_link_config_t *config);
void zc_link_attach (zc_link_t *self, zc_hub_t *hub, zc_pump_t *pump);
void zc_link_destroy (zc_link_t **self_p);

const zc_upstream_t *zc_link_upstream (zc_link_t *self);
/*  Sends a PUBLISH or STATS request, as zc_control_request does; `fn` is called in any case. */
uint64_t zc_link_publish (zc_link_t *self, const zc_ask_t *ask, unsigned timeout_ms,
                          zc_control_fn fn, void *arg);
/*  Whether there are several brokers, which have one log. */
bool zc_link_several (const zc_link_t *self);
/*  Bytes of the largest payload that the broker takes; SIZE_MAX where it hasn't said so. */
size_t zc_link_max_payload (const zc_link_t *self);
/*  Sends a short request. Returns its number; or 0, and then `fn` isn't called. */
uint64_t zc_link_ask (zc_link_t *self, const zc_ask_t *ask, zc_control_fn fn, void *arg);
/*  Leaves figures for STATS (copied). */
void zc_link_report (zc_link_t *self, zc_slice_t name, zc_slice_t json, zc_control_fn fn,
                     void *arg);
/*  Milliseconds since the broker last answered a SYNC, or since the link was made. */
uint64_t zc_link_synced_ms (const zc_link_t *self);
/*  To be called several times a second: gives up requests whose time is over. */
void zc_link_tick (zc_link_t *self);
bool zc_link_connected (const zc_link_t *self);
uint64_t zc_link_malformed (const zc_link_t *self);

#endif
