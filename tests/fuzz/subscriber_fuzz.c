/*  A subscriber whose broker may send anything: the bytes are its answers, live messages,
 *  connections that come and break, and the passing of time. No message of a topic comes twice,
 *  or out of order, unless a gap was stated in between. The target plays the sockets:
 *  lib/peer/control.h, monitor.h, redial.h. */
#include <stdlib.h>
#include <string.h>

#include "lib/peer/control.h"
#include "lib/peer/monitor.h"
#include "lib/peer/redial.h"
#include "lib/peer/subscriber.h"
#include "tests/fuzz/input.h"

#define TOPICS 4
#define STEPS 1000
#define FRAMES 4

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const zc_slice_t s_names[TOPICS] = {{"a", 1}, {"b", 1}, {"p/1", 3}, {"p/2", 3}};

/*  The broker. */

struct zc_control {
    zc_verb_t verb;
    zc_control_fn fn; /* of the request under way; NULL: there is none */
    void *arg;
};

static zc_control_t s_control;
static zc_monitor_event_t s_news;
static uint64_t s_now_ms;
static zc_slice_t s_frames[FRAMES]; /* of the message that waits on SUB */
static size_t s_frame, s_frame_count;

uint64_t __wrap_zc_mono_ms (void);
int __wrap_zmq_msg_recv (zmq_msg_t *message, void *socket, int flags);
int __wrap_zmq_msg_more (const zmq_msg_t *message);

uint64_t __wrap_zc_mono_ms (void)
{
    return s_now_ms;
}

int __wrap_zmq_msg_recv (zmq_msg_t *message, void *socket, int flags)
{
    (void)socket, (void)flags;
    if (s_frame == s_frame_count)
        return -1;
    zc_slice_t frame = s_frames[s_frame++];
    zmq_msg_close (message);
    zmq_msg_init_size (message, frame.len);
    memcpy (zmq_msg_data (message), frame.at, frame.len);
    return (int)frame.len;
}

int __wrap_zmq_msg_more (const zmq_msg_t *message)
{
    (void)message;
    return s_frame < s_frame_count;
}

zc_control_t *zc_control_new (void *context, const char *endpoint)
{
    (void)context, (void)endpoint;
    s_control = (zc_control_t){0};
    return &s_control;
}

void zc_control_destroy (zc_control_t **self_p)
{
    *self_p = NULL;
}

bool zc_control_connected (zc_control_t *self)
{
    (void)self;
    return s_now_ms & 1;
}

uint64_t zc_control_request (zc_control_t *self, const zc_ask_t *ask, unsigned timeout_ms,
                             zc_control_fn fn, void *arg)
{
    (void)timeout_ms;
    if (self->fn)
        abort (); /* there is one request at a time */
    *self = (zc_control_t){ask->verb, fn, arg};
    return 1;
}

void zc_control_reset (zc_control_t *self)
{
    self->fn = NULL;
}

/*  One broker only: it is never left. */
void zc_control_move (zc_control_t *self, const char *endpoint)
{
    (void)self, (void)endpoint;
    abort ();
}

uint64_t zc_control_moved_ms (zc_control_t *self)
{
    (void)self;
    return s_now_ms;
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

static zc_message_t s_message (zc_buf_t *meta)
{
    zc_slice_t topic = s_names[s_byte () % TOPICS];
    zc_id_t id = s_id (), prev = s_id (), dropped = s_id ();
    zc_meta_write (meta, id, prev, dropped, (zc_slice_t){"", 0});
    return (zc_message_t){
        .topic = topic, .payload = {"x", 1}, .meta = {(const char *)meta->data, meta->len}};
}

/*  The fields of a good answer, in any order of reading. */
static void s_fill (zc_answer_t *answer, zc_buf_t *list)
{
    static const zc_slice_t lines[] = {{"one", 3}, {"two", 3}};
    answer->head = s_id ();
    answer->dropped = answer->forgotten = answer->floor = s_id ();
    answer->since = s_id ();
    answer->unknown = s_byte () & 1;
    answer->remaining = s_byte () & 3;
    answer->line = lines[s_byte () & 1];
    answer->doubt = s_id ();
    for (unsigned count = s_byte () % (TOPICS + 2); count; count--)
        if (answer->verb == ZC_SYNC)
            zc_lasts_add (list, s_id ());
        else
            zc_listed_add (list, s_id (), s_names[s_byte () % TOPICS]);
    answer->lasts = answer->listed = (zc_slice_t){(const char *)list->data, list->len};
}

static void s_error (zc_answer_t *answer)
{
    static const zc_slice_t codes[] = {{"busy", 4},   {"history", 7}, {"internal", 8},
                                       {"behind", 6}, {"since", 5},   {"arguments", 9},
                                       {"verb", 4}};
    answer->kind = ZC_ERR;
    answer->code = codes[s_byte () % (sizeof codes / sizeof *codes)];
    answer->text = (zc_slice_t){"no", 2};
}

/*  Through the codec, like all answers. */
static void s_give (zc_answer_t *written)
{
    zc_control_t request = s_control;
    zc_answer_frames_t out;
    zc_answer_t answer;
    zc_answer_write (written, &out);
    if (s_byte () % 16 == 0)
        out.frames[out.count - 1] = (zc_slice_t){"?!", 2};
    zc_answer_parse (&answer, request.verb, out.frames, out.count);
    if (!answer.more)
        s_control.fn = NULL;
    request.fn (request.arg, &answer);
}

static void s_answer (void)
{
    bool page = s_control.verb == ZC_FETCH;
    zc_buf_t list = ZC_BUF_INIT;
    zc_answer_t answer = {.verb = s_control.verb, .kind = page ? ZC_END : ZC_OK};
    unsigned what = s_byte () % 8;
    if (what == 0) {
        zc_control_t request = s_control;
        s_control.fn = NULL;
        request.fn (request.arg, &zc_answer_none);
        return;
    }
    if (what == 1) {
        s_error (&answer);
    } else if (what < 5 && page) {
        answer.kind = ZC_MSG;
        answer.message = s_message (&list);
    } else {
        s_fill (&answer, &list);
    }
    s_give (&answer);
    zc_buf_clear (&list);
}

/*  One answer for each step. */
int zc_control_read (zc_control_t *self, int max)
{
    (void)self, (void)max;
    return 0;
}

zc_monitor_t *zc_monitor_new (void *context, void *socket)
{
    (void)context;
    return socket;
}

void zc_monitor_destroy (zc_monitor_t **self_p)
{
    *self_p = NULL;
}

void *zc_monitor_socket (zc_monitor_t *self)
{
    return self;
}

zc_monitor_event_t zc_monitor_read (zc_monitor_t *self)
{
    zc_monitor_event_t news = s_news;
    (void)self;
    s_news = ZC_MONITOR_NOTHING;
    return news;
}

bool zc_monitor_is_sending (const zc_monitor_t *self)
{
    (void)self;
    return s_now_ms & 2;
}

bool zc_monitor_is_over (const zc_monitor_t *self)
{
    (void)self;
    return s_now_ms & 4;
}

void zc_give_up_sending (void *socket, int ms)
{
    (void)socket, (void)ms;
}

int zc_redial_connect (zc_redial_t *self, void *socket, const char *endpoint, unsigned attempt)
{
    (void)self, (void)socket, (void)endpoint, (void)attempt;
    return 0;
}

void zc_redial_clear (zc_redial_t *self)
{
    (void)self;
}

zc_monitor_event_t zc_redial_event (const zc_redial_t *self, zc_monitor_t *monitor)
{
    (void)self;
    return zc_monitor_read (monitor);
}

void zc_redial_good (zc_redial_t *self)
{
    (void)self;
}

void zc_redial_now (zc_redial_t *self)
{
    (void)self;
}

void zc_redial_move (zc_redial_t *self, const char *endpoint)
{
    (void)self, (void)endpoint;
    abort ();
}

void zc_redial_try (zc_redial_t *self)
{
    (void)self;
}

long zc_redial_timeout (const zc_redial_t *self)
{
    (void)self;
    return -1;
}

/*  The owner. */

static zc_id_t s_last[TOPICS]; /* the newest message of each that it has had */

static void s_take (void *arg, const zc_message_t *message)
{
    (void)arg;
    for (size_t i = 0; i < TOPICS; i++)
        if (zc_slice_compare (s_names[i], message->topic) == 0) {
            if (message->id <= s_last[i])
                abort ();
            s_last[i] = message->id;
            return;
        }
    abort (); /* nobody subscribed to it */
}

static void s_gap (void *arg, zc_slice_t topic, bool prefix, zc_id_t from, zc_id_t to)
{
    (void)arg, (void)topic, (void)prefix, (void)from, (void)to;
    memset (s_last, 0, sizeof s_last);
}

static void s_refused (void *arg, zc_slice_t code, zc_slice_t text)
{
    (void)arg, (void)code, (void)text;
}

static void s_send (zc_subscriber_t *subscriber, size_t count)
{
    zc_buf_t meta = ZC_BUF_INIT;
    zc_message_t message = s_message (&meta);
    s_frames[0] = message.topic;
    s_frames[1] = s_frames[3] = message.payload;
    s_frames[2] = message.meta;
    s_frame = 0;
    s_frame_count = count;
    zc_subscriber_run (subscriber);
    s_frame = s_frame_count = 0; /* a message that wasn't read is lost */
    zc_buf_clear (&meta);
}

static void s_step (zc_subscriber_t *subscriber)
{
    unsigned what = s_byte ();
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        if (s_control.fn)
            s_answer ();
        break;
    case 3:
    case 4:
        s_send (subscriber, 3);
        break;
    case 5:
        s_send (subscriber, 1 + what / 8 % FRAMES);
        break;
    case 6:
        s_news = what & 8 ? ZC_MONITOR_DOWN : ZC_MONITOR_UP;
        break;
    default:
        zc_subscriber_pause (subscriber, what & 8);
        s_now_ms += what * 20;
        break;
    }
    zc_subscriber_run (subscriber);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static void *context;
    static const char *const since[] = {NULL, "earliest", "0-40", "own"};
    if (!context)
        context = zmq_ctx_new ();
    s_at = data;
    s_left = size;
    s_now_ms = 1000;
    s_news = ZC_MONITOR_UP;
    s_frame = s_frame_count = 0;
    memset (s_last, 0, sizeof s_last);
    unsigned how = s_byte ();
    zc_subscriber_config_t config = {.subscribe = "inproc://none",
                                     .control = "inproc://none",
                                     .since = since[how % 4],
                                     .message = s_take,
                                     .gap = s_gap,
                                     .refused = s_refused};
    zc_subscriber_t *subscriber = zc_subscriber_new (context, &config);
    zc_subscriber_add (subscriber, s_names[0], false);
    zc_subscriber_add (subscriber, s_names[1], false);
    zc_subscriber_add (subscriber, how & 4 ? (zc_slice_t){"p/", 2} : s_names[2], how & 4);
    if (!(how & 4))
        zc_subscriber_add (subscriber, s_names[3], false);
    zc_subscriber_run (subscriber);
    for (int i = 0; i < STEPS && s_left; i++)
        s_step (subscriber);
    zc_subscriber_destroy (&subscriber);
    return 0;
}
