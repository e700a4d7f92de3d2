/*  client.c - the bytes that wait for one client. */
#include "lib/engine/client.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/engine/feed.h"

static size_t s_private_bytes;
static zc_histogram_t s_first_bytes;

const char *zc_gone_reason (zc_gone_t why)
{
    static const char *const reasons[] = {
        [ZC_GONE_SLOW] = "it fell too far behind",
        [ZC_GONE_HELD] = "max-held was reached, and it lagged most",
        [ZC_GONE_ERROR] = NULL,
        [ZC_GONE_EXPIRED] = "its token has ended",
        [ZC_GONE_REVOKED] = "its token was revoked",
        [ZC_GONE_DROPPED] = "an operator has ended it",
    };
    return reasons[why];
}

const zc_farewell_t *zc_gone_farewell (zc_gone_t why)
{
    static const zc_farewell_t farewells[] = {
        [ZC_GONE_EXPIRED] = {401, "token", "the token has expired"},
        [ZC_GONE_REVOKED] = {401, "revoked", "the token was revoked"},
        [ZC_GONE_DROPPED] = {429, "dropped", "the connection was ended by an operator"},
    };
    return farewells[why].code ? &farewells[why] : NULL;
}

/*  Private bytes are sent before the feed's. So the rest of the frame that the cursor is in
 *  becomes private first: while there are private bytes, the cursor is at a boundary between
 *  messages. */
static void s_finish_frame (zc_client_t *self)
{
    const zc_feed_t *feed = self->feed;
    if (!feed)
        return;
    size_t len;
    const uint8_t *bytes = zc_feed_bytes (feed, self->cursor, &len);
    uint64_t boundary = zc_feed_boundary (feed, self->cursor);
    zc_buf_add (self->private_, bytes, (size_t)(boundary - self->cursor));
    self->cursor = boundary;
}

void zc_client_add (zc_client_t *self, const void *bytes, size_t len)
{
    size_t cap = self->private_ ? self->private_->cap : 0;
    if (!self->private_) {
        self->private_ = calloc (1, sizeof *self->private_);
        if (!self->private_)
            abort ();
        self->private_sent = 0;
        s_finish_frame (self);
    }
    zc_buf_add (self->private_, bytes, len);
    s_private_bytes += self->private_->cap - cap;
    if (self->private_->len == 0)
        zc_client_clear (self);
}

size_t zc_client_private_bytes (void)
{
    return s_private_bytes;
}

size_t zc_client_private (const zc_client_t *self)
{
    return self->private_ ? self->private_->len - self->private_sent : 0;
}

size_t zc_client_lag (const zc_client_t *self)
{
    size_t lag = zc_client_private (self);
    const zc_feed_t *feed = self->feed;
    return feed ? lag + (size_t)(zc_feed_head (feed) - self->cursor) : lag;
}

bool zc_client_drained (const zc_client_t *self)
{
    return !self->join && zc_client_lag (self) == 0;
}

size_t zc_client_gather (const zc_client_t *self, struct iovec iov[2])
{
    size_t count = 0, len;
    if (self->private_) {
        len = self->private_->len - self->private_sent;
        if (len)
            iov[count++] = (struct iovec){self->private_->data + self->private_sent, len};
    }
    const zc_feed_t *feed = self->feed;
    if (feed) {
        const uint8_t *bytes = zc_feed_bytes (feed, self->cursor, &len);
        if (len)
            iov[count++] = (struct iovec){(void *)(uintptr_t)bytes, len};
    }
    return count;
}

void zc_client_asked (zc_client_t *self, uint64_t mono_ms)
{
    self->asked_ms = (uint16_t)mono_ms ? (uint16_t)mono_ms : 1;
}

const zc_histogram_t *zc_client_first_bytes (void)
{
    return &s_first_bytes;
}

static void s_note_first_byte (zc_client_t *self)
{
    uint16_t passed = (uint16_t)(zc_mono_ms () - self->asked_ms);
    zc_histogram_add (&s_first_bytes, passed * 1000u, 1);
    self->asked_ms = 0;
}

/*  The first bytes that a client is sent are always private: the head of the answer. */
void zc_client_sent (zc_client_t *self, size_t len)
{
    if (self->private_) {
        if (self->asked_ms && len > 0)
            s_note_first_byte (self);
        size_t rest = self->private_->len - self->private_sent;
        if (len < rest) {
            self->private_sent += (uint32_t)len;
            return;
        }
        zc_client_clear (self);
        len -= rest;
    }
    self->cursor += len;
}

void zc_client_clear (zc_client_t *self)
{
    if (self->private_) {
        s_private_bytes -= self->private_->cap;
        zc_buf_clear (self->private_);
        free (self->private_);
        self->private_ = NULL;
        self->private_sent = 0;
    }
}
