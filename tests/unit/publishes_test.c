/*  Messages on their way to the broker, of a client that may leave at any moment. The test plays
 *  the front's postings. */
#include "tests/unit/unit.h"

#include "ws/publishes.h"

#define POSTINGS 100

struct zc_posting {
    zc_posting_fn fn;
    void *arg;
    bool forgotten;
};
static struct zc_posting s_postings[POSTINGS];
static size_t s_count;
static bool s_refuse;

zc_posting_t *__wrap_zc_posting_new (zc_front_t *front, zc_slice_t topic, zc_slice_t payload,
                                     zc_slice_t headers, zc_posting_fn fn, void *arg,
                                     zc_receipt_t *refused);
void __wrap_zc_posting_forget (zc_posting_t **self_p);

zc_posting_t *__wrap_zc_posting_new (zc_front_t *front, zc_slice_t topic, zc_slice_t payload,
                                     zc_slice_t headers, zc_posting_fn fn, void *arg,
                                     zc_receipt_t *refused)
{
    (void)front, (void)topic, (void)payload, (void)headers;
    *refused = (zc_receipt_t){400, SLICE ("topic"), SLICE ("no topic")};
    if (s_refuse)
        return NULL;
    assert_true (s_count < POSTINGS);
    s_postings[s_count] = (struct zc_posting){.fn = fn, .arg = arg};
    return &s_postings[s_count++];
}

void __wrap_zc_posting_forget (zc_posting_t **self_p)
{
    if (*self_p)
        (*self_p)->forgotten = true;
    *self_p = NULL;
}

/*  What the client was told: "200 ref text;". */
static char s_told[4096];
static zc_publishes_t *s_publishes;
static bool s_leaves; /* the client leaves as soon as it is told an answer */

static void s_tell (void *arg, const char *ref, const zc_receipt_t *receipt)
{
    size_t len = strlen (s_told);
    assert_ptr_equal (arg, s_told);
    snprintf (s_told + len, sizeof s_told - len, "%u %s %.*s;", receipt->status, ref ? ref : "-",
              (int)receipt->text.len, receipt->text.at);
    if (s_leaves)
        zc_publishes_destroy (&s_publishes);
}

static int s_setup (void **state)
{
    (void)state;
    s_count = 0;
    s_refuse = s_leaves = false;
    s_told[0] = 0;
    s_publishes = zc_publishes_new (NULL, s_tell, s_told);
    return 0;
}

static void s_send (const char *ref)
{
    zc_publishes_send (s_publishes, ref, SLICE ("t"), SLICE ("p"), SLICE (""));
}

static void s_answer (size_t index)
{
    zc_receipt_t receipt = {200, SLICE (""), SLICE ("1-0")};
    s_postings[index].fn (s_postings[index].arg, &receipt);
}

static void s_each_is_answered_with_its_ref (void **state)
{
    char ref[] = "7";
    (void)state;
    s_send (ref);
    ref[0] = 'x'; /* a copy was kept */
    s_send (NULL);
    s_answer (1);
    s_answer (0);
    assert_string_equal (s_told, "200 - 1-0;200 7 1-0;");
    zc_publishes_destroy (&s_publishes);
    assert_false (s_postings[0].forgotten || s_postings[1].forgotten);
}

static void s_a_refusal_is_told_at_once (void **state)
{
    (void)state;
    s_refuse = true;
    s_send ("7");
    assert_string_equal (s_told, "400 7 no topic;");
    zc_publishes_destroy (&s_publishes);
}

static void s_the_65th_that_waits_is_refused (void **state)
{
    (void)state;
    for (int i = 0; i < 64; i++)
        s_send (NULL);
    assert_string_equal (s_told, "");
    s_send ("7");
    assert_int_equal (s_count, 64);
    assert_string_equal (s_told, "503 7 too many messages wait for the broker: try again;");
    s_answer (0); /* makes room */
    s_send ("8");
    assert_int_equal (s_count, 65);
    zc_publishes_destroy (&s_publishes);
}

static void s_a_client_that_leaves_is_not_told (void **state)
{
    (void)state;
    s_send ("1");
    s_send ("2");
    zc_publishes_destroy (&s_publishes);
    assert_null (s_publishes);
    assert_true (s_postings[0].forgotten && s_postings[1].forgotten);
    assert_string_equal (s_told, "");
    zc_publishes_destroy (&s_publishes);
}

static void s_a_client_may_leave_as_it_is_told (void **state)
{
    (void)state;
    s_leaves = true;
    s_send ("1");
    s_send ("2");
    s_answer (0);
    assert_null (s_publishes);
    assert_string_equal (s_told, "200 1 1-0;");
    assert_true (s_postings[1].forgotten);
    s_setup (NULL);
    s_leaves = s_refuse = true;
    s_send ("3");
    assert_null (s_publishes);
    assert_string_equal (s_told, "400 3 no topic;");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup (s_each_is_answered_with_its_ref, s_setup),
        cmocka_unit_test_setup (s_a_refusal_is_told_at_once, s_setup),
        cmocka_unit_test_setup (s_the_65th_that_waits_is_refused, s_setup),
        cmocka_unit_test_setup (s_a_client_that_leaves_is_not_told, s_setup),
        cmocka_unit_test_setup (s_a_client_may_leave_as_it_is_told, s_setup),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
