/*  meter.c - skips payloads. Reads greetings, the headers of frames, and the beginning of
 *  payloads that may be subscriptions (ZMTP 3.1: https://rfc.zeromq.org/spec/37, and 23, 15,
 *  13). */
#include "broker/meter.h"

#include <string.h>

#define S_SIGNATURE 10 /* bytes */
#define S_GREETING 64  /* of ZMTP 3 */
#define S_VERSION 12   /* up to and with the version; in ZMTP 2, that is all */
#define S_SUBSCRIBE 10 /* "\x09SUBSCRIBE" */

enum { S_BEGIN, S_PASS_GREETING, S_HEADER, S_PEEK, S_PAYLOAD };
enum { S_MORE = 1, S_LONG = 2 };

static uint64_t s_number (const uint8_t *at)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++)
        number = number << 8 | at[i];
    return number;
}

/*  Collects up to `want` bytes in `head`, as long as it has fewer. Returns true once they are
 *  there. */
static bool s_collect (zc_meter_t *self, size_t want, const uint8_t **bytes, size_t *len)
{
    size_t more = want - self->have;
    if (more > *len)
        more = *len;
    memcpy (self->head + self->have, *bytes, more);
    self->have += (uint8_t)more;
    *bytes += more;
    *len -= more;
    return self->have == want;
}

static void s_enter (zc_meter_t *self, uint8_t state)
{
    self->state = state;
    self->have = 0;
}

static void s_end_frame (zc_meter_t *self)
{
    if (!self->more) {
        self->frames = 0;
        self->bytes = 0;
    }
    s_enter (self, S_HEADER);
}

static zc_meter_result_t s_begin_frame (zc_meter_t *self, const zc_meter_limits_t *limits,
                                        uint64_t size, uint8_t flags)
{
    self->more = flags & S_MORE;
    self->left = size;
    if (++self->frames > limits->frames)
        return ZC_METER_FRAMES;
    if (size > limits->bytes || (self->bytes += size) > limits->bytes)
        return ZC_METER_BYTES;
    s_enter (self, limits->subscriptions ? S_PEEK : S_PAYLOAD);
    if (size == 0)
        s_end_frame (self);
    return ZC_METER_GOOD;
}

/*  The first bytes: a signature, or a frame of a peer that sends no signature. */
static zc_meter_result_t s_begin (zc_meter_t *self, const zc_meter_limits_t *limits,
                                  const uint8_t **bytes, size_t *len)
{
    if (self->have == 0 && **bytes != 0xff) {
        self->old = true;
        s_enter (self, S_HEADER);
        return ZC_METER_GOOD;
    }
    if (self->have < S_SIGNATURE && !s_collect (self, S_SIGNATURE, bytes, len))
        return ZC_METER_GOOD;
    if (!(self->head[9] & 1)) { /* it was a frame whose length takes eight bytes */
        uint64_t size = s_number (self->head + 1);
        self->old = true;
        return s_begin_frame (self, limits, size ? size - 1 : 0, self->head[9]);
    }
    if (!s_collect (self, S_VERSION, bytes, len))
        return ZC_METER_GOOD;
    uint8_t major = self->head[S_SIGNATURE];
    self->old = major == 0;
    self->left = S_GREETING - S_VERSION;
    s_enter (self, major <= 1 ? S_HEADER : S_PASS_GREETING);
    return ZC_METER_GOOD;
}

/*  ZMTP 1.0: a length that includes the flags, as one byte or as 0xff and eight bytes; the
 *  flags. */
static zc_meter_result_t s_old_header (zc_meter_t *self, const zc_meter_limits_t *limits,
                                       const uint8_t **bytes, size_t *len)
{
    if (self->have == 0)
        s_collect (self, 1, bytes, len);
    size_t want = self->head[0] == 0xff ? 10 : 2;
    if (!s_collect (self, want, bytes, len))
        return ZC_METER_GOOD;
    uint64_t size = want == 10 ? s_number (self->head + 1) : self->head[0];
    return s_begin_frame (self, limits, size ? size - 1 : 0, self->head[want - 1]);
}

/*  ZMTP 2.0 and later: the flags; a length of one byte or eight. */
static zc_meter_result_t s_header (zc_meter_t *self, const zc_meter_limits_t *limits,
                                   const uint8_t **bytes, size_t *len)
{
    if (self->have == 0)
        s_collect (self, 1, bytes, len);
    bool is_long = self->head[0] & S_LONG;
    if (!s_collect (self, is_long ? 9 : 2, bytes, len))
        return ZC_METER_GOOD;
    return s_begin_frame (self, limits, is_long ? s_number (self->head + 1) : self->head[1],
                          self->head[0]);
}

/*  A subscription is a message that begins with 1, or in ZMTP 3.1 a command. An unsubscription
 *  begins with 0, or is another command. */
static zc_meter_result_t s_peek (zc_meter_t *self, const zc_meter_limits_t *limits,
                                 const uint8_t **bytes, size_t *len)
{
    size_t want = self->left < S_SUBSCRIBE ? (size_t)self->left : S_SUBSCRIBE;
    if (!s_collect (self, want, bytes, len))
        return ZC_METER_GOOD;
    bool on = self->head[0] == 1 || (want == 10 && memcmp (self->head, "\x09SUBSCRIBE", 10) == 0);
    bool off = self->head[0] == 0 || (want >= 7 && memcmp (self->head,
                                                           "\x06"
                                                           "CANCEL",
                                                           7) == 0);
    self->left -= want;
    s_enter (self, S_PAYLOAD);
    if (self->left == 0)
        s_end_frame (self);
    if (off && self->subscriptions)
        self->subscriptions--;
    return on && ++self->subscriptions > limits->subscriptions ? ZC_METER_SUBSCRIPTIONS
                                                               : ZC_METER_GOOD;
}

static void s_pass (zc_meter_t *self, const uint8_t **bytes, size_t *len)
{
    size_t some = self->left < *len ? (size_t)self->left : *len;
    *bytes += some;
    *len -= some;
    self->left -= some;
    if (self->left == 0 && self->state == S_PASS_GREETING)
        s_enter (self, S_HEADER);
    else if (self->left == 0)
        s_end_frame (self);
}

zc_meter_result_t zc_meter_read (zc_meter_t *self, const zc_meter_limits_t *limits,
                                 const uint8_t *bytes, size_t len)
{
    zc_meter_result_t result = ZC_METER_GOOD;
    while (len > 0 && result == ZC_METER_GOOD) {
        if (self->state == S_PAYLOAD || self->state == S_PASS_GREETING)
            s_pass (self, &bytes, &len);
        else if (self->state == S_HEADER && !self->old)
            result = s_header (self, limits, &bytes, &len);
        else if (self->state == S_HEADER)
            result = s_old_header (self, limits, &bytes, &len);
        else if (self->state == S_PEEK)
            result = s_peek (self, limits, &bytes, &len);
        else
            result = s_begin (self, limits, &bytes, &len);
    }
    return result;
}

const char *zc_meter_reason (zc_meter_result_t result)
{
    static const char *const reasons[] = {
        [ZC_METER_GOOD] = NULL,
        [ZC_METER_FRAMES] = "a message of too many frames",
        [ZC_METER_BYTES] = "a message that is too large",
        [ZC_METER_SUBSCRIPTIONS] = "more than max-subscriptions",
    };
    return reasons[result];
}
