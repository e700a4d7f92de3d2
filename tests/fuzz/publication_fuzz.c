/*  The messages that a request wants published: a query, header fields "Name: value", one in a
 *  line, an empty line, and a body, which is read as a payload, as a form and as a line of JSON.
 *  The broker must accept whatever is accepted here. */
#include <stdlib.h>
#include <string.h>

#include "lib/front/publication.h"
#include "lib/wire/field.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define MAX_PAYLOAD 1000

typedef enum { S_RAW, S_FORM, S_LINE } s_kind_t;

static void s_check (const zc_publication_t *self)
{
    zc_message_t message;
    zc_slice_t headers = {(const char *)self->headers.data, self->headers.len};
    if (zc_publish_parse (&message, self->items[ZC_ITEM_TOPIC], self->items[ZC_ITEM_DATA], headers,
                          MAX_PAYLOAD) != 0)
        abort ();
    if (self->items[ZC_ITEM_EVENT].len != message.event.len ||
        self->items[ZC_ITEM_ID].len != message.event_id.len)
        abort ();
}

static void s_run (const zc_request_t *request, zc_slice_t body, s_kind_t kind)
{
    zc_publication_t given, line;
    zc_publication_init (&given);
    zc_publication_init (&line);
    const zc_refusal_t *wrong = zc_publication_take_request (&given, request);
    zc_publication_t *last = kind == S_LINE ? &line : &given;
    if (!wrong && kind == S_FORM && zc_publication_is_form (body)) {
        wrong = zc_publication_take_form (&given, body);
        body.len = 0;
    }
    if (!wrong && kind == S_LINE) {
        wrong = zc_publication_take_line (&line, body, &given, 7);
        body.len = 0;
    }
    if (!wrong)
        wrong = zc_publication_finish (last, body, MAX_PAYLOAD);
    if (!wrong)
        s_check (last);
    else if (!wrong->code || !wrong->text)
        abort ();
    zc_publication_clear (&line);
    zc_publication_clear (&given);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_request_t request;
    zc_slice_t rest = {(const char *)data, size}, line, name;
    zc_request_init (&request);
    if (zc_field_cut (&rest, '\n', &line))
        request.query = line;
    while (zc_field_cut (&rest, '\n', &line) && line.len > 0) {
        int field = zc_field_cut (&line, ':', &name) ? zc_field_find (name) : -1;
        if (field >= 0)
            zc_request_add (&request, (zc_field_t)field, zc_field_trim (line));
    }
    for (s_kind_t kind = S_RAW; kind <= S_LINE; kind++)
        s_run (&request, rest, kind);
    zc_request_clear (&request);
    return 0;
}
