/*  selector_test.c - the forms of selectors: examples of MQTT 5.0 §4.7, RFC 6570 §1.2 and §3.2 and
 *  the URL Pattern standard, refusals, and the time that matching takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/wire/selector.h"

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

typedef struct {
    const char *text, *beginning;
    const char *yes[6], *no[6];
} s_row_t;

static void s_check (zc_selector_form_t form, const s_row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *error;
        zc_selector_t *self = zc_selector_new (form, s_slice (rows[i].text), &error);
        if (!self)
            fail_msg ("%s: %s", rows[i].text, error);
        zc_slice_t beginning = zc_selector_beginning (self);
        if (!zc_slice_is (beginning, rows[i].beginning))
            fail_msg ("%s begins with '%.*s'", rows[i].text, (int)beginning.len, beginning.at);
        for (size_t k = 0; k < 6 && rows[i].yes[k]; k++)
            if (!zc_selector_match (self, s_slice (rows[i].yes[k])))
                fail_msg ("%s doesn't match %s", rows[i].text, rows[i].yes[k]);
        for (size_t k = 0; k < 6 && rows[i].no[k]; k++)
            if (zc_selector_match (self, s_slice (rows[i].no[k])))
                fail_msg ("%s matches %s", rows[i].text, rows[i].no[k]);
        zc_selector_destroy (&self);
    }
}
#define S_CHECK(form, rows) s_check (form, rows, sizeof (rows) / sizeof *(rows))

static void s_filters (void **state)
{
    (void)state;
    static const s_row_t rows[] = {
        {"news/local", "news/local", {"news/local"}, {"news/local/a", "news/loca", "news/localx"}},
        {"sport/tennis/player1/#",
         "sport/tennis/player1",
         {"sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wim",
          "sport/tennis/player1/"},
         {"sport/tennis", "sport/tennis/player12", "sport/tennis/player12/x"}},
        {"sport/#", "sport", {"sport", "sport/a", "sport/a/b"}, {"sports", "sports/a", "spor"}},
        {"#", "", {"a", "a/b", "/", "é"}, {"$SYS/a", "$zcast/ready"}},
        {"+", "", {"finance", "é"}, {"/finance", "a/b", "$SYS"}},
        {"/+", "/", {"/finance", "/"}, {"finance", "/a/b"}},
        {"+/+", "", {"/finance", "a/b"}, {"finance", "a/b/c"}},
        {"sport/tennis/+",
         "sport/tennis/",
         {"sport/tennis/player1", "sport/tennis/"},
         {"sport/tennis/player1/ranking", "sport/tennis"}},
        {"sport/+/player1",
         "sport/",
         {"sport/tennis/player1"},
         {"sport/a/b/player1", "sport/player1"}},
        {"+/tennis/#",
         "",
         {"sport/tennis", "sport/tennis/a", "/tennis/a"},
         {"tennis/a", "$a/tennis"}},
        {"a/+/#", "a/", {"a/b", "a/b/c", "a/"}, {"a", "ab/c"}},
        {"$SYS/#", "$SYS", {"$SYS/a", "$SYS"}, {"SYS"}},
        {"$zcast/#", "$zcast", {"$zcast"}, {"$zcast/ready"}},
        {"/#", "/", {"/a", "/a/b"}, {"a"}},
        {"été/+", "été/", {"été/à"}, {"été"}},
    };
    S_CHECK (ZC_SELECTOR_FILTER, rows);
}

static void s_templates (void **state)
{
    (void)state;
    static const s_row_t rows[] = {
        {"*", "", {"a", "https://x/y", "$SYS/a"}, {"$zcast/x"}},
        {"https://x/a", "https://x/a", {"https://x/a"}, {"https://x/a/", "https://x/b"}},
        {"https://x/{id}",
         "https://x/",
         {"https://x/1", "https://x/", "https://x/a%2Fb", "https://x/a,b", "https://x/{id}"},
         {"https://x/1/2", "https://x/é", "https://x/a%2", "https://x/a b", "https://x/a=b"}},
        {"https://x/{+path}/here",
         "https://x/",
         {"https://x/a/b?c/here", "https://x//here"},
         {"https://x/a"}},
        {"x{#frag}", "x", {"x", "x#", "x#a,b/c"}, {"xa"}},
        {"x{.ext}", "x", {"x.json", "x"}, {"xjson", "x/json"}},
        {"/a{/x,y}", "/a", {"/a", "/a/1", "/a/1/2", "/a/"}, {"/a/1/2/3", "/b"}},
        {"/a{/list*}", "/a", {"/a/1/2/3/4/5", "/a"}, {"/ab"}},
        {"p{;x,y}", "p", {"p;x=1;y=2", "p;x"}, {"p;x;y;z", "px"}},
        {"s{?q,lang}", "s", {"s?q=cat&lang=en", "s", "s?q=cat"}, {"s?q=1&lang=2&z=3", "s&q=1"}},
        {"s?fixed=1{&x}", "s?fixed=1", {"s?fixed=1&x=2", "s?fixed=1"}, {"s?fixed=1x"}},
        {"{var:3}", "", {"val", "value"}, {"a/b"}},
        {"{a}{b}", "", {"", "ab"}, {"a/b"}},
        {"{keys*}", "", {"a=1,b=2"}, {"a/1"}},
        {"{a.b,c_d}", "", {"1,2"}, {"/"}},
    };
    S_CHECK (ZC_SELECTOR_TEMPLATE, rows);
}

static void s_patterns (void **state)
{
    (void)state;
    static const s_row_t rows[] = {
        {"*", "", {"a", "https://x/y#z"}, {"$zcast/x"}},
        {"https://x.org/books/:id",
         "https://x.org/books/",
         {"https://x.org/books/1", "https://x.org/books/1?a=b", "https://x.org/books/1?a#b"},
         {"https://x.org/books/", "https://x.org/books/1/2", "http://x.org/books/1"}},
        {"https://x.org/*",
         "https://x.org/",
         {"https://x.org/", "https://x.org/a/b", "https://x.org/a?b#c"},
         {"https://x.orga/b"}},
        {"https://*.x.org/a",
         "https://",
         {"https://b.c.x.org/a"},
         {"https://b/x.org/a", "https://x.org/a"}},
        {"https://:host.org:8080/a",
         "https://",
         {"https://b.org:8080/a"},
         {"https://a.b.org:8080/a"}},
        {"https://x.org/books{/:id}?",
         "https://x.org/books",
         {"https://x.org/books", "https://x.org/books/1"},
         {"https://x.org/books/", "https://x.org/books/1/2"}},
        {"https://x.org/a/:b?",
         "https://x.org/a",
         {"https://x.org/a", "https://x.org/a/1"},
         {"https://x.org/a/"}},
        {"https://x.org/a/:b+",
         "https://x.org/a/",
         {"https://x.org/a/1", "https://x.org/a/1/2"},
         {"https://x.org/a"}},
        {"https://x.org/a/:b*",
         "https://x.org/a",
         {"https://x.org/a", "https://x.org/a/1/2"},
         {"https://x.org/a/1/"}},
        {"https://x.org/a?q=:q",
         "https://x.org/a?q=",
         {"https://x.org/a?q=1", "https://x.org/a?q=1#h"},
         {"https://x.org/a?q="}},
        {"https://x.org/a#:h", "https://x.org/a#", {"https://x.org/a#b"}, {"https://x.org/a"}},
        {"books/:id", "books/", {"books/1", "books/a?b"}, {"books/1/2", "books/"}},
        {"books/*", "books/", {"books/1/2", "books/"}, {"book"}},
        {"{a}+b", "a", {"ab", "aaab"}, {"b"}},
        {"{a}*b", "", {"b", "aab"}, {"a"}},
        {"a\\:b\\*\\{", "a:b*{", {"a:b*{"}, {"axb"}},
        {"/x://:y", "/x://", {"/x://a"}, {"/x://"}},
        {"https://h/.well-known/mercure/subscriptions/:match_type/a%2Fb{/:subscriber}?",
         "https://h/.well-known/mercure/subscriptions/",
         {"https://h/.well-known/mercure/subscriptions/exact/a%2Fb/urn:uuid:1",
          "https://h/.well-known/mercure/subscriptions/exact/a%2Fb"},
         {"https://h/.well-known/mercure/subscriptions/exact/c/1"}},
    };
    S_CHECK (ZC_SELECTOR_PATTERN, rows);
}

static void s_refusals (void **state)
{
    (void)state;
    static const struct {
        zc_selector_form_t form;
        const char *text;
    } rows[] = {
        {'m', ""},       {'m', "a\n"},    {'m', "a/#/b"},     {'m', "a#"},    {'m', "a+"},
        {'m', "+a"},     {'m', "a/+b/c"}, {'m', "##"},        {'m', "a/#b"},  {'m', "\xff"},
        {'t', "{"},      {'t', "}"},      {'t', "{}"},        {'t', "{a"},    {'t', "{a,}"},
        {'t', "{,a}"},   {'t', "{=a}"},   {'t', "{|a}"},      {'t', "{a:0}"}, {'t', "{a:12345}"},
        {'t', "{a:}"},   {'t', "{a b}"},  {'t', "{{a}}"},     {'t', "{.}"},   {'t', "{a..}"},
        {'t', "{a*b}"},  {'p', "(a)"},    {'p', ":id(\\d+)"}, {'p', "{a"},    {'p', "a}"},
        {'p', "{a{b}}"}, {'p', "a\\"},    {'p', "{/:a?}"},    {'p', ")"},     {'x', "a"},
        {'t', "\x01"},   {'p', "{}"},     {'p', "{}{}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *error = NULL;
        zc_selector_t *self = zc_selector_new (rows[i].form, s_slice (rows[i].text), &error);
        if (self || !error)
            fail_msg ("%c %s is taken", (char)rows[i].form, rows[i].text);
    }
    char large[100000];
    const char *error;
    memset (large, 'a', sizeof large);
    assert_null (zc_selector_new (ZC_SELECTOR_FILTER, (zc_slice_t){large, sizeof large}, &error));
    assert_null (
        zc_selector_new (ZC_SELECTOR_FILTER, (zc_slice_t){large, ZC_TOPIC_MAX + 1}, &error));
    for (size_t i = 0; i < ZC_TOPIC_MAX - 1; i++)
        large[i] = i == 0 ? '{' : i == ZC_TOPIC_MAX - 2 ? '}' : i % 2 ? 'a' : ',';
    assert_null (
        zc_selector_new (ZC_SELECTOR_TEMPLATE, (zc_slice_t){large, ZC_TOPIC_MAX - 1}, &error));
    assert_non_null (strstr (error, "too many")); /* 511 variables */
}

static void s_names (void **state)
{
    (void)state;
    const char *error;
    zc_selector_t *self = zc_selector_new (ZC_SELECTOR_FILTER, s_slice ("news/#"), &error), *same;
    assert_true (zc_selector_is_tree (self));
    assert_false (zc_selector_is_topic (self));
    zc_slice_t name = zc_selector_name (self);
    assert_true (zc_names_selector (name));
    assert_true (zc_is_topic_or_selector (name));
    assert_false (zc_topic_valid (name.at, name.len));
    assert_true (zc_slice_is (zc_selector_text (name), "news/#"));
    same = zc_selector_of (name, &error);
    assert_true (zc_selector_match (same, s_slice ("news/a")));
    zc_selector_destroy (&same);
    zc_selector_destroy (&self);
    assert_true (zc_is_topic_or_selector (s_slice ("news")));
    assert_false (zc_is_topic_or_selector (s_slice ("\x01m")));
    assert_false (zc_is_topic_or_selector (s_slice ("\x01x"
                                                    "a")));
    assert_false (zc_is_topic_or_selector (s_slice ("\x01mnews/#/a")));
    assert_false (zc_is_topic_or_selector (s_slice ("")));
    assert_null (zc_selector_of (s_slice ("news"), &error));
    static const struct {
        zc_selector_form_t form;
        const char *text;
        bool topic, tree;
    } rows[] = {{'m', "a/b", true, false},    {'m', "a/+", false, false},
                {'m', "a/+/#", false, false}, {'m', "a/b/#", false, true},
                {'t', "a", true, false},      {'t', "a{b}", false, false},
                {'p', "a\\*", true, false},   {'p', "a*", false, false},
                {'m', "#", false, false},     {'m', "/#", false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        self = zc_selector_new (rows[i].form, s_slice (rows[i].text), &error);
        if (zc_selector_is_topic (self) != rows[i].topic ||
            zc_selector_is_tree (self) != rows[i].tree)
            fail_msg ("%s", rows[i].text);
        zc_selector_destroy (&self);
    }
}

/*  Selectors that make a matcher that tries alternatives one by one take for ever. */
static void s_blow_up (void **state)
{
    (void)state;
    char text[ZC_TOPIC_MAX], topic[ZC_TOPIC_MAX];
    memset (topic, 'a', sizeof topic);
    for (int form = 0; form < 3; form++) {
        const char *error;
        static const char *const parts[] = {"+/", "{a}", "{a*}*"}, forms[] = {'m', 't', 'p'};
        size_t len = 0;
        while (len < 100) {
            memcpy (text + len, parts[form], strlen (parts[form]));
            len += strlen (parts[form]);
        }
        text[len++] = '!';
        zc_selector_t *self =
            zc_selector_new ((zc_selector_form_t)forms[form], (zc_slice_t){text, len}, &error);
        if (!self)
            fail_msg ("%s", error);
        assert_false (zc_selector_match (self, (zc_slice_t){topic, sizeof topic}));
        zc_selector_destroy (&self);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_filters),  cmocka_unit_test (s_templates),
        cmocka_unit_test (s_patterns), cmocka_unit_test (s_refusals),
        cmocka_unit_test (s_names),    cmocka_unit_test (s_blow_up),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
