#include "tests/unit/unit.h"

#include "broker/topics.h"

#define NAMES 50

static zc_slice_t s_name (unsigned number)
{
    static char text[8][32];
    static unsigned turn;
    char *at = text[turn++ % 8];
    return (zc_slice_t){at, (size_t)snprintf (at, sizeof *text, "topic/%u", number)};
}

typedef struct {
    unsigned count;
    char last[32];
} s_evicted_t;

static void s_evict (void *arg, zc_topic_t *topic)
{
    s_evicted_t *evicted = arg;
    evicted->count++;
    snprintf (evicted->last, sizeof evicted->last, "%.*s", topic->len, topic->name);
}

static void s_least_recently_used_goes (void **state)
{
    (void)state;
    s_evicted_t evicted = {0};
    zc_topics_t *topics = zc_topics_new (3, 100, s_evict, &evicted);
    for (unsigned i = 0; i < 3; i++) {
        zc_topic_t *topic = zc_topics_use (topics, s_name (i));
        assert_int_equal (topic->last, 100);
        assert_int_equal (topic->floor, 100);
        assert_int_equal (topic->sent, 100);
        topic->last = 200 + i;
    }
    assert_ptr_equal (zc_topics_use (topics, s_name (0)), zc_topics_find (topics, s_name (0)));
    zc_topic_t *fresh = zc_topics_use (topics, s_name (3));
    assert_string_equal (evicted.last, "topic/1");
    assert_null (zc_topics_find (topics, s_name (1)));
    assert_int_equal (zc_topics_forgotten (topics), 201);
    assert_int_equal (fresh->last, 201);
    zc_topics_find (topics, s_name (2))->pins++;
    zc_topics_use (topics, s_name (4));
    assert_non_null (zc_topics_find (topics, s_name (2)));
    assert_string_equal (evicted.last, "topic/0");
    zc_topics_destroy (&topics);
    assert_null (topics);
}

static void s_limit_gives_way_to_pins (void **state)
{
    (void)state;
    s_evicted_t evicted = {0};
    zc_topics_t *topics = zc_topics_new (2, 0, s_evict, &evicted);
    for (unsigned i = 0; i < 5; i++)
        zc_topics_use (topics, s_name (i))->pins++;
    assert_int_equal (zc_topics_size (topics), 5);
    for (unsigned i = 0; i < 5; i++)
        zc_topics_find (topics, s_name (i))->pins--;
    for (unsigned i = 5; i < 10; i++)
        zc_topics_use (topics, s_name (i));
    assert_int_equal (zc_topics_size (topics), 2);
    assert_int_equal (evicted.count, 8);
    zc_topics_destroy (&topics);
}

/*  Many pinned topics are passed a part at a time, and once only; topics used meanwhile are
 *  kept. */
static void s_the_search_goes_on_behind_pins (void **state)
{
    (void)state;
    s_evicted_t evicted = {0};
    zc_topics_t *topics = zc_topics_new (502, 0, s_evict, &evicted);
    for (unsigned i = 0; i < 500; i++)
        zc_topics_use (topics, s_name (i))->pins++;
    for (unsigned i = 500; i < 600; i++)
        zc_topics_use (topics, s_name (i));
    assert_int_equal (zc_topics_size (topics), 502);
    assert_non_null (zc_topics_find (topics, s_name (599)));
    for (unsigned i = 0; i < 500; i++)
        zc_topics_find (topics, s_name (i))->pins--;
    for (unsigned i = 600; i < 2000; i++) {
        zc_topics_use (topics, s_name (i));
        zc_topics_use (topics, s_name (0));
    }
    assert_int_equal (zc_topics_size (topics), 502);
    assert_non_null (zc_topics_find (topics, s_name (0)));
    assert_null (zc_topics_find (topics, s_name (1)));
    assert_non_null (zc_topics_find (topics, s_name (1999)));
    zc_topics_destroy (&topics);
}

static uint32_t s_who (void *arg)
{
    return *(const uint32_t *)arg;
}

/*  A topic with a subscriber isn't forgotten, nor the position since which nothing was published
 *  on it. */
static void s_subscribed_ones_stay (void **state)
{
    (void)state;
    s_evicted_t evicted = {0};
    zc_topics_t *topics = zc_topics_new (3, 100, s_evict, &evicted);
    for (unsigned i = 0; i < 5; i++)
        zc_topics_subscribe (topics, s_name (i), true);
    zc_topics_subscribe (topics, s_name (4), true); /* another peer */
    for (unsigned i = 10; i < 100; i++)
        zc_topics_use (topics, s_name (i))->last = 100 + i;
    assert_int_equal (zc_topics_size (topics), 8);
    assert_int_equal (evicted.count, 87);
    assert_int_equal (zc_topics_forgotten (topics), 196);
    assert_int_equal (zc_topics_use (topics, s_name (0))->last, 100);
    for (unsigned i = 0; i < 5; i++)
        zc_topics_subscribe (topics, s_name (i), false);
    assert_non_null (zc_topics_find (topics, s_name (0))); /* published on meanwhile */
    assert_null (zc_topics_find (topics, s_name (1)));
    assert_non_null (zc_topics_find (topics, s_name (4)));
    zc_topics_subscribe (topics, s_name (4), false);
    zc_topics_subscribe (topics, s_name (4), false); /* it had no subscribers otherwise */
    assert_null (zc_topics_find (topics, s_name (4)));
    assert_int_equal (evicted.count, 87);
    for (unsigned i = 200; i < 210; i++)
        zc_topics_use (topics, s_name (i));
    assert_int_equal (zc_topics_size (topics), 3);
    zc_topics_destroy (&topics);
}

/*  A publisher that invents topics pushes out an eighth of the others' topics, and then its own. */
static void s_inventors_push_out_their_own (void **state)
{
    (void)state;
    s_evicted_t evicted = {0};
    uint32_t one = 1, other = ZC_OWNERS_MAX, inventor = 7;
    zc_topics_t *topics = zc_topics_new (80, 0, s_evict, &evicted);
    for (unsigned i = 0; i < 40; i++) {
        zc_topics_use_by (topics, s_name (i), s_who, &one);
        zc_topics_use_by (topics, s_name (100 + i), s_who, &other);
    }
    zc_topics_subscribe (topics, s_name (500), true);
    zc_topics_use_by (topics, s_name (500), s_who, &inventor);
    for (unsigned i = 1000; i < 5000; i++)
        zc_topics_use_by (topics, s_name (i), s_who, &inventor);
    unsigned left = 0;
    for (unsigned i = 0; i < 140; i++)
        left += zc_topics_find (topics, s_name (i)) != NULL;
    assert_int_equal (left, 70);
    assert_non_null (zc_topics_find (topics, s_name (500)));
    assert_non_null (zc_topics_find (topics, s_name (4999)));
    assert_int_equal (zc_topics_size (topics), 81);
    /*  Topics that it had already keep their owner. */
    for (unsigned i = 1000; i < 2000; i++)
        zc_topics_use_by (topics, s_name (i), s_who, &inventor);
    assert_non_null (zc_topics_find (topics, s_name (139)));
    zc_topics_destroy (&topics);
}

/*  Whatever happens, a message on a topic after P never has a prev before P. */
static void s_prev_never_lies (void **state)
{
    (void)state;
    zc_id_t truth[NAMES] = {0}, id = 0;
    unsigned seed = 3;
    zc_topics_t *topics = zc_topics_new (7, 0, NULL, NULL);
    for (int turn = 0; turn < 100000; turn++) {
        unsigned number = (unsigned)rand_r (&seed) % NAMES;
        if (rand_r (&seed) % 1000 == 0)
            zc_topics_set_max (topics, 1 + (size_t)rand_r (&seed) % 20);
        uint32_t who = (uint32_t)rand_r (&seed) % 4;
        unsigned listened = (unsigned)rand_r (&seed) % NAMES;
        zc_topics_subscribe (topics, s_name (listened), rand_r (&seed) % 3 == 0);
        zc_topic_t *topic = zc_topics_use_by (topics, s_name (number), s_who, &who);
        assert_true (topic->last >= truth[number]);
        assert_true (topic->last <= id);
        topic->last = truth[number] = ++id;
    }
    const zc_topic_t *before = NULL;
    for (zc_topic_t *topic = zc_topics_next (topics, NULL); topic;
         topic = zc_topics_next (topics, topic)) {
        if (!topic->published)
            continue;
        assert_true (!before || before->last < topic->last);
        before = topic;
    }
    zc_topics_destroy (&topics);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_least_recently_used_goes),
        cmocka_unit_test (s_limit_gives_way_to_pins),
        cmocka_unit_test (s_the_search_goes_on_behind_pins),
        cmocka_unit_test (s_subscribed_ones_stay),
        cmocka_unit_test (s_inventors_push_out_their_own),
        cmocka_unit_test (s_prev_never_lies),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
