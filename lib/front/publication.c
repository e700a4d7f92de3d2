/*  publication.c - see publication.h. */
#include "lib/front/publication.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/wire/encoding.h"
#include "lib/wire/traceparent.h"

static const struct {
    const char *name;
    int field; /* number of the header field with the same meaning; -1: none */
} s_items[ZC_ITEM_COUNT] = {
    [ZC_ITEM_TOPIC] = {"topic", ZC_FIELD_ZCAST_TOPIC},
    [ZC_ITEM_DATA] = {"data", -1},
    [ZC_ITEM_EVENT] = {"event", ZC_FIELD_ZCAST_EVENT},
    [ZC_ITEM_ID] = {"id", ZC_FIELD_ZCAST_ID},
    [ZC_ITEM_KEY] = {"key", ZC_FIELD_ZCAST_KEY},
    [ZC_ITEM_TTL] = {"ttl", ZC_FIELD_ZCAST_TTL},
    [ZC_ITEM_RETRY] = {"retry", ZC_FIELD_ZCAST_RETRY},
    [ZC_ITEM_PRIVATE] = {"private", ZC_FIELD_ZCAST_PRIVATE},
    [ZC_ITEM_TRACEPARENT] = {"traceparent", ZC_FIELD_TRACEPARENT},
    [ZC_ITEM_CONTENT_TYPE] = {"content-type", -1},
};

static const zc_refusal_t s_escape = {"headers", "broken percent-escape"};
static const zc_refusal_t s_twice = {
    "headers", "topic, data, event, id, key, ttl, retry and private may be given once each"};
static const zc_refusal_t s_no_topic = {"topic", "no topic: say on which, as in ?topic=NAME"};
static const zc_refusal_t s_control = {
    "headers", "event, id, key, ttl, retry and private are text without control characters"};
static const zc_refusal_t s_empty = {"headers", "id and key are not empty"};
static const zc_refusal_t s_private = {"headers", "private is yes or no"};
static const zc_refusal_t s_json = {"json", "a line is one JSON object"};
static const zc_refusal_t s_data = {"payload", "a message has either data or base64, as a string"};
static const zc_refusal_t s_base64 = {"payload", "base64 is malformed"};
static const zc_refusal_t s_kind = {
    "headers",
    "topic, event, id and key are strings, ttl and retry numbers, private true or false"};

void zc_publication_init (zc_publication_t *self)
{
    memset (self, 0, sizeof *self);
}

void zc_publication_clear (zc_publication_t *self)
{
    zc_buf_clear (&self->headers);
    zc_buf_clear (&self->decoded);
    free (self->text[0]);
    free (self->text[1]);
    free (self->line_key);
    json_decref (self->root);
    zc_publication_init (self);
}

static int s_find (zc_slice_t name)
{
    for (int i = 0; i < ZC_ITEM_CONTENT_TYPE; i++)
        if (zc_slice_is (name, s_items[i].name))
            return i;
    return -1;
}

static bool s_give (zc_publication_t *self, zc_publication_item_t item, zc_slice_t value)
{
    bool first = self->items[item].at == NULL || item == ZC_ITEM_TRACEPARENT;
    self->items[item] = value;
    return first;
}

/*  ---------------------------------------------------------------- pairs of names and values */

/*  Decoding never makes text longer, so one block holds all decoded values. Our names need no
 *  escapes, so names aren't decoded. */
static const zc_refusal_t *s_take_pairs (zc_publication_t *self, zc_slice_t pairs, char **text)
{
    zc_slice_t name, value;
    char *out = *text = malloc (pairs.len + 1);
    if (!out)
        abort ();
    while (zc_query_next (&pairs, &name, &value)) {
        int item = s_find (name);
        if (item < 0)
            continue;
        long len = zc_url_decode (value.at, value.len, out);
        if (len < 0)
            return &s_escape;
        if (!s_give (self, (zc_publication_item_t)item, (zc_slice_t){out, (size_t)len}))
            return &s_twice;
        out += len;
    }
    return NULL;
}

bool zc_publication_is_form (zc_slice_t body)
{
    zc_slice_t name, value;
    while (zc_query_next (&body, &name, &value))
        if (zc_slice_is (name, "topic") || zc_slice_is (name, "data"))
            return true;
    return false;
}

const zc_refusal_t *zc_publication_take_form (zc_publication_t *self, zc_slice_t body)
{
    return s_take_pairs (self, body, &self->text[1]);
}

/*  ---------------------------------------------------------------- header fields */

/*  The draft of Idempotency-Key asks for a string of Structured Fields (RFC 8941 §3.3.3); most
 *  clients send it without quotes. */
static zc_slice_t s_unquote (zc_slice_t value)
{
    if (value.len < 2 || value.at[0] != '"' || value.at[value.len - 1] != '"')
        return value;
    return (zc_slice_t){value.at + 1, value.len - 2};
}

const zc_refusal_t *zc_publication_take_request (zc_publication_t *self,
                                                 const zc_request_t *request)
{
    zc_slice_t key = request->fields[ZC_FIELD_IDEMPOTENCY_KEY];
    zc_slice_t type = request->fields[ZC_FIELD_CONTENT_TYPE];
    const zc_refusal_t *wrong = s_take_pairs (self, request->query, &self->text[0]);
    for (int i = 0; i < ZC_ITEM_COUNT && !wrong; i++) {
        zc_slice_t value =
            s_items[i].field < 0 ? (zc_slice_t){NULL, 0} : request->fields[s_items[i].field];
        if (i == ZC_ITEM_TRACEPARENT && self->items[i].at)
            continue;
        if (value.at && !s_give (self, (zc_publication_item_t)i, value))
            wrong = &s_twice;
    }
    if (!wrong && key.at && !s_give (self, ZC_ITEM_KEY, s_unquote (key)))
        wrong = &s_twice;
    if (type.len > 0 && type.len <= 256 && zc_text_plain (type.at, type.len))
        self->items[ZC_ITEM_CONTENT_TYPE] = type;
    return wrong;
}

/*  ---------------------------------------------------------------- JSON */

/*  A member's value as text: a number as its digits, true and false as yes and no. */
static const zc_refusal_t *s_take_member (zc_publication_t *self, zc_publication_item_t item)
{
    const json_t *member = json_object_get (self->root, s_items[item].name);
    bool number = item == ZC_ITEM_TTL || item == ZC_ITEM_RETRY;
    if (!member || json_is_null (member))
        return NULL;
    if (json_is_string (member)) {
        s_give (self, item, (zc_slice_t){json_string_value (member), json_string_length (member)});
        return NULL;
    }
    if (number && json_is_integer (member) && json_integer_value (member) >= 0) {
        json_t *text = json_sprintf ("%lld", (long long)json_integer_value (member));
        json_object_set_new (self->root, s_items[item].name, text);
        s_give (self, item, (zc_slice_t){json_string_value (text), json_string_length (text)});
        return NULL;
    }
    if (item == ZC_ITEM_PRIVATE && json_is_boolean (member)) {
        s_give (self, item, json_is_true (member) ? (zc_slice_t){"yes", 3} : (zc_slice_t){"no", 2});
        return NULL;
    }
    if (item == ZC_ITEM_TRACEPARENT) {
        s_give (self, item, (zc_slice_t){"", 0});
        return NULL;
    }
    return item == ZC_ITEM_DATA ? &s_data : &s_kind;
}

static const zc_refusal_t *s_take_base64 (zc_publication_t *self)
{
    const json_t *member = json_object_get (self->root, "base64");
    if (!member || json_is_null (member))
        return self->items[ZC_ITEM_DATA].at ? NULL : &s_data;
    if (!json_is_string (member) || self->items[ZC_ITEM_DATA].at)
        return &s_data;
    zc_slice_t text = {json_string_value (member), json_string_length (member)};
    if (!zc_base64_decode (&self->decoded, text))
        return &s_base64;
    zc_buf_reserve (&self->decoded, 1);
    self->items[ZC_ITEM_DATA] = (zc_slice_t){(const char *)self->decoded.data, self->decoded.len};
    return NULL;
}

/*  Takes from the request the items that the line doesn't have. */
static void s_take_common (zc_publication_t *self, const zc_publication_t *common, size_t number)
{
    for (int i = 0; i < ZC_ITEM_CONTENT_TYPE; i++)
        if (!self->items[i].at && i != ZC_ITEM_DATA && i != ZC_ITEM_ID)
            self->items[i] = common->items[i];
    zc_slice_t key = common->items[ZC_ITEM_KEY];
    if (!key.at || self->items[ZC_ITEM_KEY].at != key.at)
        return;
    zc_buf_t text = ZC_BUF_INIT;
    zc_buf_add (&text, key.at, key.len);
    zc_buf_addf (&text, ".%zu", number);
    self->items[ZC_ITEM_KEY] = (zc_slice_t){zc_buf_str (&text), text.len};
    self->line_key = (char *)text.data;
}

const zc_refusal_t *zc_publication_take_object (zc_publication_t *self, void *object)
{
    const zc_refusal_t *wrong = NULL;
    self->root = json_incref (object);
    for (int i = 0; i < ZC_ITEM_CONTENT_TYPE && !wrong; i++)
        wrong = s_take_member (self, (zc_publication_item_t)i);
    return wrong ? wrong : s_take_base64 (self);
}

const zc_refusal_t *zc_publication_take_line (zc_publication_t *self, zc_slice_t line,
                                              const zc_publication_t *common, size_t number)
{
    json_t *object = json_loadb (line.at, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const zc_refusal_t *wrong =
        json_is_object (object) ? zc_publication_take_object (self, object) : &s_json;
    json_decref (object);
    if (!wrong && common)
        s_take_common (self, common, number);
    return wrong;
}

/*  ---------------------------------------------------------------- the whole publication */

/*  1 if the message is to be private, 0 if not, -1 if the value is neither. No value means yes. */
static int s_is_private (zc_slice_t value)
{
    static const char *const yes[] = {"", "yes", "on", "true", "1"};
    static const char *const no[] = {"no", "off", "false", "0"};
    if (!value.at)
        return 0;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (zc_slice_is (value, yes[i]))
            return 1;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (zc_slice_is (value, no[i]))
            return 0;
    return -1;
}

static void s_add_header (zc_publication_t *self, zc_publication_item_t item, zc_slice_t value)
{
    zc_buf_adds (&self->headers, s_items[item].name);
    zc_buf_adds (&self->headers, ": ");
    zc_buf_add (&self->headers, value.at, value.len);
    zc_buf_addc (&self->headers, '\n');
}

static void s_add_traceparent (zc_publication_t *self)
{
    zc_slice_t value = self->items[ZC_ITEM_TRACEPARENT];
    zc_trace_t trace;
    char text[ZC_TRACEPARENT_LEN];
    self->untraced = value.at && zc_traceparent_parse (value, &trace) != 0;
    if (!value.at || self->untraced)
        return;
    zc_traceparent_write (&trace, text);
    s_add_header (self, ZC_ITEM_TRACEPARENT, (zc_slice_t){text, sizeof text});
}

/*  A value with an LF would begin another header, so it is refused. */
static const zc_refusal_t *s_add_headers (zc_publication_t *self)
{
    int private_ = s_is_private (self->items[ZC_ITEM_PRIVATE]);
    if (private_ < 0)
        return &s_private;
    for (int i = ZC_ITEM_EVENT; i < ZC_ITEM_COUNT; i++) {
        zc_slice_t value = self->items[i];
        if (i == ZC_ITEM_TRACEPARENT)
            continue;
        if (!zc_text_plain (value.at, value.len))
            return &s_control;
        if (value.at && value.len == 0 && (i == ZC_ITEM_ID || i == ZC_ITEM_KEY))
            return &s_empty; /* an empty id would protect from no repeat */
        if (value.len > 0 && i != ZC_ITEM_PRIVATE)
            s_add_header (self, (zc_publication_item_t)i, value);
    }
    if (private_)
        s_add_header (self, ZC_ITEM_PRIVATE, (zc_slice_t){"yes", 3});
    s_add_traceparent (self);
    return NULL;
}

const zc_refusal_t *zc_publication_finish (zc_publication_t *self, zc_slice_t payload,
                                           size_t max_payload)
{
    static const zc_refusal_t large = {"payload", "the payload is too large"};
    zc_message_t message;
    if (!self->items[ZC_ITEM_TOPIC].at)
        return &s_no_topic;
    if (self->items[ZC_ITEM_DATA].at && payload.len > 0)
        return &s_twice;
    /* then the content type was the request's and not the payload's */
    if (self->items[ZC_ITEM_DATA].at)
        self->items[ZC_ITEM_CONTENT_TYPE] = (zc_slice_t){NULL, 0};
    else
        self->items[ZC_ITEM_DATA] = payload;
    const zc_refusal_t *wrong = s_add_headers (self);
    if (wrong)
        return wrong;
    zc_slice_t data = self->items[ZC_ITEM_DATA];
    zc_slice_t headers = {(const char *)self->headers.data, self->headers.len};
    int rc = zc_publish_parse (&message, self->items[ZC_ITEM_TOPIC], data, headers, max_payload);
    if (rc == ZC_ESIZE)
        return data.len > max_payload ? &large : zc_message_refusal (ZC_EHEADER);
    return rc == 0 ? NULL : zc_message_refusal (rc);
}
