/*  state.h - a broker's part in the log, without I/O: which messages wait to be appended, what the
 *  script is to be asked next, how far the log has been read, and what follows from the answers.
 *
 *  A message waits from zc_log_state_publish until it is read back, or its name was published
 *  before, or (if somebody waits for its answer) its time is over. One request to the script is
 *  under way at a time. Reading goes on independently of it. */
#ifndef ZC_LOG_STATE_H
#define ZC_LOG_STATE_H

#include <zmq.h>
#include "broker/log/entry.h"

#define ZC_LOG_VERSION_TEXT "2" /* of the form of the log's state */
/*  Words of a request that its sender sets: EVALSHA, the script's hash, 5 and five keys. */
#define ZC_LOG_WORDS_BEFORE 8

typedef struct zc_log_state zc_log_state_t;

typedef struct {
    const char *broker;   /* this broker's name, without blanks; no other broker ever has it */
    const char *settings; /* what all brokers of the log have in common, in words */
    uint64_t dedup_window_ms, dedup_max, messages, age_ms, bytes; /* the log's limits */
    size_t waiting_max;                                           /* bytes of messages that wait */
    size_t kept_max;     /* bytes of messages that are kept after reading, to be put back */
    uint64_t timeout_ms; /* for which a message with an origin waits */
    void *arg;
    /*  A message or an epoch was read. `payload` (MESSAGE) can be taken; `origin`: of a message
     * that this broker has appended. */
    void (*read) (void *arg, const zc_log_entry_t *entry, zmq_msg_t *payload, void *origin);
    /*  The message wasn't appended: that at `id`, which was read, has its name. */
    void (*told) (void *arg, void *origin, zc_id_t id, bool conflict);
    /*  The message's time is over. It may be appended all the same. */
    void (*failed) (void *arg, void *origin);
    /*  Up to here, messages may be missing on any topic. */
    void (*lost) (void *arg, zc_id_t upto);
} zc_log_state_config_t;

/*  The strings are borrowed for the state's life. */
zc_log_state_t *zc_log_state_new (const zc_log_state_config_t *config);
/*  Sets the hooks, before anything is read. */
void zc_log_state_listen (zc_log_state_t *self, const zc_log_state_config_t *hooks);
/*  Frees the messages that wait; their origins are given to `failed`. */
void zc_log_state_destroy (zc_log_state_t **self_p);
/*  Before the first join: the line of the broker's positions; the position up to which the broker
 *  has everything of it (ZC_ID_NONE: it has nothing); the last position that may have been given.
 */
void zc_log_state_begin (zc_log_state_t *self, zc_slice_t line, zc_id_t complete, zc_id_t given);

/*  Takes the payload. `name`: of zc_log_name; or empty. */
void zc_log_state_publish (zc_log_state_t *self, zc_slice_t topic, zmq_msg_t *payload,
                           zc_slice_t headers, zc_slice_t name, void *origin, uint64_t now_ms);
/*  So much waits that no more should be published for now. */
bool zc_log_state_full (const zc_log_state_t *self);
size_t zc_log_state_waiting (const zc_log_state_t *self);
/*  What is published from now on is to come after this position. `lost`: messages up to it are
 *  missing, and nobody has them. */
void zc_log_state_raise (zc_log_state_t *self, zc_id_t id, bool lost);

/*  The connection for requests stands, with the server of this run_id, or it doesn't (empty). */
void zc_log_state_connected (zc_log_state_t *self, zc_slice_t run);
/*  A request: the verb, and all of its words. Borrowed until the next call. */
typedef struct {
    zc_log_verb_t verb;
    size_t count;
    const char **words; /* the first ZC_LOG_WORDS_BEFORE are the sender's */
    size_t *lengths;
} zc_log_request_t;
/*  The next request to send. False if there is none now. */
bool zc_log_state_next (zc_log_state_t *self, uint64_t now_ms, zc_log_request_t *request);
/*  The last request, when the broker ends. False where it can't be made now. */
bool zc_log_state_leave (zc_log_state_t *self, zc_log_request_t *request);
/*  The verb of the request under way. */
zc_log_verb_t zc_log_state_asked (const zc_log_state_t *self);
void zc_log_state_answered (zc_log_state_t *self, const zc_log_answer_t *answer, uint64_t now_ms);
/*  Gives up messages whose time is over. */
void zc_log_state_tick (zc_log_state_t *self, uint64_t now_ms);
/*  In how many milliseconds zc_log_state_next or zc_log_state_tick may have something to do. */
long zc_log_state_wait_ms (const zc_log_state_t *self, uint64_t now_ms);

/*  Reading. Whether the server of this run_id can be asked for entries, and after which position.
 */
bool zc_log_state_reads (const zc_log_state_t *self, zc_slice_t run, zc_id_t *after);
/*  An entry came. */
void zc_log_state_entry (zc_log_state_t *self, const zc_log_entry_t *entry, uint64_t wall_ms);
/*  There was nothing to read. `asked`: zc_log_state_joins when the request was sent. */
void zc_log_state_nothing (zc_log_state_t *self, uint64_t asked);
uint64_t zc_log_state_joins (const zc_log_state_t *self);

/*  The first join has come back. */
bool zc_log_state_joined (const zc_log_state_t *self);
/*  All that was in the log at the first join has been read. */
bool zc_log_state_caught_up (const zc_log_state_t *self);
/*  The log's line, once joined. */
zc_slice_t zc_log_state_line (const zc_log_state_t *self);
/*  Why the script refuses, in words; NULL if it doesn't. *status (may be NULL) is the reason. */
const char *zc_log_state_complaint (const zc_log_state_t *self, zc_log_status_t *status);
/*  Whether messages are appended. */
bool zc_log_state_open (const zc_log_state_t *self);

typedef struct {
    uint64_t number;   /* of the last entry read */
    uint64_t foreign;  /* entries that weren't ours */
    uint64_t jumps;    /* times that numbers showed a loss */
    uint64_t epochs;   /* epochs that this broker began */
    uint64_t failed;   /* messages whose time was over */
    uint64_t restored; /* messages that were put back */
} zc_log_state_figures_t;
zc_log_state_figures_t zc_log_state_figures (const zc_log_state_t *self);

#endif
