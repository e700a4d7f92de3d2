/*  log_line_fuzz.c - any bytes as texts of a line in JSON: the line stays within its bounds, and is
 *  one object that another parser reads. The first two bytes say how long a text may be, and where
 *  the bytes are divided into texts. */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log_line.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_check (const zc_log_line_t *line)
{
    if (line->len >= ZC_LOG_LINE_MAX || line->text[line->len] ||
        !zc_text_plain (line->text, line->len))
        abort ();
    json_t *root =
        json_loadb (line->text, line->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!json_is_object (root))
        abort ();
    json_decref (root);
}

static void s_fields (zc_log_line_t *line, const char *names, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    zc_log_line_fields (line, (zc_slice_t){names, strlen (names)}, format, args);
    va_end (args);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static zc_log_line_t line;
    if (size < 2)
        return 0;
    size_t max = 3 + (size_t)data[0] * 16, piece = 1 + (size_t)data[1] * 8;
    const char *text = (const char *)data + 2;
    size_t left = size - 2;
    zc_log_line_begin (&line);
    for (unsigned i = 0; i < 26; i++) {
        char name[2] = {(char)('a' + i), 0};
        size_t len = left < piece ? left : piece;
        zc_log_line_text (&line, (zc_slice_t){name, 1}, (zc_slice_t){text, len}, max);
        text += len;
        left -= len;
    }
    s_fields (&line, "text - number", "%.*s %s %zu", (int)(left > 4096 ? 4096 : left), text, "-",
              left);
    zc_log_line_end (&line);
    s_check (&line);
    return 0;
}
