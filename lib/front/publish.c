/*  publish.c - see publish.h.
 *
 *  A body is held whole, since the broker takes a message whole; its bytes are bounded for each
 *  request and in all. A window of a batch's lines is on its way at a time, and they are
 *  published in their order. The answer to a batch is held until its last line is done: with a
 *  client that writes all lines before it reads, both sides would block. */
#include "lib/front/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/front/posting.h"
#include "lib/front/publication.h"
#include "lib/wire/encoding.h"
#include "lib/wire/field.h"

#define S_WINDOW 64 /* lines of a batch that may be on their way at a time */

typedef enum { S_RAW, S_FORM, S_BATCH } s_kind_t;

typedef struct s_publish s_publish_t;

/*  One line of a batch. */
typedef struct {
    s_publish_t *publish;  /* borrowed */
    zc_posting_t *posting; /* owned; NULL: not on its way */
    unsigned number;       /* of the line in the body, from 1 */
    unsigned status;       /* 0: unknown yet */
    char *answer;          /* owned; a line of JSON */
} s_line_t;

struct s_publish {
    zc_exchange_t *exchange; /* borrowed */
    s_kind_t kind;
    zc_publication_t given; /* by the request; in a batch, for all lines */
    zc_buf_t body;
    zc_posting_t *posting; /* owned; of a request that is no batch */
    /*  The members below are a batch's. */
    zc_slice_t rest;  /* of the body: the lines that weren't read yet */
    unsigned number;  /* of the last line that was read */
    s_line_t **lines; /* owned: the lines that aren't blank */
    size_t count, room;
    size_t flying;    /* lines on their way */
    zc_slice_t stuck; /* a line that is to be tried again; at is NULL: none */
};

/*  ---------------------------------------------------------------- beginning and end */

static s_publish_t *s_self (const zc_exchange_t *exchange)
{
    return exchange->state;
}

static void s_free_body (s_publish_t *self)
{
    self->exchange->front->bodies -= self->body.len;
    zc_buf_clear (&self->body);
}

static void s_gone (zc_exchange_t *exchange)
{
    s_publish_t *self = s_self (exchange);
    zc_posting_forget (&self->posting);
    for (size_t i = 0; i < self->count; i++) {
        zc_posting_forget (&self->lines[i]->posting);
        free (self->lines[i]->answer);
        free (self->lines[i]);
    }
    free (self->lines);
    s_free_body (self);
    zc_publication_clear (&self->given);
    free (self);
}

/*  ---------------------------------------------------------------- answers */

/*  The code is the first word, for clients that read text. The call may free the state. */
static void s_refuse_with (zc_exchange_t *exchange, unsigned status, zc_slice_t code,
                           zc_slice_t sentence)
{
    char word[64], text[320];
    snprintf (word, sizeof word, "%.*s", (int)code.len, code.at);
    snprintf (text, sizeof text, "%s: %.*s", word, (int)sentence.len, sentence.at);
    bool json = zc_exchange_wants_json (exchange);
    zc_exchange_refuse (exchange, status, word, json ? text + strlen (word) + 2 : text);
}

static void s_refuse (s_publish_t *self, unsigned status, const zc_refusal_t *refusal)
{
    s_refuse_with (self->exchange, status, (zc_slice_t){refusal->code, strlen (refusal->code)},
                   (zc_slice_t){refusal->text, strlen (refusal->text)});
}

static unsigned s_status_of (const zc_refusal_t *refusal)
{
    return strcmp (refusal->code, "payload") == 0 && strstr (refusal->text, "too large") ? 413
                                                                                         : 400;
}

/*  {"id":"…"}, or {"code":"…","message":"…"}. */
static void s_add_receipt (zc_buf_t *out, const zc_receipt_t *receipt)
{
    zc_buf_adds (out, receipt->status == 200 ? "\"id\":" : "\"code\":");
    if (receipt->status != 200) {
        zc_json_string (out, receipt->code.at, receipt->code.len);
        zc_buf_adds (out, ",\"message\":");
    }
    zc_json_string (out, receipt->text.at, receipt->text.len);
}

static void s_answer_id (zc_exchange_t *exchange, const zc_receipt_t *receipt)
{
    zc_response_t response;
    zc_response_init (&response, 200);
    zc_response_say (&response, "Cache-Control", "no-store");
    if (zc_exchange_wants_json (exchange)) {
        zc_response_say (&response, "Content-Type", "application/json");
        zc_buf_addc (&response.body, '{');
        s_add_receipt (&response.body, receipt);
        zc_buf_adds (&response.body, "}\n");
    } else {
        zc_response_say (&response, "Content-Type", "text/plain; charset=utf-8");
        zc_buf_add (&response.body, receipt->text.at, receipt->text.len);
        zc_buf_addc (&response.body, '\n');
    }
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

/*  The call may free the state. */
static void s_answer (s_publish_t *self, const zc_receipt_t *receipt)
{
    if (receipt->status == 200)
        s_answer_id (self->exchange, receipt);
    else
        s_refuse_with (self->exchange, receipt->status, receipt->code, receipt->text);
}

/*  ---------------------------------------------------------------- one message */

static void s_on_posted (void *arg, const zc_receipt_t *receipt)
{
    s_publish_t *self = arg;
    self->posting = NULL;
    s_answer (self, receipt);
}

/*  Checks that the subject may publish on the topic, and isn't too fast. Returns false after it
 *  has answered. */
static bool s_may (s_publish_t *self, zc_slice_t topic)
{
    zc_denial_t denial = zc_exchange_granted (self->exchange, ZC_ACTION_PUBLISH, &topic, 1);
    if (!denial.status)
        denial = zc_exchange_take (self->exchange, 1);
    if (denial.status)
        zc_exchange_refuse_by (self->exchange, &denial);
    return !self->exchange->over;
}

static void s_publish_one (s_publish_t *self)
{
    zc_publication_t *given = &self->given;
    zc_buf_reserve (&self->body, 1); /* an empty body needs an address, too */
    zc_slice_t body = {(const char *)self->body.data, self->body.len};
    zc_receipt_t refused;
    const zc_refusal_t *wrong = NULL;
    if (self->kind == S_FORM) /* curl's default type for any data */
        given->items[ZC_ITEM_CONTENT_TYPE] = (zc_slice_t){NULL, 0};
    if (self->kind == S_FORM && zc_publication_is_form (body)) {
        wrong = zc_publication_take_form (given, body);
        body.len = 0;
    }
    if (!wrong)
        wrong = zc_publication_finish (given, body, self->exchange->front->max_payload);
    self->exchange->front->stats.untraced += given->untraced;
    if (wrong) {
        s_refuse (self, s_status_of (wrong), wrong);
        return;
    }
    if (!s_may (self, given->items[ZC_ITEM_TOPIC]))
        return;
    self->posting = zc_posting_new (
        self->exchange->front, given->items[ZC_ITEM_TOPIC], given->items[ZC_ITEM_DATA],
        (zc_slice_t){(const char *)given->headers.data, given->headers.len}, s_on_posted, self,
        &refused);
    if (self->posting)
        s_free_body (self); /* the broker's connection has its own copy now */
    else
        s_answer (self, &refused);
}

/*  ---------------------------------------------------------------- a batch */

static void s_end_line (s_line_t *line, const zc_receipt_t *receipt)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_buf_addf (&text, "{\"line\":%u,", line->number);
    s_add_receipt (&text, receipt);
    zc_buf_adds (&text, "}\n");
    zc_buf_str (&text);
    line->status = receipt->status;
    line->answer = (char *)text.data;
}

/*  200 if any line was published: the answer tells about each line. Otherwise the status of the
 *  first line, so that a client that looks only at the status isn't misled. */
static unsigned s_batch_status (const s_publish_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->lines[i]->status == 200)
            return 200;
    return self->count > 0 ? self->lines[0]->status : 400;
}

static void s_answer_batch (s_publish_t *self)
{
    zc_response_t response;
    zc_response_init (&response, s_batch_status (self));
    zc_response_say (&response, "Content-Type", "application/x-ndjson");
    zc_response_say (&response, "Cache-Control", "no-store");
    if (response.status == 503 || response.status == 429)
        zc_response_say (&response, "Retry-After", "2");
    for (size_t i = 0; i < self->count; i++)
        zc_buf_adds (&response.body, self->lines[i]->answer);
    zc_exchange_answer (self->exchange, &response);
    zc_response_clear (&response);
}

static void s_go_on (s_publish_t *self);

static void s_on_line_posted (void *arg, const zc_receipt_t *receipt)
{
    s_line_t *line = arg;
    line->posting = NULL;
    line->publish->flying--;
    s_end_line (line, receipt);
    s_go_on (line->publish);
}

static s_line_t *s_add_line (s_publish_t *self)
{
    s_line_t *line = calloc (1, sizeof *line);
    if (self->count == self->room) {
        self->room = self->room ? 2 * self->room : 16;
        self->lines = realloc (self->lines, self->room * sizeof *self->lines);
    }
    if (!line || !self->lines)
        abort ();
    line->publish = self;
    line->number = self->number;
    return self->lines[self->count++] = line;
}

static zc_receipt_t s_receipt (unsigned status, const char *code, const char *text)
{
    return (zc_receipt_t){status, {code, strlen (code)}, {text, strlen (text)}};
}

/*  Checks a line before it is sent. Status 0: nothing is wrong with it. */
static zc_receipt_t s_check_line (s_publish_t *self, zc_publication_t *publication, zc_slice_t text)
{
    size_t max = self->exchange->front->max_payload;
    const zc_refusal_t *wrong =
        zc_publication_take_line (publication, text, &self->given, self->number);
    if (!wrong)
        wrong = zc_publication_finish (publication, (zc_slice_t){"", 0}, max);
    if (wrong)
        return s_receipt (s_status_of (wrong), wrong->code, wrong->text);
    zc_denial_t denial = zc_exchange_granted (self->exchange, ZC_ACTION_PUBLISH,
                                              &publication->items[ZC_ITEM_TOPIC], 1);
    if (!denial.status)
        denial = zc_exchange_take (self->exchange, 1);
    if (denial.status)
        return s_receipt (denial.status, denial.code, denial.text);
    return (zc_receipt_t){0};
}

/*  Sends a line. Returns false if our other lines fill the broker's queue: the line is tried
 *  again. */
static bool s_publish_line (s_publish_t *self, zc_slice_t text)
{
    zc_publication_t publication;
    zc_publication_init (&publication);
    zc_receipt_t receipt = s_check_line (self, &publication, text);
    bool sent = true;
    if (receipt.status) {
        s_end_line (s_add_line (self), &receipt);
    } else {
        s_line_t *line = s_add_line (self);
        line->posting = zc_posting_new (
            self->exchange->front, publication.items[ZC_ITEM_TOPIC],
            publication.items[ZC_ITEM_DATA],
            (zc_slice_t){(const char *)publication.headers.data, publication.headers.len},
            s_on_line_posted, line, &receipt);
        sent = line->posting || !zc_slice_is (receipt.code, "busy") || self->flying == 0;
        if (line->posting)
            self->flying++;
        else if (sent)
            s_end_line (line, &receipt);
        else
            free (self->lines[--self->count]);
    }
    self->exchange->front->stats.untraced += sent && publication.untraced;
    zc_publication_clear (&publication);
    return sent;
}

static bool s_is_blank (zc_slice_t line)
{
    return zc_field_trim (line).len == 0;
}

/*  The next line that isn't blank, without its end. Returns false after the last one. */
static bool s_next_line (s_publish_t *self, zc_slice_t *line)
{
    while (self->rest.len > 0) {
        if (!zc_field_cut (&self->rest, '\n', line)) {
            *line = self->rest;
            self->rest.len = 0;
        }
        if (line->len > 0 && line->at[line->len - 1] == '\r')
            line->len--;
        self->number++;
        if (!s_is_blank (*line))
            return true;
    }
    return false;
}

/*  Sends as many lines as may be on their way; answers after the last one. */
static void s_go_on (s_publish_t *self)
{
    zc_slice_t line;
    while (self->flying < S_WINDOW) {
        line = self->stuck;
        if (!line.at && !s_next_line (self, &line))
            break;
        self->stuck = (zc_slice_t){NULL, 0};
        if (!s_publish_line (self, line)) {
            self->stuck = line;
            return;
        }
    }
    if (self->flying == 0 && self->rest.len == 0)
        s_answer_batch (self);
}

static size_t s_count_lines (zc_slice_t body)
{
    size_t count = 1;
    for (size_t i = 0; i < body.len; i++)
        count += body.at[i] == '\n';
    return count;
}

static void s_refuse_large (s_publish_t *self, const char *text)
{
    zc_denial_t refusal = zc_front_limit (self->exchange->front, ZC_LIMIT_BODY);
    refusal.text = text;
    zc_exchange_refuse_by (self->exchange, &refusal);
}

static const char *s_too_large (const s_publish_t *self)
{
    return self->kind == S_RAW ? "the payload is too large" : "the body is too large";
}

static void s_publish_batch (s_publish_t *self)
{
    self->rest = (zc_slice_t){(const char *)self->body.data, self->body.len};
    if (s_count_lines (self->rest) > ZC_BATCH_MAX + 1)
        s_refuse_large (self, "too many lines: at most 10000 in one batch");
    else
        s_go_on (self);
}

/*  ---------------------------------------------------------------- the door */

static s_kind_t s_kind_of (const zc_request_t *request)
{
    static const char *const batches[] = {"application/x-ndjson", "application/ndjson",
                                          "application/jsonl", "application/x-jsonlines"};
    zc_slice_t type = zc_media_type (request->fields[ZC_FIELD_CONTENT_TYPE]);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        if (zc_field_is (type, batches[i]))
            return S_BATCH;
    return zc_field_is (type, "application/x-www-form-urlencoded") ? S_FORM : S_RAW;
}

static size_t s_limit (const s_publish_t *self)
{
    const zc_front_t *front = self->exchange->front;
    bool raw = self->kind == S_RAW && front->max_payload < front->max_body;
    return raw ? front->max_payload : front->max_body;
}

static void s_open (zc_exchange_t *exchange)
{
    zc_front_t *front = exchange->front;
    s_publish_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    exchange->state = self;
    self->exchange = exchange;
    self->kind = s_kind_of (&exchange->request);
    const zc_refusal_t *wrong = zc_publication_take_request (&self->given, &exchange->request);
    if (!front->allow_publish)
        zc_exchange_refuse (exchange, 403, "forbidden", "publishing by clients is switched off");
    else if (!zc_cors_may_write (&exchange->cors))
        zc_exchange_refuse (
            exchange, 403, "origin",
            "pages of this origin may not publish: allow-origin names those that may");
    else if (wrong)
        s_refuse (self, 400, wrong);
    else if (self->kind == S_BATCH && self->given.items[ZC_ITEM_ID].at)
        zc_exchange_refuse (exchange, 400, "headers", "an id is a line's, not a whole batch's");
    else if (exchange->request.body > 0 && (uint64_t)exchange->request.body > s_limit (self))
        s_refuse_large (self, s_too_large (self));
}

static void s_body (zc_exchange_t *exchange, const void *bytes, size_t len)
{
    s_publish_t *self = s_self (exchange);
    zc_front_t *front = exchange->front;
    if (self->body.len + len > s_limit (self)) {
        s_refuse_large (self, s_too_large (self));
    } else if (front->bodies + len > front->max_bodies) {
        const zc_denial_t refusal = zc_front_limit (front, ZC_LIMIT_BODIES);
        zc_exchange_refuse_by (exchange, &refusal);
    } else {
        zc_buf_add (&self->body, bytes, len);
        front->bodies += len;
    }
}

static void s_end (zc_exchange_t *exchange)
{
    s_publish_t *self = s_self (exchange);
    if (self->kind == S_BATCH)
        s_publish_batch (self);
    else
        s_publish_one (self);
}

const zc_door_t zc_door_publish = {
    .name = "publish",
    .methods = ZC_METHOD_POST,
    .open = s_open,
    .body = s_body,
    .end = s_end,
    .gone = s_gone,
};
