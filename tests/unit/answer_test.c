#include "tests/unit/unit.h"

#include "lib/wire/answer.h"

#define FRAMES 16

/*  Frames are written as one text with '|' between them. */
static size_t s_split (zc_slice_t *frames, const char *text)
{
    size_t count = 0;
    frames[0] = (zc_slice_t){text, 0};
    for (; *text; text++) {
        if (*text == '|')
            frames[++count] = (zc_slice_t){text + 1, 0};
        else
            frames[count].len++;
    }
    return count + 1;
}

static void s_parse (zc_answer_t *answer, zc_verb_t verb, const char *text)
{
    zc_slice_t frames[FRAMES];
    size_t count = s_split (frames, text);
    zc_answer_parse (answer, verb, frames, count);
}

/*  A good answer is written as it was read. A later version may have added frames. */
static void s_good (void **state)
{
    (void)state;
    static const struct {
        zc_verb_t verb;
        const char *text;
        zc_answer_kind_t kind;
    } good[] = {
        {ZC_PUBLISH, "OK|1-0", ZC_OK},
        {ZC_REPLAY, "MSG|t|p|id: 1-0\nprev: 0-0\n", ZC_MSG},
        {ZC_FETCH, "MSG|t||id: 1-0\nprev: 0-0\nx: y\n", ZC_MSG},
        {ZC_REPLAY, "END|7-1|2-0", ZC_END},
        {ZC_FETCH, "END|7-1|2-0|1-0|0", ZC_END},
        {ZC_FETCH, "END|7-1|2-0|?|18446744073709551615", ZC_END},
        {ZC_SYNC, "OK|9-0|0-0|", ZC_OK},
        {ZC_SYNC, "OK|9-0|8-0|1-0\n2-0\n3-0", ZC_OK},
        {ZC_SYNC, "OK|9-0|8-0||1-0.9f", ZC_OK},
        {ZC_SYNC, "OK|9-0|8-0||1-0.9f|7-0", ZC_OK},
        {ZC_SYNC, "OK|9-0|8-0||1-0.9f|7-0|more", ZC_OK},
        {ZC_TOPICS, "OK|9-0|0-0|", ZC_OK},
        {ZC_TOPICS, "OK|9-0|1-0|8-0 a\n7-0 b c\n", ZC_OK},
        {ZC_STATS, "OK|{}", ZC_OK},
        {ZC_STATS, "OK|\xff", ZC_OK}, /* readers of JSON check it */
        {ZC_REPORT, "OK", ZC_OK},
        {ZC_PING, "OK|0.9", ZC_OK},
        {ZC_LIMITS, "OK|1048576", ZC_OK},
        {ZC_LIST, "OK|9-0||", ZC_OK},
        {ZC_LIST, "OK|9-0|8-0 3 120 a\n7-0 0 0 b c\n|7-0 b c", ZC_OK},
        {ZC_PURGE, "OK|9-0|3", ZC_OK},
        {ZC_INSTRUCT, "OK|9-0", ZC_OK},
        {ZC_INSTRUCTIONS, "OK|9-0|0-0|1-0.9f|", ZC_OK},
        {ZC_INSTRUCTIONS, "OK|9-0|8-0|1-0.9f|9-0 {}\n", ZC_OK},
        {ZC_PUBLISH, "ERR|busy|too many", ZC_ERR},
        {ZC_FETCH, "ERR|since|", ZC_ERR},
        {ZC_REPORT, "OK|more", ZC_OK},
        {ZC_PING, "OK|0.9|more|and more", ZC_OK},
    };
    for (size_t i = 0; i < LENGTH (good); i++) {
        zc_answer_t answer;
        zc_answer_frames_t out;
        zc_slice_t frames[FRAMES];
        size_t count = s_split (frames, good[i].text);
        zc_answer_parse (&answer, good[i].verb, frames, count);
        if (answer.kind != good[i].kind)
            fail_msg ("%s: %.*s", good[i].text, (int)answer.text.len, answer.text.at);
        assert_int_equal (answer.verb, good[i].verb);
        assert_int_equal (answer.more, answer.kind == ZC_MSG);
        zc_answer_write (&answer, &out);
        assert_true (out.count <= count);
        assert_true (out.count == count || strstr (good[i].text, "|more"));
        for (size_t j = 0; j < out.count; j++)
            assert_int_equal (zc_slice_compare (out.frames[j], frames[j]), 0);
    }
}

static const struct {
    zc_verb_t verb;
    const char *text, *why;
} s_bad_table[] = {
    {ZC_PING, "", "it begins with neither OK, MSG, END nor ERR"},
    {ZC_PING, "ok|1", "it begins with neither OK, MSG, END nor ERR"},
    {ZC_PING, "OKAY|1", "it begins with neither OK, MSG, END nor ERR"},
    {ZC_PING, "PING", "it begins with neither OK, MSG, END nor ERR"},
    {ZC_PING, "OK", "it has too few frames"},
    {ZC_PING, "OK|\x1b[2J", "its text isn't plain text"},
    {ZC_PING, "END|1-0|0-0", "it answers another request"},
    {ZC_PING, "MSG|t|p|id: 1-0\nprev: 0-0\n", "it answers another request"},
    {ZC_PUBLISH, "OK", "it has too few frames"},
    {ZC_PUBLISH, "OK|", "its id isn't a position"},
    {ZC_PUBLISH, "OK|01-0", "its id isn't a position"},
    {ZC_PUBLISH, "OK|1", "its id isn't a position"},
    {ZC_FETCH, "OK|1-0", "it answers another request"},
    {ZC_FETCH, "END|7-1|2-0|1-0", "it has too few frames"},
    {ZC_FETCH, "END|x|2-0|1-0|0", "its head isn't a position"},
    {ZC_FETCH, "END|7-1|-|1-0|0", "its floor isn't a position"},
    {ZC_FETCH, "END|7-1|2-0|own|0", "its since isn't a position or '?'"},
    {ZC_FETCH, "END|7-1|2-0|?|-1", "its remaining isn't a number"},
    {ZC_FETCH, "END|7-1|2-0|?|18446744073709551616", "its remaining isn't a number"},
    {ZC_FETCH, "END|7-1|2-0|?|1|x", "its plain isn't a number"},
    {ZC_FETCH, "MSG|t|p", "it has too few frames"},
    {ZC_FETCH, "MSG||p|id: 1-0\nprev: 0-0\n", NULL},
    {ZC_FETCH, "MSG|t|p|id: 1-0\n", NULL},
    {ZC_REPLAY, "END|7-1", "it has too few frames"},
    {ZC_SYNC, "OK|9-0|0-0", "it has too few frames"},
    {ZC_SYNC, "OK|9-0|none|", "its dropped isn't a position"},
    {ZC_SYNC, "OK|9-0|0-0||", "its line isn't a line"},
    {ZC_SYNC, "OK|9-0|0-0||a line", "its line isn't a line"},
    {ZC_SYNC, "OK|9-0|0-0||line|", "its doubt isn't a position"},
    {ZC_SYNC, "OK|9-0|0-0|1-0\n\n2-0", "its lasts isn't a list of positions"},
    {ZC_SYNC, "OK|9-0|0-0|1-0 2-0", "its lasts isn't a list of positions"},
    {ZC_TOPICS, "OK|9-0|0-0|a", "its listed isn't a list of positions and topics"},
    {ZC_TOPICS, "OK|9-0|0-0|1-0 \n", "its listed isn't a list of positions and topics"},
    {ZC_TOPICS, "OK|9-0|0-0|1-0 a\nb\n", "its listed isn't a list of positions and topics"},
    {ZC_TOPICS, "OK|9-0|0-0|1-0 \x01\n", "its listed isn't a list of positions and topics"},
    {ZC_STATS, "OK", "it has too few frames"},
    {ZC_LIMITS, "OK|many", "its max_payload isn't a number"},
    {ZC_LIST, "OK|9-0|", "it has too few frames"},
    {ZC_LIST, "OK|9-0|8-0 3 a|", "its kept isn't a list of topics"},
    {ZC_LIST, "OK|9-0|8-0 3 x a|", "its kept isn't a list of topics"},
    {ZC_LIST, "OK|9-0|8-0 -3 1 a|", "its kept isn't a list of topics"},
    {ZC_LIST, "OK|9-0|8 3 1 a|", "its kept isn't a list of topics"},
    {ZC_LIST, "OK|9-0|8-0 3 1 |", "its kept isn't a list of topics"},
    {ZC_LIST, "OK|9-0|8-0 3 1 a\n\n|", "its kept isn't a list of topics"},
    {ZC_LIST, "OK|9-0||\x1b[2J", "its next isn't plain text"},
    {ZC_PURGE, "OK|9-0|all", "its purged isn't a number"},
    {ZC_INSTRUCTIONS, "OK|9-0|8-0|1-0.9f|9 {}\n", "its listed isn't a list of instructions"},
    {ZC_INSTRUCTIONS, "OK|9-0|8-0||", "its line isn't a line"},
    {ZC_PING, "ERR|busy", "it has too few frames"},
    {ZC_PING, "ERR||text", "its code or text isn't plain text"},
    {ZC_PING, "ERR|bu\nsy|text", "its code or text isn't plain text"},
    {ZC_PING, "ERR|busy|\x1b[2J", "its code or text isn't plain text"},
    {ZC_PING, "ERR|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|text",
     "its code or text isn't plain text"},
};

static void s_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_bad_table); i++) {
        zc_answer_t answer;
        s_parse (&answer, s_bad_table[i].verb, s_bad_table[i].text);
        if (answer.kind != ZC_MALFORMED)
            fail_msg ("%s: accepted", s_bad_table[i].text);
        assert_slice (answer.code, "malformed");
        if (s_bad_table[i].why)
            assert_slice (answer.text, s_bad_table[i].why);
        assert_int_equal (answer.more, strncmp (s_bad_table[i].text, "MSG", 3) == 0);
        assert_int_equal (answer.head, ZC_ID_NONE); /* none of its fields is set */
    }
    zc_answer_t answer;
    zc_answer_parse (&answer, ZC_PING, NULL, 0);
    assert_int_equal (answer.kind, ZC_MALFORMED);
}

static void s_fields (void **state)
{
    (void)state;
    zc_answer_t answer;
    s_parse (&answer, ZC_FETCH, "END|0-7|0-2|0-1|5");
    assert_int_equal (answer.head, 7);
    assert_int_equal (answer.floor, 2);
    assert_int_equal (answer.since, 1);
    assert_false (answer.unknown);
    assert_int_equal (answer.remaining, 5);
    assert_int_equal (answer.plain, 0);
    s_parse (&answer, ZC_FETCH, "END|0-7|0-2|0-1|5|1");
    assert_int_equal (answer.plain, 1);
    s_parse (&answer, ZC_FETCH, "END|0-7|0-2|?|5");
    assert_true (answer.unknown);
    assert_int_equal (answer.since, ZC_ID_NONE);
    s_parse (&answer, ZC_SYNC, "OK|0-9|0-8|0-1\n0-2");
    assert_int_equal (answer.dropped, 8);
    assert_int_equal (answer.left_out, 2);
    assert_int_equal (answer.line.len, 0);
    zc_id_t last;
    assert_true (zc_lasts_next (&answer.lasts, &last));
    assert_int_equal (last, 1);
    assert_true (zc_lasts_next (&answer.lasts, &last));
    assert_int_equal (last, 2);
    assert_false (zc_lasts_next (&answer.lasts, &last));
    s_parse (&answer, ZC_SYNC, "OK|0-9|0-8||0-1.x|0-4");
    assert_slice (answer.line, "0-1.x");
    assert_int_equal (answer.doubt, 4);
    assert_int_equal (answer.left_out, 0);
    zc_slice_t topic;
    s_parse (&answer, ZC_TOPICS, "OK|0-9|0-8|0-3 a b\n0-2 c\n");
    assert_int_equal (answer.forgotten, 8);
    assert_true (zc_listed_next (&answer.listed, &last, &topic));
    assert_int_equal (last, 3);
    assert_slice (topic, "a b");
    assert_true (zc_listed_next (&answer.listed, &last, &topic));
    assert_slice (topic, "c");
    assert_false (zc_listed_next (&answer.listed, &last, &topic));
}

static void s_meanings (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool passing;
    } table[] = {{"ERR|busy|x", true},   {"ERR|history|x", true}, {"ERR|internal|x", true},
                 {"ERR|behind|x", true}, {"ERR|verb|x", false},   {"ERR|since|x", false},
                 {"OK|1-0", false}};
    zc_answer_t answer;
    for (size_t i = 0; i < LENGTH (table); i++) {
        s_parse (&answer, ZC_PUBLISH, table[i].text);
        assert_int_equal (zc_answer_is_passing (&answer), table[i].passing);
    }
    size_t max_payload = 1;
    s_parse (&answer, ZC_LIMITS, "ERR|verb|not a verb");
    assert_true (zc_answer_is_error (&answer, "verb"));
    assert_int_equal (zc_answer_limits (&answer, &max_payload), 1);
    assert_int_equal (zc_answer_limits (&zc_answer_none, &max_payload), -1);
    assert_int_equal (max_payload, 1);
    s_parse (&answer, ZC_LIMITS, "OK|77");
    assert_int_equal (zc_answer_limits (&answer, &max_payload), 0);
    assert_int_equal (max_payload, 77);
}

/*  A list may be as long as a request. */
static void s_bounds (void **state)
{
    (void)state;
    zc_buf_t lasts = ZC_BUF_INIT, listed = ZC_BUF_INIT;
    zc_answer_t answer;
    for (size_t i = 0; i <= ZC_TOPICS_MAX; i++) {
        zc_slice_t sync[] = {
            SLICE ("OK"), SLICE ("1-0"), SLICE ("0-0"), {(char *)lasts.data, lasts.len}};
        zc_slice_t topics[] = {
            SLICE ("OK"), SLICE ("1-0"), SLICE ("0-0"), {(char *)listed.data, listed.len}};
        if (i == ZC_TOPICS_MAX) {
            zc_answer_parse (&answer, ZC_SYNC, sync, 4);
            assert_int_equal (answer.kind, ZC_OK);
            zc_answer_parse (&answer, ZC_TOPICS, topics, 4);
            assert_int_equal (answer.kind, ZC_OK);
        }
        zc_lasts_add (&lasts, i);
        zc_listed_add (&listed, i, SLICE ("a"));
    }
    zc_slice_t many[] = {
        SLICE ("OK"), SLICE ("1-0"), SLICE ("0-0"), {(char *)lasts.data, lasts.len}};
    zc_answer_parse (&answer, ZC_SYNC, many, 4);
    assert_int_equal (answer.kind, ZC_MALFORMED);
    many[3] = (zc_slice_t){(char *)listed.data, listed.len};
    zc_answer_parse (&answer, ZC_TOPICS, many, 4);
    assert_int_equal (answer.kind, ZC_MALFORMED);
    zc_buf_clear (&lasts);
    zc_buf_clear (&listed);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_good),     cmocka_unit_test (s_bad),    cmocka_unit_test (s_fields),
        cmocka_unit_test (s_meanings), cmocka_unit_test (s_bounds),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
