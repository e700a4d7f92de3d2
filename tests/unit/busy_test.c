/*  busy_test.c - the busiest topics are exact, whatever the order of messages, compared with a
 * model; and what a message costs doesn't grow with the topics. */
#include "tests/unit/unit.h"

#include "broker/busy.h"

#define TOPICS 400

static zc_busy_mark_t s_marks[TOPICS];
static char s_names[TOPICS][16];
static uint32_t s_counts[TOPICS];

static void s_publish (zc_busy_t *busy, size_t topic)
{
    int len = snprintf (s_names[topic], sizeof s_names[topic], "topic/%zu", topic);
    zc_busy_count (busy, &s_marks[topic], (zc_slice_t){s_names[topic], (size_t)len});
    s_counts[topic]++;
}

static int s_down (const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left < right) - (left > right);
}

/*  The window of ten seconds is over. */
static void s_check (zc_busy_t *busy, uint64_t now_ms)
{
    zc_busy_row_t row;
    uint32_t sorted[TOPICS];
    bool seen[TOPICS] = {false};
    zc_busy_tick (busy, now_ms);
    memcpy (sorted, s_counts, sizeof sorted);
    qsort (sorted, TOPICS, sizeof *sorted, s_down);
    size_t count = 0;
    for (; zc_busy_row (busy, count, &row); count++) {
        char name[16] = "";
        memcpy (name, row.topic.at, row.topic.len);
        size_t topic = strtoul (name + strlen ("topic/"), NULL, 10);
        assert_false (seen[topic]);
        seen[topic] = true;
        assert_int_equal ((uint32_t)(row.rate * 10 + 0.5), s_counts[topic]);
        assert_int_equal (s_counts[topic], sorted[count]);
    }
    size_t published = 0;
    while (published < TOPICS && sorted[published])
        published++;
    assert_int_equal (count, published < ZC_BUSY_MAX ? published : ZC_BUSY_MAX);
    memset (s_counts, 0, sizeof s_counts);
}

static void test_against_a_model (void **state)
{
    (void)state;
    zc_busy_t *busy = zc_busy_new ();
    unsigned seed = 1;
    uint64_t now = 5000;
    memset (s_marks, 0, sizeof s_marks);
    zc_busy_tick (busy, now);
    for (unsigned window = 0; window < 40; window++) {
        size_t topics = 1 + (size_t)rand_r (&seed) % TOPICS;
        for (unsigned message = 0; message < 3000; message++) {
            /* some are busier than others */
            size_t topic = (size_t)rand_r (&seed) % (1 + (size_t)rand_r (&seed) % topics);
            s_publish (busy, topic);
            if (window % 2 &&
                message % 50 == 0) { /* a rare one leaves the table, and may come again */
                size_t gone = topics - 1;
                zc_busy_forget (busy, &s_marks[gone]);
                s_marks[gone] = (zc_busy_mark_t){0};
                s_counts[gone] = 0;
            }
        }
        zc_busy_tick (busy, now + 9999); /* not yet */
        s_check (busy, now += 10000);
    }
    s_check (busy, now += 10000); /* nothing was published */
    zc_busy_destroy (&busy);
    assert_null (busy);
}

/*  The names that were listed stay readable when the topics are gone. */
static void test_names_are_kept (void **state)
{
    (void)state;
    zc_busy_t *busy = zc_busy_new ();
    zc_busy_mark_t mark = {0};
    zc_busy_row_t row;
    char name[] = "gone";
    zc_busy_tick (busy, 1000);
    assert_false (zc_busy_row (busy, 0, &row));
    zc_busy_count (busy, &mark, (zc_slice_t){name, 4});
    zc_busy_tick (busy, 11000);
    zc_busy_forget (busy, &mark);
    memset (name, 'x', 4);
    assert_true (zc_busy_row (busy, 0, &row));
    assert_slice (row.topic, "gone");
    assert_false (zc_busy_row (busy, 1, &row));
    zc_busy_destroy (&busy);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_against_a_model),
        cmocka_unit_test (test_names_are_kept),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
