/*  ask.c - one row for each verb: its name, its count of arguments, its check. */
#include "lib/wire/ask.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/line.h"
#include "lib/wire/selector.h"
#include "lib/wire/update.h"

static const zc_refusal_t *s_update (const zc_ask_t *self);

static const zc_refusal_t *s_publish (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                      size_t max_payload)
{
    static const zc_refusal_t payload = {"payload", "the payload is larger than max-payload"};
    zc_slice_t topic = args[0];
    if (count == 3)
        self->headers = args[2];
    const char *end = topic.len ? memchr (topic.at, '\n', topic.len) : NULL;
    if (end) {
        self->list = topic;
        topic.len = (size_t)(end - topic.at);
    }
    int rc = zc_publish_parse (&self->message, topic, args[1], self->headers, max_payload);
    if (rc == ZC_ESIZE)
        return args[1].len > max_payload ? &payload : zc_message_refusal (ZC_EHEADER);
    return rc == 0 ? s_update (self) : zc_message_refusal (rc);
}

static const zc_refusal_t *s_since (zc_ask_t *self, zc_slice_t since)
{
    static const zc_refusal_t bad = {
        "since", "since is a position, 'earliest', or a publisher's own id of 1 to 256 bytes of "
                 "plain text"};
    if (zc_id_parse (since.at, since.len, &self->since) == 0)
        self->since_kind = ZC_SINCE_POSITION;
    else if (zc_slice_is (since, "earliest"))
        self->since_kind = ZC_SINCE_EARLIEST;
    else if (since.len >= 1 && since.len <= ZC_EVENT_ID_MAX && zc_text_plain (since.at, since.len))
        self->since_kind = ZC_SINCE_EVENT;
    else
        return &bad;
    self->since_text = since;
    return NULL;
}

static const zc_refusal_t s_no_topic = {"topic", "at least one topic"};

static const zc_refusal_t *s_names (const zc_ask_t *self, bool (*valid) (zc_slice_t name))
{
    static const zc_refusal_t bad = {"topic", "a topic is 1 to 1024 bytes of UTF-8 without control "
                                              "characters"};
    static const zc_refusal_t many = {"arguments", "at most 10000 topics"};
    size_t at = 0, count = 0;
    zc_slice_t topic;
    while (zc_ask_topic (self, &at, &topic)) {
        if (!valid (topic))
            return &bad;
        if (++count > ZC_TOPICS_MAX)
            return &many;
    }
    return NULL;
}

static int s_by_bytes (const void *left, const void *right)
{
    return zc_slice_compare (*(const zc_slice_t *)left, *(const zc_slice_t *)right);
}

/*  The topics of an update are different ones, and go into its headers. */
static const zc_refusal_t *s_update (const zc_ask_t *self)
{
    static const zc_refusal_t bad = {"topic", "the topics of an update are different ones, of 1 to "
                                              "1024 bytes of UTF-8 without control characters"};
    static const zc_refusal_t many = {"topic", "an update has at most 1000 topics"};
    zc_slice_t topics[ZC_UPDATE_TOPICS_MAX], topic;
    size_t at = 0, count = 0;
    if (self->list.len && self->message.topics.len)
        return zc_message_refusal (ZC_EHEADER);
    while (zc_ask_topic (self, &at, &topic)) {
        if (!zc_topic_valid (topic.at, topic.len))
            return &bad;
        if (count == ZC_UPDATE_TOPICS_MAX)
            return &many;
        topics[count++] = topic;
    }
    qsort (topics, count, sizeof *topics, s_by_bytes);
    for (size_t i = 1; i < count; i++)
        if (zc_slice_compare (topics[i - 1], topics[i]) == 0)
            return &bad;
    return NULL;
}

static bool s_is_topic (zc_slice_t name)
{
    return zc_topic_valid (name.at, name.len);
}

static const zc_refusal_t *s_topics (const zc_ask_t *self)
{
    return s_names (self, s_is_topic);
}

static const zc_refusal_t *s_replay (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                     size_t max_payload)
{
    (void)max_payload;
    self->frames = args + 1;
    self->frame_count = count - 1;
    const zc_refusal_t *error = s_since (self, args[0]);
    return error ? error : s_topics (self);
}

static const zc_refusal_t *s_line (zc_ask_t *self, zc_slice_t line)
{
    static const zc_refusal_t bad = {"arguments", "a line is 1 to 64 bytes of visible ASCII"};
    zc_line_t parsed;
    self->line = line;
    return zc_line_parse (&parsed, line) == 0 ? NULL : &bad;
}

static const zc_refusal_t *s_fetch (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                    size_t max_payload)
{
    static const zc_refusal_t number = {"arguments",
                                        "count is a number of at least 1, bytes a number"};
    (void)max_payload;
    const zc_refusal_t *error = s_since (self, args[0]);
    if (!error && count == 5)
        error = s_line (self, args[4]);
    if (error)
        return error;
    if (zc_text_u64 (args[1].at, args[1].len, UINT64_MAX, &self->count) != 0 || self->count == 0 ||
        zc_text_u64 (args[2].at, args[2].len, UINT64_MAX, &self->bytes) != 0)
        return &number;
    self->list = args[3];
    return self->list.len == 0 ? &s_no_topic : s_names (self, zc_is_topic_or_selector);
}

static const zc_refusal_t *s_sync (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                   size_t max_payload)
{
    static const zc_refusal_t nonce = {"arguments", "a nonce has at most 64 bytes"};
    static const zc_refusal_t have = {"arguments", "a line comes with the last position of it"};
    (void)max_payload;
    self->nonce = args[0];
    self->list = args[1];
    if (self->nonce.len > ZC_NONCE_MAX)
        return &nonce;
    const zc_refusal_t *error = count > 2 ? s_line (self, args[2]) : NULL;
    if (error)
        return error;
    if (count == 3 || (count == 4 && zc_id_parse (args[3].at, args[3].len, &self->have) != 0))
        return &have;
    return s_topics (self);
}

static const zc_refusal_t *s_list (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                   size_t max_payload)
{
    static const zc_refusal_t position = {"since", "since is a position"};
    static const zc_refusal_t prefix = {"topic", "a prefix has at most 1024 bytes"};
    (void)max_payload;
    self->frames = args + 1;
    self->frame_count = count - 1;
    if (zc_id_parse (args[0].at, args[0].len, &self->since) != 0)
        return &position;
    for (size_t i = 0; i < self->frame_count; i++)
        if (self->frames[i].len > ZC_TOPIC_MAX)
            return &prefix;
    return NULL;
}

static const zc_refusal_t *s_report (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                     size_t max_payload)
{
    static const zc_refusal_t name = {"arguments", "a name is 1 to 256 bytes of plain text"};
    static const zc_refusal_t json = {"arguments", "a report has at most 65536 bytes"};
    (void)count, (void)max_payload;
    self->name = args[0];
    self->json = args[1];
    if (self->name.len < 1 || self->name.len > ZC_REPORTER_MAX ||
        !zc_text_plain (self->name.at, self->name.len))
        return &name;
    return self->json.len > ZC_REPORT_MAX ? &json : NULL;
}

static const zc_refusal_t *s_kept (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                   size_t max_payload)
{
    static const zc_refusal_t number = {"arguments", "count is a number from 1 to 1000"};
    static const zc_refusal_t prefix = {"topic", "a prefix has at most 1024 bytes"};
    static const zc_refusal_t next = {"arguments", "next is what an answer to LIST said"};
    (void)max_payload;
    self->prefix = args[1];
    if (zc_text_u64 (args[0].at, args[0].len, ZC_LIST_MAX, &self->count) != 0 || self->count == 0)
        return &number;
    if (self->prefix.len > ZC_TOPIC_MAX)
        return &prefix;
    if (count < 3)
        return NULL;
    self->next = args[2];
    const char *space = self->next.len ? memchr (self->next.at, ' ', self->next.len) : NULL;
    size_t len = space ? (size_t)(space - self->next.at) : 0;
    if (!space || zc_id_parse (self->next.at, len, &self->since) != 0)
        return &next;
    self->after = (zc_slice_t){space + 1, self->next.len - len - 1};
    return zc_topic_valid (self->after.at, self->after.len) ? NULL : &next;
}

static const zc_refusal_t *s_purge (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                    size_t max_payload)
{
    (void)count, (void)max_payload;
    self->list = args[0];
    return self->list.len == 0 ? &s_no_topic : s_topics (self);
}

static const zc_refusal_t *s_instruct (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                       size_t max_payload)
{
    (void)count, (void)max_payload;
    self->json = args[0];
    return NULL;
}

static const zc_refusal_t *s_instructions (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                           size_t max_payload)
{
    static const zc_refusal_t number = {"since", "since is the number of an instruction"};
    (void)count, (void)max_payload;
    if (zc_id_parse (args[0].at, args[0].len, &self->since) != 0)
        return &number;
    return s_line (self, args[1]);
}

typedef struct {
    const char *name;
    size_t min, max; /* arguments */
    const zc_refusal_t *(*check) (zc_ask_t *self, const zc_slice_t *args, size_t count,
                                  size_t max_payload);
    const char *usage;
} s_verb_t;

static const s_verb_t s_verbs[ZC_VERBS] = {
    [ZC_PUBLISH] = {"PUBLISH", 2, 3, s_publish, "PUBLISH topic payload [headers]"},
    [ZC_REPLAY] = {"REPLAY", 2, ZC_TOPICS_MAX + 1, s_replay, "REPLAY since topic..."},
    [ZC_FETCH] = {"FETCH", 4, 5, s_fetch, "FETCH since count bytes topics [line]"},
    [ZC_SYNC] = {"SYNC", 2, 4, s_sync, "SYNC nonce topics [line have]"},
    [ZC_TOPICS] = {"TOPICS", 2, ZC_PREFIXES_MAX + 1, s_list, "TOPICS since prefix..."},
    [ZC_STATS] = {"STATS", 0, 0, NULL, "STATS has no arguments"},
    [ZC_REPORT] = {"REPORT", 2, 2, s_report, "REPORT name json"},
    [ZC_PING] = {"PING", 0, 0, NULL, "PING has no arguments"},
    [ZC_LIMITS] = {"LIMITS", 0, 0, NULL, "LIMITS has no arguments"},
    [ZC_LIST] = {"LIST", 2, 3, s_kept, "LIST count prefix [next]"},
    [ZC_PURGE] = {"PURGE", 1, 1, s_purge, "PURGE topics"},
    [ZC_INSTRUCT] = {"INSTRUCT", 1, 1, s_instruct, "INSTRUCT instruction"},
    [ZC_INSTRUCTIONS] = {"INSTRUCTIONS", 2, 2, s_instructions, "INSTRUCTIONS since line"},
};

const char *zc_verb_name (zc_verb_t verb)
{
    return s_verbs[verb].name;
}

static const s_verb_t *s_verb_find (zc_slice_t name)
{
    for (size_t i = 0; i < ZC_VERBS; i++)
        if (zc_slice_is (name, s_verbs[i].name))
            return &s_verbs[i];
    return NULL;
}

/*  Takes delimiter and tag. Returns how many frames these are, or -1 if the tag is too long. */
static long s_envelope (zc_ask_t *self, const zc_slice_t *frames, size_t count)
{
    size_t at = 0;
    if (at < count && frames[at].len == 0) {
        self->delimiter = true;
        at++;
    }
    if (at < count && frames[at].len > 0 && frames[at].at[0] == '#') {
        if (frames[at].len > ZC_TAG_MAX)
            return -1;
        self->tag = frames[at++];
    }
    return (long)at;
}

const char *zc_ask_parse (zc_ask_t *self, const zc_slice_t *frames, size_t count,
                          size_t max_payload, const char **text)
{
    *self = (zc_ask_t){0};
    long taken = s_envelope (self, frames, count);
    if (taken < 0) {
        *text = "a tag has at most 64 bytes";
        return "arguments";
    }
    frames += taken;
    count -= (size_t)taken;
    const s_verb_t *verb = count ? s_verb_find (frames[0]) : NULL;
    if (!verb) {
        *text = count ? "not a verb: PUBLISH, REPLAY, FETCH, SYNC, TOPICS, STATS, REPORT, PING, "
                        "LIMITS, LIST, PURGE, INSTRUCT, INSTRUCTIONS"
                      : "a request begins with a verb";
        return "verb";
    }
    self->verb = (zc_verb_t)(verb - s_verbs);
    count--;
    if (count < verb->min || count > verb->max) {
        *text = verb->usage;
        return "arguments";
    }
    const zc_refusal_t *error =
        verb->check ? verb->check (self, frames + 1, count, max_payload) : NULL;
    *text = error ? error->text : NULL;
    return error ? error->code : NULL;
}

void zc_ask_add_topic (zc_buf_t *list, zc_slice_t topic)
{
    if (list->len)
        zc_buf_addc (list, '\n');
    zc_buf_add (list, topic.at, topic.len);
}

bool zc_ask_topic (const zc_ask_t *self, size_t *at, zc_slice_t *topic)
{
    if (self->frame_count) {
        if (*at == self->frame_count)
            return false;
        *topic = self->frames[(*at)++];
        return true;
    }
    /*  An empty list has no topics; otherwise there is a topic on either side of each LF. */
    if (self->list.len == 0 || *at > self->list.len)
        return false;
    const char *begin = self->list.at + *at;
    size_t left = self->list.len - *at;
    const char *end = left ? memchr (begin, '\n', left) : NULL;
    *topic = (zc_slice_t){begin, end ? (size_t)(end - begin) : left};
    *at += topic->len + 1;
    return true;
}

/*  Writing. */

static void s_put (zc_ask_frames_t *out, zc_slice_t frame)
{
    assert (out->count < ZC_ASK_WRITES);
    out->frames[out->count++] = frame;
}

static void s_put_since (zc_ask_frames_t *out, const zc_ask_t *self)
{
    if (self->since_text.len)
        s_put (out, self->since_text);
    else
        s_put (out, (zc_slice_t){out->since, zc_id_format (self->since, out->since)});
}

static void s_put_number (zc_ask_frames_t *out, size_t index, uint64_t number)
{
    char *text = out->numbers[index];
    int len = snprintf (text, sizeof out->numbers[0], "%" PRIu64, number);
    s_put (out, (zc_slice_t){text, (size_t)len});
}

static void s_put_line (zc_ask_frames_t *out, const zc_ask_t *self)
{
    if (self->line.len == 0)
        return;
    s_put (out, self->line);
    if (self->verb == ZC_SYNC)
        s_put (out, (zc_slice_t){out->since, zc_id_format (self->have, out->since)});
}

void zc_ask_write (const zc_ask_t *self, zc_ask_frames_t *out)
{
    const char *name = s_verbs[self->verb].name;
    out->count = 0;
    s_put (out, (zc_slice_t){name, strlen (name)});
    switch (self->verb) {
    case ZC_PUBLISH:
        s_put (out, self->list.len ? self->list : self->message.topic);
        s_put (out, self->message.payload);
        s_put (out, self->headers);
        break;
    case ZC_REPLAY:
    case ZC_TOPICS:
        s_put_since (out, self);
        for (size_t i = 0; i < self->frame_count; i++)
            s_put (out, self->frames[i]);
        break;
    case ZC_FETCH:
        s_put_since (out, self);
        s_put_number (out, 0, self->count);
        s_put_number (out, 1, self->bytes);
        s_put (out, self->list);
        s_put_line (out, self);
        break;
    case ZC_SYNC:
        s_put (out, self->nonce);
        s_put (out, self->list);
        s_put_line (out, self);
        break;
    case ZC_REPORT:
        s_put (out, self->name);
        s_put (out, self->json);
        break;
    case ZC_LIST:
        s_put_number (out, 0, self->count);
        s_put (out, self->prefix);
        if (self->next.len)
            s_put (out, self->next);
        break;
    case ZC_PURGE:
        s_put (out, self->list);
        break;
    case ZC_INSTRUCT:
        s_put (out, self->json);
        break;
    case ZC_INSTRUCTIONS:
        s_put_since (out, self);
        s_put (out, self->line);
        break;
    default: /* verbs without arguments */
        break;
    }
}
