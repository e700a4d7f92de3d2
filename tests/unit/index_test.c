#include "tests/unit/unit.h"

#include "broker/index.h"

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
static void s_against_a_model (void **state)
{
    (void)state;
    s_node_t *nodes = calloc (NODES, sizeof *nodes);
    zc_index_t index;
    unsigned seed = 1;
    size_t size = 0;
    zc_index_init (&index);
    for (unsigned i = 0; i < NODES; i++)
        nodes[i].key = i;
    for (int turn = 0; turn < 200000; turn++) {
        s_node_t *node = &nodes[(unsigned)rand_r (&seed) % NODES];
        uint64_t hash = zc_hash (&node->key, sizeof node->key, 7) & 0x3ff;
        assert_ptr_equal (zc_index_find (&index, hash, s_same, &node->key),
                          node->in ? &node->node : NULL);
        if (node->in)
            zc_index_remove (&index, &node->node);
        else
            zc_index_insert (&index, &node->node, hash);
        node->in = !node->in;
        size += node->in ? 1 : (size_t)-1;
        assert_int_equal (index.size, size);
    }
    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal (zc_index_find (&index, zc_hash (&i, sizeof i, 7) & 0x3ff, s_same, &i) !=
                              NULL,
                          nodes[i].in);
    size_t at = 0;
    for (zc_node_t *node; (node = zc_index_pop (&index, &at)); size--) {
        assert_true (((s_node_t *)node)->in);
        ((s_node_t *)node)->in = false;
    }
    assert_int_equal (size, 0);
    assert_int_equal (index.size, 0);
    zc_index_clear (&index);
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

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_against_a_model),
        cmocka_unit_test (s_hashes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
