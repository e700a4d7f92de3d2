/*  answer.h - answers on the broker's control endpoint: the broker writes them, everybody else
 *  reads them. ask.h has the requests. No I/O. */
#ifndef ZC_ANSWER_H
#define ZC_ANSWER_H

#include "lib/wire/ask.h"

typedef enum {
    ZC_NO_ANSWER, /* no answer came in time, or the connection was lost first */
    ZC_OK,
    ZC_MSG, /* REPLAY, FETCH: one message; more follows */
    ZC_END, /* REPLAY, FETCH: the last part */
    ZC_ERR,
    ZC_MALFORMED, /* the frames are no answer to this verb */
} zc_answer_kind_t;

/*  The kind says which fields are set; for OK and END the verb does, too. All slices are
 *  borrowed. */
typedef struct {
    zc_verb_t verb; /* of the request */
    zc_answer_kind_t kind;
    bool more;            /* another part follows (after MSG, even a malformed one) */
    zc_slice_t code;      /* ERR's; or "malformed"; or "timeout" if there is no answer */
    zc_slice_t text;      /* the reason, with each of these codes; PING: the version; STATS: JSON */
    zc_id_t id;           /* PUBLISH; INSTRUCT: the number */
    zc_id_t head;         /* SYNC, TOPICS, LIST, PURGE, END; INSTRUCTIONS: the last number */
    zc_id_t dropped;      /* SYNC */
    zc_slice_t lasts;     /* SYNC: read it with zc_lasts_next */
    zc_slice_t line;      /* SYNC: of all these positions; empty: an older broker; INSTRUCTIONS: of
                             all these numbers */
    zc_id_t doubt;        /* SYNC: positions before this may be of another line too */
    unsigned left_out;    /* SYNC: how many frames at the end are not there */
    zc_id_t forgotten;    /* TOPICS */
    zc_slice_t listed;    /* TOPICS: read it with zc_listed_next; INSTRUCTIONS: with
                             zc_instruction_next */
    zc_id_t floor;        /* END */
    zc_id_t since;        /* END of FETCH: the position meant by the request; ZC_ID_NONE if unknown;
                             INSTRUCTIONS: the list begins after this number */
    bool unknown;         /* END of FETCH: history doesn't know the request's own id */
    uint64_t remaining;   /* END of FETCH */
    uint64_t plain;       /* 1: of those, none is private or of an update on several topics */
    uint64_t max_payload; /* LIMITS */
    zc_slice_t kept;      /* LIST: read it with zc_topic_kept_next */
    zc_slice_t next;      /* LIST: ask on with it; empty: that was all */
    uint64_t purged;      /* PURGE: messages */
    zc_message_t message; /* MSG; for writing: topic, payload and meta */
} zc_answer_t;

/*  No answer: `code` and `text` tell why. */
extern const zc_answer_t zc_answer_none;

/*  Reads one part of the answer to `verb`, without delimiter and tag. Frames beyond the known ones
 *  are ignored. Frames that are no such part give ZC_MALFORMED. */
void zc_answer_parse (zc_answer_t *self, zc_verb_t verb, const zc_slice_t *frames, size_t count);

/*  The frames of one part. They are borrowed from this struct and from the answer. */
#define ZC_ANSWER_FRAMES 6
typedef struct {
    zc_slice_t frames[ZC_ANSWER_FRAMES];
    size_t count;
    char texts[ZC_ANSWER_FRAMES][ZC_ID_SIZE];
} zc_answer_frames_t;
/*  Writes OK, MSG, END or ERR. */
void zc_answer_write (const zc_answer_t *self, zc_answer_frames_t *out);

/*  Whether the answer is ERR with this code. */
bool zc_answer_is_error (const zc_answer_t *self, const char *code);
/*  Whether the answer is ERR with a code that is only temporary: the same request may succeed in a
 *  moment. */
bool zc_answer_is_passing (const zc_answer_t *self);
/*  Reads the answer to LIMITS. Returns 0; 1 if the broker is older and doesn't know that verb; -1
 *  if this is no usable answer. */
int zc_answer_limits (const zc_answer_t *self, size_t *max_payload);

/*  Lists of positions, and of positions with their topics. Each `next` takes one item off *list,
 *  and returns false at the end or at an item that is malformed. */
void zc_lasts_add (zc_buf_t *list, zc_id_t last);
bool zc_lasts_next (zc_slice_t *list, zc_id_t *last);
void zc_listed_add (zc_buf_t *list, zc_id_t last, zc_slice_t topic);
bool zc_listed_next (zc_slice_t *list, zc_id_t *last, zc_slice_t *topic);

/*  What history keeps of a topic. */
typedef struct {
    zc_id_t last; /* position of its last message, kept or not */
    uint64_t messages, bytes;
    zc_slice_t topic;
} zc_topic_kept_t;
void zc_topic_kept_add (zc_buf_t *list, const zc_topic_kept_t *kept);
bool zc_topic_kept_next (zc_slice_t *list, zc_topic_kept_t *kept);

/*  Instructions (instruction.h), as text, with their numbers. */
void zc_instruction_add (zc_buf_t *list, zc_id_t number, zc_slice_t text);
bool zc_instruction_next (zc_slice_t *list, zc_id_t *number, zc_slice_t *text);

#endif
