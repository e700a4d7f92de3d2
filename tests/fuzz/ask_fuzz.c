/*  A request on the control endpoint: frames, with \x1e between them. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/ask.h"
#include "lib/wire/selector.h"

#define FRAMES_MAX 200
#define MAX_PAYLOAD 100

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static size_t s_split (zc_slice_t *frames, const char *at, size_t size)
{
    size_t count = 0;
    frames[0] = (zc_slice_t){at, 0};
    for (size_t i = 0; i < size && count + 1 < FRAMES_MAX; i++) {
        if (at[i] == '\x1e')
            frames[++count] = (zc_slice_t){at + i + 1, 0};
        else
            frames[count].len++;
    }
    return count + 1;
}

/*  An accepted request has all that a broker relies on. */
static void s_check (const zc_ask_t *request)
{
    zc_slice_t topic;
    size_t at = 0, count = 0;
    bool prefixes = request->verb == ZC_TOPICS; /* of any bytes */
    bool selectors = request->verb == ZC_FETCH;
    for (; zc_ask_topic (request, &at, &topic); count++)
        if (prefixes ? topic.len > ZC_TOPIC_MAX
                     : !zc_topic_valid (topic.at, topic.len) &&
                           !(selectors && zc_is_topic_or_selector (topic)))
            abort ();
    bool reads = request->verb == ZC_REPLAY || request->verb == ZC_FETCH || prefixes;
    if (request->tag.len > ZC_TAG_MAX || request->nonce.len > ZC_NONCE_MAX || (reads && !count) ||
        (request->verb == ZC_FETCH && !request->count) ||
        (request->verb == ZC_LIST && (!request->count || request->count > ZC_LIST_MAX)) ||
        (request->verb == ZC_PURGE && !count) ||
        (request->next.len && !zc_topic_valid (request->after.at, request->after.len)) ||
        (request->verb == ZC_PUBLISH && request->message.payload.len > MAX_PAYLOAD))
        abort ();
}

/*  It is written as it was, except for zeros before numbers, and for topics that are too many
 *  for one request. */
static void s_check_writing (const zc_ask_t *request)
{
    zc_ask_frames_t out;
    zc_ask_t again;
    const char *text = NULL;
    if (request->frame_count > ZC_PREFIXES_MAX)
        return;
    zc_ask_write (request, &out);
    if (zc_ask_parse (&again, out.frames, out.count, MAX_PAYLOAD, &text) ||
        again.verb != request->verb || again.since != request->since ||
        again.since_kind != request->since_kind || again.count != request->count ||
        again.bytes != request->bytes || again.frame_count != request->frame_count ||
        zc_slice_compare (again.list, request->list) != 0 ||
        zc_slice_compare (again.prefix, request->prefix) != 0 ||
        zc_slice_compare (again.next, request->next) != 0 ||
        zc_slice_compare (again.nonce, request->nonce) != 0 ||
        zc_slice_compare (again.headers, request->headers) != 0 ||
        zc_slice_compare (again.json, request->json) != 0 ||
        zc_slice_compare (again.line, request->line) != 0)
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_slice_t frames[FRAMES_MAX];
    zc_ask_t request;
    const char *text = NULL;
    size_t count = s_split (frames, (const char *)data, size);
    if (!zc_ask_parse (&request, frames, count, MAX_PAYLOAD, &text)) {
        s_check (&request);
        s_check_writing (&request);
    } else if (!text) {
        abort ();
    }
    return 0;
}
