#include "tests/unit/unit.h"

#include "lib/base/table.h"

#define NODES 5000

typedef struct {
    zc_node_t node;
    unsigned key;
    bool in;
} s_node_t;

static bool s_same (const zc_node_t *node, const void *key)
{
    return ((const s_node_t *)node)->key == *(const unsigned *)key;
}

/*  Random insertions and removals, also while it grows, and hashes that collide. */
static void s_nodes_against_a_model (void **state)
{
    (void)state;
    s_node_t *nodes = calloc (NODES, sizeof *nodes);
    zc_table_t index;
    unsigned seed = 1;
    size_t size = 0;
    zc_table_init (&index);
    for (unsigned i = 0; i < NODES; i++)
        nodes[i].key = i;
    for (int turn = 0; turn < 200000; turn++) {
        s_node_t *node = &nodes[(unsigned)rand_r (&seed) % NODES];
        uint64_t hash = zc_hash (&node->key, sizeof node->key, 7) & 0x3ff;
        assert_ptr_equal (zc_table_find (&index, hash, s_same, &node->key),
                          node->in ? &node->node : NULL);
        if (node->in)
            zc_table_remove (&index, &node->node);
        else
            zc_table_insert (&index, &node->node, hash);
        node->in = !node->in;
        size += node->in ? 1 : (size_t)-1;
        assert_int_equal (index.size, size);
    }
    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal (zc_table_find (&index, zc_hash (&i, sizeof i, 7) & 0x3ff, s_same, &i) !=
                              NULL,
                          nodes[i].in);
    zc_table_cursor_t at = {0};
    for (zc_node_t *node; (node = zc_table_next (&index, &at)); size--) {
        assert_true (((s_node_t *)node)->in);
        ((s_node_t *)node)->in = false;
        zc_table_remove (&index, node);
    }
    assert_int_equal (size, 0);
    assert_int_equal (index.size, 0);
    zc_table_clear (&index);
    free (nodes);
}

static void s_hashes (void **state)
{
    (void)state;
    uint8_t bytes[64] = {0};
    for (size_t len = 0; len < sizeof bytes; len++) {
        uint64_t hash = zc_hash (bytes, len, 0);
        assert_int_equal (zc_hash (bytes, len, 0), hash);
        assert_int_not_equal (zc_hash (bytes, len + 1, 0), hash);
        assert_int_not_equal (zc_hash (bytes, len, 1), hash);
        if (len == 0)
            continue;
        bytes[len - 1] ^= 1;
        assert_int_not_equal (zc_hash (bytes, len, 0), hash);
        bytes[len - 1] ^= 1;
    }
}

/*  An insertion costs no more than moving a few buckets, however many entries there are. */
static void s_grows_by_degrees (void **state)
{
    (void)state;
    s_node_t *nodes = calloc (NODES, sizeof *nodes);
    zc_table_t table;
    zc_table_init (&table);
    size_t most = 0;
    for (unsigned i = 0; i < NODES; i++) {
        size_t before = table.old ? table.moved : 0;
        zc_table_insert (&table, &nodes[i].node, zc_hash (&i, sizeof i, 7));
        size_t moved = table.old ? table.moved - before : 0;
        most = moved > most ? moved : most;
    }
    assert_in_range (most, 1, 8);
    zc_table_clear (&table);
    free (nodes);
}

typedef struct {
    zc_node_t node;
    zc_slice_t key;
    char text[16];
    bool in;
} s_object_t;

#define OBJECTS 3000
static s_object_t s_objects[OBJECTS];

static void s_objects_against_a_model (void **state)
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
            zc_table_remove (&table, &object->node);
        else
            zc_table_add (&table, object);
        count = object->in ? count - 1 : count + 1;
        object->in = !object->in;
        assert_int_equal (table.size, count);
    }
    zc_table_cursor_t at = {0};
    size_t seen = 0;
    s_object_t *object;
    while ((object = zc_table_next (&table, &at))) {
        assert_true (object->in);
        seen++;
    }
    assert_int_equal (seen, count);
    zc_table_clear (&table);
    assert_null (zc_table_get (&table, s_objects[0].key));
    zc_table_add (&table, &s_objects[0]); /* it can be used again */
    assert_ptr_equal (zc_table_get (&table, s_objects[0].key), &s_objects[0]);
    zc_table_clear (&table);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_nodes_against_a_model),
        cmocka_unit_test (s_objects_against_a_model),
        cmocka_unit_test (s_grows_by_degrees),
        cmocka_unit_test (s_hashes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
