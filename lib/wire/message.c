/*  message.c - the envelope on the wire. The broker checks messages of publishers, once; a
 *  worker checks in messages of the broker what it relies on. */
#include "lib/wire/message.h"

#include <stdlib.h>
#include <string.h>

#include "lib/wire/traceparent.h"

const zc_refusal_t *zc_message_refusal (int code)
{
    static const zc_refusal_t refusals[] = {
        {"internal", "no error"},
        [-ZC_EFRAMES] = {"arguments", "a message is topic, payload and optional headers"},
        [-ZC_ETOPIC] = {"topic", "a topic is 1 to 1024 bytes of UTF-8 without control characters"},
        [-ZC_ESIZE] = {"payload", "the payload or the headers are too large"},
        [-ZC_EHEADER] = {"headers", "headers are at most 8192 bytes of UTF-8 lines 'name: value'; "
                                    "event and key are plain text of at most 256 bytes, retry and "
                                    "ttl digits; id and key come at most once"},
        [-ZC_EMETA] = {"internal", "the meta frame has no valid id and prev"},
        [-ZC_EEVENTID] = {"headers",
                          "an own id is 1 to 256 bytes of visible ASCII, not 'earliest', "
                          "and not two numbers with '-' between them, as a position is"},
        [-ZC_ERESERVED] = {"headers",
                           "the event types 'error' and 'open' are a browser's own, and 'mercure', "
                           "and those that begin with 'zcast.', are the broker's"},
        [-ZC_ECONFLICT] = {"conflict", "another message with this id, or key, was published on the "
                                       "topic within dedup-window"},
        [-ZC_EFORBIDDEN] = {"forbidden", "this publisher may not publish on this topic"},
        [-ZC_ERETRY] = {"headers", "a retry is at most 600000 milliseconds (10 minutes)"},
    };
    bool known = code < 0 && code >= ZC_ERETRY;
    return &refusals[known ? -code : 0];
}

const char *zc_message_strerror (int code)
{
    return zc_message_refusal (code)->text;
}

static size_t s_digits (zc_slice_t text, size_t at)
{
    size_t begin = at;
    while (at < text.len && text.at[at] >= '0' && text.at[at] <= '9')
        at++;
    return at - begin;
}

/*  Numbers of any size: a later version may have larger positions. */
static bool s_like_position (zc_slice_t text)
{
    size_t dash = s_digits (text, 0);
    if (dash == 0 || dash + 1 >= text.len || text.at[dash] != '-')
        return false;
    return dash + 1 + s_digits (text, dash + 1) == text.len;
}

bool zc_event_id_valid (zc_slice_t id)
{
    if (id.len < 1 || id.len > ZC_EVENT_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        uint8_t byte = (uint8_t)id.at[i];
        if (byte < 0x21 || byte > 0x7e)
            return false;
    }
    return !zc_slice_is (id, "earliest") && !s_like_position (id);
}

bool zc_topic_is_canary (zc_slice_t topic)
{
    return zc_slice_starts (topic, ZC_CANARY_TOPIC);
}

bool zc_event_reserved (zc_slice_t event)
{
    switch (event.len > 0 ? event.at[0] : 0) { /* every message has this checked */
    case 'z':
        return zc_slice_starts (event, "zcast.");
    case 'm':
        return zc_slice_is (event, "mercure");
    case 'e':
        return zc_slice_is (event, "error");
    case 'o':
        return zc_slice_is (event, "open");
    default:
        return false;
    }
}

int zc_publish_split (const void *frame, size_t len, zc_slice_t *topic, zc_slice_t *payload)
{
    const char *text = frame;
    const char *space = len ? memchr (text, ' ', len) : NULL;
    if (!space)
        return ZC_ETOPIC;
    size_t topic_len = (size_t)(space - text);
    *topic = (zc_slice_t){text, topic_len};
    *payload = (zc_slice_t){space + 1, len - topic_len - 1};
    return 0;
}

static bool s_is (zc_slice_t slice, const char *text)
{
    size_t len = strlen (text);
    return slice.len == len && memcmp (slice.at, text, len) == 0;
}

typedef struct {
    zc_slice_t name, value, line; /* line: with its LF, if it has one */
} s_header_t;

/*  Takes the next line from `rest`: 1 with a header, 0 at the end, -1 if the line isn't `name:
 *  value`. The first space after the colon is part of the form. */
static int s_next_header (zc_slice_t *rest, s_header_t *header)
{
    if (rest->len == 0)
        return 0;
    const char *end = memchr (rest->at, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->at) : rest->len;
    size_t step = len + (end ? 1 : 0);
    const char *line = rest->at;
    header->line = (zc_slice_t){line, step};
    rest->at += step;
    rest->len -= step;
    const char *colon = len ? memchr (line, ':', len) : NULL;
    if (!colon || colon == line)
        return -1;
    size_t name_len = (size_t)(colon - line);
    size_t skip = name_len + 1;
    if (skip < len && line[skip] == ' ')
        skip++;
    header->name = (zc_slice_t){line, name_len};
    header->value = (zc_slice_t){line + skip, len - skip};
    return 1;
}

static bool s_short_plain (zc_slice_t value, size_t max)
{
    return value.len >= 1 && value.len <= max && zc_text_plain (value.at, value.len);
}

static int s_set_plain (zc_slice_t *to, zc_slice_t value, size_t max)
{
    if (!s_short_plain (value, max))
        return ZC_EHEADER;
    *to = value;
    return 0;
}

/*  An own id may be given once: repeats are recognised by it, so all readers of the headers must
 *  find the same one. */
static int s_set_event_id (zc_slice_t *to, zc_slice_t value)
{
    if (to->len)
        return ZC_EHEADER;
    if (!zc_event_id_valid (value))
        return ZC_EEVENTID;
    *to = value;
    return 0;
}

static int s_set_event (zc_slice_t *to, zc_slice_t value)
{
    return zc_event_reserved (value) ? ZC_ERESERVED : s_set_plain (to, value, ZC_EVENT_MAX);
}

static int s_set_digits (zc_slice_t *to, zc_slice_t value)
{
    uint64_t number;
    if (zc_text_u64 (value.at, value.len, UINT32_MAX, &number) != 0)
        return ZC_EHEADER;
    *to = value;
    return 0;
}

static int s_set_retry (zc_slice_t *to, zc_slice_t value)
{
    uint64_t ms;
    if (value.len == 0 || s_digits (value, 0) < value.len)
        return ZC_EHEADER;
    if (zc_text_u64 (value.at, value.len, ZC_RETRY_MAX, &ms) != 0)
        return ZC_ERETRY;
    *to = value;
    return 0;
}

static int s_publish_header (zc_message_t *message, const s_header_t *header)
{
    zc_slice_t name = header->name, value = header->value;
    if (!zc_text_plain (name.at, name.len) || memchr (name.at, ' ', name.len))
        return ZC_EHEADER;
    if (s_is (name, "event"))
        return s_set_event (&message->event, value);
    if (s_is (name, "id"))
        return s_set_event_id (&message->event_id, value);
    if (s_is (name, "key")) /* once, like an own id */
        return message->key.len ? ZC_EHEADER : s_set_plain (&message->key, value, ZC_KEY_MAX);
    if (s_is (name, "retry"))
        return s_set_retry (&message->retry, value);
    if (s_is (name, "ttl"))
        return s_set_digits (&message->ttl, value);
    if (s_is (name, "private"))
        message->private_ = true;
    if (s_is (name, "topics"))
        message->topics = value;
    if (s_is (name, "reuse"))
        message->reuse = true;
    return 0;
}

int zc_publish_parse (zc_message_t *message, zc_slice_t topic, zc_slice_t payload,
                      zc_slice_t headers, size_t max_payload)
{
    *message = (zc_message_t){.topic = topic, .payload = payload};
    if (!zc_topic_valid (topic.at, topic.len))
        return ZC_ETOPIC;
    if (payload.len > max_payload || headers.len > ZC_HEADERS_MAX)
        return ZC_ESIZE;
    if (headers.len == 0)
        return 0;
    if (!zc_utf8_valid (headers.at, headers.len) || memchr (headers.at, '\0', headers.len) ||
        memchr (headers.at, '\r', headers.len))
        return ZC_EHEADER;
    s_header_t header;
    int rc;
    while ((rc = s_next_header (&headers, &header)) == 1) {
        rc = s_publish_header (message, &header);
        if (rc != 0)
            return rc;
    }
    if (message->event_id.len && !message->reuse)
        message->key = message->event_id;
    return rc == 0 ? 0 : ZC_EHEADER;
}

static void s_position (zc_buf_t *out, const char *name, size_t name_len, zc_id_t id)
{
    char *to = (char *)zc_buf_reserve (out, name_len + ZC_ID_SIZE + 1);
    memcpy (to, name, name_len);
    size_t len = name_len + zc_id_format (id, to + name_len);
    to[len] = '\n';
    out->len += len + 1;
}

void zc_meta_write (zc_buf_t *out, zc_id_t id, zc_id_t prev, zc_id_t dropped, zc_slice_t headers)
{
    s_position (out, "id: ", 4, id);
    s_position (out, "prev: ", 6, prev);
    if (dropped != ZC_ID_NONE)
        s_position (out, "dropped: ", 9, dropped);
    s_header_t header;
    while (headers.len > 0 && s_next_header (&headers, &header) == 1) {
        if (s_is (header.name, "prev") || s_is (header.name, "dropped") ||
            s_is (header.name, "event-id"))
            continue;
        if (s_is (header.name, "id"))
            zc_buf_add (out, "event-", 6);
        zc_buf_add (out, header.line.at, header.line.len);
        if (out->data[out->len - 1] != '\n')
            zc_buf_addc (out, '\n');
    }
}

void zc_meta_set_dropped (zc_buf_t *out, zc_slice_t meta, zc_id_t dropped)
{
    s_header_t header;
    while (s_next_header (&meta, &header) == 1) {
        if (!s_is (header.name, "dropped"))
            zc_buf_add (out, header.line.at, header.line.len);
        if (s_is (header.name, "prev"))
            s_position (out, "dropped: ", 9, dropped);
    }
}

static int s_delivery_header (zc_message_t *message, const s_header_t *header)
{
    zc_slice_t value = header->value;
    zc_id_t *position = s_is (header->name, "id")        ? &message->id
                        : s_is (header->name, "prev")    ? &message->prev
                        : s_is (header->name, "dropped") ? &message->dropped
                                                         : NULL;
    if (position)
        return zc_id_parse (value.at, value.len, position) == 0 ? 0 : ZC_EMETA;
    if (s_is (header->name, "event")) {
        if (!s_short_plain (value, ZC_EVENT_MAX))
            return ZC_EMETA;
        message->event = zc_event_reserved (value) ? (zc_slice_t){NULL, 0} : value;
    } else if (s_is (header->name, "event-id")) {
        if (!s_short_plain (value, ZC_EVENT_ID_MAX))
            return ZC_EMETA;
        message->event_id = value;
    } else if (s_is (header->name, "retry")) {
        uint64_t number;
        if (zc_text_u64 (value.at, value.len, UINT32_MAX, &number) != 0)
            return ZC_EMETA;
        message->retry = value;
    } else if (s_is (header->name, "private")) {
        message->private_ = true;
    } else if (s_is (header->name, "topics")) {
        message->topics = value;
    } else if (s_is (header->name, "traceparent")) {
        zc_trace_t trace;
        if (zc_traceparent_parse (value, &trace) == 0)
            message->traceparent = value;
    }
    return 0;
}

int zc_delivery_parse (zc_message_t *message, zc_slice_t topic, zc_slice_t payload, zc_slice_t meta)
{
    *message = (zc_message_t){.topic = topic, .payload = payload, .meta = meta, .prev = ZC_ID_MAX};
    if (!zc_topic_valid (topic.at, topic.len))
        return ZC_ETOPIC;
    s_header_t header;
    int rc;
    while ((rc = s_next_header (&meta, &header)) == 1) {
        if (s_delivery_header (message, &header) != 0)
            return ZC_EMETA;
    }
    return rc == 0 && message->prev < message->id ? 0 : ZC_EMETA;
}

bool zc_header_next (zc_slice_t *headers, zc_slice_t *name, zc_slice_t *value)
{
    s_header_t header;
    if (s_next_header (headers, &header) != 1)
        return false;
    *name = header.name;
    *value = header.value;
    return true;
}

bool zc_header_find (zc_slice_t headers, const char *name, zc_slice_t *value)
{
    s_header_t header;
    while (s_next_header (&headers, &header) == 1) {
        if (s_is (header.name, name)) {
            *value = header.value;
            return true;
        }
    }
    return false;
}

size_t zc_message_size (const zc_message_t *message)
{
    return sizeof *message + message->topic.len + message->payload.len + message->meta.len;
}

zc_message_t *zc_message_copy (const zc_message_t *message)
{
    const zc_message_t *from = message;
    zc_message_t *copy = malloc (zc_message_size (message));
    if (!copy)
        abort ();
    *copy = *from;
    char *at = (char *)(copy + 1);
    zc_slice_t *whole[] = {&copy->topic, &copy->payload, &copy->meta};
    for (size_t i = 0; i < 3; i++) {
        if (whole[i]->len)
            memcpy (at, whole[i]->at, whole[i]->len);
        whole[i]->at = at;
        at += whole[i]->len;
    }
    zc_slice_t *inside[] = {&copy->event, &copy->event_id, &copy->retry, &copy->traceparent,
                            &copy->topics};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (inside[i]->len)
            inside[i]->at = copy->meta.at + (inside[i]->at - from->meta.at);
    return copy;
}
