/*  doctor_head.h - the facts that `zmq doctor` takes from the head of an answer (RFC 9110, RFC
 *  9112 §4, §5). Bytes in, facts out; no I/O. All texts are escaped (zc_text_escape), and so fit
 *  to be shown. */
#ifndef ZC_DOCTOR_HEAD_H
#define ZC_DOCTOR_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/text.h"

#define ZC_DOCTOR_HEAD_MAX 65536 /* bytes of a head */

typedef struct {
    int status; /* 0: no status line has come */
    char server[64];
    char type[64];     /* the media type */
    char encoding[32]; /* Content-Encoding */
    char location[256];
    char cache[128]; /* Cache-Control */
    bool no_cache;   /* it forbids caches to answer by themselves */
    bool no_transform;
    bool aged;           /* Age: a cache has answered */
    bool unbuffered;     /* X-Accel-Buffering: no */
    int64_t date_s;      /* Date, seconds since 1970; 0: none */
    unsigned origins;    /* how many Access-Control-Allow-Origin there are */
    char origin[128];    /* the first of them */
    bool credentials;    /* Access-Control-Allow-Credentials */
    bool allows_last_id; /* Access-Control-Allow-Headers has Last-Event-ID */
    bool allows_token;   /* … and Authorization */
    char accept[32];     /* Sec-WebSocket-Accept */
    char protocol[32];   /* Sec-WebSocket-Protocol */
    char extensions[64]; /* Sec-WebSocket-Extensions */
} zc_doctor_head_t;

/*  Copies text from outside, escaped and cut, into `size` bytes with a NUL. */
void zc_doctor_copy (char *out, size_t size, zc_slice_t text);
/*  Reads one line of a head, with or without its end. A status line starts over, since the
 *  answer after a 100 has a head of its own. */
void zc_doctor_head_line (zc_doctor_head_t *self, zc_slice_t line);
/*  Reads a whole head. Returns its length, with the empty line; 0 if it isn't complete yet; or -1
 *  if it is longer than ZC_DOCTOR_HEAD_MAX, or not HTTP. */
long zc_doctor_head_read (zc_doctor_head_t *self, zc_slice_t bytes);

#endif
