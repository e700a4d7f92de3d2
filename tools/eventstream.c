/*  eventstream.c - see eventstream.h. A line is kept until it is whole, wherever it was cut on
 *  the way. Lines of data are gathered until an empty line ends the event. */
#include "tools/eventstream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"

#define S_BOM "\xef\xbb\xbf"
#define S_RETRY_MAX 86400000 /* ms: a day */

struct zc_eventstream {
    size_t max;
    zc_event_fn fn;
    void *arg;
    zc_buf_t line;       /* the present line, as far as it has come */
    zc_buf_t type, data; /* of the present event; each line of data ends in LF */
    zc_buf_t id;         /* the id of the present event */
    zc_buf_t last_id;    /* the id of the last event that was whole */
    bool begun;          /* a line has come, so no byte order mark may follow */
    bool after_cr;       /* if an LF comes next, it belongs to that CR */
    bool has_retry;
    uint64_t retry_ms;
};

zc_eventstream_t *zc_eventstream_new (size_t max, zc_event_fn fn, void *arg)
{
    zc_eventstream_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->max = max;
    self->fn = fn;
    self->arg = arg;
    return self;
}

void zc_eventstream_destroy (zc_eventstream_t **self_p)
{
    zc_eventstream_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_buf_clear (&self->line);
    zc_buf_clear (&self->type);
    zc_buf_clear (&self->data);
    zc_buf_clear (&self->id);
    zc_buf_clear (&self->last_id);
    free (self);
}

static void s_set (zc_buf_t *buf, zc_slice_t value)
{
    buf->len = 0;
    zc_buf_add (buf, value.at, value.len);
}

static zc_slice_t s_slice (zc_buf_t *buf)
{
    return (zc_slice_t){zc_buf_str (buf), buf->len};
}

void zc_eventstream_restart (zc_eventstream_t *self)
{
    self->line.len = self->type.len = self->data.len = 0;
    self->begun = self->after_cr = false;
    s_set (&self->id, s_slice (&self->last_id));
}

/*  An empty line: the event is whole. Without data there is no event, but its id counts. */
static void s_dispatch (zc_eventstream_t *self)
{
    s_set (&self->last_id, s_slice (&self->id));
    if (self->data.len > 0) {
        zc_slice_t data = s_slice (&self->data);
        data.len--; /* the last line's LF */
        zc_event_t event = {s_slice (&self->type), data, s_slice (&self->last_id)};
        self->fn (self->arg, &event);
    }
    self->type.len = self->data.len = 0;
}

static void s_field (zc_eventstream_t *self, zc_slice_t name, zc_slice_t value)
{
    if (zc_slice_is (name, "data")) {
        zc_buf_add (&self->data, value.at, value.len);
        zc_buf_addc (&self->data, '\n');
    } else if (zc_slice_is (name, "event")) {
        s_set (&self->type, value);
    } else if (zc_slice_is (name, "id")) {
        if (value.len == 0 || !memchr (value.at, 0, value.len))
            s_set (&self->id, value);
    } else if (zc_slice_is (name, "retry")) {
        self->has_retry |= zc_text_u64 (value.at, value.len, S_RETRY_MAX, &self->retry_ms) == 0;
    }
}

static void s_line (zc_eventstream_t *self)
{
    zc_slice_t name = s_slice (&self->line), value = {"", 0};
    if (!self->begun && zc_slice_starts (name, S_BOM))
        name = (zc_slice_t){name.at + 3, name.len - 3};
    self->begun = true;
    const char *colon = name.len > 0 ? memchr (name.at, ':', name.len) : NULL;
    if (colon) {
        value = (zc_slice_t){colon + 1, name.len - (size_t)(colon + 1 - name.at)};
        name.len = (size_t)(colon - name.at);
        if (value.len > 0 && value.at[0] == ' ')
            value = (zc_slice_t){value.at + 1, value.len - 1};
    }
    if (!colon && name.len == 0)
        s_dispatch (self);
    else
        s_field (self, name, value); /* a comment has no name */
    self->line.len = 0;
}

/*  The count of bytes before a CR or LF. */
static size_t s_before_end (const char *bytes, size_t len)
{
    const char *lf = memchr (bytes, '\n', len);
    if (lf)
        len = (size_t)(lf - bytes);
    const char *cr = memchr (bytes, '\r', len);
    return cr ? (size_t)(cr - bytes) : len;
}

int zc_eventstream_read (zc_eventstream_t *self, const char *bytes, size_t len)
{
    while (len > 0) {
        if (self->after_cr && *bytes == '\n') {
            self->after_cr = false;
            bytes++, len--;
            continue;
        }
        self->after_cr = false;
        size_t part = s_before_end (bytes, len);
        if (part > self->max || self->line.len + self->data.len > self->max - part)
            return -1;
        zc_buf_add (&self->line, bytes, part);
        if (part == len)
            return 0;
        self->after_cr = bytes[part] == '\r';
        s_line (self);
        bytes += part + 1;
        len -= part + 1;
    }
    return 0;
}

const char *zc_eventstream_last_id (zc_eventstream_t *self)
{
    return zc_buf_str (&self->last_id);
}

uint64_t zc_eventstream_retry_ms (const zc_eventstream_t *self, uint64_t preset)
{
    return self->has_retry ? self->retry_ms : preset;
}
