/*  ndjson.c - see ndjson.h. */
#include "tools/ndjson.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/wire/encoding.h"
#include "lib/wire/id.h"
#include "lib/wire/message.h"

void zc_ndjson_clear (zc_ndjson_t *self)
{
    zc_buf_clear (&self->headers);
    zc_buf_clear (&self->decoded);
    json_decref (self->root);
    *self = (zc_ndjson_t){0};
}

static zc_slice_t s_slice (const json_t *text)
{
    return (zc_slice_t){json_string_value (text), json_string_length (text)};
}

/*  Whether it can become a line `name: value`. */
static bool s_is_line (const char *name, zc_slice_t value)
{
    return *name && !strpbrk (name, ": \n\r") && zc_text_plain (name, strlen (name)) &&
           zc_text_plain (value.at, value.len);
}

static const char *s_add_header (zc_ndjson_t *self, const char *name, const json_t *value)
{
    static const char wrong[] = "a header is a string, a number or true";
    char digits[24];
    zc_slice_t text = {digits, 0};
    if (json_is_string (value))
        text = s_slice (value);
    else if (json_is_integer (value) && json_integer_value (value) >= 0)
        text.len = (size_t)snprintf (digits, sizeof digits, "%" JSON_INTEGER_FORMAT,
                                     json_integer_value (value));
    else if (json_is_true (value))
        text = (zc_slice_t){"1", 1};
    else
        return wrong;
    if (!s_is_line (name, text))
        return "a header has a control character, or no name";
    zc_buf_addf (&self->headers, "%s: ", name);
    zc_buf_add (&self->headers, text.at, text.len);
    zc_buf_addc (&self->headers, '\n');
    return NULL;
}

/*  The object `headers`: a header that occurs several times is a list. */
static const char *s_add_headers (zc_ndjson_t *self, json_t *headers)
{
    const char *name, *wrong = json_is_object (headers) ? NULL : "headers is no object";
    json_t *value, *item;
    size_t i;
    json_object_foreach (headers, name, value)
    {
        if (!wrong && !json_is_array (value))
            wrong = s_add_header (self, name, value);
        json_array_foreach (value, i, item) wrong = wrong ? wrong : s_add_header (self, name, item);
    }
    return wrong;
}

/*  `id`: a text that doesn't have a position's form is the publisher's own id. */
static const char *s_add_id (zc_ndjson_t *self, const json_t *value)
{
    zc_id_t id;
    zc_slice_t text = s_slice (value);
    if (!json_is_string (value))
        return "id is no string";
    return zc_id_parse (text.at, text.len, &id) == 0 ? NULL : s_add_header (self, "id", value);
}

static const char *s_set_text (zc_slice_t *to, const json_t *value, const char *wrong)
{
    if (!json_is_string (value) || to->at)
        return wrong;
    *to = s_slice (value);
    return NULL;
}

static const char *s_set_base64 (zc_ndjson_t *self, const json_t *value)
{
    if (!json_is_string (value) || self->payload.at)
        return "a message has either data or base64, as a string";
    if (!zc_base64_decode (&self->decoded, s_slice (value)))
        return "base64 is malformed";
    self->payload = (zc_slice_t){zc_buf_str (&self->decoded), self->decoded.len};
    return NULL;
}

static const char *s_member (zc_ndjson_t *self, const char *name, json_t *value)
{
    static const char *const plain[] = {"event",   "key",          "ttl",        "retry",
                                        "private", "content-type", "traceparent"};
    if (strcmp (name, "topic") == 0)
        return s_set_text (&self->topic, value, "topic is no string");
    if (strcmp (name, "data") == 0)
        return s_set_text (&self->payload, value,
                           "a message has either data or base64, as a string");
    if (strcmp (name, "base64") == 0)
        return s_set_base64 (self, value);
    if (strcmp (name, "headers") == 0)
        return s_add_headers (self, value);
    if (strcmp (name, "id") == 0)
        return s_add_id (self, value);
    if (strcmp (name, "event-id") == 0)
        return s_add_header (self, "id", value);
    if (strcmp (name, "time") == 0)
        return NULL;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp (name, plain[i]) == 0)
            return s_add_header (self, name, value);
    return "there is a member of an unknown name; headers is the place for others";
}

const char *zc_ndjson_parse (zc_ndjson_t *self, zc_slice_t line, const char *topic)
{
    json_error_t error;
    const char *name, *wrong = NULL;
    json_t *value;
    *self = (zc_ndjson_t){0};
    json_t *root = self->root =
        json_loadb (line.at, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!json_is_object (root))
        return "it is no JSON object";
    json_object_foreach (root, name, value)
    {
        wrong = wrong ? wrong : s_member (self, name, value);
    }
    if (!self->topic.at && topic)
        self->topic = (zc_slice_t){topic, strlen (topic)};
    if (!wrong && !self->topic.at)
        wrong = "it has no topic, and none is given";
    if (!wrong && !self->payload.at)
        wrong = "it has neither data nor base64";
    if (wrong)
        return wrong;
    zc_message_t message;
    int rc =
        zc_publish_parse (&message, self->topic, self->payload,
                          (zc_slice_t){zc_buf_str (&self->headers), self->headers.len}, SIZE_MAX);
    return rc == 0 ? NULL : zc_message_strerror (rc);
}
