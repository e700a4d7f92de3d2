/*  update_test.c - lists of topics of an update, good and bad. */
#include "tests/unit/unit.h"

#include "lib/wire/update.h"

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void test_round_trip (void **state)
{
    (void)state;
    static const char *const topics[] = {
        "a", "with space", "100%", "%20", "https://a.example/?b=c d%20", " "};
    zc_buf_t list = ZC_BUF_INIT;
    char text[ZC_TOPIC_MAX];
    zc_slice_t rest, topic;
    zc_buf_adds (&list, "topics: ");
    for (size_t i = 0; i < LENGTH (topics); i++)
        zc_update_add (&list, 8, s_slice (topics[i]));
    rest = (zc_slice_t){(const char *)list.data + 8, list.len - 8};
    for (size_t i = 0; i < LENGTH (topics); i++) {
        assert_true (zc_update_names (rest, s_slice (topics[i])));
        assert_true (zc_update_next (&rest, text, &topic));
        assert_slice (topic, topics[i]);
    }
    assert_false (zc_update_next (&rest, text, &topic));
    assert_false (zc_update_names (rest, s_slice ("a")));
    zc_buf_clear (&list);
}

/*  How many topics a list has before it ends, or can't be read. */
static void test_bad (void **state)
{
    (void)state;
    static const struct {
        const char *list;
        int count;
    } table[] = {{"", 0},    {"a", 1},       {"a b", 2}, {" a", 0},     {"a  b", 1},
                 {"a ", 1},  {"a %", 1},     {"%2", 0},  {"a%2 b", 0},  {"%21", 0},
                 {"%2F", 0}, {"a%20b c", 2}, {"%25", 1}, {"b %25%", 1}, {"%20%25 %", 1}};
    for (size_t i = 0; i < LENGTH (table); i++) {
        char text[ZC_TOPIC_MAX];
        zc_slice_t rest = s_slice (table[i].list), topic;
        int count = 0;
        while (zc_update_next (&rest, text, &topic))
            count++;
        if (count != table[i].count)
            fail_msg ("%s: %d", table[i].list, count);
    }
}

/*  Neither plain text nor escapes give more than a topic may have. */
static void test_long (void **state)
{
    (void)state;
    char text[ZC_TOPIC_MAX];
    zc_slice_t topic;
    for (int escaped = 0; escaped < 2; escaped++)
        for (size_t len = ZC_TOPIC_MAX - 1; len <= ZC_TOPIC_MAX + 1; len++) {
            zc_buf_t list = ZC_BUF_INIT;
            for (size_t i = 0; i < len; i++)
                zc_buf_adds (&list, escaped ? "%25" : "a");
            zc_slice_t rest = {(const char *)list.data, list.len};
            assert_int_equal (zc_update_next (&rest, text, &topic), len <= ZC_TOPIC_MAX);
            zc_buf_clear (&list);
        }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_round_trip),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_long),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
