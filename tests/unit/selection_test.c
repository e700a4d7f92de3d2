/*  selection_test.c - which selectors match a topic, and what that costs: the engine is compiled so
 *  that every basic block counts itself (as for scale_test), and no clock is read.
 *
 *  A message on a topic that was seen before costs what it costs on a topic that a client has
 * named; the first one on a topic at most ten times as much, with 1,000 and with 10,000 selectors.
 */
#include "tests/unit/plain.h"

#include "lib/engine/selection.h"

#define BEGIN_MS 1000000
#define MESSAGES 1000

static uint64_t s_work;

void __sanitizer_cov_trace_pc (void);
void __sanitizer_cov_trace_pc (void)
{
    s_work++;
}

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

/*  Two texts with a number between them. */
static zc_slice_t s_printed (char text[64], const char *head, size_t number, const char *tail)
{
    int len = snprintf (text, 64, "%s%zu%s", head, number, tail);
    return (zc_slice_t){text, (size_t)len};
}

/*  A selection. */

static unsigned s_asked;

static void *s_named (void *arg, zc_slice_t topic)
{
    s_asked++;
    return zc_slice_is (topic, "a/1") ? arg : NULL;
}

static void s_select (zc_selected_t *self, zc_selector_form_t form, const char *text)
{
    const char *error;
    *self =
        (zc_selected_t){.selector = zc_selector_new (form, s_slice (text), &error), .item = self};
    assert_non_null (self->selector);
}

static bool s_has (const zc_topic_route_t *route, const zc_selected_t *selected)
{
    for (size_t i = 0; i < route->count; i++)
        if (route->items[i] == selected)
            return true;
    return false;
}

static void s_routes (void **state)
{
    (void)state;
    zc_selected_t a, tree, all, b;
    int named;
    zc_selection_t *self = zc_selection_new (s_named, &named);
    s_select (&a, ZC_SELECTOR_FILTER, "a/+");
    s_select (&tree, ZC_SELECTOR_FILTER, "a/#");
    s_select (&all, ZC_SELECTOR_PATTERN, "*");
    s_select (&b, ZC_SELECTOR_PATTERN, "a/:b");
    assert_true (zc_selection_add (self, &a));
    assert_true (zc_selection_add (self, &tree));
    zc_topic_route_t *route = zc_selection_route (self, s_slice ("a/1"));
    assert_int_equal (route->count, 2);
    assert_ptr_equal (route->named, &named);
    assert_true (zc_selection_add (self, &all));
    assert_false (zc_selection_add (self, &b)); /* another one begins with a/ */
    assert_true (zc_selection_begins (self, s_slice ("a/")));
    assert_false (zc_selection_begins (self, s_slice ("a/1")));
    route = zc_selection_route (self, s_slice ("a/1"));
    assert_int_equal (route->count, 4);
    assert_int_equal (zc_selection_route (self, s_slice ("a/1/2"))->count, 2);
    assert_int_equal (zc_selection_route (self, s_slice ("c"))->count, 1);
    assert_false (zc_selection_remove (self, &a));
    route = zc_selection_route (self, s_slice ("a/1"));
    assert_int_equal (route->count, 3);
    assert_true (s_has (route, &tree) && s_has (route, &all) && s_has (route, &b));
    s_asked = 0;
    zc_selection_name (self, s_slice ("a/1"), NULL);
    assert_null (zc_selection_route (self, s_slice ("a/1"))->named);
    assert_int_equal (s_asked, 0);
    assert_true (zc_selection_remove (self, &all));
    assert_true (zc_selection_remove (self, &b));
    assert_true (zc_selection_remove (self, &tree));
    assert_int_equal (zc_selection_route (self, s_slice ("a/1"))->count, 0);
    zc_selection_destroy (&self);
    for (size_t i = 0; i < 4; i++)
        zc_selector_destroy (&(zc_selected_t *[]){&a, &tree, &all, &b}[i]->selector);
}

/*  Selectors come and go at random: a route has those that match, however many changes it missed.
 */
static void s_changes (void **state)
{
    (void)state;
    static const char *const texts[] = {"a/+", "a/#", "a/b/+", "b/#", "a/+/c", "+/b", "a/1/#", "#"};
    static const char *const topics[] = {"a/1", "a/b/c", "b", "a/1/c", "c/b", "d"};
    zc_selected_t selected[24] = {{0}};
    unsigned seed = 7;
    zc_selection_t *self = zc_selection_new (s_named, NULL);
    for (int turn = 0; turn < 4000; turn++) {
        int changes = rand_r (&seed) % (turn % 50 ? 4 : 600);
        for (int i = 0; i < changes; i++) {
            zc_selected_t *one = &selected[rand_r (&seed) % 24];
            if (one->selector) {
                zc_selection_remove (self, one);
                zc_selector_destroy (&one->selector);
            } else {
                s_select (one, ZC_SELECTOR_FILTER, texts[rand_r (&seed) % 8]);
                zc_selection_add (self, one);
            }
        }
        zc_slice_t topic = s_slice (topics[rand_r (&seed) % 6]);
        const zc_topic_route_t *route = zc_selection_route (self, topic);
        size_t count = 0;
        for (size_t i = 0; i < 24; i++) {
            bool matches = selected[i].selector && zc_selector_match (selected[i].selector, topic);
            assert_int_equal (s_has (route, &selected[i]), matches);
            count += matches;
        }
        assert_int_equal (route->count, count);
    }
    for (size_t i = 0; i < 24; i++)
        if (selected[i].selector) {
            zc_selection_remove (self, &selected[i]);
            zc_selector_destroy (&selected[i].selector);
        }
    zc_selection_destroy (&self);
}

/*  A client that comes and goes costs each topic the match with its own selector, and not with the
 *  others that begin as it does. */
static void s_coming_and_going (void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    zc_selected_t *selected = calloc (COUNT, sizeof *selected), guest;
    char text[64];
    zc_selection_t *self = zc_selection_new (s_named, NULL);
    assert_non_null (selected);
    for (size_t i = 0; i < COUNT; i++) {
        s_printed (text, "user/+/h", i, "");
        s_select (&selected[i], ZC_SELECTOR_FILTER, text);
        zc_selection_add (self, &selected[i]);
    }
    s_work = 0;
    assert_int_equal (zc_selection_route (self, s_slice ("user/1/h5"))->count, 1);
    uint64_t first = s_work;
    s_select (&guest, ZC_SELECTOR_FILTER, "user/+/h5");
    zc_selection_add (self, &guest);
    s_work = 0;
    assert_int_equal (zc_selection_route (self, s_slice ("user/1/h5"))->count, 2);
    assert_in_range (s_work * 20, 1, first);
    zc_selection_remove (self, &guest);
    zc_selector_destroy (&guest.selector);
    s_work = 0;
    assert_int_equal (zc_selection_route (self, s_slice ("user/1/h5"))->count, 1);
    assert_in_range (s_work * 20, 1, first);
    for (size_t i = 0; i < COUNT; i++) {
        zc_selection_remove (self, &selected[i]);
        zc_selector_destroy (&selected[i].selector);
    }
    zc_selection_destroy (&self);
    free (selected);
}

/*  Topics are invented for ever: the routes are bounded, and one that is in use stays. */
static void s_bounded (void **state)
{
    (void)state;
    zc_selected_t all;
    char text[64];
    zc_selection_t *self = zc_selection_new (s_named, NULL);
    s_select (&all, ZC_SELECTOR_FILTER, "x/#");
    zc_selection_add (self, &all);
    zc_selection_route (self, s_slice ("busy"))->last = 7;
    uint64_t most = 0;
    for (size_t i = 0; i < 200000; i++) {
        s_work = 0;
        zc_selection_route (self, s_printed (text, "topic ", i, ""));
        most = s_work > most ? s_work : most;
        assert_int_equal (zc_selection_route (self, s_slice ("busy"))->last, 7);
    }
    assert_int_equal (zc_selection_route (self, s_slice ("topic 0"))->last, ZC_ID_NONE);
    assert_in_range (most, 1,
                     20000); /* blocks for one topic, its part in the table's growth included */
    zc_selection_remove (self, &all);
    zc_selection_destroy (&self);
    zc_selector_destroy (&all.selector);
}

static zc_slice_t s_beginning (const void *item)
{
    return zc_selector_beginning (((const zc_selected_t *)item)->selector);
}

static void s_beginnings (void **state)
{
    (void)state;
    static const char *const texts[] = {"b/#", "a/b/+", "a/#", "a/b/c/#", "c+d"};
    zc_selected_t selected[5];
    zc_slots_t among = {0};
    size_t slots[5] = {0};
    zc_slice_t out[4];
    for (size_t i = 0; i < 5; i++) {
        s_select (&selected[i], i < 4 ? ZC_SELECTOR_FILTER : ZC_SELECTOR_PATTERN, texts[i]);
        zc_slots_add (&among, &selected[i], &slots[i]);
    }
    assert_int_equal (zc_selection_beginnings (&among, s_beginning, out, 4), 3);
    assert_true (zc_slice_is (out[0], "a") && zc_slice_is (out[1], "b") &&
                 zc_slice_is (out[2], "c+d"));
    assert_int_equal (zc_selection_beginnings (&among, s_beginning, out, 3), 3);
    assert_int_equal (zc_selection_beginnings (&among, s_beginning, out, 2), 1);
    assert_int_equal (out[0].len, 0);
    zc_slots_clear (&among);
    assert_int_equal (zc_selection_beginnings (&among, s_beginning, out, 4), 0);
    for (size_t i = 0; i < 5; i++)
        zc_selector_destroy (&selected[i].selector);
}

/*  The cost in a hub. */

static zc_hub_t *s_hub;
static uint64_t s_tokens[64];
static size_t s_counts[64], s_syncs;
static zc_id_t s_last;

static void s_ignore (void *self, const char *topic, size_t len)
{
    (void)self, (void)topic, (void)len;
}

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    (void)self, (void)have;
    assert_true (s_syncs < 64);
    s_counts[s_syncs] = len > 0;
    for (size_t i = 0; i < len; i++)
        s_counts[s_syncs] += topics[i] == '\n';
    s_tokens[s_syncs++] = token;
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    (void)self, (void)token, (void)since, (void)topics, (void)len, (void)line;
    fail_msg ("nothing is missing");
}

static void s_list (void *self, uint64_t token, zc_id_t since, const zc_slice_t *prefixes,
                    size_t count)
{
    (void)self, (void)since, (void)prefixes, (void)count;
    s_counts[s_syncs] = SIZE_MAX;
    s_tokens[s_syncs++] = token;
}

static void s_answer_all (void)
{
    static const zc_mark_t place = {{"line"}, ZC_ID_NONE};
    static zc_id_t lasts[2000];
    for (size_t i = 0; i < 2000; i++)
        lasts[i] = zc_id_from_ms (BEGIN_MS);
    for (size_t i = 0; i < s_syncs; i++) { /* answers lead to more questions */
        if (s_counts[i] == SIZE_MAX)
            zc_hub_listed (s_hub, s_tokens[i], s_last, ZC_ID_NONE, s_slice (""));
        else
            zc_hub_synced (s_hub, s_tokens[i], &place, s_last, ZC_ID_NONE, lasts, s_counts[i]);
    }
    s_syncs = 0;
}

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    (void)client, (void)iov, (void)count;
    return 0;
}

static const zc_transport_t s_transport = {.name = "test",
                                           .write = s_write,
                                           .want_write = plain_want_write,
                                           .gone = plain_gone,
                                           .describe = plain_describe};

/*  The work for a message on this topic. */
static uint64_t s_publish (zc_slice_t topic)
{
    zc_buf_t meta = ZC_BUF_INIT;
    zc_message_t message;
    zc_id_t id = zc_id_next (s_last, BEGIN_MS + 1);
    zc_meta_write (&meta, id, zc_id_from_ms (BEGIN_MS), ZC_ID_NONE, s_slice (""));
    assert_int_equal (zc_delivery_parse (&message, topic, s_slice ("payload"),
                                         (zc_slice_t){(const char *)meta.data, meta.len}),
                      0);
    s_last = id;
    s_work = 0;
    zc_hub_message (s_hub, &message);
    uint64_t work = s_work;
    zc_buf_clear (&meta);
    return work;
}

static void s_join (zc_client_t *client, zc_slice_t name)
{
    *client = (zc_client_t){.transport = &s_transport, .fd = -1};
    zc_hub_join (s_hub, client, &plain_encoding, &name, 1, NULL, s_slice (""));
    s_answer_all ();
}

typedef struct {
    uint64_t named, known, first, nobody;
} s_cost_t;

/*  The average work for a message: on a topic that a client named, on topics that were seen before,
 *  and on ones that weren't, of which a selector matches some and none matches others. */
static s_cost_t s_measure (size_t selectors)
{
    static const zc_upstream_t upstream = {NULL, s_ignore, s_ignore, s_sync, s_fetch, s_list};
    zc_hub_config_t config = {
        .max_lag = 1 << 30, .retain = 1 << 20, .retain_ms = 60000, .heartbeat_ms = 15000};
    zc_client_t *clients = calloc (selectors + 1, sizeof *clients);
    char text[64];
    s_cost_t cost = {0};
    assert_non_null (clients);
    s_last = zc_id_from_ms (BEGIN_MS);
    s_hub = zc_hub_new (&config, &upstream);
    zc_hub_tick (s_hub, BEGIN_MS);
    zc_hub_connected (s_hub);
    s_answer_all ();
    s_join (&clients[selectors], s_slice ("user/0/home"));
    for (size_t i = 0; i < MESSAGES; i++)
        cost.named += s_publish (s_slice ("user/0/home"));
    for (size_t i = 0; i < selectors; i++) {
        s_join (&clients[i], s_printed (text, "\x01muser/", i + 1, "/+"));
    }
    uint64_t delivered = zc_hub_stats (s_hub)->delivered;
    for (size_t i = 0; i < MESSAGES; i++)
        cost.first += s_publish (s_printed (text, "user/", i % selectors + 1, "/home"));
    for (size_t i = 0; i < MESSAGES; i++)
        cost.known += s_publish (s_printed (text, "user/", i % selectors + 1, "/home"));
    assert_int_equal (zc_hub_stats (s_hub)->delivered - delivered, 2 * MESSAGES);
    for (size_t i = 0; i < MESSAGES; i++)
        cost.nobody += s_publish (s_printed (text, "user/", i + 1, "/a/b"));
    assert_int_equal (zc_hub_stats (s_hub)->delivered - delivered, 2 * MESSAGES);
    for (size_t i = 0; i <= selectors; i++)
        zc_hub_leave (s_hub, &clients[i]);
    zc_hub_destroy (&s_hub);
    free (clients);
    return cost;
}

static void s_cost (void **state)
{
    (void)state;
    static const size_t counts[] = {1000, 10000};
    for (size_t i = 0; i < 2; i++) {
        s_cost_t cost = s_measure (counts[i]);
        print_message (
            "%zu selectors: %llu blocks on a named topic, %llu on a known one, %llu on a "
            "new one, %llu if none matches\n",
            counts[i], (unsigned long long)cost.named / MESSAGES,
            (unsigned long long)cost.known / MESSAGES, (unsigned long long)cost.first / MESSAGES,
            (unsigned long long)cost.nobody / MESSAGES);
        assert_in_range (cost.known, 1, cost.named * 3 / 2);
        assert_in_range (cost.first, 1, cost.named * 10);
        assert_in_range (cost.nobody, 1, cost.named * 10);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_routes),           cmocka_unit_test (s_changes),
        cmocka_unit_test (s_coming_and_going), cmocka_unit_test (s_bounded),
        cmocka_unit_test (s_beginnings),       cmocka_unit_test (s_cost),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
