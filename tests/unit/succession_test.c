/*  What a program inherits from the binary that it replaces. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/base/succession.h"

#define VARIABLE "ZCAST_SUCCESSION"

static const zc_inheritance_t *s_inherit (const char *text)
{
    static char *words[] = {(char *)"zcast", NULL};
    setenv (VARIABLE, text, 1);
    zc_succession_init (words);
    assert_null (getenv (VARIABLE));
    return zc_succession_inherited ();
}

static void test_nothing (void **state)
{
    (void)state;
    static char *words[] = {(char *)"zcast", NULL};
    unsetenv (VARIABLE);
    zc_succession_init (words);
    assert_int_equal (zc_succession_inherited ()->role, ZC_SUCCESSION_NONE);
}

static void test_good (void **state)
{
    (void)state;
    char text[128];
    int fds[2];
    assert_int_equal (pipe (fds), 0);
    snprintf (text, sizeof text, "worker 7 %d %d", fds[0], fds[1]);
    const zc_inheritance_t *self = s_inherit (text);
    assert_int_equal (self->role, ZC_SUCCESSION_WORKER);
    assert_int_equal (self->index, 7);
    assert_int_equal (self->listener, fds[0]);
    assert_int_equal (self->predecessor, fds[1]);
    assert_int_equal (self->channel, -1);
    assert_int_equal (fcntl (fds[0], F_GETFD), FD_CLOEXEC);
    snprintf (text, sizeof text, "worker 0 %d %d %d", fds[0], fds[1], fds[1]);
    assert_int_equal (s_inherit (text)->channel, fds[1]);
    snprintf (text, sizeof text, "master %d 123 %d 0 %d", fds[0], fds[1], fds[1]);
    self = s_inherit (text);
    assert_int_equal (self->role, ZC_SUCCESSION_MASTER);
    assert_int_equal (self->count, 2);
    assert_int_equal (self->heirs[0].pid, 123);
    assert_int_equal (self->heirs[1].pid, 0);
    assert_int_equal (self->heirs[1].channel, fds[1]);
    snprintf (text, sizeof text, "worker 0 - %d", fds[1]);
    self = s_inherit (text);
    assert_int_equal (self->role, ZC_SUCCESSION_WORKER);
    assert_int_equal (self->listener, -1);
    assert_int_equal (self->predecessor, fds[1]);
    snprintf (text, sizeof text, "master - 123 %d", fds[0]);
    self = s_inherit (text);
    assert_int_equal (self->role, ZC_SUCCESSION_MASTER);
    assert_int_equal (self->listener, -1);
    assert_int_equal (self->heirs[0].channel, fds[0]);
    close (fds[0]);
    close (fds[1]);
}

/*  Whoever sets the variable can't make it more than a usual start. */
static void test_bad (void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "worker",
        "worker 0",
        "worker 0 900 900",
        "worker 0 -",
        "worker 0 - 900",
        "worker 0 -5 0",
        "master -",
        "worker -1 0 0",
        "worker 0 0",
        "worker 999 0 0",
        "worker x 0 0",
        "worker 0 1 2",
        "master",
        "master 900",
        "master 900 1 900",
        "master 0 1 0",
        "heir 0 0 0",
        "worker 0 0 99999999999999999999",
    };
    for (size_t i = 0; i < LENGTH (table); i++) {
        const zc_inheritance_t *self = s_inherit (table[i]);
        assert_int_equal (self->role, ZC_SUCCESSION_NONE);
        assert_int_equal (self->listener, -1);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_nothing),
        cmocka_unit_test (test_good),
        cmocka_unit_test (test_bad),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
