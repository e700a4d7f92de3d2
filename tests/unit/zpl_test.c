/*  ZPL texts: which are refused, in which line, and the lines of items. */
#include "tests/unit/unit.h"

#include "lib/config/zpl.h"

static const struct {
    const char *text;
    size_t items;
} s_good[] = {
    {"", 0},
    {"\n\n", 0},
    {"# comment", 0},
    {"   # comment at three\n", 0},
    {"a", 1},
    {"a\n    b = 1\n    b = 2\nc\n", 4},
    {"a\r\n    b = 1\r\n", 2},
    {"a\n\n# x\n    b = \"x # y\"   # z\n", 2},
    {"a\n    b = 'it \"is\"'\n", 2},
    {"a\n    b = one two # three\n    c =\n    d = # nothing\n    e\n", 5},
    {"a\n    b=#nothing\n", 2},
    {"a\n    b\n        c\n            d = 1\n", 4},
    {"a # comment\n    $-_@.&+/x = 1", 2},
    {"a\n    b = \xc3\xa9\xff\n", 2},
    {"   \t \n", 0},
};

static void test_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_good); i++) {
        zc_zpl_t zpl;
        unsigned line;
        const char *reason;
        if (zc_zpl_parse (&zpl, s_good[i].text, strlen (s_good[i].text), &line, &reason) != 0)
            fail_msg ("good[%zu]: line %u: %s", i, line, reason);
        assert_int_equal (zpl.count, s_good[i].items);
        zc_zpl_clear (&zpl);
        zc_zpl_clear (&zpl);
    }
}

static const struct {
    const char *text;
    unsigned line;
    const char *reason; /* a part of it */
} s_bad[] = {
    {"    a\n", 1, "deeper"},
    {"a\n        b = 1\n", 2, "deeper"},
    {"a\n    b = 1\nc\n        d = 1\n", 4, "deeper"},
    {"a\n  b = 1\n", 2, "4 spaces at a time"},
    {"\n\na\n     b = 1\n", 4, "4 spaces at a time"},
    {"a\n\tb = 1\n", 2, "tabs"},
    {"a\n    \tb = 1\n", 2, "tabs"},
    {"a b\n", 1, "'='"},
    {"a: b\n", 1, "'='"},
    {"= b\n", 1, "name"},
    {"[a]\n", 1, "without brackets"},
    {"a\n    [b]\n", 2, "without brackets"},
    {"\xef\xbb\xbf"
     "a\n",
     1, "byte order mark"},
    {"a\n\xef\xbb\xbf", 2, "name"},
    {"\xff\xfe"
     "a",
     1, "UTF-16"},
    {"a\n\xc2\xa0\xc2\xa0  b = 1\n", 2, "no-break space"},
    {"a {\n", 1, "no braces"},
    {"a\n    b = 1\n}\n", 3, "no braces"},
    {"; a\n", 1, "begins with #"},
    {"// a\n", 1, "begins with #"},
    {"%\n", 1, "expected a name"},
    {"caf\xc3\xa9\n", 1, "'='"},
    {"/a\n", 1, "begin or end"},
    {"a/\n", 1, "begin or end"},
    {"a\n    b = \"x\n", 2, "closing quote is missing"},
    {"a\n    b = '\n", 2, "closing quote is missing"},
    {"a\n    b = \"x\" y\n", 2, "after the closing quote"},
    {"a\n    b = x#y\n", 2, "needs quotes"},
};

static void test_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_bad); i++) {
        zc_zpl_t zpl;
        unsigned line;
        const char *reason;
        if (zc_zpl_parse (&zpl, s_bad[i].text, strlen (s_bad[i].text), &line, &reason) != -1)
            fail_msg ("bad[%zu] was taken", i);
        assert_int_equal (line, s_bad[i].line);
        if (!strstr (reason, s_bad[i].reason))
            fail_msg ("bad[%zu]: %s", i, reason);
        assert_null (zpl.root);
        assert_null (zpl.lines);
    }
}

typedef struct {
    const zc_zpl_t *zpl;
    size_t item;
} s_walk_t;

static int s_visit (zconfig_t *item, void *arg, int level)
{
    s_walk_t *walk = arg;
    char line[16];
    if (level == 0)
        return 0;
    /* Each item of the text below carries its own line. */
    snprintf (line, sizeof line, "%u", walk->zpl->lines[walk->item++]);
    const char *value = zconfig_value (item);
    assert_string_equal (*value ? value : zconfig_name (item), line);
    return 0;
}

static void test_lines (void **state)
{
    (void)state;
    static const char text[] = "1\n"
                               "\n"
                               "    a = 3\n"
                               "# comment\n"
                               "    b = \"5\"\n"
                               "        c = 6\n"
                               "        d = 7 # x\n"
                               "\n"
                               "    e = 9\n"
                               "10\n"
                               "    a = 11\n";
    zc_zpl_t zpl;
    unsigned line;
    const char *reason;
    assert_int_equal (zc_zpl_parse (&zpl, text, sizeof text - 1, &line, &reason), 0);
    s_walk_t walk = {&zpl, 0};
    zconfig_execute (zpl.root, s_visit, &walk);
    assert_int_equal (walk.item, zpl.count);
    assert_int_equal (zpl.count, 8);
    zc_zpl_clear (&zpl);
}

static int s_parse (const char *text, size_t len, unsigned *line)
{
    zc_zpl_t zpl;
    const char *reason;
    /* In a block of its exact size, so that a read past it is seen. */
    char *copy = malloc (len ? len : 1);
    memcpy (copy, text, len);
    int rc = zc_zpl_parse (&zpl, copy, len, line, &reason);
    free (copy);
    zc_zpl_clear (&zpl);
    return rc;
}

static void test_nul (void **state)
{
    (void)state;
    unsigned line;
    assert_int_equal (s_parse ("a\n    b = 1\0\n", 13, &line), -1);
    assert_int_equal (line, 2);
    assert_int_equal (s_parse ("# \0\n", 4, &line), -1);
}

static void test_long_lines (void **state)
{
    (void)state;
    unsigned line;
    char text[1100];
    memset (text, 'a', sizeof text);
    assert_int_equal (s_parse (text, 1024, &line), 0);
    assert_int_equal (s_parse (text, 1025, &line), -1);
    text[1024] = '\n';
    assert_int_equal (s_parse (text, 1026, &line), 0);
    text[1024] = 'a';
    text[1025] = '\n';
    assert_int_equal (s_parse (text, sizeof text, &line), -1);
    assert_int_equal (line, 1);
    text[0] = '#';
    assert_int_equal (s_parse (text, sizeof text, &line), -1);
}

static void test_deep (void **state)
{
    (void)state;
    unsigned line;
    /* As deep as a line is long. */
    char *text = malloc (256 * 1030), *at = text;
    for (int level = 0; level < 256; level++) {
        memset (at, ' ', (size_t)level * 4);
        at += level * 4;
        *at++ = 'a';
        *at++ = '\n';
    }
    assert_int_equal (s_parse (text, (size_t)(at - text), &line), 0);
    free (text);
}

static void test_many (void **state)
{
    (void)state;
    unsigned line;
    char *text = malloc (2 * (ZC_ZPL_ITEMS_MAX + 1));
    for (size_t i = 0; i <= ZC_ZPL_ITEMS_MAX; i++)
        memcpy (text + 2 * i, "a\n", 2);
    assert_int_equal (s_parse (text, 2 * ZC_ZPL_ITEMS_MAX, &line), 0);
    assert_int_equal (s_parse (text, 2 * ZC_ZPL_ITEMS_MAX + 2, &line), -1);
    assert_int_equal (line, ZC_ZPL_ITEMS_MAX + 1);
    free (text);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),       cmocka_unit_test (test_bad),
        cmocka_unit_test (test_lines),      cmocka_unit_test (test_nul),
        cmocka_unit_test (test_long_lines), cmocka_unit_test (test_deep),
        cmocka_unit_test (test_many),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
