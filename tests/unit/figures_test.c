#include "tests/unit/unit.h"

#include "lib/wire/figures.h"

static const zc_figure_t *const s_tables[] = {
    zc_broker_figures, zc_worker_figures, zc_front_figures, zc_ws_figures,
    zc_fcgi_figures,   zc_bridge_figures, zc_relay_figures};

/*  A metric has one meaning, so it is in one row; the same holds for a name within a report. */
static void s_rows_differ (void **state)
{
    (void)state;
    const zc_figure_t *all[300];
    size_t count = 0;
    for (size_t i = 0; i < LENGTH (s_tables); i++) {
        size_t begin = count;
        for (const zc_figure_t *row = s_tables[i]; row->name; row++) {
            assert_true (row->help[0] && row->help[strlen (row->help) - 1] == '.');
            for (size_t j = begin; j < count; j++)
                assert_string_not_equal (all[j]->name, row->name);
            for (size_t j = 0; j < count && row->metric; j++)
                if (all[j]->metric)
                    assert_string_not_equal (all[j]->metric, row->metric);
            if (row->metric)
                assert_null (strstr (row->metric, "_total"));
            assert_true (count < LENGTH (all));
            all[count++] = row;
        }
    }
}

/*  A struct has as many members as its table has rows. */
static void s_tables_are_whole (void **state)
{
    (void)state;
    size_t rows = 0;
    for (const zc_figure_t *row = zc_worker_figures; row->name; row++)
        assert_int_equal (row->offset, sizeof (uint64_t) * rows++);
    assert_int_equal (sizeof (zc_worker_figures_t), sizeof (uint64_t) * rows);
}

static void s_what_is_written_is_read (void **state)
{
    (void)state;
    zc_broker_figures_t figures, again = {0};
    uint64_t *numbers = (uint64_t *)&figures;
    for (size_t i = 0; i < sizeof figures / sizeof *numbers; i++)
        numbers[i] = i + 1;
    memset (figures.requests, 0, sizeof figures.requests);
    json_t *json = json_pack ("{s:s,s:{s:s}}", "version", "1", "dropped", "position", "0-0");
    zc_figures_write (zc_broker_figures, &figures, json);
    json_t *dropped = json_object_get (json, "dropped");
    assert_string_equal (json_string_value (json_object_get (dropped, "position")), "0-0");
    assert_int_equal (json_integer_value (json_object_get (dropped, "count")), figures.dropped);
    assert_true (json_is_real (json_object_get (json, "uptime")));
    assert_string_equal (json_string_value (json_object_get (json, "version")), "1");
    zc_figures_read (zc_broker_figures, &again, json);
    assert_memory_equal (&again, &figures, sizeof figures);
    json_decref (json);
}

/*  The program that answers may send anything. */
static void s_nonsense_is_nothing (void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "[]", "{\"clients\":\"x\",\"http\":3}",
                                        "{\"clients\":-5,\"http\":[1]}",
                                        "{\"clients\":null,\"http\":{\"requests\":{}}}"};
    for (size_t i = 0; i < LENGTH (texts); i++) {
        json_t *json = json_loads (texts[i], 0, NULL);
        zc_worker_figures_t worker = {.clients = 7};
        zc_front_figures_t front = {.requests = 7};
        double value;
        assert_non_null (json);
        zc_figures_read (zc_worker_figures, &worker, json);
        zc_figures_read (zc_front_figures, &front, json);
        assert_int_equal (worker.clients, 0);
        assert_int_equal (front.requests, 0);
        assert_false (zc_figure_value (&zc_front_figures[0], json, &value));
        json_decref (json);
    }
    json_t *json = json_loads ("{\"clients\":1e300,\"interval_us\":250}", 0, NULL);
    zc_worker_figures_t worker;
    double value;
    zc_figures_read (zc_worker_figures, &worker, json);
    assert_true (worker.clients == UINT64_MAX && worker.interval_us == 250);
    for (const zc_figure_t *row = zc_worker_figures; row->name; row++)
        if (strcmp (row->name, "interval_us") == 0) {
            assert_true (zc_figure_value (row, json, &value));
            assert_true (value > 0.000249 && value < 0.000251); /* seconds */
        }
    json_decref (json);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_rows_differ),
        cmocka_unit_test (s_tables_are_whole),
        cmocka_unit_test (s_what_is_written_is_read),
        cmocka_unit_test (s_nonsense_is_nothing),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
