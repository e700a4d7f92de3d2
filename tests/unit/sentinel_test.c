/*  sentinel_test.c - what follows from the answers of Sentinels: tables of them as they come over
 *  the wire, and which of several counts. */
#include "tests/unit/unit.h"

#include "lib/redis/reply.h"
#include "lib/redis/sentinel.h"

typedef struct {
    zc_address_t address;
    zc_sentinel_t *sentinel;
    char why[128];
} s_test_t;

static void s_begin (s_test_t *self, const char *url)
{
    char error[256];
    assert_int_equal (zc_address_parse (url, &self->address, error, sizeof error), 0);
    self->sentinel = zc_sentinel_new (&self->address);
}

static void s_end (s_test_t *self)
{
    zc_sentinel_destroy (&self->sentinel);
    assert_null (self->sentinel);
    zc_sentinel_destroy (&self->sentinel);
    zc_address_clear (&self->address);
}

static zc_sentinel_verdict_t s_say (s_test_t *self, const char *wire)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate ();
    zc_reply_bound (reader);
    assert_int_equal (redisReaderFeed (reader, wire, strlen (wire)), REDIS_OK);
    redisReaderGetReply (reader, &reply);
    redisReaderFree (reader);
    assert_non_null (reply);
    self->why[0] = 0;
    zc_sentinel_verdict_t verdict =
        zc_sentinel_answered (self->sentinel, reply, self->why, sizeof self->why);
    freeReplyObject (reply);
    assert_int_equal (self->why[0] != 0, verdict == ZC_SENTINEL_WRONG);
    return verdict;
}

static zc_sentinel_verdict_t s_name (s_test_t *self, const char *host, unsigned port,
                                     unsigned epoch)
{
    char wire[512], number[16], change[16];
    snprintf (number, sizeof number, "%u", port);
    snprintf (change, sizeof change, "%u", epoch);
    snprintf (wire, sizeof wire,
              "*8\r\n$4\r\nname\r\n$4\r\nmine\r\n$2\r\nip\r\n$%zu\r\n%s\r\n$4\r\nport\r\n"
              "$%zu\r\n%s\r\n$12\r\nconfig-epoch\r\n$%zu\r\n%s\r\n",
              strlen (host), host, strlen (number), number, strlen (change), change);
    return s_say (self, wire);
}

static void s_expect (const s_test_t *self, const char *host, int port)
{
    assert_string_equal (zc_sentinel_host (self->sentinel), host);
    assert_int_equal (zc_sentinel_port (self->sentinel), port);
}

static void test_a_master_that_moves (void **state)
{
    (void)state;
    s_test_t test;
    s_begin (&test, "redis+sentinel://a,b/mine");
    assert_null (zc_sentinel_host (test.sentinel));
    assert_int_equal (s_name (&test, "10.0.0.1", 6379, 0), ZC_SENTINEL_MOVED);
    s_expect (&test, "10.0.0.1", 6379);
    assert_int_equal (s_name (&test, "10.0.0.1", 6379, 0), ZC_SENTINEL_SAME);
    assert_int_equal (s_name (&test, "10.0.0.2", 6380, 1), ZC_SENTINEL_MOVED);
    s_expect (&test, "10.0.0.2", 6380);
    assert_int_equal (s_name (&test, "10.0.0.2", 6380, 2), ZC_SENTINEL_SAME);
    assert_int_equal (s_name (&test, "10.0.0.2", 6381, 3), ZC_SENTINEL_MOVED);
    s_expect (&test, "10.0.0.2", 6381);
    s_end (&test);
}

/*  One that was cut off names the old master. But where all say so, twice, it is so. */
static void test_a_sentinel_that_was_cut_off (void **state)
{
    (void)state;
    s_test_t test;
    s_begin (&test, "redis+sentinel://a,b/mine");
    s_name (&test, "10.0.0.2", 6379, 7);
    for (int i = 0; i < 10; i++) {
        assert_int_equal (s_name (&test, "10.0.0.1", 6379, 6), ZC_SENTINEL_STALE);
        assert_int_equal (s_name (&test, "10.0.0.3", 6379, 7), ZC_SENTINEL_STALE);
        assert_int_equal (s_name (&test, "10.0.0.2", 6379, i % 2 ? 6 : 7), ZC_SENTINEL_SAME);
    }
    s_expect (&test, "10.0.0.2", 6379);
    for (int i = 0; i < 3; i++)
        assert_int_equal (s_name (&test, "10.0.0.1", 6379, 0), ZC_SENTINEL_STALE);
    assert_int_equal (s_name (&test, "10.0.0.1", 6379, 0), ZC_SENTINEL_MOVED);
    assert_int_equal (s_name (&test, "10.0.0.4", 6379, 1), ZC_SENTINEL_MOVED);
    s_end (&test);
}

static void test_the_list_and_the_question (void **state)
{
    (void)state;
    s_test_t test;
    s_begin (&test, "redis+sentinel://u:p@a,b:7,[::1]/my%20one?db=2");
    const char *words[ZC_SENTINEL_WORDS];
    zc_sentinel_question (test.sentinel, words);
    assert_string_equal (words[0], "SENTINEL");
    assert_string_equal (words[1], "MASTER");
    assert_string_equal (words[2], "my one");
    static const char *const shown[] = {"a:26379", "b:7", "[::1]:26379"};
    for (size_t i = 0; i < 7; i++) {
        const zc_address_t *asked = zc_sentinel_asked (test.sentinel);
        assert_string_equal (asked->shown, shown[i % 3]);
        assert_null (asked->password);
        assert_int_equal (asked->database, 0);
        assert_int_equal (zc_sentinel_next (test.sentinel), i % 3 == 2);
    }
    s_end (&test);
}

static void test_passwords (void **state)
{
    (void)state;
    static const char noauth[] = "NOAUTH Authentication required.";
    s_test_t test;
    s_begin (&test, "redis+sentinel://u:p@a,b/mine");
    assert_false (zc_sentinel_refused (test.sentinel, "Connection refused"));
    assert_true (zc_sentinel_refused (test.sentinel, noauth));
    assert_string_equal (zc_sentinel_asked (test.sentinel)->user, "u");
    assert_string_equal (zc_sentinel_asked (test.sentinel)->password, "p");
    assert_false (zc_sentinel_refused (test.sentinel, noauth)); /* not for ever */
    zc_sentinel_next (test.sentinel);
    assert_string_equal (zc_sentinel_asked (test.sentinel)->password, "p");
    assert_false (zc_sentinel_refused (test.sentinel, "ERR AUTH <password> called without any"));
    assert_null (zc_sentinel_asked (test.sentinel)->password);
    s_end (&test);
    s_begin (&test, "redis+sentinel://a/mine");
    assert_false (zc_sentinel_refused (test.sentinel, noauth));
    assert_null (zc_sentinel_asked (test.sentinel)->password);
    s_end (&test);
}

static void test_answers_without_sense (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "-ERR No such master with that name\r\n",
        "-IDONTKNOW\r\n",
        "+OK\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "*0\r\n",
        ":1\r\n",
        "*1\r\n$2\r\nip\r\n",
        /*  No epoch; no ip; a port that is 0, too large, or none; an epoch that is no number. */
        "*4\r\n$2\r\nip\r\n$1\r\na\r\n$4\r\nport\r\n$1\r\n1\r\n",
        "*4\r\n$4\r\nport\r\n$1\r\n1\r\n$12\r\nconfig-epoch\r\n$1\r\n0\r\n",
        "*6\r\n$2\r\nip\r\n$0\r\n\r\n$4\r\nport\r\n$1\r\n1\r\n$12\r\nconfig-epoch\r\n$1\r\n0\r\n",
        "*6\r\n$2\r\nip\r\n$1\r\na\r\n$4\r\nport\r\n$1\r\n0\r\n$12\r\nconfig-epoch\r\n$1\r\n0\r\n",
        ("*6\r\n$2\r\nip\r\n$1\r\na\r\n$4\r\nport\r\n$5\r\n65536\r\n$12\r\nconfig-epoch\r\n$1\r\n0"
         "\r\n"),
        "*6\r\n$2\r\nip\r\n$1\r\na\r\n$4\r\nport\r\n*0\r\n$12\r\nconfig-epoch\r\n$1\r\n0\r\n",
        "*6\r\n$2\r\nip\r\n$1\r\na\r\n$4\r\nport\r\n$1\r\n1\r\n$12\r\nconfig-epoch\r\n$2\r\n-1\r\n",
        "*6\r\n$2\r\nip\r\n:5\r\n$4\r\nport\r\n$1\r\n1\r\n$12\r\nconfig-epoch\r\n$1\r\n0\r\n",
    };
    s_test_t test;
    s_begin (&test, "redis+sentinel://a/mine");
    for (size_t i = 0; i < LENGTH (bad); i++)
        if (s_say (&test, bad[i]) != ZC_SENTINEL_WRONG)
            fail_msg ("[%zu] %s", i, bad[i]);
    assert_null (zc_sentinel_host (test.sentinel));
    char host[300];
    memset (host, 'h', sizeof host - 1);
    host[sizeof host - 1] = 0;
    assert_int_equal (s_name (&test, host, 1, 0), ZC_SENTINEL_WRONG);
    assert_int_equal (s_name (&test, host + sizeof host - 1 - ZC_HOST_MAX, 1, 0),
                      ZC_SENTINEL_MOVED);
    s_end (&test);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_a_master_that_moves),
        cmocka_unit_test (test_a_sentinel_that_was_cut_off),
        cmocka_unit_test (test_the_list_and_the_question),
        cmocka_unit_test (test_passwords),
        cmocka_unit_test (test_answers_without_sense),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
