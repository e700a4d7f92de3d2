#include "tests/unit/unit.h"

#include "lib/wire/ask.h"

#define MAX_PAYLOAD 100

/*  Frames are written as one text with '|' between them; '~' stands for 300 bytes 'x'. */
typedef struct {
    zc_slice_t frames[32];
    char bytes[32 * 320];
    size_t count;
} s_frames_t;

static void s_split (s_frames_t *self, const char *text)
{
    char *to = self->bytes;
    self->count = 0;
    self->frames[0] = (zc_slice_t){to, 0};
    for (; *text; text++) {
        zc_slice_t *frame = &self->frames[self->count];
        if (*text == '|') {
            self->frames[++self->count] = (zc_slice_t){to, 0};
            continue;
        }
        size_t len = *text == '~' ? 300 : 1;
        memset (to, *text == '~' ? 'x' : *text, len);
        to += len;
        frame->len += len;
    }
    self->count++;
}

static const char *s_parse (zc_ask_t *request, s_frames_t *frames, const char *text)
{
    const char *sentence;
    s_split (frames, text);
    const char *code =
        zc_ask_parse (request, frames->frames, frames->count, MAX_PAYLOAD, &sentence);
    assert_int_equal (code == NULL, sentence == NULL);
    return code;
}

static void s_good (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        zc_verb_t verb;
        const char *tag;
        bool delimiter;
    } good[] = {
        {"PING", ZC_PING, "", false},
        {"|PING", ZC_PING, "", true},
        {"#1|LIMITS", ZC_LIMITS, "#1", false},
        {"#|PING", ZC_PING, "#", false},
        {"|#tag|PING", ZC_PING, "#tag", true},
        {"STATS", ZC_STATS, "", false},
        {"PUBLISH|topic|", ZC_PUBLISH, "", false},
        {"PUBLISH|topic|payload|", ZC_PUBLISH, "", false},
        {"PUBLISH|topic|payload|id: 1", ZC_PUBLISH, "", false},
        {"PUBLISH|#topic|#payload|#x: 1", ZC_PUBLISH, "", false},
        {"REPLAY|0-0|a", ZC_REPLAY, "", false},
        {"REPLAY|earliest|a|b|c|a", ZC_REPLAY, "", false},
        {"FETCH|own id|1|0|a", ZC_FETCH, "", false},
        {"FETCH|1-1|18446744073709551615|18446744073709551615|a\nb", ZC_FETCH, "", false},
        {"SYNC||", ZC_SYNC, "", false},
        {"SYNC|nonce|a\nb", ZC_SYNC, "", false},
        {"SYNC|nonce|a\nb|1-0.9f|1-1", ZC_SYNC, "", false},
        {"FETCH|1-1|1|0|a|1-0.9f", ZC_FETCH, "", false},
        {"FETCH|1-1|1|0|a\n\x01mb/#\n\x01t{c}\n\x01p:d", ZC_FETCH, "", false},
        {"TOPICS|0-0|", ZC_TOPICS, "", false},
        {"TOPICS|1-1|a|b/|\xff", ZC_TOPICS, "", false},
        {"REPORT|name|{}", ZC_REPORT, "", false},
        {"LIST|1|", ZC_LIST, "", false},
        {"LIST|1000|a\xff", ZC_LIST, "", false},
        {"LIST|10||7-0 a b", ZC_LIST, "", false},
        {"#1|PURGE|a", ZC_PURGE, "#1", false},
        {"PURGE|a\nb", ZC_PURGE, "", false},
        {"INSTRUCT|{}", ZC_INSTRUCT, "", false},
        {"#1|INSTRUCTIONS|7-0|1-0.a", ZC_INSTRUCTIONS, "#1", false},
        {"INSTRUCTIONS|0-0|?", ZC_INSTRUCTIONS, "", false},
    };
    for (size_t i = 0; i < LENGTH (good); i++) {
        zc_ask_t request;
        s_frames_t frames;
        assert_null (s_parse (&request, &frames, good[i].text));
        assert_int_equal (request.verb, good[i].verb);
        assert_slice (request.tag, good[i].tag);
        assert_int_equal (request.delimiter, good[i].delimiter);
    }
}

static const struct {
    const char *text, *code;
} s_bad_table[] = {
    {"", "verb"},
    {"|", "verb"},
    {"|#tag", "verb"},
    {"#tag|#tag|PING", "verb"},
    {"#~|PING", "arguments"},
    {"ping", "verb"},
    {"PINGS", "verb"},
    {"PING|", "arguments"},
    {"LIMITS|x", "arguments"},
    {"STATS|x", "arguments"},
    {"PUBLISH|a", "arguments"},
    {"PUBLISH|a|b|c|d", "arguments"},
    {"PUBLISH||x", "topic"},
    {"PUBLISH|\x01|x", "topic"},
    {"PUBLISH|\xff|x", "topic"},
    {"PUBLISH|~~~~|x", "topic"},
    {"PUBLISH|a|~", "payload"},
    {"PUBLISH|a|x|nonsense", "headers"},
    {"PUBLISH|a|x|event: \x02", "headers"},
    {"PUBLISH|a|x|id: ~", "headers"},
    {"PUBLISH|a|x|id: 5-0", "headers"},
    {"PUBLISH|a|x|id: earliest", "headers"},
    {"PUBLISH|a|x|event: zcast.continuity", "headers"},
    {"PUBLISH|a|x|event: mercure", "headers"},
    {"PUBLISH|a|x|~~~~~~~~~~~~~~~~~~~~~~~~~~~~", "headers"},
    {"REPLAY|1-1", "arguments"},
    {"REPLAY||a", "since"},
    {"REPLAY|~|a", "since"},
    {"REPLAY|x\n|a", "since"},
    {"REPLAY|1-1|a|", "topic"},
    {"FETCH|1-1|1|1", "arguments"},
    {"TOPICS|1-1", "arguments"},
    {"TOPICS|earliest|a", "since"},
    {"TOPICS|1-1|~~~~", "topic"},
    {"FETCH|1-1|1|1|a|line|x", "arguments"},
    {"FETCH|1-1|1|1|a|", "arguments"},
    {"FETCH|1-1|1|1|a|a line", "arguments"},
    {"FETCH|1-1|0|1|a", "arguments"},
    {"FETCH|1-1||1|a", "arguments"},
    {"FETCH|1-1|1x|1|a", "arguments"},
    {"FETCH|1-1|1|-1|a", "arguments"},
    {"FETCH|1-1|18446744073709551616|1|a", "arguments"},
    {"FETCH|1-1|1|1|", "topic"},
    {"FETCH|1-1|1|1|\n", "topic"},
    {"FETCH|1-1|1|1|a\n", "topic"},
    {"FETCH|1-1|1|1|\na", "topic"},
    {"FETCH|1-1|1|1|\x01m", "topic"},
    {"FETCH|1-1|1|1|\x01mb/#/c", "topic"},
    {"FETCH|1-1|1|1|\x01x#", "topic"},
    {"REPLAY|1-1|\x01m#", "topic"},
    {"SYNC|n|\x01m#", "topic"},
    {"PURGE|\x01m#", "topic"},
    {"SYNC|n", "arguments"},
    {"SYNC|~|a", "arguments"},
    {"SYNC|n|a\n\nb", "topic"},
    {"SYNC|n|a|line", "arguments"},
    {"SYNC|n|a||1-1", "arguments"},
    {"SYNC|n|a|line|", "arguments"},
    {"SYNC|n|a|line|earliest", "arguments"},
    {"SYNC|n|a|line|1-1|x", "arguments"},
    {"SYNC|n|a\n\nb|line|1-1", "topic"},
    {"REPORT|a", "arguments"},
    {"REPORT||{}", "arguments"},
    {"REPORT|\n|{}", "arguments"},
    {"REPORT|~|{}", "arguments"},
    {"LIST|1", "arguments"},
    {"LIST|0|", "arguments"},
    {"LIST|1001|", "arguments"},
    {"LIST||a", "arguments"},
    {"LIST|1|~~~~", "topic"},
    {"LIST|1|a|", "arguments"},
    {"LIST|1|a|7-0", "arguments"},
    {"LIST|1|a|7-0 ", "arguments"},
    {"LIST|1|a|x b", "arguments"},
    {"LIST|1|a|7-0 \x01", "arguments"},
    {"LIST|1|a|7-0 b|x", "arguments"},
    {"PURGE", "arguments"},
    {"PURGE|", "topic"},
    {"PURGE|\n", "topic"},
    {"PURGE|a\n", "topic"},
    {"PURGE|a\x01", "topic"},
    {"PURGE|a|b", "arguments"},
    {"INSTRUCT", "arguments"},
    {"INSTRUCT|{}|", "arguments"},
    {"INSTRUCTIONS|0-0", "arguments"},
    {"INSTRUCTIONS|7|?", "since"},
    {"INSTRUCTIONS|0-0|", "arguments"},
    {"INSTRUCTIONS|0-0|a b", "arguments"},
};

static void s_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_bad_table); i++) {
        zc_ask_t request;
        s_frames_t frames;
        const char *code = s_parse (&request, &frames, s_bad_table[i].text);
        if (!code || strcmp (code, s_bad_table[i].code) != 0)
            fail_msg ("%s: %s", s_bad_table[i].text, code ? code : "accepted");
    }
    zc_ask_t request;
    const char *text;
    assert_string_equal (zc_ask_parse (&request, NULL, 0, MAX_PAYLOAD, &text), "verb");
}

static void s_expect_topics (const char *text, size_t count)
{
    static const char *const names[] = {"a", "b\xc3\xa4", "c"};
    zc_ask_t request;
    s_frames_t frames;
    zc_slice_t topic;
    size_t at = 0, seen = 0;
    assert_null (s_parse (&request, &frames, text));
    for (; zc_ask_topic (&request, &at, &topic); seen++)
        assert_slice (topic, names[seen]);
    assert_int_equal (seen, count);
}

static void s_topics (void **state)
{
    (void)state;
    s_expect_topics ("REPLAY|1-1|a", 1);
    s_expect_topics ("REPLAY|1-1|a|b\xc3\xa4|c", 3);
    s_expect_topics ("FETCH|1-1|1|1|a", 1);
    s_expect_topics ("FETCH|1-1|1|1|a\nb\xc3\xa4\nc", 3);
    s_expect_topics ("SYNC||", 0);
    s_expect_topics ("PURGE|a\nb\xc3\xa4", 2);
    s_expect_topics ("SYNC||a\nb\xc3\xa4", 2);
}

static void s_since (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        zc_since_kind_t kind;
        zc_id_t since;
    } table[] = {
        {"REPLAY|0-0|a", ZC_SINCE_POSITION, 0},
        {"REPLAY|1-2|a", ZC_SINCE_POSITION, 1 << 20 | 2},
        {"REPLAY|earliest|a", ZC_SINCE_EARLIEST, 0},
        {"REPLAY|EARLIEST|a", ZC_SINCE_EVENT, 0},
        {"REPLAY|01-2|a", ZC_SINCE_EVENT, 0},
        {"REPLAY|1-2-3|a", ZC_SINCE_EVENT, 0},
    };
    for (size_t i = 0; i < LENGTH (table); i++) {
        zc_ask_t request;
        s_frames_t frames;
        assert_null (s_parse (&request, &frames, table[i].text));
        assert_int_equal (request.since_kind, table[i].kind);
        if (table[i].kind == ZC_SINCE_POSITION)
            assert_int_equal (request.since, table[i].since);
    }
}

static void s_too_many_topics (void **state)
{
    (void)state;
    size_t count = ZC_ASK_FRAMES + 1;
    zc_slice_t *frames = malloc (count * sizeof *frames);
    zc_ask_t request;
    const char *text;
    frames[0] = SLICE ("");
    frames[1] = SLICE ("#tag");
    frames[2] = SLICE ("REPLAY");
    frames[3] = SLICE ("1-1");
    for (size_t i = 4; i < count; i++)
        frames[i] = SLICE ("a");
    assert_null (zc_ask_parse (&request, frames, count - 1, MAX_PAYLOAD, &text));
    assert_int_equal (request.frame_count, ZC_TOPICS_MAX);
    assert_string_equal (zc_ask_parse (&request, frames, count, MAX_PAYLOAD, &text), "arguments");
    free (frames);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_good),
        cmocka_unit_test (s_bad),
        cmocka_unit_test (s_topics),
        cmocka_unit_test (s_since),
        cmocka_unit_test (s_too_many_topics),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
