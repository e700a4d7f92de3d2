/*  Offers of permessage-deflate: accepted, declined, or failing the handshake. */
#include "tests/unit/unit.h"

#include "ws/extension.h"

#define PLAIN "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#define WINDOW PLAIN "; server_max_window_bits=15"
#define PD "permessage-deflate"

static const struct {
    const char *offer, *answer; /* answer: NULL if no offer is accepted */
} good[] = {
    {"", NULL},
    {" , ,\t", NULL},
    {PD, PLAIN},
    {"\t" PD " ", PLAIN},
    {",, " PD " , ", PLAIN},
    /* what browsers send: Chromium and Firefox, Safari */
    {PD "; client_max_window_bits", PLAIN},
    {"x-webkit-deflate-frame", NULL},
    /* each parameter, with the values that it may have */
    {PD "; server_no_context_takeover", PLAIN},
    {PD "; client_no_context_takeover", PLAIN},
    {PD ";server_no_context_takeover;client_no_context_takeover;client_max_window_bits=9", PLAIN},
    {PD "; client_max_window_bits=8", PLAIN},
    {PD "; client_max_window_bits=15", PLAIN},
    {PD "; client_max_window_bits=\"10\"", PLAIN},
    {PD "; client_max_window_bits=\"\\1\\0\"", PLAIN},
    {PD "; server_max_window_bits=15", WINDOW},
    {PD " ;\tserver_max_window_bits = \"15\" ; client_max_window_bits", WINDOW},
    /* values that parameters may not have */
    {PD "; server_no_context_takeover=1", NULL},
    {PD "; client_no_context_takeover=\"true\"", NULL},
    {PD "; server_max_window_bits", NULL},
    {PD "; server_max_window_bits=8", NULL},
    {PD "; server_max_window_bits=14", NULL},
    {PD "; server_max_window_bits=7", NULL},
    {PD "; server_max_window_bits=16", NULL},
    {PD "; server_max_window_bits=015", NULL},
    {PD "; server_max_window_bits=+15", NULL},
    {PD "; server_max_window_bits=1", NULL},
    {PD "; server_max_window_bits=150", NULL},
    {PD "; server_max_window_bits=\"151515151515151515151515151515151515151515\"", NULL},
    {PD "; client_max_window_bits=0", NULL},
    {PD "; client_max_window_bits=7", NULL},
    {PD "; client_max_window_bits=08", NULL},
    {PD "; client_max_window_bits=16", NULL},
    {PD "; client_max_window_bits=20", NULL},
    {PD "; client_max_window_bits=1a", NULL},
    {PD "; client_max_window_bits=-9", NULL},
    /* repeated, unknown, or in another spelling */
    {PD "; client_max_window_bits; client_max_window_bits", NULL},
    {PD "; client_max_window_bits=10; client_max_window_bits=10", NULL},
    {PD "; server_max_window_bits=15; server_max_window_bits=15", NULL},
    {PD "; server_no_context_takeover; server_no_context_takeover", NULL},
    {PD "; client_no_context_takeover; x; client_no_context_takeover", NULL},
    {PD "; mystery", NULL},
    {PD "; mystery=\"x\"", NULL},
    {PD "; Client_max_window_bits", NULL},
    {"Permessage-Deflate", NULL},
    {PD "x", NULL},
    {"permessage-deflat", NULL},
    {"x-" PD "; client_max_window_bits=99", NULL},
    /* several offers: the first acceptable one is taken */
    {PD "; server_max_window_bits=10, " PD, PLAIN},
    {PD "; server_max_window_bits=15, " PD, WINDOW},
    {PD ", " PD "; server_max_window_bits=15", PLAIN},
    {PD "; mystery, " PD "; server_max_window_bits=15; client_max_window_bits", WINDOW},
    {"permessage-bzip2; level=9, other;a;b=c," PD "; client_max_window_bits", PLAIN},
    {PD "; server_max_window_bits=8, " PD "; server_max_window_bits=9", NULL},
};

static const char *const bad[] = {
    ";",
    PD ";",
    PD "; ",
    PD "; , " PD,
    PD " " PD,
    PD "; ; client_max_window_bits",
    PD "; client_max_window_bits client_max_window_bits",
    PD "; client_max_window_bits=",
    PD "; client_max_window_bits= , x",
    PD "; client_max_window_bits==8",
    PD "; =8",
    PD "=8",
    PD "; client_max_window_bits=\"",
    PD "; client_max_window_bits=\"8",
    PD "; client_max_window_bits=\"\"",
    PD "; client_max_window_bits=\"8\\",
    PD "; client_max_window_bits=\"8\\\"",
    PD "; client_max_window_bits=\"8\"8",
    PD "; client_max_window_bits=\"8\" \"8\"",
    PD "; client_max_window_bits=\"8,9\"", /* unescaped, it must be a token */
    PD "; client_max_window_bits=\"8 \"",
    PD "; client_max_window_bits=8\"9\"",
    PD "; client_max_window_bits=(8)",
    PD "; client_max_window_bits='\xc3\xa9'",
    "\"" PD "\"",
    "a/b",
    PD ", a/b", /* also after one that is accepted */
    PD ", x; y=\"",
};

/*  In a block of its own, so that valgrind and ASan see a read past its end. */
static int s_offer (zc_extension_t *self, const char *text)
{
    size_t len = strlen (text);
    char *copy = malloc (len ? len : 1);
    memcpy (copy, text, len);
    int rc = zc_extension_offer (self, (zc_slice_t){copy, len});
    free (copy);
    return rc;
}

static void s_assert_answer (const zc_extension_t *self, const char *expected)
{
    const char *answer = zc_extension_answer (self);
    assert_string_equal (answer ? answer : "(none)", expected ? expected : "(none)");
}

static void test_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (good); i++) {
        zc_extension_t extension = {0};
        assert_int_equal (s_offer (&extension, good[i].offer), 0);
        if (extension.deflate != (good[i].answer != NULL))
            print_error ("%s\n", good[i].offer);
        s_assert_answer (&extension, good[i].answer);
    }
}

static void test_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (bad); i++) {
        zc_extension_t extension = {0};
        int rc = s_offer (&extension, bad[i]);
        if (rc == 0)
            print_error ("%s\n", bad[i]);
        assert_int_equal (rc, -1);
    }
}

/*  NUL may be nowhere in a token. */
static void test_nul (void **state)
{
    (void)state;
    zc_extension_t extension = {0};
    assert_int_equal (zc_extension_offer (&extension, SLICE (PD "\0")), -1);
    assert_int_equal (zc_extension_offer (&extension, SLICE (PD "; a\0")), -1);
    assert_int_equal (zc_extension_offer (&extension, SLICE (PD "; a=\"\0\"")), -1);
    assert_int_equal (zc_extension_offer (&extension, (zc_slice_t){NULL, 0}), 0);
    s_assert_answer (&extension, NULL);
}

/*  Several header fields are like one list. */
static void test_several_fields (void **state)
{
    (void)state;
    zc_extension_t extension = {0};
    assert_int_equal (s_offer (&extension, PD "; server_max_window_bits=9"), 0);
    s_assert_answer (&extension, NULL);
    assert_int_equal (s_offer (&extension, PD "; server_max_window_bits=15"), 0);
    assert_int_equal (s_offer (&extension, PD), 0);
    s_assert_answer (&extension, WINDOW);
    assert_int_equal (s_offer (&extension, "a;"), -1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good),
        cmocka_unit_test (test_bad),
        cmocka_unit_test (test_nul),
        cmocka_unit_test (test_several_fields),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
