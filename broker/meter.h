/*  meter.h - counts the messages and subscriptions that one connection sends, by the bytes on
 *  the wire (ZMTP 1.0 to 3.1), and compares them with limits. A parser without I/O.
 *
 *  libzmq bounds the size of a frame, and the number of whole messages that wait; but not the
 *  frames of a message, each of which takes 64 bytes before anybody else can see it, nor the
 *  subscriptions of a peer. Of an encrypted connection only frames can be seen, not where a
 *  message ends. */
#ifndef ZC_METER_H
#define ZC_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t frames;        /* of a message */
    uint64_t bytes;         /* of a message */
    uint32_t subscriptions; /* of a connection; 0: not counted */
} zc_meter_limits_t;

typedef enum {
    ZC_METER_GOOD,
    ZC_METER_FRAMES,        /* a message has too many frames */
    ZC_METER_BYTES,         /* a message is too large */
    ZC_METER_SUBSCRIPTIONS, /* there are too many subscriptions */
} zc_meter_result_t;

/*  All zero: a connection that has sent nothing. Only meter.c changes it. */
typedef struct {
    uint64_t left;  /* of the payload */
    uint64_t bytes; /* of the message so far, its frame under way included */
    uint32_t frames;
    uint32_t subscriptions;
    uint8_t state;
    uint8_t old;  /* the connection speaks ZMTP 1.0 */
    uint8_t more; /* the message goes on after this frame */
    uint8_t have; /* bytes in `head` */
    uint8_t head[12];
} zc_meter_t;

/*  The next bytes from the connection. Once the result isn't good, the connection has to end. */
zc_meter_result_t zc_meter_read (zc_meter_t *self, const zc_meter_limits_t *limits,
                                 const uint8_t *bytes, size_t len);
/*  The result in words; NULL for a good one. */
const char *zc_meter_reason (zc_meter_result_t result);

#endif
