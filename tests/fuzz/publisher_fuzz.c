/*  A publisher whose broker may send anything. The bytes are messages to publish, answers to any
 *  request under way, connections that break or fail, and the passing of time. Each message is
 *  reported once, in order, whatever was answered. The target plays lib/peer/control.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/peer/publisher.h"
#include "lib/peer/control.h"

#define REQUESTS 64
#define MESSAGES 10000

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
    uint64_t number;
    zc_verb_t verb;
    zc_control_fn fn;
    void *arg;
} s_request_t;

struct zc_control {
    bool connected, lost;
    size_t count;
    s_request_t requests[REQUESTS];
};

static zc_control_t *s_control; /* the present one */
static uint64_t s_numbers, s_now_ms, s_added, s_reported, s_last;
static bool s_told[MESSAGES]; /* by number: it has been reported */

uint64_t __wrap_zc_mono_ms (void);

uint64_t __wrap_zc_mono_ms (void)
{
    return s_now_ms;
}

zc_control_t *zc_control_new_once (void *context, const char *endpoint, unsigned attempt)
{
    (void)context, (void)endpoint, (void)attempt;
    if (s_control)
        abort ();
    s_control = calloc (1, sizeof *s_control);
    return s_control;
}

bool zc_control_connected (zc_control_t *self)
{
    return self->connected;
}

bool zc_control_lost (zc_control_t *self)
{
    return self->lost;
}

void zc_control_destroy (zc_control_t **self_p)
{
    if (*self_p && (*self_p)->count)
        abort (); /* it is reset before: nothing is reported of a connection that is gone */
    free (*self_p);
    *self_p = s_control = NULL;
}

uint64_t zc_control_request (zc_control_t *self, const zc_ask_t *ask, unsigned timeout_ms,
                             zc_control_fn fn, void *arg)
{
    (void)timeout_ms;
    if (self->count == REQUESTS) {
        errno = EAGAIN;
        return 0;
    }
    self->requests[self->count++] = (s_request_t){++s_numbers, ask->verb, fn, arg};
    return s_numbers;
}

void zc_control_allow (zc_control_t *self, size_t max_payload)
{
    (void)self, (void)max_payload;
}

void zc_control_reset (zc_control_t *self)
{
    self->count = 0;
}

bool zc_control_is_sending (const zc_control_t *self)
{
    (void)self;
    return false;
}

uint64_t zc_control_moved_ms (zc_control_t *self)
{
    (void)self;
    return s_now_ms;
}

int zc_control_read (zc_control_t *self, int max)
{
    (void)self, (void)max;
    return 0;
}

size_t zc_control_pollitems (zc_control_t *self, zmq_pollitem_t items[2])
{
    (void)self, (void)items;
    return 0;
}

long zc_control_timeout (const zc_control_t *self)
{
    (void)self;
    return -1;
}

/*  Gives one of the requests under way an answer of these frames. */
static void s_answer (zc_control_t *control, size_t index, zc_slice_t text)
{
    zc_slice_t frames[4] = {{text.at, 0}};
    zc_answer_t answer;
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == '|' && count < 3)
            frames[++count] = (zc_slice_t){text.at + i + 1, 0};
        else
            frames[count].len++;
    index %= control->count;
    s_request_t request = control->requests[index];
    zc_answer_parse (&answer, request.verb, frames, count + 1);
    if (!answer.more)
        control->requests[index] = control->requests[--control->count];
    request.fn (request.arg, &answer);
}

static void s_published (void *arg, const zc_published_t *published)
{
    uint64_t number;
    (void)arg;
    if (zc_text_u64 (published->topic.at, published->topic.len, UINT64_MAX, &number) != 0 ||
        published->code.len == 0 || number > s_added || s_told[number])
        abort ();
    bool dropped = zc_slice_is (published->code, "dropped");
    if (!dropped && number <= s_last)
        abort ();
    s_told[number] = true;
    s_last = dropped ? s_last : number;
    s_reported++;
}

static void s_add (zc_publisher_t *publisher, size_t size)
{
    static const char payload[70000];
    char topic[24];
    if (s_added + 1 == MESSAGES)
        return;
    int len = snprintf (topic, sizeof topic, "%llu", (unsigned long long)++s_added);
    zc_publisher_add (publisher, (zc_slice_t){topic, (size_t)len}, (zc_slice_t){payload, size},
                      (zc_slice_t){"", 0});
}

/*  One line of the input: a letter, and its arguments. */
static void s_step (zc_publisher_t *publisher, zc_slice_t line)
{
    char what = line.len ? line.at[0] : 0;
    zc_slice_t rest = {line.at + 1, line.len ? line.len - 1 : 0};
    if (what == 'a')
        s_add (publisher, rest.len % 1000);
    else if (what == 'b')
        s_add (publisher, 65537 + rest.len % 1000); /* so large that the limit is asked for */
    else if (what == 'd')
        zc_publisher_drop (publisher);
    else if (what == 'c' && s_control)
        s_control->connected = !s_control->lost;
    else if (what == 'l' && s_control)
        s_control->lost = true;
    else if (what == 't')
        s_now_ms += 500 * (rest.len + 1);
    else if (s_control && s_control->count)
        s_answer (s_control, (size_t)(what & 15), rest);
    zc_publisher_run (publisher);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_publisher_config_t config = {
        .control = "inproc://none", .window = 8, .max_bytes = 100000, .published = s_published};
    zc_slice_t rest = {(const char *)data, size};
    s_added = s_reported = s_last = 0;
    memset (s_told, 0, sizeof s_told);
    s_now_ms = 1000;
    zc_publisher_t *publisher = zc_publisher_new (NULL, &config);
    while (rest.len) {
        const char *end = memchr (rest.at, '\n', rest.len);
        zc_slice_t line = {rest.at, end ? (size_t)(end - rest.at) : rest.len};
        s_step (publisher, line);
        rest.at += line.len + (end != NULL);
        rest.len -= line.len + (end != NULL);
    }
    const zc_publisher_stats_t *stats = zc_publisher_stats (publisher);
    if (s_reported + stats->waiting != s_added ||
        stats->published + stats->refused + stats->dropped != s_reported)
        abort ();
    zc_publisher_destroy (&publisher);
    return 0;
}
