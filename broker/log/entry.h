/*  entry.h - what Redis says about the log: entries of the Stream, answers of the script
 *  (script.lua), and the server's own state. No I/O: trees of hiredis in, values out. Anybody can
 *  write into the Stream, so these functions assume nothing about a reply's form.
 *
 *  Slices are borrowed from the reply. */
#ifndef ZC_LOG_ENTRY_H
#define ZC_LOG_ENTRY_H

#include <hiredis/hiredis.h>
#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/wire/id.h"

#define ZC_LOG_RUN_MAX 64   /* bytes of a server's run_id */
#define ZC_LOG_NAME_SIZE 64 /* bytes of a message's name and digest, as zc_log_name writes them */

typedef enum {
    ZC_ENTRY_FOREIGN, /* not written by the script */
    ZC_ENTRY_MESSAGE,
    ZC_ENTRY_EPOCH, /* the log went on after a failover */
} zc_entry_kind_t;

typedef struct {
    zc_entry_kind_t kind;
    zc_id_t id;
    uint64_t number;    /* one more than that of the entry before */
    bool lost;          /* EPOCH: messages before it may be lost */
    zc_slice_t head;    /* MESSAGE: broker, sequence, topic and headers: zc_log_head_write;
                           EPOCH: what the script wrote */
    zc_slice_t broker;  /* the name of the broker that has added it */
    uint64_t sequence;  /* that broker's number of the message */
    zc_slice_t topic;   /* not checked */
    zc_slice_t headers; /* not checked */
    zc_slice_t payload;
} zc_log_entry_t;

/*  Writes the head of a message's entry. */
void zc_log_head_write (zc_buf_t *out, const char *broker, uint64_t sequence, zc_slice_t topic,
                        zc_slice_t headers);
/*  Names a message (by its topic and the publisher's id or key) and its content (by event and
 *  payload): two digests of 32 hexadecimal digits, the same at every broker. No NUL is added. */
void zc_log_name (char out[ZC_LOG_NAME_SIZE], zc_slice_t topic, zc_slice_t key, zc_slice_t event,
                  zc_slice_t payload);

/*  The entries of a reply to XREAD of one Stream; *count is 0 if there are none. NULL if the reply
 *  is no such reply. */
const redisReply *zc_log_entries (const redisReply *reply, size_t *count);
/*  The entry of that index. Returns 0; or -1 if it is no entry of a Stream. An id that can't be a
 *  position is FOREIGN, and `id` is the last position before it. `*raw`: the id as it is. */
int zc_log_entry_parse (zc_log_entry_t *self, const redisReply *entries, size_t index,
                        zc_slice_t *raw);

/*  Requests to the script. */
typedef enum {
    ZC_LOG_NOTHING,
    ZC_LOG_JOIN,
    ZC_LOG_APPEND,
    ZC_LOG_RESTORE,
    ZC_LOG_EPOCH,
    ZC_LOG_LEAVE,
    ZC_LOG_VERBS,
} zc_log_verb_t;

typedef enum {
    ZC_LOG_OK,
    ZC_LOG_GONE,     /* there is no log: join it */
    ZC_LOG_RUN,      /* the log was on another server */
    ZC_LOG_LOST,     /* the log lacks what the broker has read */
    ZC_LOG_BATCH,    /* the batch isn't the next one */
    ZC_LOG_WAIT,     /* other brokers may still put entries back */
    ZC_LOG_TYPE,     /* a key is of another type */
    ZC_LOG_STRANGE,  /* the Stream isn't a log of zcast */
    ZC_LOG_VERSION,  /* another version's log */
    ZC_LOG_SETTINGS, /* the log has other limits */
    ZC_LOG_FUTURE,   /* its last position is far ahead of the server's clock */
    ZC_LOG_NONSENSE, /* the reply is no answer of the script */
    ZC_LOG_STATUSES,
} zc_log_status_t;

typedef struct {
    zc_log_status_t status;
    zc_slice_t detail; /* a refusal: the other's value; APPEND: see zc_log_told_next */
    zc_slice_t line, run;
    uint64_t number; /* of the last entry; APPEND: after the batch */
    zc_id_t last;    /* the last position */
    bool placed;     /* JOIN: the log has the broker's last entry: `place` is its number */
    uint64_t place;
    zc_id_t before; /* JOIN: the position and number before the log's first entry */
    uint64_t before_number;
    uint64_t batch;   /* JOIN: this broker's last batch */
    uint64_t wait_ms; /* WAIT */
} zc_log_answer_t;

void zc_log_answer_parse (zc_log_answer_t *self, zc_log_verb_t verb, const redisReply *reply);

/*  A message of a batch that wasn't appended, since its name was published before. */
typedef struct {
    uint64_t index; /* within the batch */
    bool conflict;  /* with other content */
    zc_id_t id;     /* of the earlier message */
} zc_log_told_t;
/*  Takes the next one off an APPEND's detail. Returns 1; 0 at the end; -1 if it is malformed. */
int zc_log_told_next (zc_slice_t *detail, zc_log_told_t *told);

/*  From a reply to INFO. */
typedef struct {
    zc_slice_t run, role, policy, version; /* empty: not told */
} zc_log_server_t;
/*  Returns NULL, or a sentence that says why the log can't be on this server. */
const char *zc_log_server_parse (zc_log_server_t *self, const redisReply *reply);

#endif
