/*  answer.h - what the broker answers on its control endpoint: as the broker writes it, and as
 *  everybody else reads it. ask.h has what was asked. No I/O. */
#ifndef ZC_ANSWER_H
#define ZC_ANSWER_H

#include "lib/wire/ask.h"

typedef enum {
    ZC_NO_ANSWER, /* none came: its time is over, or its connection */
    ZC_OK,
    ZC_MSG, /* REPLAY, FETCH: one message; more follows */
    ZC_END, /* REPLAY, FETCH: their last part */
    ZC_ERR,
    ZC_MALFORMED, /* it can't be an answer to what was asked */
} zc_answer_kind_t;

/*  Which fields there are says the kind, and of OK and END the verb. All slices are borrowed. */
typedef struct {
    zc_verb_t verb; /* what was asked */
    zc_answer_kind_t kind;
    bool more;          /* it isn't over: MSG, also a malformed one */
    zc_slice_t code;    /* ERR; "malformed"; "timeout" of no answer */
    zc_slice_t text;    /* why, with each of these; PING: the version; STATS: JSON */
    zc_id_t id;         /* PUBLISH */
    zc_id_t head;       /* SYNC, TOPICS, END */
    zc_id_t dropped;    /* SYNC */
    zc_slice_t lasts;   /* SYNC: read it with zc_lasts_next */
    zc_slice_t line;    /* SYNC: of all these positions; empty: an older broker's */
    zc_id_t doubt;      /* SYNC: positions before this may be of another line too */
    unsigned left_out;  /* SYNC: of the last frames, those that aren't there */
    zc_id_t forgotten;  /* TOPICS */
    zc_slice_t listed;  /* TOPICS: read it with zc_listed_next */
    zc_id_t floor;      /* END */
    zc_id_t since;      /* END of FETCH: what the request meant; ZC_ID_NONE where that's unknown, */
    bool unknown;       /* being an own id that history doesn't have */
    uint64_t remaining; /* END of FETCH */
    uint64_t max_payload; /* LIMITS */
    zc_message_t message; /* MSG; written: topic, payload and meta */
} zc_answer_t;

/*  None came, or none that can be read: `code` and `text` tell why. */
extern const zc_answer_t zc_answer_none;

/*  Reads one part of the answer to `verb`, without delimiter and tag. Frames beyond those that are
 *  known are passed over. What isn't one is ZC_MALFORMED. */
void zc_answer_parse (zc_answer_t *self, zc_verb_t verb, const zc_slice_t *frames, size_t count);

/*  What a part is sent as. Frames are borrowed from here and from the answer. */
#define ZC_ANSWER_FRAMES 6
typedef struct {
    zc_slice_t frames[ZC_ANSWER_FRAMES];
    size_t count;
    char texts[ZC_ANSWER_FRAMES][ZC_ID_SIZE];
} zc_answer_frames_t;
/*  Writes OK, MSG, END or ERR. */
void zc_answer_write (const zc_answer_t *self, zc_answer_frames_t *out);

/*  Whether it is ERR with this code. */
bool zc_answer_is_error (const zc_answer_t *self, const char *code);
/*  Whether it is ERR with a code that is for now only: the same request may be good in a moment. */
bool zc_answer_is_passing (const zc_answer_t *self);
/*  Of LIMITS. Returns 0; 1 where it is an older broker, which doesn't know that verb; -1 where it
 * is no answer. */
int zc_answer_limits (const zc_answer_t *self, size_t *max_payload);

/*  Lists: of positions, and of positions with their topics. Each takes the next one off *list. */
void zc_lasts_add (zc_buf_t *list, zc_id_t last);
bool zc_lasts_next (zc_slice_t *list, zc_id_t *last);
void zc_listed_add (zc_buf_t *list, zc_id_t last, zc_slice_t topic);
bool zc_listed_next (zc_slice_t *list, zc_id_t *last, zc_slice_t *topic);

#endif
