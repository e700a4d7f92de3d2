/*  slots_test.c - sets whose objects know their places, compared with a model: objects are taken
 *  out, blanked and popped in any order. */
#include "tests/unit/unit.h"

#include "lib/base/heap.h"
#include "lib/base/slots.h"

#define OBJECTS 200

typedef struct {
    size_t slot;
    uint64_t order;
} s_object_t;

static s_object_t s_objects[OBJECTS];

static void s_check (const zc_slots_t *slots)
{
    for (size_t i = 0; i < slots->count; i++) {
        const s_object_t *object = slots->at[i].item;
        if (object)
            assert_int_equal (object->slot, i + 1);
    }
    for (size_t i = 0; i < OBJECTS; i++) {
        size_t slot = s_objects[i].slot;
        if (slot)
            assert_ptr_equal (slots->at[slot - 1].item, &s_objects[i]);
    }
}

static void test_against_a_model (void **state)
{
    (void)state;
    zc_slots_t slots = {0};
    unsigned seed = 1;
    memset (s_objects, 0, sizeof s_objects);
    for (size_t turn = 0; turn < 20000; turn++) {
        s_object_t *object = &s_objects[(size_t)rand_r (&seed) % OBJECTS];
        int what = rand_r (&seed) % 8;
        if (!object->slot)
            zc_slots_add (&slots, object, &object->slot);
        else if (what == 0)
            zc_slots_blank (&slots, &object->slot);
        else if (what == 1)
            assert_non_null (zc_slots_pop (&slots));
        else
            zc_slots_take (&slots, &object->slot);
        s_check (&slots);
    }
    zc_slots_clear (&slots);
    for (size_t i = 0; i < OBJECTS; i++)
        assert_int_equal (s_objects[i].slot, 0);
}

static void test_what_is_in_none (void **state)
{
    (void)state;
    zc_slots_t slots = {0};
    size_t slot = 0;
    zc_slots_take (&slots, &slot);
    zc_slots_blank (&slots, &slot);
    assert_null (zc_slots_pop (&slots));
    zc_slots_add (&slots, &slots, &slot);
    zc_slots_blank (&slots, &slot);
    assert_int_equal (slots.count, 1); /* its place stays */
    assert_null (zc_slots_pop (&slots));
    assert_int_equal (slots.count, 0);
    zc_slots_clear (&slots);
}

static uint64_t s_least (size_t *count)
{
    uint64_t least = UINT64_MAX;
    *count = 0;
    for (size_t i = 0; i < OBJECTS; i++) {
        if (!s_objects[i].slot)
            continue;
        ++*count;
        if (s_objects[i].order < least)
            least = s_objects[i].order;
    }
    return least;
}

/*  Those with the lowest numbers come first, and each of them once. */
static void s_check_firsts (const zc_heap_t *heap, size_t max)
{
    void *items[ZC_HEAP_FIRST_MAX];
    size_t count = zc_heap_firsts (heap, items, max), lower = 0;
    assert_int_equal (count, heap->count < max ? heap->count : max);
    for (size_t i = 1; i < count; i++)
        assert_true (((s_object_t *)items[i - 1])->order <= ((s_object_t *)items[i])->order);
    for (size_t i = 0; count && i < OBJECTS; i++)
        lower += s_objects[i].slot && s_objects[i].order < ((s_object_t *)items[count - 1])->order;
    assert_true (lower < count || count == 0);
}

static void test_heap_against_a_model (void **state)
{
    (void)state;
    zc_heap_t heap = {0};
    unsigned seed = 1;
    size_t count;
    memset (s_objects, 0, sizeof s_objects);
    for (size_t turn = 0; turn < 20000; turn++) {
        s_object_t *object = &s_objects[(size_t)rand_r (&seed) % OBJECTS];
        if (object->slot && turn % 3 == 0) {
            object->order = (uint64_t)rand_r (&seed) % 50;
            zc_heap_set (&heap, &object->slot, object->order);
        } else if (object->slot) {
            zc_heap_take (&heap, &object->slot);
        } else {
            object->order = (uint64_t)rand_r (&seed) % 50; /* some are the same */
            zc_heap_add (&heap, object, object->order, &object->slot);
        }
        uint64_t least = s_least (&count);
        const s_object_t *first = zc_heap_first (&heap);
        assert_int_equal (heap.count, count);
        assert_int_equal (first ? first->order : UINT64_MAX, least);
        if (turn % 10 == 0)
            s_check_firsts (&heap, turn % (ZC_HEAP_FIRST_MAX + 1));
    }
    zc_heap_clear (&heap);
    assert_null (zc_heap_first (&heap));
    s_least (&count);
    assert_int_equal (count, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_against_a_model),
        cmocka_unit_test (test_what_is_in_none),
        cmocka_unit_test (test_heap_against_a_model),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
