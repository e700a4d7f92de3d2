/*  The file of the last position and its line; also files of an earlier version, and damaged
 *  ones. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/history/position.h"

static char s_path[] = "/tmp/zcast-position-XXXXXX";

static zc_position_t *s_open (zc_line_t *line, bool *made)
{
    char error[300] = "";
    zc_position_t *position = zc_position_new (s_path, error, sizeof error);
    assert_string_equal (error, "");
    zc_position_line (position, 100, line, made);
    return position;
}

static void s_write (const void *bytes, size_t at, size_t size)
{
    FILE *file = fopen (s_path, "r+");
    assert_non_null (file);
    fseek (file, (long)at, SEEK_SET);
    assert_int_equal (fwrite (bytes, 1, size, file), size);
    fclose (file);
}

static void test_line_lasts (void **state)
{
    (void)state;
    zc_line_t first, again, other;
    bool made;
    zc_position_t *position = s_open (&first, &made);
    assert_true (made);
    assert_true (zc_line_follows (&first, 100));
    zc_position_destroy (&position, 500);
    position = s_open (&again, &made);
    assert_false (made);
    assert_true (zc_line_same (&first, &again));
    assert_int_equal (zc_position_reserved (position), 500);
    zc_position_destroy (&position, 600);

    assert_int_equal (truncate (s_path, 32), 0); /* of an earlier version */
    position = s_open (&other, &made);
    assert_true (made);
    assert_false (zc_line_same (&first, &other));
    assert_int_equal (zc_position_reserved (position), 600);
    zc_position_destroy (&position, 700);

    s_write ("damage", 35, 6);
    position = s_open (&again, &made);
    assert_true (made);
    assert_false (zc_line_same (&again, &other));
    assert_int_equal (zc_position_reserved (position), 700);
    zc_position_destroy (&position, 800);

    s_write ("damage", 9, 6);
    position = s_open (&other, &made);
    assert_true (made); /* nothing of it is used */
    assert_int_equal (zc_position_reserved (position), 0);
    zc_position_destroy (&position, 900);
    unlink (s_path);
}

int main (void)
{
    close (mkstemp (s_path));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_line_lasts),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
