/*  The envelope. Frames are separated by 0xff, a byte that no valid header has. The headers that
 *  a publisher may send become a meta frame that a worker accepts, and mean the same there. Any
 *  three frames may come to a worker. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/message.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static bool s_same (zc_slice_t a, zc_slice_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp (a.at, b.at, a.len) == 0);
}

static void s_check (bool good)
{
    if (!good)
        abort ();
}

static bool s_inside (zc_slice_t part, zc_slice_t whole)
{
    return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

static void s_publish (zc_slice_t topic, zc_slice_t payload, zc_slice_t headers)
{
    zc_message_t sent, got;
    if (zc_publish_parse (&sent, topic, payload, headers, 100) != 0)
        return;
    s_check (!sent.event_id.len || zc_event_id_valid (sent.event_id));
    s_check (!zc_event_reserved (sent.event));
    zc_buf_t meta = ZC_BUF_INIT;
    zc_id_t id = zc_id_from_ms (5);
    zc_meta_write (&meta, id, id - 1, 7, headers);
    zc_slice_t frame = {(const char *)meta.data, meta.len};
    s_check (zc_delivery_parse (&got, topic, payload, frame) == 0);
    s_check (got.id == id && got.prev == id - 1 && got.dropped == 7);
    s_check (s_same (sent.event, got.event) && s_same (sent.event_id, got.event_id) &&
             s_same (sent.retry, got.retry) && sent.private_ == got.private_);
    zc_message_t *copy = zc_message_copy (&got);
    zc_buf_clear (&meta);
    s_check (s_same (sent.event, copy->event) && s_same (sent.event_id, copy->event_id) &&
             s_same (sent.topic, copy->topic) && s_same (sent.payload, copy->payload));
    free (copy);
}

static void s_deliver (zc_slice_t topic, zc_slice_t payload, zc_slice_t meta)
{
    zc_message_t message;
    zc_slice_t value;
    if (zc_header_find (meta, "x", &value))
        s_check (s_inside (value, meta));
    if (zc_delivery_parse (&message, topic, payload, meta) != 0)
        return;
    s_check (message.prev < message.id && !zc_event_reserved (message.event));
    s_check (s_inside (message.event, meta) && s_inside (message.event_id, meta) &&
             s_inside (message.retry, meta));
    s_check (zc_header_find (meta, "id", &value) && zc_header_find (meta, "prev", &value));
    free (zc_message_copy (&message));
}

static void s_split (const uint8_t *data, size_t size)
{
    zc_slice_t topic, payload, none = {NULL, 0};
    if (zc_publish_split (data, size, &topic, &payload) != 0)
        return;
    s_check (topic.len + 1 + payload.len == size);
    s_publish (topic, payload, none);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_slice_t frames[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}}, rest = {(const char *)data, size};
    for (size_t i = 0; i < 3; i++) {
        const char *end = i < 2 && rest.len ? memchr (rest.at, 0xff, rest.len) : NULL;
        frames[i] = (zc_slice_t){rest.at, end ? (size_t)(end - rest.at) : rest.len};
        size_t step = frames[i].len + (end ? 1 : 0);
        rest = (zc_slice_t){rest.at + step, rest.len - step};
    }
    s_split (data, size);
    s_publish (frames[0], frames[1], frames[2]);
    s_deliver (frames[0], frames[1], frames[2]);
    return 0;
}
