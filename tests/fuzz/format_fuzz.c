/*  A format of lines. What is taken writes a message; escaped, its topic commands no terminal. */
#include <stdlib.h>
#include <string.h>

#include "tools/format.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const zc_message_t message = {.topic = {"a", 1},
                                         .payload = {"\x1b[2J", 4},
                                         .meta = {"id: 1-0\nprev: 0-0\nkey: k\n", 25},
                                         .id = 1 << ZC_ID_COUNTER_BITS};
    char error[200];
    char *text = malloc (size + 1);
    if (!text)
        abort ();
    memcpy (text, data, size);
    text[size] = 0;
    zc_buf_t out = ZC_BUF_INIT;
    zc_format_t *format = zc_format_new (text, error, sizeof error);
    if (format)
        zc_format_write (format, &message, true, &out);
    bool own = memchr (text, '\x1b', size) || strstr (text, "\\x1");
    if (out.len && !own && memchr (out.data, '\x1b', out.len))
        abort ();
    zc_buf_clear (&out);
    zc_format_destroy (&format);
    free (text);
    return 0;
}
