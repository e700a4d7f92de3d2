/*  arena_test.c - replies in an arena are what hiredis itself makes of the same bytes. */
#include "tests/unit/unit.h"

#include "lib/redis/arena.h"
#include "lib/redis/reply.h"

static void s_same (const redisReply *one, const redisReply *other)
{
    assert_int_equal (one->type, other->type);
    assert_int_equal (one->integer, other->integer);
    assert_int_equal (one->len, other->len);
    if (other->str)
        assert_memory_equal (one->str, other->str, other->len + 1);
    assert_int_equal (one->elements, other->elements);
    for (size_t i = 0; i < other->elements; i++)
        s_same (one->element[i], other->element[i]);
}

static void test_same (void **state)
{
    (void)state;
    static const char wire[] = "$2\r\nhi\r\n:7\r\n$-1\r\n*-1\r\n*0\r\n+OK\r\n-ERR no\r\n$0\r\n\r\n"
                               "*2\r\n*3\r\n$1\r\na\r\n:1\r\n$-1\r\n*1\r\n*1\r\n$3\r\nabc\r\n";
    for (size_t step = 1; step < sizeof wire; step += 5) {
        zc_reply_arena_t *arena = zc_reply_arena_new ();
        redisReader *ours = redisReaderCreate (), *theirs = redisReaderCreate ();
        zc_reply_arena_serve (arena, ours);
        size_t count = 0;
        for (size_t at = 0; at < sizeof wire - 1; at += step) {
            size_t len = sizeof wire - 1 - at < step ? sizeof wire - 1 - at : step;
            void *one = NULL, *other = NULL;
            redisReaderFeed (ours, wire + at, len);
            redisReaderFeed (theirs, wire + at, len);
            while (redisReaderGetReply (theirs, &other) == REDIS_OK && other) {
                assert_int_equal (redisReaderGetReply (ours, &one), REDIS_OK);
                assert_non_null (one);
                s_same (one, other);
                zc_reply_arena_reset (arena);
                freeReplyObject (other);
                other = NULL;
                count++;
            }
            if (redisReaderGetReply (ours, &one) == REDIS_OK)
                assert_null (one);
        }
        assert_int_equal (count, 9);
        redisReaderFree (ours);
        redisReaderFree (theirs);
        zc_reply_arena_destroy (&arena);
    }
}

static void test_large (void **state)
{
    (void)state;
    zc_reply_arena_t *arena = zc_reply_arena_new ();
    redisReader *reader = redisReaderCreate ();
    zc_reply_arena_serve (arena, reader);
    char *text = malloc (1 << 20);
    memset (text, 'x', 1 << 20);
    for (int round = 0; round < 3; round++) {
        void *reply = NULL;
        redisReaderFeed (reader, "*3\r\n", 4);
        for (int i = 0; i < 3; i++) {
            redisReaderFeed (reader, "$1048576\r\n", 10);
            redisReaderFeed (reader, text, 1 << 20);
            redisReaderFeed (reader, "\r\n", 2);
        }
        assert_int_equal (redisReaderGetReply (reader, &reply), REDIS_OK);
        redisReply *array = reply;
        for (size_t i = 0; i < 3; i++)
            assert_memory_equal (array->element[i]->str, text, 1 << 20);
        zc_reply_arena_reset (arena);
    }
    free (text);
    redisReaderFree (reader);
    zc_reply_arena_destroy (&arena);
    zc_reply_arena_destroy (&arena);
}

static void test_too_many (void **state)
{
    (void)state;
    zc_reply_arena_t *arena = zc_reply_arena_new ();
    redisReader *reader = redisReaderCreate ();
    void *reply = NULL;
    zc_reply_arena_serve (arena, reader);
    redisReaderFeed (reader, "*10001\r\n", 8);
    assert_int_equal (redisReaderGetReply (reader, &reply), REDIS_ERR);
    redisReaderFree (reader);
    zc_reply_arena_destroy (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_same),
        cmocka_unit_test (test_large),
        cmocka_unit_test (test_too_many),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
