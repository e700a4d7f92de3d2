/*  health.h - the doors by which a load balancer or an orchestrator checks a process.
 *
 *  GET /live: 200 while this process's loop runs.
 *
 *  GET /ready: 200 if a message that this process published came back to it through broker, feed
 *  and pump, just now or within the last second; else 503. So a process can't look healthy while no
 *  message arrives.
 *
 *  The message is called the canary. Its topic begins with ZC_CANARY_TOPIC: history keeps nothing
 *  of it, and no door lets a client publish to it or read it. In one process, at most one canary is
 *  under way, and at most one starts in a second. */
#ifndef ZC_HEALTH_H
#define ZC_HEALTH_H

#include "lib/front/front.h"

extern const zc_door_t zc_door_live, zc_door_ready;

/*  For a drain, and for the end: the canary leaves, and clients that wait for it are told so. */
void zc_health_rest (zc_front_t *front);

#endif
