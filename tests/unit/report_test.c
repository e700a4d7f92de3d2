/*  report_test.c - the lists in a worker's report: who has which topics, what clients didn't get,
 * and that a report stays small enough, whatever clients ask for. */
#include "tests/unit/plain.h"

#include "lib/engine/report.h"
#include "lib/wire/ask.h"

#define CLIENTS 400

static zc_client_t s_clients[CLIENTS];

static void s_subscribe (void *self, const char *topic, size_t len)
{
    (void)self, (void)topic, (void)len;
}

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    (void)self, (void)token, (void)topics, (void)len, (void)have;
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    (void)self, (void)token, (void)since, (void)topics, (void)len, (void)line;
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

static zc_hub_t *s_hub_new (void)
{
    static const zc_upstream_t upstream = {NULL, s_subscribe, s_subscribe, s_sync, s_fetch, NULL};
    const zc_hub_config_t config = {.max_lag = 1 << 20,
                                    .retain = 1 << 20,
                                    .retain_ms = 60000,
                                    .linger_ms = 5000,
                                    .heartbeat_ms = 15000,
                                    .max_topics = 100};
    zc_hub_t *hub = zc_hub_new (&config, &upstream);
    zc_hub_tick (hub, 1000000);
    return hub;
}

static void s_join (zc_hub_t *hub, size_t number, const zc_slice_t *topics, size_t count)
{
    zc_client_t *client = &s_clients[number];
    *client = (zc_client_t){.transport = &s_transport, .fd = -1};
    zc_hub_join (hub, client, &plain_encoding, topics, count, NULL, (zc_slice_t){NULL, 0});
}

static json_t *s_report (zc_hub_t *hub)
{
    json_t *report = json_object ();
    zc_report_lists (report, hub);
    return report;
}

/*  "a 3, b 1" */
static void s_assert_popular (zc_hub_t *hub, const char *expected)
{
    char text[256] = "";
    json_t *report = s_report (hub), *row;
    size_t i;
    json_array_foreach (json_object_get (report, "popular"), i, row)
    {
        size_t len = strlen (text);
        snprintf (text + len, sizeof text - len, "%s%s %lld%s", i ? ", " : "",
                  json_string_value (json_object_get (row, "topic")),
                  (long long)json_integer_value (json_object_get (row, "clients")),
                  json_object_get (row, "selector") ? " *" : "");
    }
    assert_string_equal (text, expected);
    json_decref (report);
}

static void test_popular (void **state)
{
    (void)state;
    zc_hub_t *hub = s_hub_new ();
    const zc_slice_t a = SLICE ("a"), b = SLICE ("b"), both[] = {SLICE ("a"), SLICE ("b")};
    s_assert_popular (hub, "");
    s_join (hub, 0, &a, 1);
    s_join (hub, 1, &a, 1);
    s_join (hub, 2, both, 2);
    s_assert_popular (hub, "a 3, b 1");
    zc_hub_move (hub, &s_clients[0], &b, 1, NULL);
    zc_hub_move (hub, &s_clients[1], &b, 1, NULL);
    s_assert_popular (hub, "b 3, a 1");
    zc_hub_move (hub, &s_clients[2], &SLICE ("\1mn/#"), 1, NULL);
    s_assert_popular (hub, "b 2, n/# 1 *");
    json_t *report = s_report (hub);
    assert_int_equal (
        json_integer_value (json_object_get (json_object_get (report, "encodings"), "plain")), 3);
    json_decref (report);
    for (size_t i = 0; i < 3; i++)
        zc_hub_leave (hub, &s_clients[i]);
    s_assert_popular (hub, "");
    report = s_report (hub);
    assert_int_equal (
        json_integer_value (json_object_get (json_object_get (report, "encodings"), "plain")), 0);
    json_decref (report);
    zc_hub_destroy (&hub);
}

/*  Many reasons, one after the other: each is counted, and the last few are told. */
static void test_incidents (void **state)
{
    (void)state;
    zc_incidents_t incidents = {0};
    s_clients[0] = (zc_client_t){.transport = &s_transport, .fd = -1};
    assert_null (zc_incidents_last (&incidents, 0));
    for (uint64_t i = 0; i < 5; i++)
        zc_incidents_add (&incidents, ZC_LOSS_SLOW, 10 + i, SLICE ("a"), &s_clients[0]);
    const zc_incident_t *last = zc_incidents_last (&incidents, 0);
    assert_int_equal (last->count, 5);
    assert_int_equal (last->at_ms, 14);
    assert_string_equal (last->topic, "a");
    assert_string_equal (last->client, "test");
    assert_null (zc_incidents_last (&incidents, 1));
    zc_incidents_add (&incidents, ZC_LOSS_HISTORY, 20, SLICE ("a"), NULL);
    assert_string_equal (zc_incidents_last (&incidents, 0)->client, "");
    assert_ptr_equal (zc_incidents_last (&incidents, 1), last);
    for (unsigned i = 0; i < 100; i++) {
        char topic[300];
        memset (topic, 'a' + (int)(i % 26), sizeof topic);
        zc_incidents_add (&incidents, i % ZC_LOSS_KINDS, 30 + i, (zc_slice_t){topic, sizeof topic},
                          &s_clients[0]);
    }
    size_t told = 0;
    while ((last = zc_incidents_last (&incidents, told)))
        assert_int_equal (last->at_ms, 129 - told++);
    assert_int_equal (told, ZC_INCIDENTS);
    for (zc_loss_t kind = 0; kind < ZC_LOSS_KINDS; kind++) {
        assert_non_null (zc_loss_name (kind));
        assert_true (incidents.counts[kind] >= 100 / ZC_LOSS_KINDS);
    }
}

/*  Topics as long as they may be, of characters that take two bytes in JSON. */
static void test_bounded (void **state)
{
    (void)state;
    zc_hub_t *hub = s_hub_new ();
    static char names[CLIENTS][1024];
    for (size_t i = 0; i < CLIENTS; i++) {
        memset (names[i], '"', sizeof names[i]);
        snprintf (names[i], sizeof names[i], "%zu", i);
        names[i][strlen (names[i])] = '"';
        s_join (hub, i, &(zc_slice_t){names[i], sizeof names[i]}, 1);
        zc_rounds_set_blocked (zc_hub_rounds (hub), &s_clients[i], true);
        for (zc_loss_t kind = 0; kind < ZC_LOSS_KINDS; kind++)
            zc_incidents_add ((zc_incidents_t *)(uintptr_t)zc_hub_incidents (hub), kind, i,
                              (zc_slice_t){names[i], sizeof names[i]}, &s_clients[i]);
    }
    json_t *report = s_report (hub);
    char *text = json_dumps (report, JSON_COMPACT);
    assert_non_null (text);
    /* a quarter is left for figures and histograms */
    assert_in_range (strlen (text), 1024, ZC_REPORT_MAX * 3 / 4);
    assert_int_equal (json_array_size (json_object_get (report, "slow")), 10);
    assert_int_equal (json_array_size (json_object_get (report, "incidents")), ZC_INCIDENTS);
    assert_int_equal (json_array_size (json_object_get (report, "popular")), 6);
    free (text);
    json_decref (report);
    for (size_t i = 0; i < CLIENTS; i++)
        zc_hub_leave (hub, &s_clients[i]);
    zc_hub_destroy (&hub);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_popular),
        cmocka_unit_test (test_incidents),
        cmocka_unit_test (test_bounded),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
