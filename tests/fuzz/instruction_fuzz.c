/*  An instruction, and a list of instructions. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/answer.h"
#include "lib/wire/instruction.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  What was accepted is written as one line, which is read as the same. */
static void s_check (zc_slice_t text)
{
    zc_instruction_t one, again;
    zc_buf_t first = ZC_BUF_INIT, second = ZC_BUF_INIT;
    const char *error = NULL;
    if (zc_instruction_parse (&one, text, &error) != 0) {
        if (!error || one.json)
            abort ();
        return;
    }
    zc_instruction_write (&one, &first);
    if (memchr (first.data, '\n', first.len) ||
        zc_instruction_parse (&again, (zc_slice_t){(char *)first.data, first.len}, &error) != 0)
        abort ();
    zc_instruction_write (&again, &second);
    if (again.kind != one.kind || second.len != first.len ||
        memcmp (first.data, second.data, first.len) != 0)
        abort ();
    zc_instruction_clear (&one);
    zc_instruction_clear (&again);
    zc_buf_clear (&first);
    zc_buf_clear (&second);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_slice_t list = {(const char *)data, size}, text;
    zc_id_t number;
    s_check (list);
    while (zc_instruction_next (&list, &number, &text))
        s_check (text);
    return 0;
}
