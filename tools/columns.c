/*  columns.c - see columns.h. */
#include "tools/columns.h"

#include <stdlib.h>

#include "tools/human.h"

void zc_columns_cell (zc_columns_t *self, const char *text)
{
    self->cells = realloc (self->cells, (self->cell_count + 1) * sizeof *self->cells);
    if (!self->cells)
        abort ();
    char *copy = zc_human_shown (text);
    int width = zc_human_width (copy);
    int *widest = &self->width[self->cell_count % self->count];
    if (width > *widest)
        *widest = width;
    self->cells[self->cell_count++] = copy;
}

void zc_columns_numbers (zc_columns_t *self, const uint64_t *numbers, size_t count)
{
    char text[ZC_HUMAN_SIZE];
    for (size_t i = 0; i < count; i++)
        zc_columns_cell (self, zc_human_count ((double)numbers[i], text));
}

void zc_columns_begin (zc_columns_t *self, const zc_column_t *columns, size_t count)
{
    if (count > ZC_COLUMNS_MAX)
        abort ();
    *self = (zc_columns_t){.columns = columns, .count = count};
    for (size_t i = 0; i < count; i++)
        zc_columns_cell (self, columns[i].title);
}

void zc_columns_end (zc_columns_t *self, const char *before, FILE *out)
{
    bool rows = self->cell_count > self->count;
    if (rows)
        fputs (before, out);
    for (size_t i = 0; i < self->cell_count; i++) {
        size_t column = i % self->count;
        bool left = self->columns[column].left, last = column + 1 == self->count;
        int pad = self->width[column] - zc_human_width (self->cells[i]);
        if (rows)
            fprintf (out, "%*s%s%*s%s", left ? 0 : pad, "", self->cells[i], left && !last ? pad : 0,
                     "", last ? "\n" : "  ");
        free (self->cells[i]);
    }
    free (self->cells);
}
