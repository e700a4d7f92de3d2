/*  command.c - see command.h. jansson parses, and bounds the depth itself. Answers are written
 *  by hand, as each is one line. */
#include "ws/command.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/wire/encoding.h"

static int s_fail (zc_command_t *self, const char *code, const char *error)
{
    self->code = code;
    self->error = error;
    return -1;
}

/*  Keeps `ref`, or else the `id`, as JSON text for the answer. */
static void s_take_ref (zc_command_t *self)
{
    json_t *ref = json_object_get (self->root, "ref");
    if (!ref)
        ref = json_object_get (self->root, "id");
    if (json_is_string (ref) || json_is_integer (ref))
        self->ref = json_dumps (ref, JSON_ENCODE_ANY);
}

static int s_take_topics (zc_command_t *self, size_t max_topics)
{
    json_t *topics = json_object_get (self->root, "topics");
    size_t count = json_array_size (topics);
    if (!json_is_array (topics) || count == 0)
        return s_fail (self, "topics", "topics is an array of at least one topic");
    if (count > max_topics)
        return s_fail (self, "topics", "too many topics");
    self->topics = calloc (count, sizeof *self->topics);
    if (!self->topics)
        abort ();
    for (; self->count < count; self->count++) {
        json_t *topic = json_array_get (topics, self->count);
        zc_slice_t text = {json_string_value (topic), json_string_length (topic)};
        if (!text.at || !zc_topic_valid (text.at, text.len))
            return s_fail (self, "topics",
                           "a topic is 1 to 1024 bytes of text without control characters");
        self->topics[self->count] = text;
    }
    return 0;
}

static int s_take_publish (zc_command_t *self, size_t max_payload)
{
    zc_publication_t *publication = &self->publication;
    const zc_refusal_t *wrong = zc_publication_take_object (publication, self->root);
    if (!wrong)
        wrong = zc_publication_finish (publication, (zc_slice_t){"", 0}, max_payload);
    return wrong ? s_fail (self, wrong->code, wrong->text) : 0;
}

static int s_take_type (zc_command_t *self, zc_command_limits_t max)
{
    static const char *const types[] = {"subscribe", "unsubscribe", "ping", "publish"};
    const char *type = json_string_value (json_object_get (self->root, "type"));
    size_t i = 0;
    while (i < 4 && (!type || strcmp (type, types[i]) != 0))
        i++;
    self->type = (zc_command_type_t)i;
    switch (self->type) {
    case ZC_COMMAND_SUBSCRIBE:
    case ZC_COMMAND_UNSUBSCRIBE:
        return s_take_topics (self, max.topics);
    case ZC_COMMAND_PING:
        return 0;
    case ZC_COMMAND_PUBLISH:
        return s_take_publish (self, max.payload);
    default:
        return s_fail (self, "type", "type is subscribe, unsubscribe, publish or ping");
    }
}

int zc_command_parse (zc_command_t *self, const void *text, size_t len, zc_command_limits_t max)
{
    memset (self, 0, sizeof *self);
    self->root = json_loadb (text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!json_is_object ((json_t *)self->root))
        return s_fail (self, "json", "a message is one JSON object");
    s_take_ref (self);
    return s_take_type (self, max);
}

void zc_command_clear (zc_command_t *self)
{
    json_decref (self->root);
    free (self->topics);
    free (self->ref);
    zc_publication_clear (&self->publication);
    memset (self, 0, sizeof *self);
}

static void s_begin_answer (zc_buf_t *out, const char *type, const char *ref)
{
    zc_buf_adds (out, "{\"type\":\"");
    zc_buf_adds (out, type);
    zc_buf_addc (out, '"');
    if (ref) {
        zc_buf_adds (out, ",\"ref\":");
        zc_buf_adds (out, ref);
    }
}

void zc_answer_subscribed (zc_buf_t *out, const char *ref, const zc_slice_t *topics, size_t count)
{
    s_begin_answer (out, "subscribed", ref);
    zc_buf_adds (out, ",\"topics\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            zc_buf_addc (out, ',');
        zc_json_string (out, topics[i].at, topics[i].len);
    }
    zc_buf_addc (out, ']');
}

void zc_answer_position (zc_buf_t *out, zc_id_t position)
{
    if (position) {
        char id[ZC_ID_SIZE];
        zc_id_format (position, id);
        zc_buf_addf (out, ",\"id\":\"%s\"", id);
    }
    zc_buf_addc (out, '}');
}

void zc_answer_pong (zc_buf_t *out, const char *ref)
{
    s_begin_answer (out, "pong", ref);
    zc_buf_addc (out, '}');
}

void zc_answer_published (zc_buf_t *out, const char *ref, zc_slice_t id)
{
    s_begin_answer (out, "published", ref);
    zc_buf_adds (out, ",\"id\":");
    zc_json_string (out, id.at, id.len);
    zc_buf_addc (out, '}');
}

/*  Leaves out bytes that aren't UTF-8; only a broker that breaks the protocol sends them. */
static void s_add_text (zc_buf_t *out, zc_slice_t text)
{
    bool good = zc_utf8_valid (text.at, text.len);
    zc_json_string (out, text.at, good ? text.len : 0);
}

void zc_answer_error (zc_buf_t *out, const char *ref, zc_slice_t code, zc_slice_t message)
{
    s_begin_answer (out, "error", ref);
    zc_buf_adds (out, ",\"code\":");
    s_add_text (out, code);
    zc_buf_adds (out, ",\"message\":");
    s_add_text (out, message);
    zc_buf_addc (out, '}');
}

void zc_answer_reconnect (zc_buf_t *out, unsigned after_ms)
{
    s_begin_answer (out, "reconnect", NULL);
    zc_buf_addf (out, ",\"after\":%u}", after_ms);
}
