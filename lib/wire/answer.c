/*  answer.c - one row for each verb says which fields its answer has, in the order of its
 *  frames, so that writing and reading can't differ. */
#include "lib/wire/answer.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/wire/line.h"

#define S_CODE_MAX 64 /* bytes of an error's code */

typedef enum {
    S_NOTHING,
    S_POSITION, /* zc_id_t */
    S_NUMBER,   /* uint64_t */
    S_SINCE,    /* zc_id_t, or '?' with `unknown` */
    S_BYTES,    /* zc_slice_t */
    S_PLAIN,    /* a zc_slice_t of plain text */
    S_LASTS,    /* a zc_slice_t of positions */
    S_LISTED,   /* a zc_slice_t of positions with topics */
    S_LINE,     /* a zc_slice_t: a line */
    S_KEPT,     /* the same, topics with what is kept of them */
    S_TOLD,     /* the same, instructions with their numbers */
} s_type_t;

typedef struct {
    s_type_t type;
    size_t offset;   /* in zc_answer_t */
    const char *bad; /* the error if the frame is malformed */
} s_field_t;

typedef struct {
    zc_answer_kind_t kind;
    s_field_t fields[ZC_ANSWER_FRAMES - 1];
    unsigned optional; /* how many of the last fields may be missing */
} s_form_t;

#define S_FIELD(type, name, is)                                       \
    {                                                                 \
        type, offsetof (zc_answer_t, name), "its " #name " isn't " is \
    }
#define S_AT(name) S_FIELD (S_POSITION, name, "a position")
#define S_COUNT(name) S_FIELD (S_NUMBER, name, "a number")
#define S_TEXT(type) S_FIELD (type, text, "plain text")

static const s_form_t s_forms[ZC_VERBS] = {
    [ZC_PUBLISH] = {.kind = ZC_OK, .fields = {S_AT (id)}},
    [ZC_REPLAY] = {.kind = ZC_END, .fields = {S_AT (head), S_AT (floor)}},
    [ZC_FETCH] = {.kind = ZC_END,
                  .fields = {S_AT (head), S_AT (floor),
                             S_FIELD (S_SINCE, since, "a position or '?'"), S_COUNT (remaining),
                             S_COUNT (plain)},
                  .optional = 1},
    [ZC_SYNC] = {.kind = ZC_OK,
                 .fields = {S_AT (head), S_AT (dropped),
                            S_FIELD (S_LASTS, lasts, "a list of positions"),
                            S_FIELD (S_LINE, line, "a line"), S_AT (doubt)},
                 .optional = 2},
    [ZC_TOPICS] = {.kind = ZC_OK,
                   .fields = {S_AT (head), S_AT (forgotten),
                              S_FIELD (S_LISTED, listed, "a list of positions and topics")}},
    [ZC_STATS] = {.kind = ZC_OK, .fields = {S_TEXT (S_BYTES)}},
    [ZC_REPORT] = {.kind = ZC_OK, .fields = {{S_NOTHING, 0, NULL}}},
    [ZC_PING] = {.kind = ZC_OK, .fields = {S_TEXT (S_PLAIN)}},
    [ZC_LIMITS] = {.kind = ZC_OK, .fields = {S_COUNT (max_payload)}},
    [ZC_LIST] = {.kind = ZC_OK,
                 .fields = {S_AT (head), S_FIELD (S_KEPT, kept, "a list of topics"),
                            S_FIELD (S_PLAIN, next, "plain text")}},
    [ZC_PURGE] = {.kind = ZC_OK, .fields = {S_AT (head), S_COUNT (purged)}},
    [ZC_INSTRUCT] = {.kind = ZC_OK, .fields = {S_AT (id)}},
    [ZC_INSTRUCTIONS] = {.kind = ZC_OK,
                         .fields = {S_AT (head), S_AT (since), S_FIELD (S_LINE, line, "a line"),
                                    S_FIELD (S_TOLD, listed, "a list of instructions")}},
};

static const char *const s_words[] = {
    [ZC_OK] = "OK", [ZC_MSG] = "MSG", [ZC_END] = "END", [ZC_ERR] = "ERR"};

const zc_answer_t zc_answer_none = {
    .kind = ZC_NO_ANSWER, .code = {"timeout", 7}, .text = {"the broker did not answer", 25}};

/*  Lists. */

static void s_add_position (zc_buf_t *list, zc_id_t id)
{
    char *text = (char *)zc_buf_reserve (list, ZC_ID_SIZE);
    list->len += zc_id_format (id, text);
}

/*  Takes a line from the list, without its LF, which the last line may lack. */
static bool s_line (zc_slice_t *list, zc_slice_t *line)
{
    if (list->len == 0)
        return false;
    const char *end = memchr (list->at, '\n', list->len);
    *line = (zc_slice_t){list->at, end ? (size_t)(end - list->at) : list->len};
    size_t step = line->len + (end != NULL);
    list->at += step;
    list->len -= step;
    return true;
}

void zc_lasts_add (zc_buf_t *list, zc_id_t last)
{
    if (list->len)
        zc_buf_addc (list, '\n');
    s_add_position (list, last);
}

bool zc_lasts_next (zc_slice_t *list, zc_id_t *last)
{
    zc_slice_t line;
    return s_line (list, &line) && zc_id_parse (line.at, line.len, last) == 0;
}

void zc_listed_add (zc_buf_t *list, zc_id_t last, zc_slice_t topic)
{
    s_add_position (list, last);
    zc_buf_addc (list, ' ');
    zc_buf_add (list, topic.at, topic.len);
    zc_buf_addc (list, '\n');
}

bool zc_listed_next (zc_slice_t *list, zc_id_t *last, zc_slice_t *topic)
{
    zc_slice_t line;
    const char *space = s_line (list, &line) ? memchr (line.at, ' ', line.len) : NULL;
    if (!space)
        return false;
    size_t len = (size_t)(space - line.at);
    *topic = (zc_slice_t){space + 1, line.len - len - 1};
    return zc_id_parse (line.at, len, last) == 0 && zc_topic_valid (topic->at, topic->len);
}

void zc_topic_kept_add (zc_buf_t *list, const zc_topic_kept_t *kept)
{
    s_add_position (list, kept->last);
    zc_buf_addf (list, " %" PRIu64 " %" PRIu64 " ", kept->messages, kept->bytes);
    zc_buf_add (list, kept->topic.at, kept->topic.len);
    zc_buf_addc (list, '\n');
}

/*  Takes a word and the space after it off a line. */
static bool s_word (zc_slice_t *line, zc_slice_t *word)
{
    const char *space = line->len ? memchr (line->at, ' ', line->len) : NULL;
    if (!space)
        return false;
    *word = (zc_slice_t){line->at, (size_t)(space - line->at)};
    *line = (zc_slice_t){space + 1, line->len - word->len - 1};
    return true;
}

bool zc_topic_kept_next (zc_slice_t *list, zc_topic_kept_t *kept)
{
    zc_slice_t words[3];
    if (!s_line (list, &kept->topic))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (!s_word (&kept->topic, &words[i]))
            return false;
    return zc_id_parse (words[0].at, words[0].len, &kept->last) == 0 &&
           zc_text_u64 (words[1].at, words[1].len, UINT64_MAX, &kept->messages) == 0 &&
           zc_text_u64 (words[2].at, words[2].len, UINT64_MAX, &kept->bytes) == 0 &&
           zc_topic_valid (kept->topic.at, kept->topic.len);
}

void zc_instruction_add (zc_buf_t *list, zc_id_t number, zc_slice_t text)
{
    s_add_position (list, number);
    zc_buf_addc (list, ' ');
    zc_buf_add (list, text.at, text.len);
    zc_buf_addc (list, '\n');
}

bool zc_instruction_next (zc_slice_t *list, zc_id_t *number, zc_slice_t *text)
{
    zc_slice_t word;
    return s_line (list, text) && s_word (text, &word) &&
           zc_id_parse (word.at, word.len, number) == 0;
}

static bool s_are_lasts (zc_slice_t list)
{
    zc_id_t last;
    size_t count = 0;
    while (list.len)
        if (++count > ZC_TOPICS_MAX || !zc_lasts_next (&list, &last))
            return false;
    return true;
}

static bool s_are_listed (zc_slice_t list)
{
    zc_id_t last;
    zc_slice_t topic;
    size_t count = 0;
    while (list.len)
        if (++count > ZC_TOPICS_MAX || !zc_listed_next (&list, &last, &topic))
            return false;
    return true;
}

static bool s_are_kept (zc_slice_t list)
{
    zc_topic_kept_t kept;
    size_t count = 0;
    while (list.len)
        if (++count > ZC_LIST_MAX || !zc_topic_kept_next (&list, &kept))
            return false;
    return true;
}

static bool s_are_told (zc_slice_t list)
{
    zc_id_t number;
    zc_slice_t text;
    while (list.len)
        if (!zc_instruction_next (&list, &number, &text))
            return false;
    return true;
}

/*  Reading. */

static bool s_read (zc_answer_t *self, const s_field_t *field, zc_slice_t frame)
{
    void *to = (char *)self + field->offset;
    zc_line_t line;
    switch (field->type) {
    case S_SINCE:
        self->unknown = zc_slice_is (frame, "?");
        return self->unknown || zc_id_parse (frame.at, frame.len, to) == 0;
    case S_POSITION:
        return zc_id_parse (frame.at, frame.len, to) == 0;
    case S_NUMBER:
        return zc_text_u64 (frame.at, frame.len, UINT64_MAX, to) == 0;
    default:
        *(zc_slice_t *)to = frame;
        return (field->type != S_PLAIN || zc_text_plain (frame.at, frame.len)) &&
               (field->type != S_LASTS || s_are_lasts (frame)) &&
               (field->type != S_LISTED || s_are_listed (frame)) &&
               (field->type != S_KEPT || s_are_kept (frame)) &&
               (field->type != S_TOLD || s_are_told (frame)) &&
               (field->type != S_LINE || zc_line_parse (&line, frame) == 0);
    }
}

/*  Each returns NULL, or the error. */

static size_t s_count (const s_form_t *form)
{
    size_t count = 0;
    while (count + 1 < ZC_ANSWER_FRAMES && form->fields[count].type)
        count++;
    return count;
}

static const char *s_read_fields (zc_answer_t *self, const zc_slice_t *frames, size_t count)
{
    const s_form_t *form = &s_forms[self->verb];
    if (form->kind != self->kind)
        return "it answers another request";
    size_t fields = s_count (form);
    for (size_t i = 0; i < fields; i++) {
        self->left_out = (unsigned)(fields - i);
        if (i == count)
            return self->left_out <= form->optional ? NULL : "it has too few frames";
        if (!s_read (self, &form->fields[i], frames[i]))
            return form->fields[i].bad;
    }
    self->left_out = 0;
    return NULL;
}

static const char *s_read_message (zc_answer_t *self, const zc_slice_t *frames, size_t count)
{
    self->more = true;
    if (s_forms[self->verb].kind != ZC_END)
        return "it answers another request";
    if (count < 3)
        return "it has too few frames";
    int rc = zc_delivery_parse (&self->message, frames[0], frames[1], frames[2]);
    return rc == 0 ? NULL : zc_message_strerror (rc);
}

static const char *s_read_error (zc_answer_t *self, const zc_slice_t *frames, size_t count)
{
    if (count < 2)
        return "it has too few frames";
    self->code = frames[0];
    self->text = frames[1];
    if (self->code.len < 1 || self->code.len > S_CODE_MAX ||
        !zc_text_plain (self->code.at, self->code.len) ||
        !zc_text_plain (self->text.at, self->text.len))
        return "its code or text isn't plain text";
    return NULL;
}

static const char *s_parse (zc_answer_t *self, const zc_slice_t *frames, size_t count)
{
    if (count == 0)
        return "it has too few frames";
    for (self->kind = ZC_OK; self->kind <= ZC_ERR; self->kind++)
        if (zc_slice_is (frames[0], s_words[self->kind]))
            break;
    switch (self->kind) {
    case ZC_OK:
    case ZC_END:
        return s_read_fields (self, frames + 1, count - 1);
    case ZC_MSG:
        return s_read_message (self, frames + 1, count - 1);
    case ZC_ERR:
        return s_read_error (self, frames + 1, count - 1);
    default:
        return "it begins with neither OK, MSG, END nor ERR";
    }
}

void zc_answer_parse (zc_answer_t *self, zc_verb_t verb, const zc_slice_t *frames, size_t count)
{
    *self = (zc_answer_t){.verb = verb};
    const char *wrong = s_parse (self, frames, count);
    if (wrong)
        *self = (zc_answer_t){.verb = verb,
                              .kind = ZC_MALFORMED,
                              .more = self->more,
                              .code = {"malformed", 9},
                              .text = {wrong, strlen (wrong)}};
}

/*  Writing. */

static void s_put (zc_answer_frames_t *out, zc_slice_t frame)
{
    out->frames[out->count++] = frame;
}

static void s_write_field (const zc_answer_t *self, const s_field_t *field, zc_answer_frames_t *out)
{
    const void *from = (const char *)self + field->offset;
    char *text = out->texts[out->count];
    switch (field->type) {
    case S_NUMBER:
        s_put (out, (zc_slice_t){text, (size_t)snprintf (text, ZC_ID_SIZE, "%" PRIu64,
                                                         *(const uint64_t *)from)});
        break;
    case S_SINCE:
        if (self->unknown) {
            s_put (out, (zc_slice_t){"?", 1});
            break;
        } /* fall through */
    case S_POSITION:
        s_put (out, (zc_slice_t){text, zc_id_format (*(const zc_id_t *)from, text)});
        break;
    default:
        s_put (out, *(const zc_slice_t *)from);
        break;
    }
}

void zc_answer_write (const zc_answer_t *self, zc_answer_frames_t *out)
{
    const char *word = s_words[self->kind];
    const s_form_t *form = &s_forms[self->verb];
    out->count = 0;
    s_put (out, (zc_slice_t){word, strlen (word)});
    if (self->kind == ZC_ERR) {
        s_put (out, self->code);
        s_put (out, self->text);
    } else if (self->kind == ZC_MSG) {
        s_put (out, self->message.topic);
        s_put (out, self->message.payload);
        s_put (out, self->message.meta);
    } else {
        assert (self->kind == form->kind && self->left_out <= form->optional);
        size_t count = s_count (form) - self->left_out;
        for (size_t i = 0; i < count; i++)
            s_write_field (self, &form->fields[i], out);
    }
}

/*  Meaning. */

bool zc_answer_is_error (const zc_answer_t *self, const char *code)
{
    return self->kind == ZC_ERR && zc_slice_is (self->code, code);
}

bool zc_answer_is_passing (const zc_answer_t *self)
{
    return zc_answer_is_error (self, "busy") || zc_answer_is_error (self, "history") ||
           zc_answer_is_error (self, "internal") || zc_answer_is_error (self, "behind") ||
           zc_answer_is_error (self, "log");
}

int zc_answer_limits (const zc_answer_t *self, size_t *max_payload)
{
    if (zc_answer_is_error (self, "verb"))
        return 1;
    if (self->kind != ZC_OK || self->max_payload > SIZE_MAX)
        return -1;
    *max_payload = (size_t)self->max_payload;
    return 0;
}
