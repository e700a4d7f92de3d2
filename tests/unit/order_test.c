/*  order_test.c - the rules of completeness alone. */
#include "tests/unit/unit.h"

#include "lib/order/losses.h"
#include "lib/order/order.h"

static zc_order_t s_live (zc_id_t last)
{
    zc_order_t order = {0};
    assert_false (zc_order_synced (&order, last, last));
    assert_int_equal (order.state, ZC_ORDER_LIVE);
    assert_int_equal (order.complete, last);
    return order;
}

static void test_next_and_again (void **state)
{
    (void)state;
    zc_order_t order = s_live (10);
    assert_int_equal (zc_order_message (&order, 12, 10), ZC_ORDER_NEXT);
    zc_order_took (&order, 12);
    assert_int_equal (order.complete, 12);
    assert_int_equal (zc_order_message (&order, 12, 10), ZC_ORDER_REPEAT);
    assert_int_equal (zc_order_message (&order, 11, 10), ZC_ORDER_REPEAT);
    assert_int_equal (zc_order_message (&order, 20, 3), ZC_ORDER_NEXT); /* prev: at least that */
}

/*  A hole: messages behind it wait until history has reached it. */
static void test_hole (void **state)
{
    (void)state;
    zc_order_t order = s_live (10);
    assert_int_equal (zc_order_message (&order, 14, 12), ZC_ORDER_HOLE);
    zc_order_took (&order, 14);
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    assert_int_equal (order.complete, 10);
    assert_int_equal (zc_order_message (&order, 14, 12), ZC_ORDER_REPEAT);
    assert_int_equal (zc_order_message (&order, 16, 14), ZC_ORDER_NEXT);
    zc_order_took (&order, 16);
    assert_true (zc_order_fetched (&order, 11));
    assert_false (zc_order_fetched (&order, 11)); /* of a page that broke off */
    zc_order_reached (&order, 11);                /* not far enough */
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    zc_order_reached (&order, 12);
    assert_int_equal (order.state, ZC_ORDER_LIVE);
    assert_int_equal (order.complete, 16); /* with the messages that came live meanwhile */
}

/*  A hole behind the hole, among the messages that come live during the repair. */
static void test_hole_while_repairing (void **state)
{
    (void)state;
    zc_order_t order = s_live (10);
    assert_int_equal (zc_order_message (&order, 14, 12), ZC_ORDER_HOLE);
    zc_order_took (&order, 14);
    assert_int_equal (zc_order_message (&order, 20, 18), ZC_ORDER_NEXT);
    zc_order_took (&order, 20);
    zc_order_reached (&order, 14);
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    assert_int_equal (order.need, 18);
    zc_order_reached (&order, 18);
    assert_int_equal (order.state, ZC_ORDER_LIVE);
    assert_int_equal (order.complete, 20);
}

/*  A follower has no room for a message: it isn't held back, but needed from history. */
static void test_no_room (void **state)
{
    (void)state;
    zc_order_t order = s_live (10);
    assert_int_equal (zc_order_message (&order, 12, 10), ZC_ORDER_NEXT);
    assert_true (zc_order_need (&order, 12));
    assert_int_equal (zc_order_message (&order, 14, 12), ZC_ORDER_NEXT);
    assert_false (zc_order_need (&order, 14));
    zc_order_reached (&order, 12);
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    zc_order_reached (&order, 14);
    assert_int_equal (order.state, ZC_ORDER_LIVE);
}

static void test_new (void **state)
{
    (void)state;
    zc_order_t order = {0};
    assert_int_equal (zc_order_message (&order, 5, 3), ZC_ORDER_NEXT);
    zc_order_took (&order, 5);
    assert_int_equal (order.state, ZC_ORDER_NEW);
    assert_false (zc_order_synced (&order, 4, 6)); /* 5 was published after the answer */
    assert_int_equal (order.state, ZC_ORDER_LIVE);
    assert_int_equal (order.complete, 5);
    assert_int_equal (zc_order_known (&order), 6);
    order = (zc_order_t){0};
    assert_int_equal (zc_order_message (&order, 9, 7), ZC_ORDER_NEXT);
    zc_order_took (&order, 9);
    zc_order_synced (&order, 4, 6); /* 7 came after that, and was lost */
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    zc_order_reached (&order, 7);
    assert_int_equal (order.complete, 9);
    order = (zc_order_t){0};
    zc_order_message (&order, 5, 3);
    zc_order_took (&order, 5);
    zc_order_need_held (&order); /* one more follower, which hasn't had 5 */
    zc_order_synced (&order, 4, 4);
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    assert_int_equal (order.need, 5);
}

static void test_synced (void **state)
{
    (void)state;
    zc_order_t order = s_live (10);
    assert_false (zc_order_synced (&order, 10, 30));
    assert_int_equal (zc_order_known (&order), 30);
    assert_true (
        zc_order_synced (&order, 35, 40)); /* messages are missing, with none behind them */
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    assert_false (zc_order_synced (&order, 38, 50));
    assert_int_equal (order.need, 38);
    zc_order_begin_anew (&order);
    assert_int_equal (order.state, ZC_ORDER_NEW);
    assert_int_equal (zc_order_known (&order), ZC_ID_NONE);
}

/*  Of a selector: the hole of one topic isn't seen at a message of another. */
static void test_doubt (void **state)
{
    (void)state;
    zc_order_t order = s_live (10);
    assert_true (zc_order_doubt (&order));
    assert_false (zc_order_doubt (&order));
    assert_int_equal (zc_order_message (&order, 20, 5), ZC_ORDER_NEXT);
    zc_order_took (&order, 20);
    zc_order_reached (&order, 12);
    assert_int_equal (order.state, ZC_ORDER_REPAIR); /* 15 may be missing */
    assert_int_equal (order.complete, 12);
    zc_order_is_sure (&order, ZC_ID_NONE, 30); /* it wasn't */
    assert_int_equal (order.state, ZC_ORDER_LIVE);
    assert_int_equal (order.complete, 20);
    assert_int_equal (zc_order_known (&order), 30);
    zc_order_doubt (&order);
    assert_int_equal (zc_order_message (&order, 40, 5), ZC_ORDER_NEXT);
    zc_order_took (&order, 40);
    zc_order_is_sure (&order, 35, 50); /* 35 didn't come */
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    assert_int_equal (zc_order_known (&order), 30);
    zc_order_reached (&order, 35);
    assert_int_equal (order.state, ZC_ORDER_LIVE);
    assert_int_equal (order.complete, 40);
    order = (zc_order_t){0};
    assert_false (zc_order_doubt (&order));
    zc_order_is_sure (&order, 5, 9);
    assert_int_equal (order.state, ZC_ORDER_NEW);
    zc_order_doubt (&order);
    zc_order_synced (&order, 10, 10);
    assert_int_equal (order.state, ZC_ORDER_REPAIR);
    zc_order_is_sure (&order, ZC_ID_NONE, 10);
    assert_int_equal (order.state, ZC_ORDER_LIVE);
}

/*  A history that begins at 25 doesn't know what was before. But the topic does: up to 30 there
 *  was nothing. */
static void test_history_that_begins_later (void **state)
{
    (void)state;
    zc_order_t order = s_live (10);
    zc_order_synced (&order, 10, 30);
    assert_false (zc_order_synced (&order, 25, 40));
    assert_int_equal (order.state, ZC_ORDER_LIVE);
    assert_int_equal (zc_order_message (&order, 45, 25), ZC_ORDER_NEXT);
    order = s_live (10);
    zc_order_synced (&order, 10, 30);
    assert_true (zc_order_synced (&order, 41, 42)); /* between 30 and 41 nobody knows */
    zc_order_reached (&order, 41);
    assert_int_equal (order.state, ZC_ORDER_LIVE);
}

/*  Losses over all topics. */

static void s_message (zc_losses_t *losses, zc_id_t id, zc_id_t dropped)
{
    zc_message_t message = {.id = id, .dropped = dropped};
    zc_losses_message (losses, &message);
}

/*  A round of SYNCs with one answer. Returns whether it ends the suspicion. */
static bool s_round (zc_losses_t *losses, zc_id_t head, zc_id_t dropped, zc_id_t last)
{
    zc_losses_begin_round (losses);
    zc_losses_answer (losses, head, dropped, &last, 1);
    return zc_losses_end_round (losses);
}

static void test_dropped (void **state)
{
    (void)state;
    zc_losses_t losses = {0};
    s_message (&losses, 10, 0);
    s_message (&losses, 12, 10); /* dropped for another subscriber: it came here last */
    assert_false (losses.suspect);
    s_message (&losses, 15, 13);
    assert_true (losses.suspect && losses.reconcile);
    assert_true (s_round (&losses, 15, 13, 15));
    assert_false (losses.suspect);
    s_message (&losses, 16, 13); /* that drop was cleared up */
    assert_false (losses.suspect);
    assert_false (s_round (&losses, 16, 16, 16)); /* found by asking, with no message behind it */
    assert_true (losses.suspect && losses.reconcile);
}

/*  The queue was still full at the time of reconciling. */
static void test_proof (void **state)
{
    (void)state;
    zc_losses_t losses = {0};
    zc_losses_suspect (&losses);
    assert_true (s_round (&losses, 20, 10, 20));
    s_message (&losses, 20, 10); /* the message that the answer told of comes */
    assert_false (losses.suspect);
    zc_losses_suspect (&losses);
    assert_true (s_round (&losses, 30, 10, 30));
    s_message (&losses, 31, 10); /* another one comes */
    assert_true (losses.suspect && losses.reconcile);
}

/*  Messages lost while the queue is full have a `dropped` that is known already. Only a message
 *  that comes live after the drop, and before the answers, shows that the answers told of all. */
static void test_room (void **state)
{
    (void)state;
    zc_losses_t losses = {0};
    zc_losses_suspect (&losses);
    assert_true (s_round (&losses, 20, 15, 14)); /* no message has come since the drop */
    s_message (&losses, 13, 0);                  /* from before the drop: shows nothing */
    s_message (&losses, 14, 0);
    assert_false (losses.suspect);
    s_message (&losses, 22, 15); /* 21 may be missing */
    assert_true (losses.suspect && losses.reconcile);
    assert_true (s_round (&losses, 22, 15, 22));
    s_message (&losses, 30, 15); /* there was room before the answers */
    assert_false (losses.suspect);
    s_message (&losses, 40, 35); /* a message tells of a drop */
    assert_true (losses.suspect);
    assert_false (s_round (&losses, 38, 35, 38)); /* answered before that message was sent */
    assert_true (losses.suspect && losses.reconcile);
    assert_true (s_round (&losses, 40, 35, 40));
    s_message (&losses, 41, 35);
    assert_false (losses.suspect);
    zc_losses_suspect (&losses);
    assert_true (s_round (&losses, 60, 50, 41));
    s_message (&losses, 55, 50); /* the answers knew of it */
    s_message (&losses, 61, 50);
    assert_false (losses.suspect);
}

static void test_failed_round (void **state)
{
    (void)state;
    zc_losses_t losses = {0};
    zc_losses_suspect (&losses);
    zc_losses_begin_round (&losses);
    zc_losses_failed (&losses);
    assert_false (zc_losses_end_round (&losses));
    assert_true (losses.suspect && losses.reconcile);
    zc_losses_begin_round (&losses);
    zc_losses_suspect (&losses); /* once more, meanwhile */
    assert_false (zc_losses_end_round (&losses));
    assert_true (losses.suspect && losses.reconcile);
}

/*  Whether an answer's positions have gone back from 20, which we had. */
static bool s_back (const char *ours, const char *line, zc_id_t head)
{
    zc_line_t had = {""}, has = {""};
    zc_line_parse (&had, (zc_slice_t){ours, strlen (ours)});
    zc_line_parse (&has, (zc_slice_t){line, strlen (line)});
    return zc_losses_went_back (&had, 20, &has, head);
}

static void test_went_back (void **state)
{
    (void)state;
    assert_false (s_back ("x", "x", 10)); /* it is late */
    assert_true (s_back ("x", "y", 30));
    assert_true (s_back ("x", "0-15.y", 30));
    assert_false (s_back ("x", "0-20.y", 30)); /* all of it comes after what we had */
    assert_false (s_back ("", "", 20));        /* older brokers */
    assert_true (s_back ("", "", 19));
    assert_true (s_back ("x", "", 19));
    assert_false (s_back ("", "y", 20));
}

/*  A broker that has never dropped anything has nothing to prove. */
static void test_nothing_was_ever_dropped (void **state)
{
    (void)state;
    zc_losses_t losses = {0};
    zc_losses_suspect (&losses);
    assert_true (s_round (&losses, 20, ZC_ID_NONE, 20));
    s_message (&losses, 30, ZC_ID_NONE);
    assert_false (losses.suspect);
    zc_losses_fetched (&losses, 40);
    assert_int_equal (losses.head, 40);
    zc_losses_fetched (&losses, 35);
    assert_int_equal (losses.head, 40);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_went_back),
        cmocka_unit_test (test_nothing_was_ever_dropped),
        cmocka_unit_test (test_next_and_again),
        cmocka_unit_test (test_hole),
        cmocka_unit_test (test_hole_while_repairing),
        cmocka_unit_test (test_no_room),
        cmocka_unit_test (test_new),
        cmocka_unit_test (test_synced),
        cmocka_unit_test (test_doubt),
        cmocka_unit_test (test_history_that_begins_later),
        cmocka_unit_test (test_dropped),
        cmocka_unit_test (test_proof),
        cmocka_unit_test (test_room),
        cmocka_unit_test (test_failed_round),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
