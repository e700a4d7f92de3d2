/*  command.c - see command.h. jansson parses, and bounds the depth itself. Answers are written
 *  by hand, as each is one line. */
#include "ws/command.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/wire/encoding.h"
#include "lib/wire/selector.h"

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

/*  The members of a command that name topics. */
static const struct {
    const char *name;
    zc_selector_form_t form; /* 0: topics */
} s_lists[] = {{"topics", 0},
               {"match", ZC_SELECTOR_FILTER},
               {"template", ZC_SELECTOR_TEMPLATE},
               {"pattern", ZC_SELECTOR_PATTERN}};
#define S_LISTS (sizeof s_lists / sizeof *s_lists)

static int s_take_topic (zc_command_t *self, zc_slice_t text)
{
    if (!text.at || !zc_topic_valid (text.at, text.len))
        return s_fail (self, "topics",
                       "a topic is 1 to 1024 bytes of text without control characters");
    self->topics[self->count++] = text;
    return 0;
}

/*  A selector that can match only one topic stands for that topic. There is room in `names`. */
static int s_take_selector (zc_command_t *self, zc_selector_form_t form, zc_slice_t text)
{
    const char *error;
    zc_selector_t *selector = zc_selector_new (form, text, &error);
    if (!selector)
        return s_fail (self, "selector", error);
    self->steps += zc_selector_steps (selector);
    if (self->type == ZC_COMMAND_SUBSCRIBE && self->steps > ZC_SELECTORS_STEPS_MAX) {
        zc_selector_destroy (&selector);
        return s_fail (self, "selector", "the selectors have too many wildcards together");
    }
    zc_slice_t name = zc_selector_is_topic (selector) ? zc_selector_beginning (selector)
                                                      : zc_selector_name (selector);
    const char *at = (const char *)self->names.data + self->names.len;
    zc_buf_add (&self->names, name.at, name.len);
    self->topics[self->count++] = (zc_slice_t){at, name.len};
    zc_selector_destroy (&selector);
    return 0;
}

/*  How many topics and selectors the command names, and how much room their names need. Returns -1
 *  if a list is none. */
static long s_count_topics (zc_command_t *self, size_t *room)
{
    size_t count = 0;
    *room = 1;
    for (size_t i = 0; i < S_LISTS; i++) {
        const json_t *list = json_object_get (self->root, s_lists[i].name), *item;
        size_t k;
        if (list && !json_is_array (list))
            return -1;
        json_array_foreach (list, k, item) *room += json_string_length (item) + ZC_SELECTOR_HEAD;
        count += json_array_size (list);
    }
    return (long)count;
}

static int s_take_topics (zc_command_t *self, size_t max_topics)
{
    size_t room;
    long count = s_count_topics (self, &room);
    if (count <= 0)
        return s_fail (self, "topics", "topics is an array of at least one topic");
    self->many = (size_t)count > max_topics;
    if (self->many)
        return s_fail (self, "topics", "too many topics");
    self->topics = calloc ((size_t)count, sizeof *self->topics);
    if (!self->topics)
        abort ();
    zc_buf_reserve (&self->names, room);
    for (size_t i = 0; i < S_LISTS; i++) {
        const json_t *item, *list = json_object_get (self->root, s_lists[i].name);
        size_t k;
        json_array_foreach (list, k, item)
        {
            zc_slice_t text = {json_string_value (item), json_string_length (item)};
            zc_selector_form_t form = s_lists[i].form;
            int rc = form ? s_take_selector (self, form, text) : s_take_topic (self, text);
            if (rc != 0)
                return rc;
        }
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
    zc_buf_clear (&self->names);
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

/*  Adds the topics, or the selectors of one form. A list of selectors is left out if it is empty.
 */
static void s_add_list (zc_buf_t *out, size_t list, const zc_slice_t *topics, size_t count)
{
    zc_selector_form_t form = s_lists[list].form;
    bool any = !form;
    if (any)
        zc_buf_addf (out, ",\"%s\":[", s_lists[list].name);
    for (size_t i = 0, added = 0; i < count; i++) {
        bool selector = zc_names_selector (topics[i]);
        if (selector != (form != 0) || (selector && (zc_selector_form_t)topics[i].at[1] != form))
            continue;
        if (!any)
            zc_buf_addf (out, ",\"%s\":[", s_lists[list].name);
        any = true;
        zc_slice_t text = zc_selector_shown (topics[i]);
        zc_buf_adds (out, added++ ? "," : "");
        zc_json_string (out, text.at, text.len);
    }
    if (any)
        zc_buf_addc (out, ']');
}

void zc_answer_subscribed (zc_buf_t *out, const char *ref, const zc_slice_t *topics, size_t count)
{
    s_begin_answer (out, "subscribed", ref);
    for (size_t i = 0; i < S_LISTS; i++)
        s_add_list (out, i, topics, count);
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
