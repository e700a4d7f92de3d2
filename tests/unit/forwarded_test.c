/*  Forwarded (RFC 7239) and X-Forwarded-For: the hops of a list, or that it is malformed. */
#include "tests/unit/unit.h"

#include "lib/wire/forwarded.h"

typedef struct {
    const char *list, *hops; /* with a blank after each; "!": malformed */
} s_row_t;

static void s_check (const s_row_t *rows, size_t count, int (*next) (zc_slice_t *, zc_hop_t))
{
    for (size_t i = 0; i < count; i++) {
        zc_slice_t list = {rows[i].list, strlen (rows[i].list)};
        char hops[512] = "";
        zc_hop_t hop;
        int rc;
        while ((rc = next (&list, hop)) > 0)
            strcat (strcat (hops, hop), " ");
        if (strcmp (rc < 0 ? "!" : hops, rows[i].hops) != 0)
            fail_msg ("%s: '%s' instead of '%s'", rows[i].list, rc < 0 ? "!" : hops, rows[i].hops);
    }
}

static void test_forwarded (void **state)
{
    (void)state;
    static const s_row_t rows[] = {
        {"", ""},
        {" , ,", ""},
        {"for=192.0.2.43", "192.0.2.43 "},
        {"For=192.0.2.43, FOR=198.51.100.17", "192.0.2.43 198.51.100.17 "},
        {"for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60 "},
        {"by=203.0.113.43 ; proto=https; for=192.0.2.60 ,for=192.0.2.61", "192.0.2.60 192.0.2.61 "},
        {"for=\"192.0.2.43:47011\"", "192.0.2.43 "},
        {"for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17 "},
        {"for=\"[2001:DB8:0::17]\"", "2001:db8::17 "},
        {"for=\"[2001:db8::17]:_port\"", "2001:db8::17 "},
        {"for=unknown, for=Unknown", "unknown unknown "},
        {"for=_gazonk, for=\"_a.b-c:_d\"", "_gazonk _a.b-c "},
        {"for=\"192.0.2\\.1\"", "192.0.2.1 "},
        {"proto=https", "unknown "},
        {"secret=\"a, for=1.2.3.4; \\\" , \"", "unknown "},
        {"for=192.0.2.43;ext=\"\"", "192.0.2.43 "},
        {";for=192.0.2.43;;", "192.0.2.43 "},
        {"for=_a234567890123456789012345678901234567890123456789", /* cut */
         "_a2345678901234567890123456789012345678901234 "},
        /*  Malformed. */
        {"192.0.2.43", "!"},
        {"for", "!"},
        {"for=", "!"},
        {"for =192.0.2.43", "!"},
        {"for= 192.0.2.43", "!"},
        {"for=192.0.2.43:80", "!"},
        {"for=[2001:db8::17]", "!"},
        {"for=\"2001:db8::17\"", "!"},
        {"for=\"[2001:db8::17\"", "!"},
        {"for=\"[192.0.2.1]\"", "!"},
        {"for=\"[2001:db8::17]80\"", "!"},
        {"for=\"[2001:db8::17]:\"", "!"},
        {"for=\"192.0.2.1:\"", "!"},
        {"for=\"192.0.2.1:65536\"", "!"},
        {"for=\"192.0.2.1:000080\"", "!"},
        {"for=\"192.0.2.1:80:80\"", "!"},
        {"for=\"[fe80::1%eth0]\"", "!"},
        {"for=host.example", "!"},
        {"for=_", "!"},
        {"for=\"_a b\"", "!"},
        {"for=\"\"", "!"},
        {"for=192.0.2.43;for=192.0.2.44", "!"},
        {"for=192.0.2.43;proto=http;proto=https", "!"},
        {"for=192.0.2.43 for=192.0.2.44", "!"},
        {"for=192.0.2.43\"", "!"},
        {"ext=\"open, for=192.0.2.43", "!"},
        {"ext=\"open\\", "!"},
        {"ext=\"a\x01\", for=192.0.2.43", "!"},
        {"=192.0.2.43", "!"},
        {"f(r=192.0.2.43", "!"},
    };
    s_check (rows, LENGTH (rows), zc_forwarded_next);
}

static void test_x_forwarded_for (void **state)
{
    (void)state;
    static const s_row_t rows[] = {
        {"", ""},
        {",, ,", ""},
        {"192.0.2.1", "192.0.2.1 "},
        {"192.0.2.1:80 , 2001:db8::1,[2001:DB8::2], [2001:db8::3]:80,",
         "192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3 "},
        {"unknown, _hidden", "unknown _hidden "},
        /*  A text that isn't an address is returned as such, and hides nothing after it. */
        {"\"192.0.2.1, 192.0.2.2", " 192.0.2.2 "},
        {"<script>, 192.0.2.1:x, 999.1.1.1, [::1", "    "},
        {"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19", " "},
    };
    s_check (rows, LENGTH (rows), zc_x_forwarded_for_next);
}

/*  No valid list has a NUL. */
static void test_nul (void **state)
{
    (void)state;
    zc_slice_t list = SLICE ("for=\"192.0.2.1\0\""), other = SLICE ("192.0.2.1\0");
    zc_hop_t hop;
    assert_int_equal (zc_forwarded_next (&list, hop), -1);
    assert_int_equal (zc_x_forwarded_for_next (&other, hop), 1);
    assert_string_equal (hop, "");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_forwarded),
        cmocka_unit_test (test_x_forwarded_for),
        cmocka_unit_test (test_nul),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
