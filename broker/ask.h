/*  ask.h - a request on the control endpoint: frames in, a checked request out. No I/O. */
#ifndef ZC_ASK_H
#define ZC_ASK_H

#include "lib/wire/message.h"

#define ZC_TAG_MAX 64
#define ZC_NONCE_MAX 64
#define ZC_TOPICS_MAX 10000
#define ZC_PREFIXES_MAX 100
#define ZC_NAME_MAX 256
#define ZC_REPORT_MAX 65536
/*  Frames that a request can have: delimiter, tag, REPLAY, since, topics. */
#define ZC_ASK_FRAMES (ZC_TOPICS_MAX + 4)

typedef enum {
    ZC_PUBLISH,
    ZC_REPLAY,
    ZC_FETCH,
    ZC_SYNC,
    ZC_TOPICS,
    ZC_STATS,
    ZC_REPORT,
    ZC_PING,
    ZC_LIMITS,
    ZC_VERBS, /* how many there are */
} zc_verb_t;

typedef enum { ZC_SINCE_POSITION, ZC_SINCE_EARLIEST, ZC_SINCE_EVENT } zc_since_t;

/*  Slices and frames are borrowed from what was parsed. */
typedef struct {
    bool delimiter; /* an empty frame came first */
    zc_slice_t tag; /* with its '#'; empty: none */
    zc_verb_t verb;
    zc_message_t message;     /* PUBLISH */
    zc_slice_t headers;       /* PUBLISH */
    zc_since_t since_kind;    /* REPLAY, FETCH, TOPICS */
    zc_id_t since;            /* a position */
    zc_slice_t since_event;   /* the publisher's own id */
    const zc_slice_t *frames; /* REPLAY: the topics; TOPICS: the prefixes */
    size_t frame_count;       /* where 0, the topics are in `list` */
    zc_slice_t list;          /* FETCH, SYNC: the topics, LF between them */
    uint64_t count, bytes;    /* FETCH */
    zc_slice_t nonce;         /* SYNC; empty: don't wait */
    zc_slice_t name, json;    /* REPORT */
} zc_ask_t;

/*  Returns NULL, or the code of the error with one sentence in *text. Delimiter and tag are set in
 *  either case. count may be 0. */
const char *zc_ask_parse (zc_ask_t *self, const zc_slice_t *frames, size_t count,
                          size_t max_payload, const char **text);
const char *zc_verb_name (zc_verb_t verb);

/*  Iterates the topics of a request: *at begins at 0. False at the end. */
bool zc_ask_topic (const zc_ask_t *self, size_t *at, zc_slice_t *topic);

#endif
