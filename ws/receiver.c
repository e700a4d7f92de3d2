/*  receiver.c - see receiver.h.
 *
 *  wslay's frame layer parses headers, checks lengths and unmasks. This file puts messages
 *  together.
 *
 *  Rejected: wslay's event layer. In 1.1.1 it answers a protocol error with an empty close
 *  instead of 1002, accepts a close body of one byte, skips two bytes of every piece of a close
 *  reason when it checks UTF-8, and keeps a list entry for each fragment, so that 64 KiB of
 *  one-byte fragments hold megabytes. It also takes 4 KiB more for each client. */
#include "ws/receiver.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "ws/deflate.h"
#include "ws/frame.h"

#define MASK_SIZE 4

struct zc_receiver {
    wslay_frame_context_ptr frames;
    /*  Of the call of zc_receiver_feed that is under way: */
    const uint8_t *in; /* borrowed: bytes that wslay hasn't taken yet */
    size_t in_len;
    size_t max_message;
    bool deflate;
    /*  Of the frame that is being received: */
    uint64_t unfinished;                           /* bytes taken after the last whole frame */
    uint64_t left;                                 /* payload bytes still to come */
    uint8_t head[ZC_FRAME_HEADER_MAX + MASK_SIZE]; /* the first of those that are unfinished */
    bool in_frame;
    uint8_t control[ZC_FRAME_CONTROL_MAX];
    size_t control_len;
    /*  Of the message that is being received: */
    bool open;        /* its first frame has come, and its last one hasn't */
    bool deflated;    /* it is compressed */
    uint8_t opcode;   /* text or binary */
    zc_buf_t message; /* owned; its bytes so far, still compressed */
    size_t checked;   /* bytes of it that are known to be UTF-8 */
};

static ssize_t s_on_read (uint8_t *out, size_t len, int flags, void *user_data)
{
    zc_receiver_t *self = user_data;
    (void)flags;
    if (self->in_len == 0)
        return -1;
    if (len > self->in_len)
        len = self->in_len;
    memcpy (out, self->in, len);
    self->in += len;
    self->in_len -= len;
    self->unfinished += len;
    return (ssize_t)len;
}

static zc_receiver_t *s_new (void)
{
    static const struct wslay_frame_callbacks callbacks = {NULL, s_on_read, NULL};
    zc_receiver_t *self = calloc (1, sizeof *self);
    if (!self || wslay_frame_context_init (&self->frames, &callbacks, self) != 0)
        abort ();
    return self;
}

void zc_receiver_destroy (zc_receiver_t **self_p)
{
    zc_receiver_t *self = *self_p;
    if (!self)
        return;
    wslay_frame_context_free (self->frames);
    zc_buf_clear (&self->message);
    free (self);
    *self_p = NULL;
}

/*  The count of bytes at the end that begin a character whose other bytes may still come. */
static size_t s_unfinished_tail (const uint8_t *text, size_t len)
{
    for (size_t n = 1; n <= 3 && n <= len; n++) {
        uint8_t c = text[len - n];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        uint8_t low[4], high[4];
        if (needs <= n)
            return 0;
        /*  The character can only become valid if it is valid with its lowest or with its
         *  highest continuation: overlong forms and surrogates show at once. */
        memset (low, 0x80, sizeof low);
        memset (high, 0xbf, sizeof high);
        memcpy (low, text + len - n, n);
        memcpy (high, text + len - n, n);
        return zc_utf8_valid (low, needs) || zc_utf8_valid (high, needs) ? n : 0;
    }
    return 0;
}

static bool s_text_is_good (zc_receiver_t *self, bool last)
{
    if (self->deflated || self->opcode != ZC_FRAME_TEXT || self->message.len == 0)
        return true;
    const uint8_t *text = self->message.data + self->checked;
    size_t len = self->message.len - self->checked;
    if (!last)
        len -= s_unfinished_tail (text, len);
    self->checked += len;
    return zc_utf8_valid (text, len);
}

static bool s_is_control (unsigned opcode)
{
    return opcode & 0x8;
}

/*  RSV1 says that a message is compressed, and may be set on its first frame only (RFC 7692
 *  §6.1). */
static bool s_may_be_deflated (const zc_receiver_t *self, const struct wslay_frame_iocb *frame)
{
    return self->deflate && frame->rsv == WSLAY_RSV1_BIT && !self->open &&
           (frame->opcode == ZC_FRAME_TEXT || frame->opcode == ZC_FRAME_BINARY);
}

/*  Whether the message may grow by the payload of a frame that begins. */
static bool s_has_room (const zc_receiver_t *self, uint64_t len)
{
    size_t max = self->deflated ? zc_deflated_max (self->max_message) : self->max_message;
    return self->message.len <= max && len <= max - self->message.len;
}

/*  Checks the header of a new frame. wslay has checked the form of its length, and that a
 *  control frame is short and not fragmented. */
static unsigned s_begin_frame (zc_receiver_t *self, const struct wslay_frame_iocb *frame)
{
    if ((frame->rsv && !s_may_be_deflated (self, frame)) || !frame->mask)
        return ZC_CLOSE_PROTOCOL;
    self->in_frame = true;
    self->left = frame->payload_length;
    self->control_len = 0;
    if (s_is_control (frame->opcode))
        return frame->opcode <= ZC_FRAME_PONG ? 0 : ZC_CLOSE_PROTOCOL;
    if (frame->opcode > ZC_FRAME_BINARY || self->open != (frame->opcode == ZC_FRAME_CONTINUATION))
        return ZC_CLOSE_PROTOCOL;
    if (!self->open) {
        self->opcode = frame->opcode;
        self->deflated = frame->rsv != 0;
    }
    self->open = true;
    return s_has_room (self, frame->payload_length) ? 0 : ZC_CLOSE_TOO_BIG;
}

static unsigned s_add_payload (zc_receiver_t *self, const struct wslay_frame_iocb *frame)
{
    self->left -= frame->data_length;
    if (frame->data_length == 0)
        return 0;
    if (s_is_control (frame->opcode)) {
        memcpy (self->control + self->control_len, frame->data, frame->data_length);
        self->control_len += frame->data_length;
        return 0;
    }
    zc_buf_add (&self->message, frame->data, frame->data_length);
    return s_text_is_good (self, false) ? 0 : ZC_CLOSE_NOT_UTF8;
}

unsigned zc_close_code (const uint8_t *body, size_t len)
{
    return len < 2 ? ZC_CLOSE_NO_STATUS : (unsigned)body[0] << 8 | body[1];
}

/*  RFC 6455 §5.5.1 and §7.4. 1012 to 1014 were registered later. */
static unsigned s_check_close (const uint8_t *body, size_t len)
{
    unsigned code = zc_close_code (body, len);
    if (len == 0)
        return 0;
    if (len == 1 || code < 1000 || (code >= 1004 && code <= 1006) ||
        (code >= 1015 && code <= 2999) || code > 4999)
        return ZC_CLOSE_PROTOCOL;
    return zc_utf8_valid (body + 2, len - 2) ? 0 : ZC_CLOSE_NOT_UTF8;
}

static unsigned s_end_control (zc_receiver_t *self, unsigned opcode, zc_receiver_fn fn, void *arg)
{
    unsigned code = opcode == ZC_FRAME_CLOSE ? s_check_close (self->control, self->control_len) : 0;
    return code ? code : fn (arg, opcode, self->control, self->control_len);
}

static unsigned s_inflate (zc_receiver_t *self)
{
    zc_buf_t inflated = ZC_BUF_INIT;
    unsigned code =
        zc_inflate (&inflated, self->message.data, self->message.len, self->max_message);
    zc_buf_clear (&self->message);
    self->message = inflated;
    self->deflated = false;
    return code;
}

static unsigned s_end_message (zc_receiver_t *self, zc_receiver_fn fn, void *arg)
{
    unsigned code = self->deflated ? s_inflate (self) : 0;
    if (code == 0 && !s_text_is_good (self, true))
        code = ZC_CLOSE_NOT_UTF8;
    if (code == 0)
        code = fn (arg, self->opcode, self->message.data, self->message.len);
    zc_buf_clear (&self->message);
    self->checked = 0;
    self->open = false;
    return code;
}

static unsigned s_end_frame (zc_receiver_t *self, const struct wslay_frame_iocb *frame,
                             zc_receiver_fn fn, void *arg)
{
    self->in_frame = false;
    /*  The length of its header: as a server would send it, and the mask. wslay refuses lengths
     *  that are longer than they need be. */
    self->unfinished -=
        zc_frame_header_size (frame->payload_length) + MASK_SIZE + frame->payload_length;
    if (s_is_control (frame->opcode))
        return s_end_control (self, frame->opcode, fn, arg);
    return frame->fin ? s_end_message (self, fn, arg) : 0;
}

static unsigned s_take (zc_receiver_t *self, const struct wslay_frame_iocb *frame,
                        zc_receiver_fn fn, void *arg)
{
    unsigned code = self->in_frame ? 0 : s_begin_frame (self, frame);
    if (code == 0)
        code = s_add_payload (self, frame);
    if (code == 0 && self->left == 0)
        code = s_end_frame (self, frame, fn, arg);
    return code;
}

/*  Keeps the header of a frame that isn't whole: wslay doesn't tell the mask. */
static void s_keep_head (zc_receiver_t *self, const uint8_t *bytes, size_t len)
{
    size_t had = self->unfinished > len ? (size_t)self->unfinished - len : 0;
    size_t from = self->unfinished > len ? 0 : len - (size_t)self->unfinished;
    for (; had < sizeof self->head && from < len; had++, from++)
        self->head[had] = bytes[from];
}

/*  Writes a frame that isn't the last of its message; its mask is 0. */
static void s_save_fragments (const zc_receiver_t *self, size_t len, zc_buf_t *out)
{
    zc_buf_t frame = ZC_BUF_INIT;
    static const uint8_t mask[MASK_SIZE];
    zc_frame_add (&frame, self->opcode, self->message.data, len);
    size_t header = frame.len - len;
    frame.data[0] = (uint8_t)(self->opcode | (self->deflated ? 0x40 : 0)); /* no FIN */
    frame.data[1] |= 0x80;
    zc_buf_add (out, frame.data, header);
    zc_buf_add (out, mask, sizeof mask);
    zc_buf_add (out, self->message.data, len);
    zc_buf_clear (&frame);
}

/*  `data` is what has come of the frame's payload. */
static void s_save_frame (const zc_receiver_t *self, const uint8_t *data, size_t len, zc_buf_t *out)
{
    size_t header = (size_t)self->unfinished - len;
    const uint8_t *mask = self->head + header - MASK_SIZE;
    zc_buf_add (out, self->head, header);
    for (size_t i = 0; i < len; i++)
        zc_buf_addc (out, (char)(data[i] ^ mask[i % MASK_SIZE]));
}

void zc_receiver_save (const zc_receiver_t *self, zc_buf_t *out)
{
    unsigned opcode = self->head[0] & 0x0f;
    bool control = self->in_frame && s_is_control (opcode);
    bool part = self->in_frame && !control; /* of the message */
    size_t header = 2u + MASK_SIZE +
                    ((self->head[1] & 0x7f) == 126   ? 2
                     : (self->head[1] & 0x7f) == 127 ? 8
                                                     : 0);
    size_t got = self->in_frame ? (size_t)self->unfinished - header : 0;
    if (self->open && !(part && opcode != ZC_FRAME_CONTINUATION))
        s_save_fragments (self, self->message.len - (part ? got : 0), out);
    if (control)
        s_save_frame (self, self->control, got, out);
    else if (part)
        s_save_frame (self, self->message.data + self->message.len - got, got, out);
    else
        zc_buf_add (out, self->head, (size_t)self->unfinished);
}

unsigned zc_receiver_feed (zc_receiver_t **self_p, const void *bytes, size_t len,
                           size_t max_message, bool deflate, zc_receiver_fn fn, void *arg)
{
    if (!*self_p)
        *self_p = s_new ();
    zc_receiver_t *self = *self_p;
    self->in = bytes;
    self->in_len = len;
    self->max_message = max_message;
    self->deflate = deflate;
    unsigned code = 0;
    while (code == 0) {
        struct wslay_frame_iocb frame = {0};
        ssize_t rc = wslay_frame_recv (self->frames, &frame);
        if (rc == WSLAY_ERR_WANT_READ)
            break;
        code = rc < 0 ? ZC_CLOSE_PROTOCOL : s_take (self, &frame, fn, arg);
    }
    if (code == 0 && self->unfinished == 0 && !self->open)
        zc_receiver_destroy (self_p);
    else if (code == 0)
        s_keep_head (self, bytes, len);
    return code;
}
