/*  flow.h - the interface between the order of messages and the dialogue on control: broker.c
 *  owns it, and gives messages their order; dialogue.c answers requests, and publishes through
 *  it. */
#ifndef ZC_FLOW_H
#define ZC_FLOW_H

#include "broker/backlog.h"
#include "broker/dedup.h"
#include "broker/gate.h"
#include "broker/history/history.h"
#include "broker/instructions.h"
#include "broker/stats.h"

typedef struct zc_flow zc_flow_t;
struct zc_flow {
    zc_gate_t *gate;
    zc_backlog_t *backlog; /* of the subscribers */
    zc_history_t *history;
    zc_topics_t *topics;
    zc_dedup_t *dedup;
    zc_stats_t *stats;
    zc_instructions_t *instructions;
    zc_line_t instructed; /* the line of their numbers */
    zc_broker_figures_t *counters;
    size_t max_payload; /* bytes */
    zc_id_t last;       /* the last position given */
    zc_id_t head;       /* the last position delivered */
    zc_id_t dropped;    /* up to here a subscriber may have lost messages to its full queue */
    uint64_t wall_ms, mono_ms; /* the clocks, read once a turn of the loop */
    uint64_t started_ms;       /* monotonic: `dedup` has what was published since */

    /*  Whether the message was published before, within the window: then *id is its position. */
    zc_seen_t (*seen) (zc_flow_t *self, const zc_message_t *message, zc_id_t *id);
    /*  Orders and keeps a message that `seen` has just found to be new. Takes the frames. `headers`
     *  lies in a frame that lives until the return. `origin` (may be NULL) comes back with the item
     *  in zc_dialogue_settled. */
    void (*publish) (zc_flow_t *self, zmq_msg_t *topic, zmq_msg_t *payload,
                     const zc_message_t *message, zc_slice_t headers, void *origin);

    /*  With a log; else false and NULL. */
    /*  Adds an instruction (copied) to the log: zc_dialogue_instructed or zc_dialogue_failed is
     *  called with the origin. */
    void (*instruct) (zc_flow_t *self, const zc_instruction_t *instruction, void *origin);
    bool behind;                    /* what was in the log when the broker started isn't here yet */
    uint64_t heard_ms;              /* all that the log had at this time (mono_ms) is delivered */
    bool (*full) (zc_flow_t *self); /* so much waits for the log that no more is taken */
    /*  Positions up to this one were given. From now on they are given after it. `lost`: messages
     *  up to it are missing here. */
    void (*raise) (zc_flow_t *self, zc_id_t id, bool lost);
    /*  Adds to STATS. */
    void (*tell) (zc_flow_t *self, json_t *json);
};

#endif
