/*  shared.h - the services that the parts of one hub share, each behind its own interface. The hub
 *  owns this struct; its parts borrow it. */
#ifndef ZC_SHARED_H
#define ZC_SHARED_H

#include "lib/engine/ages.h"
#include "lib/engine/encoder.h"
#include "lib/engine/held.h"
#include "lib/engine/incidents.h"
#include "lib/engine/questions.h"
#include "lib/engine/rounds.h"
#include "lib/engine/settings.h"
#include "lib/order/losses.h"

typedef struct {
    zc_hub_config_t config;
    zc_hub_stats_t stats;
    uint64_t now_ms; /* of the last tick, wall clock */
    zc_ages_t ages;  /* ages of the messages that were appended since the last round began */
    zc_losses_t losses;
    zc_incidents_t incidents;
    zc_id_t doubt; /* positions of clients before this one may be of another line */
    zc_held_t held;
    zc_questions_t *questions;
    zc_rounds_t *rounds;
    zc_encoder_t *encoder;
    zc_restricts_fn restricts; /* NULL: all topics are for everyone */
    void *restricts_arg;
    zc_id_t restricts_id; /* the message that it was asked for last, */
    bool restricted;      /* and the answer */
} zc_shared_t;

/*  Too much is held, and some of it can be sent: sending comes first. */
static inline bool zc_shared_full (const zc_shared_t *self)
{
    return zc_held_over (&self->held) && zc_rounds_busy (self->rounds);
}

#endif
