/*  unit.h - cmocka with the headers that it needs first, and what several tests use. */
#ifndef ZC_UNIT_H
#define ZC_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LENGTH(array) (sizeof (array) / sizeof *(array))
/*  A literal with the NUL bytes in it. */
#define SLICE(literal) ((zc_slice_t){(literal), sizeof (literal) - 1})

#define assert_slice(slice, text)                                              \
    do {                                                                       \
        assert_int_equal ((slice).len, strlen (text));                         \
        assert_memory_equal ((slice).at ? (slice).at : "", text, (slice).len); \
    } while (0)

#endif
