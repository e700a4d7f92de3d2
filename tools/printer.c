/*  printer.c - see printer.h. */
#include "tools/printer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/base64.h"
#include "lib/base/buf.h"
#include "lib/base/daemon.h"
#include "lib/base/timestamp.h"
#include "tools/tool.h"

int zc_printer_init (zc_printer_t *self, const zc_options_t *options, bool json, const char *preset)
{
    char error[160];
    const char *format = zc_options_text (options, "format");
    *self = (zc_printer_t){.json = json};
    if (json && format)
        return zc_tool_misuse ("--format, or JSON: not both");
    format = format ? format : preset;
    if (json || !format)
        return ZC_EXIT_OK;
    self->format = zc_format_new (format, error, sizeof error);
    return self->format ? ZC_EXIT_OK : zc_tool_misuse ("--format: %s", error);
}

void zc_printer_clear (zc_printer_t *self)
{
    zc_format_destroy (&self->format);
}

bool zc_printer_full (const zc_printer_t *self)
{
    return self->want && self->seen >= self->want;
}

static void s_set_text (json_t *object, const char *key, zc_slice_t value)
{
    if (value.len)
        json_object_set_new (object, key, json_stringn (value.at, value.len));
}

/*  Adds a header; several headers of one name become a list. */
static void s_add_header (json_t *headers, zc_slice_t name, zc_slice_t value)
{
    char key[ZC_HEADERS_MAX + 1];
    json_t *text = json_stringn (value.at, value.len), *list;
    snprintf (key, sizeof key, "%.*s", (int)name.len, name.at);
    json_t *before = json_object_get (headers, key);
    if (!before) {
        json_object_set_new (headers, key, text);
        return;
    }
    if (json_is_array (before)) {
        json_array_append_new (before, text);
        return;
    }
    list = json_array ();
    json_array_append (list, before);
    json_array_append_new (list, text);
    json_object_set_new (headers, key, list);
}

/*  The publisher's headers, without those that have members of their own. NULL if there are
 *  none. */
static json_t *s_headers (zc_slice_t meta)
{
    static const char *const others[] = {"id", "prev", "dropped", "event-id", "event"};
    json_t *headers = NULL;
    zc_slice_t name, value;
    while (zc_header_next (&meta, &name, &value)) {
        bool other = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            other = other || zc_slice_is (name, others[i]);
        if (other)
            continue;
        if (!headers)
            headers = json_object ();
        s_add_header (headers, name, value);
    }
    return headers;
}

static void s_print_json (const zc_message_t *message)
{
    json_t *object = json_object ();
    char id[ZC_ID_SIZE], time[ZC_TIMESTAMP_SIZE];
    zc_id_format (message->id, id);
    zc_timestamp_format (zc_id_ms (message->id), time);
    json_object_set_new (object, "id", json_string (id));
    json_object_set_new (object, "time", json_string (time));
    s_set_text (object, "event-id", message->event_id);
    s_set_text (object, "topic", message->topic);
    s_set_text (object, "event", message->event);
    json_t *headers = s_headers (message->meta);
    if (headers)
        json_object_set_new (object, "headers", headers);
    zc_slice_t payload = message->payload;
    if (zc_utf8_valid (payload.at, payload.len)) {
        json_object_set_new (object, "data", json_stringn (payload.at, payload.len));
    } else {
        zc_buf_t text = ZC_BUF_INIT;
        size_t len = 4 * ((payload.len + 2) / 3);
        zc_base64 (payload.at, payload.len, (char *)zc_buf_reserve (&text, len));
        json_object_set_new (object, "base64", json_stringn ((char *)text.data, len));
        zc_buf_clear (&text);
    }
    char *text = json_dumps (object, JSON_COMPACT);
    if (!text)
        abort ();
    zc_tool_put_json (text);
    free (text);
    json_decref (object);
}

static void s_print_formatted (const zc_printer_t *self, const zc_message_t *message)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_format_write (self->format, message, zc_tool_on_terminal (), &text);
    fwrite (text.data, 1, text.len, stdout);
    zc_buf_clear (&text);
}

void zc_printer_message (zc_printer_t *self, const zc_message_t *message)
{
    if (zc_printer_full (self))
        return;
    self->seen++;
    if (self->format) {
        s_print_formatted (self, message);
        return;
    }
    if (self->json) {
        s_print_json (message);
    } else {
        if (self->topics) {
            zc_tool_put (message->topic);
            putchar ('\t');
        }
        zc_tool_put (message->payload);
    }
    putchar ('\n');
}

void zc_printer_gap (zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to)
{
    char since[ZC_ID_SIZE], floor[ZC_ID_SIZE];
    zc_id_format (from, since);
    zc_id_format (to, floor);
    fflush (stdout); /* if both go to the same place, the order stays right */
    zc_buf_t which = ZC_BUF_INIT;
    if (topic.len || prefix)
        zc_buf_addf (&which, "%s'%.*s'", prefix ? "topics that begin with " : "", (int)topic.len,
                     topic.at);
    else
        zc_buf_adds (&which, "the topics");
    if (to < from)
        zc_tool_say ("gap: %s: %s is after the broker's last position; going on after %s, "
                     "earlier messages may be missing",
                     zc_buf_str (&which), since, floor);
    else
        zc_tool_say ("gap: messages on %s after %s, up to %s, are gone from history",
                     zc_buf_str (&which), since, floor);
    zc_buf_clear (&which);
}

int zc_printer_verdict (const zc_printer_t *self, bool timed_out)
{
    if (self->want ? zc_printer_full (self) : self->seen > 0 || !timed_out)
        return ZC_EXIT_OK;
    if (timed_out && self->want)
        zc_tool_say ("time is up: %llu of %llu messages came", (unsigned long long)self->seen,
                     (unsigned long long)self->want);
    else if (timed_out)
        zc_tool_say ("time is up: no message came");
    return ZC_EXIT_FAILURE;
}
