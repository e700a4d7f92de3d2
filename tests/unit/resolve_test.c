/*  resolve_test.c - look-ups that take long, fail, are given up, or aren't needed. getaddrinfo
 *  is ours: the name itself says what its answer is. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include "lib/base/resolve.h"

#define PATIENCE_MS 30000

int __real_getaddrinfo (const char *host, const char *service, const struct addrinfo *hints,
                        struct addrinfo **found);
int __wrap_getaddrinfo (const char *host, const char *service, const struct addrinfo *hints,
                        struct addrinfo **found);
void __real_freeaddrinfo (struct addrinfo *found);
void __wrap_freeaddrinfo (struct addrinfo *found);

static atomic_int s_under_way;
static pthread_mutex_t s_door = PTHREAD_MUTEX_INITIALIZER; /* locked: the look-up of "slow" waits */

/*  Three addresses, the second of them twice. */
static struct addrinfo *s_three (void)
{
    static const char *const texts[] = {"192.0.2.1", "192.0.2.2", "192.0.2.2"};
    static struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    static struct sockaddr_in four[3];
    static struct addrinfo list[4];
    for (size_t i = 0; i < 3; i++) {
        four[i].sin_family = AF_INET;
        assert_int_equal (inet_pton (AF_INET, texts[i], &four[i].sin_addr), 1);
        list[i] = (struct addrinfo){.ai_addr = (struct sockaddr *)&four[i],
                                    .ai_addrlen = sizeof four[i],
                                    .ai_next = &list[i + 1]};
    }
    assert_int_equal (inet_pton (AF_INET6, "2001:db8::1", &six.sin6_addr), 1);
    list[3] = (struct addrinfo){.ai_addr = (struct sockaddr *)&six, .ai_addrlen = sizeof six};
    return list;
}

int __wrap_getaddrinfo (const char *host, const char *service, const struct addrinfo *hints,
                        struct addrinfo **found)
{
    if (hints->ai_flags & AI_NUMERICHOST)
        return __real_getaddrinfo (host, service, hints, found);
    s_under_way++;
    if (strcmp (host, "slow") == 0) {
        pthread_mutex_lock (&s_door);
        pthread_mutex_unlock (&s_door);
    }
    s_under_way--;
    if (strcmp (host, "nobody") == 0)
        return EAI_NONAME;
    *found = s_three ();
    return 0;
}

void __wrap_freeaddrinfo (struct addrinfo *found)
{
    if (found != s_three ())
        __real_freeaddrinfo (found);
}

static void s_wait (const zc_resolve_t *resolve)
{
    struct pollfd item = {zc_resolve_fd (resolve), POLLIN, 0};
    assert_int_equal (poll (&item, 1, PATIENCE_MS), 1);
    assert_true (zc_resolve_done (resolve));
    assert_int_equal (poll (&item, 1, 0), 1); /* and stays so */
}

/*  An address needs no thread and no DNS. */
static void test_addresses (void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}, {"2001:DB8::0:1", "2001:db8::1"}};
    for (size_t i = 0; i < LENGTH (good); i++) {
        zc_resolve_t *resolve = zc_resolve_new (good[i][0]);
        assert_true (zc_resolve_done (resolve));
        s_wait (resolve);
        assert_int_equal (zc_resolve_count (resolve), 1);
        assert_string_equal (zc_resolve_address (resolve, 0), good[i][1]);
        assert_null (zc_resolve_error (resolve));
        zc_resolve_destroy (&resolve);
        zc_resolve_destroy (&resolve);
    }
}

static void test_names (void **state)
{
    (void)state;
    static const char *const expected[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1"};
    zc_resolve_t *resolve = zc_resolve_new ("somebody");
    s_wait (resolve);
    assert_int_equal (zc_resolve_count (resolve), LENGTH (expected));
    for (size_t i = 0; i < LENGTH (expected); i++)
        assert_string_equal (zc_resolve_address (resolve, i), expected[i]);
    zc_resolve_destroy (&resolve);
    resolve = zc_resolve_new ("nobody");
    s_wait (resolve);
    assert_int_equal (zc_resolve_count (resolve), 0);
    assert_string_equal (zc_resolve_error (resolve), gai_strerror (EAI_NONAME));
    zc_resolve_destroy (&resolve);
}

/*  The caller doesn't wait, and may leave before the look-up ends. */
static void test_slow (void **state)
{
    (void)state;
    zc_resolve_t *all[10];
    pthread_mutex_lock (&s_door);
    for (size_t i = 0; i < LENGTH (all); i++) {
        all[i] = zc_resolve_new ("slow");
        assert_false (zc_resolve_done (all[i]));
    }
    for (size_t i = 0; i < LENGTH (all) - 1; i++)
        zc_resolve_destroy (&all[i]);
    zc_resolve_t *last = all[LENGTH (all) - 1];
    struct pollfd item = {zc_resolve_fd (last), POLLIN, 0};
    assert_int_equal (poll (&item, 1, 0), 0);
    pthread_mutex_unlock (&s_door);
    s_wait (last);
    assert_int_equal (zc_resolve_count (last), 3);
    zc_resolve_destroy (&last);
    for (int i = 0; i < PATIENCE_MS && s_under_way; i++)
        usleep (1000);
    assert_int_equal (s_under_way, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_addresses),
        cmocka_unit_test (test_names),
        cmocka_unit_test (test_slow),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
