/*  An answer of the broker: the first byte is the verb of the request, then come frames with
 *  \x1e between them. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/answer.h"

#define FRAMES_MAX 12

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static size_t s_split (zc_slice_t *frames, const char *at, size_t size)
{
    size_t count = 0;
    frames[0] = (zc_slice_t){at, 0};
    for (size_t i = 0; i < size; i++) {
        if (at[i] == '\x1e' && count + 1 < FRAMES_MAX)
            frames[++count] = (zc_slice_t){at + i + 1, 0};
        else
            frames[count].len++;
    }
    return count + 1;
}

/*  The answer is written as it was, except for zeros before numbers; then the second writing
 *  equals the first. */
static void s_check_writing (const zc_answer_t *answer)
{
    zc_answer_frames_t out, out_again;
    zc_answer_t again;
    zc_answer_write (answer, &out);
    zc_answer_parse (&again, answer->verb, out.frames, out.count);
    if (again.kind != answer->kind || again.more != answer->more)
        abort ();
    zc_answer_write (&again, &out_again);
    if (out_again.count != out.count)
        abort ();
    for (size_t i = 0; i < out.count; i++)
        if (zc_slice_compare (out.frames[i], out_again.frames[i]) != 0)
            abort ();
}

/*  An accepted answer has all that a worker relies on. */
static void s_check (zc_answer_t *answer)
{
    zc_slice_t topic;
    zc_id_t last;
    size_t lines = 0;
    while (zc_lasts_next (&answer->lasts, &last))
        lines++;
    while (answer->verb == ZC_INSTRUCTIONS && zc_instruction_next (&answer->listed, &last, &topic))
        continue;
    while (zc_listed_next (&answer->listed, &last, &topic))
        lines += zc_topic_valid (topic.at, topic.len) ? 1 : ZC_TOPICS_MAX + 1;
    zc_topic_kept_t kept;
    while (zc_topic_kept_next (&answer->kept, &kept))
        lines += zc_topic_valid (kept.topic.at, kept.topic.len) ? 1 : ZC_TOPICS_MAX + 1;
    if (answer->lasts.len || answer->listed.len || answer->kept.len || lines > ZC_TOPICS_MAX)
        abort ();
    const zc_message_t *message = &answer->message;
    if (answer->kind == ZC_MSG && !zc_topic_valid (message->topic.at, message->topic.len))
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_slice_t frames[FRAMES_MAX];
    zc_answer_t answer;
    if (size == 0)
        return 0;
    size_t count = s_split (frames, (const char *)data + 1, size - 1);
    zc_answer_parse (&answer, (zc_verb_t)(data[0] % ZC_VERBS), frames, count);
    if (answer.kind == ZC_NO_ANSWER || (answer.kind == ZC_MALFORMED && answer.text.len == 0))
        abort ();
    if (answer.kind == ZC_MALFORMED)
        return 0;
    s_check_writing (&answer);
    s_check (&answer);
    return 0;
}
