/*  ask.h - requests on the broker's control endpoint: the broker reads them, everybody else writes
 *  them. answer.h has the answers. No I/O. */
#ifndef ZC_ASK_H
#define ZC_ASK_H

#include "lib/wire/message.h"

#define ZC_TAG_MAX 64
#define ZC_NONCE_MAX 64
#define ZC_TOPICS_MAX 10000
#define ZC_PREFIXES_MAX 100
#define ZC_LIST_MAX 1000 /* topics in one answer to LIST */
#define ZC_REPORTER_MAX 256
#define ZC_REPORT_MAX 65536
/*  The most frames that a request has: delimiter, tag, REPLAY, since, topics. */
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
    ZC_LIST,
    ZC_PURGE,
    ZC_INSTRUCT,
    ZC_INSTRUCTIONS,
    ZC_VERBS, /* the number of verbs */
} zc_verb_t;

typedef enum { ZC_SINCE_POSITION, ZC_SINCE_EARLIEST, ZC_SINCE_EVENT } zc_since_kind_t;

/*  Slices and frames are borrowed: from the frames that were parsed, or from the asker. */
typedef struct {
    bool delimiter; /* an empty frame came first; zc_ask_write ignores this */
    zc_slice_t tag; /* with its '#'; empty: none; zc_ask_write ignores this */
    zc_verb_t verb;
    zc_message_t message;       /* PUBLISH */
    zc_slice_t headers;         /* PUBLISH */
    zc_since_kind_t since_kind; /* REPLAY, FETCH, TOPICS */
    zc_id_t since;              /* a position; LIST: of the topic to go on after; INSTRUCTIONS: the
                                 number of the last one that the asker has */
    zc_slice_t since_text;      /* the request's text; if it is empty, `since` is written */
    const zc_slice_t *frames;   /* REPLAY: the topics; TOPICS: the prefixes */
    size_t frame_count;         /* if 0, the topics are in `list` */
    zc_slice_t list;            /* FETCH, SYNC, PURGE: the topics, separated by LF; FETCH:
                                 names of selectors, too; PUBLISH: those of an update, if
                                 it has several, of which `message` has the first */
    uint64_t count, bytes;      /* FETCH; LIST: the count */
    zc_slice_t prefix;          /* LIST; of any bytes */
    zc_slice_t next;            /* LIST: `next` of the answer before; empty: from the beginning */
    zc_slice_t after;           /* LIST: the topic in `next`, whose position is `since` */
    zc_slice_t nonce;           /* SYNC; empty: don't wait */
    zc_slice_t line;            /* FETCH, SYNC: the line of `since` or `have`; empty: not known;
                                 INSTRUCTIONS: of `since` */
    zc_id_t have;               /* SYNC: the last position that the asker has from a broker */
    zc_slice_t name, json;      /* REPORT; INSTRUCT: json, which isn't looked at */
} zc_ask_t;

/*  Parses a request. Returns NULL; or the code of the error, with one sentence in *text. Delimiter
 *  and tag are set in either case. `count` may be 0. */
const char *zc_ask_parse (zc_ask_t *self, const zc_slice_t *frames, size_t count,
                          size_t max_payload, const char **text);
const char *zc_verb_name (zc_verb_t verb);

/*  The frames of a request. They are borrowed from this struct and from the request. */
#define ZC_ASK_WRITES (ZC_PREFIXES_MAX + 2)
typedef struct {
    zc_slice_t frames[ZC_ASK_WRITES];
    size_t count;
    char since[ZC_ID_SIZE], numbers[2][24];
} zc_ask_frames_t;
/*  Writes verb and arguments. It doesn't check them, since the broker does. `frame_count` is at
 *  most ZC_PREFIXES_MAX. */
void zc_ask_write (const zc_ask_t *self, zc_ask_frames_t *out);

/*  Adds a topic to a list of topics. */
void zc_ask_add_topic (zc_buf_t *list, zc_slice_t topic);
/*  Iterates the topics of a request: *at begins at 0. False at the end. */
bool zc_ask_topic (const zc_ask_t *self, size_t *at, zc_slice_t *topic);

#endif
