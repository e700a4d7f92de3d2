/*  Origins of pages. */
#include "tests/unit/unit.h"

#include "lib/wire/origin.h"

static const struct {
    const char *origin, *host;
    bool same;
} s_origins[] = {
    {"http://example.org", "example.org", true},
    {"https://example.org", "example.org", true},
    {"https://Example.ORG", "example.org", true},
    {"http://example.org:80", "example.org", true},
    {"http://example.org", "example.org:80", true},
    {"https://example.org", "example.org:443", true},
    {"https://example.org", "example.org:80", false},
    {"http://127.0.0.1:8080", "127.0.0.1:8080", true},
    {"http://127.0.0.1:8080", "127.0.0.1", false},
    {"http://127.0.0.1", "127.0.0.1:8080", false},
    {"http://127.0.0.1:8080", "127.0.0.1:8081", false},
    {"http://[::1]:8080", "[::1]:8080", true},
    {"http://[::1]", "[::1]", true},
    {"http://[::1]", "[::2]", false},
    {"http://[::1]:80", "[::1]", true},
    {"http://evil.example", "example.org", false},
    {"http://example.org.evil.example", "example.org", false},
    {"http://example.org", "example.org.evil.example", false},
    {"http://xexample.org", "example.org", false},
    {"http://", "", false},
    {"http://example.org", "", false},
    {"http://:80", ":80", false},
    {"null", "null", false},
    {"null", "example.org", false},
    {"", "", false},
    {"", "example.org", false},
    {"example.org", "example.org", false},
    {"file://", "example.org", false},
    {"ftp://example.org", "example.org", false},
    {"chrome-extension://abcdef", "abcdef", false},
    {"http://example.org/", "example.org", false},
    {"http://user@example.org", "example.org", false},
    {"http://[::1", "[::1", true}, /* no valid host; refused before it comes here */
};

static void test_origins (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_origins); i++) {
        /* memory of exactly this size, so that a read past it is seen */
        size_t len = strlen (s_origins[i].origin), host_len = strlen (s_origins[i].host);
        char *origin = malloc (len ? len : 1), *host = malloc (host_len ? host_len : 1);
        memcpy (origin, s_origins[i].origin, len);
        memcpy (host, s_origins[i].host, host_len);
        bool same = zc_origin_is_of_host ((zc_slice_t){origin, len}, (zc_slice_t){host, host_len});
        if (same != s_origins[i].same)
            fail_msg ("%s at %s", s_origins[i].origin, s_origins[i].host);
        free (origin);
        free (host);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_origins),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
