/*  columns.h - a table for people. Its rows are gathered first, so that each column is as wide
 *  as its contents. */
#ifndef ZC_COLUMNS_H
#define ZC_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ZC_COLUMNS_MAX 11

typedef struct {
    const char *title;
    bool left; /* aligned */
} zc_column_t;

typedef struct {
    const zc_column_t *columns;
    size_t count;
    char **cells; /* row by row */
    size_t cell_count;
    int width[ZC_COLUMNS_MAX];
} zc_columns_t;

/*  `columns` is borrowed until the end. */
void zc_columns_begin (zc_columns_t *self, const zc_column_t *columns, size_t count);
/*  Adds the next cell of a row. A '?' takes the place of each character that a terminal might
 *  obey. */
void zc_columns_cell (zc_columns_t *self, const char *text);
/*  Adds `count` cells with numbers. */
void zc_columns_numbers (zc_columns_t *self, const uint64_t *numbers, size_t count);
/*  Prints the table, after `before`, if it has rows; frees it in either case. */
void zc_columns_end (zc_columns_t *self, const char *before, FILE *out);

#endif
