/*  health.h - the doors by which a balancer or an orchestrator asks how a process is.
 *
 *  GET /live: this process turns.
 *  GET /ready: a message that this process published came back to it through broker, feed and pump,
 *  just now or within the last second: 200; else 503. "Green, and nothing arrives" can't be.
 *
 *  The canary's topic begins with ZC_CANARY_TOPIC: history keeps nothing of it, and no door lets a
 * client publish to it or read it. At most one is under way in a process, and at most one a second.
 */
#ifndef ZC_HEALTH_H
#define ZC_HEALTH_H

#include "lib/front/front.h"

#define ZC_CANARY_TOPIC "$zcast/"

extern const zc_door_t zc_door_live, zc_door_ready;

/*  For a drain, and the end: the canary leaves, and whoever asks is told so. */
void zc_health_rest (zc_front_t *front);
/*  Whether a topic is zcast's own. */
bool zc_topic_is_canary (zc_slice_t topic);

#endif
