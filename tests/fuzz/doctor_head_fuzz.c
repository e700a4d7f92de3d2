/*  The head of an answer: whatever comes, no text of it can command a terminal or break JSON; and a
 *  head that was whole stays so when more follows. */
#include <stdlib.h>
#include <string.h>

#include "tools/doctor_head.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_check (const char *text)
{
    if (!zc_text_plain (text, strlen (text)))
        abort ();
}

static void s_check_all (const zc_doctor_head_t *head)
{
    s_check (head->server);
    s_check (head->type);
    s_check (head->encoding);
    s_check (head->location);
    s_check (head->cache);
    s_check (head->origin);
    s_check (head->accept);
    s_check (head->protocol);
    s_check (head->extensions);
    if (head->status < 0 || head->status > 999)
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_doctor_head_t head = {0}, again;
    zc_slice_t bytes = {(const char *)data, size};
    zc_doctor_head_line (&head, bytes);
    s_check_all (&head);
    head = (zc_doctor_head_t){0};
    long len = zc_doctor_head_read (&head, bytes);
    s_check_all (&head);
    if (len > (long)size ||
        (len > 0 && zc_doctor_head_read (&again, (zc_slice_t){bytes.at, (size_t)len}) != len))
        abort ();
    return 0;
}
