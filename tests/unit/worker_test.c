/*  worker_test.c - the frame of a worker, driven from its own loop: a timer plays the broker, sends
 *  the process its signals, and looks at what the worker does. */
#include "tests/unit/upstream.h"

#include <signal.h>
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/log.h"
#include "lib/engine/worker.h"

#define LIMIT_MS 30000 /* far more than anything here takes */

static const zc_option_t s_options[] = {ZC_WORKER_OPTIONS, ZC_OPTION_END};
static const zc_program_t s_program = {
    .program = "worker_test", .section = "test", .usage = "", .summary = "", .options = s_options};

typedef struct s_world s_world_t;
struct s_world {
    upstream_t upstream;
    char config[96]; /* a file */
    zc_options_t *options;
    zc_worker_t *worker;
    uv_timer_t timer;
    uint64_t end_ms;
    bool refuses;   /* to start */
    bool stays;     /* though it is to drain */
    bool gives_up;  /* time was over: something was waited for in vain */
    unsigned phase; /* of `step` */
    unsigned starts, drains, aborts, reloads;
    void (*step) (s_world_t *self);
};

static void s_end_timer (s_world_t *self)
{
    if (!uv_is_closing ((uv_handle_t *)&self->timer))
        uv_close ((uv_handle_t *)&self->timer, NULL);
}

static void s_on_timer (uv_timer_t *timer)
{
    s_world_t *self = timer->data;
    upstream_turn (&self->upstream);
    self->gives_up = zc_mono_ms () > self->end_ms;
    if (self->gives_up) {
        s_end_timer (self);
        zc_worker_stop (self->worker);
    } else if (self->step) {
        self->step (self);
    }
}

static int s_start (void *arg, zc_worker_t *worker)
{
    s_world_t *self = arg;
    self->starts++;
    self->worker = worker;
    if (self->refuses)
        return -1;
    uv_timer_init (zc_worker_loop (worker), &self->timer);
    self->timer.data = self;
    uv_timer_start (&self->timer, s_on_timer, 1, 1);
    return 0;
}

static void s_leave (s_world_t *self)
{
    s_end_timer (self);
    zc_worker_stop (self->worker);
}

static void s_drain (void *arg)
{
    s_world_t *self = arg;
    self->drains++;
    if (!self->stays)
        s_leave (self);
}

static void s_abort (void *arg)
{
    s_world_t *self = arg;
    self->aborts++;
    s_end_timer (self);
}

static void s_reload (void *arg)
{
    ((s_world_t *)arg)->reloads++;
}

static void s_write_config (const s_world_t *self, const char *text)
{
    FILE *file = fopen (self->config, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
}

static int s_setup (void **state)
{
    s_world_t *self = calloc (1, sizeof *self);
    zc_log_open ("worker_test", ZC_LOG_ERROR, false);
    upstream_init (&self->upstream);
    self->upstream.last = zc_id_from_ms (zc_wall_ms ());
    snprintf (self->config, sizeof self->config, "%s/conf", self->upstream.folder);
    *state = self;
    return 0;
}

static int s_teardown (void **state)
{
    s_world_t *self = *state;
    zc_options_destroy (&self->options);
    unlink (self->config);
    upstream_end (&self->upstream);
    free (self);
    return 0;
}

/*  Runs a worker with the options in `config` until it ends. */
static int s_run (s_world_t *self, const char *config, void (*step) (s_world_t *self))
{
    char *argv[] = {"worker_test",
                    "--config",
                    self->config,
                    "--subscribe",
                    self->upstream.subscribe,
                    "--control",
                    self->upstream.control,
                    NULL};
    const zc_service_t service = {
        .arg = self, .start = s_start, .drain = s_drain, .abort = s_abort, .reload = s_reload};
    int status;
    s_write_config (self, config);
    self->options = zc_options_new (&s_program, 7, argv, &status);
    assert_non_null (self->options);
    self->step = step;
    self->end_ms = zc_mono_ms () + LIMIT_MS;
    status = zc_worker_run (self->options, "test.0", &service);
    assert_false (self->gives_up);
    return status;
}

/*  A service that can't start ends the program, and isn't asked to drain. */
static void test_a_service_that_does_not_start (void **state)
{
    s_world_t *self = *state;
    self->refuses = true;
    assert_int_equal (s_run (self, "", NULL), ZC_EXIT_FAILURE);
    assert_int_equal (self->starts, 1);
    assert_int_equal (self->drains + self->aborts + self->reloads, 0);
}

static void s_terminate_twice (s_world_t *self)
{
    if (self->phase == 0 && zc_link_connected (zc_worker_link (self->worker))) {
        self->phase++;
        raise (SIGTERM);
    } else if (self->phase == 1 && self->drains > 0) {
        self->phase++;
        raise (SIGINT);
    } else if (self->phase > 1 && self->phase++ > 50) { /* turns, for the second signal */
        s_leave (self);
    }
}

/*  The first signal drains, and further ones change nothing: the service says when it is over. */
static void test_drain (void **state)
{
    s_world_t *self = *state;
    self->stays = true;
    assert_int_equal (s_run (self, "test\n    drain-timeout = 10m\n", s_terminate_twice),
                      ZC_EXIT_OK);
    assert_int_equal (self->drains, 1);
    assert_int_equal (self->aborts, 0);
}

static void s_terminate (s_world_t *self)
{
    if (self->phase++ == 0)
        raise (SIGTERM);
}

/*  Clients that don't leave are closed when the time is over, and the worker ends. */
static void test_drain_is_over (void **state)
{
    s_world_t *self = *state;
    self->stays = true;
    assert_int_equal (s_run (self, "test\n    drain-timeout = 20ms\n", s_terminate), ZC_EXIT_OK);
    assert_int_equal (self->drains, 1);
    assert_int_equal (self->aborts, 1);
}

static unsigned s_retry (const s_world_t *self)
{
    unsigned most = 0;
    for (int i = 0; i < 100; i++) {
        unsigned one = zc_worker_retry (self->worker);
        most = one > most ? one : most;
    }
    return most;
}

static void s_reload_twice (s_world_t *self)
{
    switch (self->phase) {
    case 0:
        assert_in_range (s_retry (self), 100, 1500);
        s_write_config (self, "test\n    retry = 10s\n");
        break;
    case 1:
        if (self->reloads == 0)
            return;
        assert_in_range (s_retry (self), 5000, 15000);
        s_write_config (self, "test\n    retry = soon\n");
        break;
    default:
        if (self->phase++ < 50) /* time for the signal */
            return;
        assert_int_equal (self->reloads, 1);
        assert_in_range (s_retry (self), 5000, 15000);
        s_leave (self);
        return;
    }
    self->phase++;
    raise (SIGHUP);
}

/*  A reload goes to the service; one of a file with a fault changes nothing. */
static void test_reload (void **state)
{
    s_world_t *self = *state;
    assert_int_equal (s_run (self, "test\n    retry = 1s\n", s_reload_twice), ZC_EXIT_OK);
    assert_int_equal (self->reloads, 1);
    assert_int_equal (self->drains, 0);
}

static void s_lose_the_broker (s_world_t *self)
{
    bool stale = zc_hub_stale (zc_worker_hub (self->worker));
    if (self->phase == 0 && upstream_count (self->upstream.asked, "SYNC") > 0) {
        assert_false (stale);
        upstream_close (&self->upstream);
        self->phase++;
    } else if (self->phase == 1 && stale) {
        upstream_open (&self->upstream);
        self->phase++;
    } else if (self->phase == 2 && !stale) {
        s_leave (self);
    }
}

/*  Without a broker the hub becomes stale, and a broker that answers again ends that. */
static void test_stale (void **state)
{
    s_world_t *self = *state;
    assert_int_equal (s_run (self, "test\n    stale-after = 1s\n", s_lose_the_broker), ZC_EXIT_OK);
    assert_int_equal (self->phase, 2);
}

static void s_wait_for_report (s_world_t *self)
{
    if (self->upstream.reported[0])
        s_leave (self);
}

/*  The broker has the worker's figures soon after it is there. */
static void test_report (void **state)
{
    s_world_t *self = *state;
    assert_int_equal (s_run (self, "", s_wait_for_report), ZC_EXIT_OK);
    assert_non_null (strstr (self->upstream.reported, "\"clients\":0"));
    assert_non_null (strstr (self->upstream.reported, "\"topics\":0"));
}

/*  What a program checks before it runs: each option that is wrong is named, with a reason. */
static void test_verify (void **state)
{
    static const zc_option_t options[] = {
        {.name = "listen", .type = ZC_OPT_TEXT, .preset = "127.0.0.1:1", .min = 1, .max = 255},
        {.name = "socket-mode", .type = ZC_OPT_TEXT, .preset = "0660", .min = 3, .max = 4},
        ZC_WORKER_OPTIONS,
        ZC_OPTION_END};
    static const zc_program_t program = {
        .program = "verify", .usage = "", .summary = "", .options = options, .keys = ""};
    static const struct {
        char *option, *value;
        const char *wrong;
    } cases[] = {
        {"--listen", "127.0.0.1:8081", NULL},
        {"--listen", "/run/x.sock", NULL},
        {"--listen", "nowhere", "listen"},
        {"--socket-mode", "0600", NULL},
        {"--socket-mode", "0999", "socket-mode"},
        {"--socket-mode", "7777", "socket-mode"},
        {"--name", "edge-1.north_2", NULL},
        {"--name", "a b", "name"},
        {"--default-event", "tick", NULL},
        {"--default-event", "zcast.tick", "default-event"},
        {"--default-event", "mercure", "default-event"},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH (cases); i++) {
        char *argv[] = {"verify", cases[i].option, cases[i].value, NULL}, error[512] = "";
        int status;
        zc_options_t *self = zc_options_new (&program, 3, argv, &status);
        assert_non_null (self);
        const char *wrong = zc_worker_verify (self, "listen", error, sizeof error);
        assert_string_equal (wrong ? wrong : "", cases[i].wrong ? cases[i].wrong : "");
        assert_int_equal (error[0] != 0, wrong != NULL);
        zc_options_destroy (&self);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_a_service_that_does_not_start, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_drain, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_drain_is_over, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_reload, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_stale, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_report, s_setup, s_teardown),
        cmocka_unit_test (test_verify),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
