#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/table.h"

typedef struct {
    zc_slice_t key;
    char text[16];
    bool in;
} s_object_t;

#define OBJECTS 3000
static s_object_t s_objects[OBJECTS];

static void s_against_a_model (void **state)
{
    (void)state;
    zc_table_t table;
    unsigned seed = 1;
    size_t count = 0;
    zc_table_init (&table);
    for (size_t i = 0; i < OBJECTS; i++) {
        int len = snprintf (s_objects[i].text, sizeof s_objects[i].text, "topic/%zu", i);
        s_objects[i].key = (zc_slice_t){s_objects[i].text, (size_t)len};
    }
    for (size_t turn = 0; turn < 100000; turn++) {
        s_object_t *object = &s_objects[(size_t)rand_r (&seed) % OBJECTS];
        assert_ptr_equal (zc_table_get (&table, object->key), object->in ? object : NULL);
        if (object->in)
            zc_table_remove (&table, object);
        else
            zc_table_add (&table, object);
        count = object->in ? count - 1 : count + 1;
        object->in = !object->in;
        assert_int_equal (table.count, count);
    }
    size_t at = 0, seen = 0;
    s_object_t *object;
    while ((object = zc_table_next (&table, &at))) {
        assert_true (object->in);
        seen++;
    }
    assert_int_equal (seen, count);
    zc_table_clear (&table);
    assert_null (zc_table_get (&table, s_objects[0].key));
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (s_against_a_model)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
