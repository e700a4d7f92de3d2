/*  command.h - the commands of a client of zcast.v1, and the answers: JSON in and out, no I/O.
 *
 *    {"type":"subscribe","topics":["a","b"]}      {"type":"subscribed","topics":["a","b"]}
 *    {"type":"unsubscribe","topics":["a"]}        {"type":"subscribed","topics":["b"]}
 *    {"type":"subscribe","match":["a/#"]} {"type":"subscribed","topics":["b"],"match":["a/#"]}
 *    {"type":"ping"}                              {"type":"pong"}
 *    {"type":"publish","topic":"a","data":"…"}    {"type":"published","id":"…"}
 *    anything wrong                               {"type":"error","code":"…","message":"…"}
 *
 *  `publish` is what a line of a batch is over HTTP (lib/front/publication.h): `base64` may stand
 *  for `data`, and there may be `event`, `id`, `key`, `ttl`, `retry` and `private`. A `ref` (a
 *  string or an integer) in a command comes back in its answer; without one, the `id` of a publish
 *  does. */
#ifndef ZC_COMMAND_H
#define ZC_COMMAND_H

#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/front/publication.h"
#include "lib/wire/id.h"

typedef enum {
    ZC_COMMAND_SUBSCRIBE,
    ZC_COMMAND_UNSUBSCRIBE,
    ZC_COMMAND_PING,
    ZC_COMMAND_PUBLISH,
} zc_command_type_t;

typedef struct {
    zc_command_type_t type;
    zc_slice_t *topics; /* owned; of subscribe and unsubscribe: topics and names of selectors */
    size_t count;
    zc_buf_t names;               /* the bytes of the latter */
    size_t steps;                 /* of all selectors */
    zc_publication_t publication; /* of publish; valid and finished */
    char *ref;                    /* owned; JSON text, or NULL */
    const char *code, *error;     /* the mistake; NULL: there is none */
    bool many;                    /* the mistake is that there are too many topics */
    void *root;                   /* owned: holds the slices */
} zc_command_t;

/*  The largest that a command may ask for. */
typedef struct {
    size_t topics, payload;
} zc_command_limits_t;

/*  Parses a client's message. Returns 0, or -1 with code and error set (and ref, if that is
 *  readable). In both cases zc_command_clear follows. */
int zc_command_parse (zc_command_t *self, const void *text, size_t len, zc_command_limits_t max);
void zc_command_clear (zc_command_t *self);

/*  Answers, as JSON text. `ref` may be NULL. Names of selectors may be among the topics. */
void zc_answer_subscribed (zc_buf_t *out, const char *ref, const zc_slice_t *topics, size_t count);
/*  Ends the answer above: the messages of these topics after `position` follow; ZC_ID_NONE: it
 *  isn't known yet. */
void zc_answer_position (zc_buf_t *out, zc_id_t position);
void zc_answer_pong (zc_buf_t *out, const char *ref);
void zc_answer_published (zc_buf_t *out, const char *ref, zc_slice_t id);
void zc_answer_error (zc_buf_t *out, const char *ref, zc_slice_t code, zc_slice_t message);
/*  {"type":"reconnect","after":ms}: the daemon is about to stop. */
void zc_answer_reconnect (zc_buf_t *out, unsigned after_ms);

#endif
