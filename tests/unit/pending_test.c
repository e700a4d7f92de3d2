/*  pending_test.c - messages that wait for Redis: order, position, and forbidden channels; step
 *  by step, and with a random Redis that answers, forbids, allows and is lost. RUNS=n more runs;
 *  SEED=n exactly one. */
#include "tests/unit/unit.h"

#include <time.h>
#include "bridge/pending.h"

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

static void s_add (zc_pending_t *pending, zc_id_t before, const char *channel, const char *payload)
{
    zc_pending_add (pending, before, s_slice (channel), s_slice (payload));
}

/*  Expects this message next. */
static zc_parcel_t *s_next (zc_pending_t *pending, const char *channel, const char *payload)
{
    zc_parcel_t *parcel = zc_pending_next (pending);
    assert_non_null (parcel);
    assert_slice (zc_parcel_channel (parcel), channel);
    assert_slice (zc_parcel_payload (parcel), payload);
    return parcel;
}

static void s_check_position (const zc_pending_t *pending, zc_id_t expected)
{
    zc_id_t position;
    assert_true (zc_pending_position (pending, &position));
    assert_int_equal (position, expected);
}

static void s_check_empty (zc_pending_t *pending)
{
    zc_id_t position;
    assert_false (zc_pending_position (pending, &position));
    assert_int_equal (zc_pending_count (pending), 0);
    assert_int_equal (zc_pending_bytes (pending), 0);
    assert_int_equal (zc_pending_sent_bytes (pending), 0);
    assert_int_equal (zc_pending_held (pending), 0);
    zc_pending_destroy (&pending);
    zc_pending_destroy (&pending);
}

/*  An answered message counts only once it is confirmed, and is sent again if the connection is
 *  lost before. */
static void test_answers (void **state)
{
    (void)state;
    zc_pending_t *pending = zc_pending_new ();
    assert_null (zc_pending_next (pending));
    s_add (pending, 10, "a", "1");
    s_add (pending, 11, "b", "");
    s_add (pending, 12, "a", "3");
    zc_parcel_t *one = s_next (pending, "a", "1"), *two = s_next (pending, "b", "");
    s_check_position (pending, 10);
    zc_pending_answered (pending, one);
    assert_int_equal (zc_pending_confirm (pending), 1);
    s_check_position (pending, 11);
    zc_pending_answered (pending, two);
    zc_parcel_t *three = s_next (pending, "a", "3");
    assert_null (zc_pending_next (pending));
    zc_pending_rewind (pending);
    assert_int_equal (zc_pending_confirm (pending), 0);
    assert_int_equal (zc_pending_sent_bytes (pending), 0);
    two = s_next (pending, "b", "");
    three = s_next (pending, "a", "3");
    zc_pending_remove (pending, two);
    s_check_position (pending, 12);
    zc_pending_answered (pending, three);
    assert_int_equal (zc_pending_confirm (pending), 1);
    s_check_empty (pending);
}

/*  One channel is forbidden: the others go on, the position doesn't, and the channel's order
 *  stays. */
static void test_holds (void **state)
{
    (void)state;
    zc_pending_t *pending = zc_pending_new ();
    s_add (pending, 1, "no", "1");
    s_add (pending, 2, "yes", "2");
    s_add (pending, 3, "no", "3");
    zc_parcel_t *first = s_next (pending, "no", "1"), *yes = s_next (pending, "yes", "2");
    zc_parcel_t *third = s_next (pending, "no", "3");
    assert_int_equal (zc_pending_hold (pending, first), 1);
    zc_pending_answered (pending, yes);
    assert_int_equal (zc_pending_hold (pending, third), 2);
    assert_int_equal (zc_pending_confirm (pending), 1);
    s_add (pending, 4, "no", "4");
    s_add (pending, 5, "yes", "5");
    yes = s_next (pending, "yes", "5");
    assert_null (zc_pending_next (pending));
    assert_int_equal (zc_pending_held (pending), 3);
    s_check_position (pending, 1);
    /*  Tried in vain, lost while tried, and then allowed. */
    assert_int_equal (zc_pending_try_held (pending), 1);
    assert_int_equal (zc_pending_try_held (pending), 0);
    first = s_next (pending, "no", "1");
    assert_int_equal (zc_pending_hold (pending, first), 3);
    zc_pending_answered (pending, yes);
    assert_int_equal (zc_pending_try_held (pending), 1);
    zc_pending_rewind (pending);
    yes = s_next (pending, "yes", "5");
    assert_null (zc_pending_next (pending));
    assert_int_equal (zc_pending_try_held (pending), 1);
    first = s_next (pending, "no", "1");
    s_add (pending, 6, "no", "6");
    zc_pending_answered (pending, first);
    assert_int_equal (zc_pending_held (pending), 0);
    third = s_next (pending, "no", "3");
    zc_parcel_t *fourth = s_next (pending, "no", "4"), *sixth = s_next (pending, "no", "6");
    assert_null (zc_pending_next (pending));
    zc_pending_answered (pending, third);
    zc_pending_answered (pending, fourth);
    zc_pending_remove (pending, sixth);
    zc_pending_answered (pending, yes);
    assert_int_equal (zc_pending_confirm (pending), 4);
    s_check_empty (pending);
}

/*  A message that can never be sent, when tried, lets the others of its channel go. */
static void test_a_tried_one_is_removed (void **state)
{
    (void)state;
    zc_pending_t *pending = zc_pending_new ();
    s_add (pending, 1, "c", "1");
    s_add (pending, 2, "c", "2");
    zc_pending_hold (pending, s_next (pending, "c", "1"));
    assert_null (zc_pending_next (pending));
    zc_pending_try_held (pending);
    zc_pending_remove (pending, s_next (pending, "c", "1"));
    zc_pending_answered (pending, s_next (pending, "c", "2"));
    assert_int_equal (zc_pending_confirm (pending), 1);
    s_check_empty (pending);
}

/*  Each of many channels gets its turn. */
static void test_turns (void **state)
{
    (void)state;
    zc_pending_t *pending = zc_pending_new ();
    char channel[16];
    bool seen[250] = {false};
    for (unsigned i = 0; i < LENGTH (seen); i++) {
        snprintf (channel, sizeof channel, "%u", i);
        s_add (pending, i, channel, "x");
    }
    zc_parcel_t *parcel;
    while ((parcel = zc_pending_next (pending)))
        zc_pending_hold (pending, parcel);
    for (unsigned round = 0; round < 3; round++) {
        zc_pending_try_held (pending);
        while ((parcel = zc_pending_next (pending))) {
            zc_slice_t name = zc_parcel_channel (parcel);
            snprintf (channel, sizeof channel, "%.*s", (int)name.len, name.at);
            seen[atoi (channel)] = true;
            zc_pending_hold (pending, parcel);
        }
    }
    for (unsigned i = 0; i < LENGTH (seen); i++)
        assert_true (seen[i]);
    assert_int_equal (zc_pending_held (pending), LENGTH (seen));
    zc_pending_destroy (&pending);
}

/*  A random Redis ------------------------------------------------------------------------------ */

#define CHANNELS 5
#define MESSAGES 300

typedef struct {
    zc_pending_t *pending;
    zc_parcel_t *owed[MESSAGES]; /* sent, in order */
    size_t owed_count;
    bool forbidden[CHANNELS];
    unsigned added, heard[CHANNELS]; /* heard: how many of the channel's, first in order */
    unsigned sent[CHANNELS];         /* how many there are */
    bool gone[MESSAGES];             /* confirmed */
    unsigned answered[MESSAGES];     /* numbers, not confirmed */
    size_t answered_count;
    uint64_t random;
} s_world_t;

static unsigned s_random (s_world_t *world, unsigned below)
{
    world->random = world->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(world->random >> 33) % below;
}

static unsigned s_number (const zc_parcel_t *parcel, unsigned *channel, unsigned *nth)
{
    unsigned number;
    char text[64];
    zc_slice_t payload = zc_parcel_payload (parcel), name = zc_parcel_channel (parcel);
    snprintf (text, sizeof text, "%.*s %.*s", (int)name.len, name.at, (int)payload.len, payload.at);
    assert_int_equal (sscanf (text, "%u %u %u", channel, &number, nth), 3);
    return number;
}

static void s_publish (s_world_t *world)
{
    char channel[16], payload[32];
    unsigned which = s_random (world, CHANNELS);
    if (world->added == MESSAGES)
        return;
    snprintf (channel, sizeof channel, "%u", which);
    snprintf (payload, sizeof payload, "%u %u", world->added, world->sent[which]++);
    s_add (world->pending, world->added++, channel, payload);
}

static void s_send_some (s_world_t *world)
{
    zc_parcel_t *parcel;
    for (unsigned i = s_random (world, 10); i > 0 && (parcel = zc_pending_next (world->pending));
         i--)
        world->owed[world->owed_count++] = parcel;
}

/*  The first owed message is answered. */
static void s_answer (s_world_t *world)
{
    unsigned channel, nth;
    if (world->owed_count == 0)
        return;
    zc_parcel_t *parcel = world->owed[0];
    memmove (world->owed, world->owed + 1, --world->owed_count * sizeof *world->owed);
    unsigned number = s_number (parcel, &channel, &nth);
    if (world->forbidden[channel]) {
        zc_pending_hold (world->pending, parcel);
        return;
    }
    assert_true (nth <= world->heard[channel]); /* a repeat, or the next one */
    world->heard[channel] += nth == world->heard[channel];
    world->answered[world->answered_count++] = number;
    zc_pending_answered (world->pending, parcel);
}

/*  Rights don't change while messages are on their way, whose answers would then be mixed. */
static void s_change_rights (s_world_t *world)
{
    while (world->owed_count)
        s_answer (world);
    unsigned channel = s_random (world, CHANNELS);
    world->forbidden[channel] = !world->forbidden[channel];
}

static void s_confirm (s_world_t *world)
{
    assert_int_equal (zc_pending_confirm (world->pending), world->answered_count);
    for (size_t i = 0; i < world->answered_count; i++)
        world->gone[world->answered[i]] = true;
    world->answered_count = 0;
}

static void s_lose (s_world_t *world)
{
    zc_pending_rewind (world->pending);
    world->owed_count = world->answered_count = 0;
}

/*  No message before the position is missing. */
static void s_check_world (const s_world_t *world)
{
    zc_id_t position = world->added;
    zc_pending_position (world->pending, &position);
    for (unsigned i = 0; i < world->added; i++)
        if (i < position)
            assert_true (world->gone[i]);
    if (position < world->added)
        assert_false (world->gone[position]);
}

static void s_step (s_world_t *world)
{
    unsigned what = s_random (world, 100);
    if (what < 30)
        s_publish (world);
    else if (what < 60)
        s_send_some (world);
    else if (what < 80)
        s_answer (world);
    else if (what < 88)
        s_confirm (world);
    else if (what < 94)
        zc_pending_try_held (world->pending);
    else if (what < 97)
        s_change_rights (world);
    else
        s_lose (world);
    s_check_world (world);
}

/*  At the end everything is allowed, and goes out. */
static void s_finish (s_world_t *world)
{
    memset (world->forbidden, 0, sizeof world->forbidden);
    s_lose (world);
    for (unsigned i = 0; i < 10000 && zc_pending_count (world->pending); i++) {
        zc_pending_try_held (world->pending);
        s_send_some (world);
        s_answer (world);
        if (i % 10 == 0)
            s_confirm (world);
        s_check_world (world);
    }
    for (unsigned i = 0; i < CHANNELS; i++)
        assert_int_equal (world->heard[i], world->sent[i]);
    s_check_empty (world->pending);
}

static uint64_t s_seed;

/*  cmocka jumps out of a failing test: the seed is printed on the way. */
static int s_print_seed (void **state)
{
    (void)state;
    print_message ("the last run was SEED=%llu\n", (unsigned long long)s_seed);
    return 0;
}

static void test_random (void **state)
{
    (void)state;
    const char *given = getenv ("SEED"), *runs = getenv ("RUNS");
    int count = given ? 1 : runs ? atoi (runs) : 300;
    s_seed = given ? strtoull (given, NULL, 10) : (uint64_t)time (NULL) * 1000;
    for (int run = 0; run < count; run++, s_seed += run < count) {
        s_world_t world = {.pending = zc_pending_new (), .random = s_seed};
        for (int i = 0; i < 1000; i++)
            s_step (&world);
        s_finish (&world);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_answers),
        cmocka_unit_test (test_holds),
        cmocka_unit_test (test_a_tried_one_is_removed),
        cmocka_unit_test (test_turns),
        cmocka_unit_test_teardown (test_random, s_print_seed),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
