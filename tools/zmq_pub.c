/*  zmq_pub.c - `zmq pub`: publishes messages from the command line, a file or standard input.
 *
 *  By default it uses the control endpoint, with acknowledgement (lib/peer/publisher.h). --fast
 *  uses the PUB endpoint, on an XPUB socket: unlike PUB, it tells when the broker's subscription
 *  has come, and with XPUB_NODROP it waits while its queue is full, so it drops nothing. There
 *  the broker would end the connection on a payload that is too large, without a word, so the
 *  broker is first asked on control for its limit. --http uses a zcast's public door
 *  (tools/http_pub.h). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/wire/message.h"
#include "lib/wire/traceparent.h"
#include "lib/peer/context.h"
#include "lib/peer/places.h"
#include "lib/peer/publisher.h"
#include "lib/peer/redial.h"
#include "tools/http_pub.h"
#include "tools/progress.h"
#include "tools/ndjson.h"
#include "tools/tool.h"

#define S_READ (64 * 1024)              /* bytes read at once */
#define S_UNANSWERED_MS 60000           /* --fast: a tunnel that reads slowly isn't gone */
#define S_LINE_MAX (64 * 1024 * 1024)   /* a longer line ends the program */
#define S_AHEAD 400                     /* lines queued, sent or not, before reading goes on */
#define S_AHEAD_BYTES (4 * 1024 * 1024) /* bytes in these lines */
#define S_FAST_SURE ZC_HEADERS_MAX      /* bytes of a payload that every broker accepts */
#define S_LIMITS_MS 2000                /* how long --fast waits for the broker's limit */

static const zc_option_t s_options[] = {
    {.name = "lines",
     .letter = 'l',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "each line of the input is a message, published as it comes"},
    {.name = "file",
     .letter = 'f',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "PATH",
     .help = "take the input from a file; -: standard input"},
    {.name = "event",
     .letter = 'e',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_EVENT_MAX,
     .argument = "NAME",
     .help = "the event's type"},
    {.name = "id",
     .letter = 'i',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_EVENT_ID_MAX,
     .argument = "ID",
     .help =
         "your own id of the event: a repeat is published once, another message under it refused"},
    {.name = "traceparent",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 512,
     .argument = "VALUE",
     .help = "the trace that the message belongs to, as W3C Trace Context has it"},
    {.name = "header",
     .letter = 'H',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = ZC_HEADERS_MAX,
     .argument = "NAME=VALUE",
     .help = "a header: ttl, private, retry, content-type, or your own; repeatable"},
    {.name = "quiet",
     .letter = 'q',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "do not print ids"},
    {.name = "fast",
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "without acknowledgement, through the publish endpoint"},
    {.name = "timeout",
     .letter = 't',
     .type = ZC_OPT_SECONDS,
     .preset = "5s",
     .max = 86400000,
     .argument = "TIME",
     .help = "how long a message may wait for the broker; 0: for ever"},
    {.name = "ndjson",
     .letter = 'n',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "each line of the input is a JSON object with topic, data and more, as zmq history "
             "--ndjson "
             "and zmq sub --json print them"},
    {.name = "key-field",
     .letter = 'k',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 100,
     .argument = "SEPARATOR",
     .help = "with --lines: each line begins with the key of its message, and this after it, such "
             "as ':' "
             "or '\\t'"},
    {.name = "repeat",
     .letter = 'r',
     .type = ZC_OPT_NUMBER,
     .preset = "1",
     .max = INT64_MAX,
     .argument = "N",
     .help = "publish the message N times; 0: until it is stopped"},
    {.name = "rate",
     .type = ZC_OPT_NUMBER,
     .preset = "0",
     .max = 10000000,
     .argument = "N",
     .help = "at most N messages a second; 0: no limit"},
    ZC_HTTP_OPTIONS,
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq pub",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... TOPIC [MESSAGE]\n  or:  zmq pub [OPTION]... --ndjson [TOPIC]",
    .words = 2,
    .summary =
        "Publishes MESSAGE, or else the whole of standard input, and prints the id that the broker "
        "gave it. It tries again until --timeout; a message is never published twice.",
    .epilog = "Examples:\n"
              "  zmq pub news 'hello, world'\n"
              "  zmq pub weather --event report --header ttl=3600 --file report.json\n"
              "  tail -F access.log | zmq pub host/access --lines --quiet --timeout 0\n"
              "  seq 100000 | zmq pub numbers --lines --fast\n"
              "  zmq pub tick now --repeat 0 --rate 1\n"
              "  zmq pub users --lines --key-field : < users.txt\n"
              "  zmq pub --ndjson < saved.ndjson\n"
              "  zmq pub news 'hello' --http https://www.example.org --token-file shop.key\n",
    .options = s_options,
};

typedef struct {
    const zc_options_t *options;
    zc_slice_t topic;
    zc_buf_t headers;
    bool lines, quiet;
    bool ndjson;        /* the lines are records */
    zc_buf_t separator; /* of key and payload of a line; empty: there is no key */
    uint64_t rate;      /* messages a second; 0: no limit */
    zc_slice_t message; /* to be published `again` times more */
    uint64_t again;
    uint64_t line_number;      /* of the input, so far */
    uint64_t report_line;      /* the line that `reported` has come to */
    zc_buf_t skipped;          /* uint64_t: later lines that were no message */
    int64_t timeout;           /* ms; 0: none */
    int input;                 /* descriptor; -1: at its end */
    zc_buf_t line;             /* the bytes read of an incomplete line */
    uint64_t taken;            /* messages so far */
    uint64_t reported;         /* answers so far, in the same order */
    bool failed;               /* a message was refused, or input could not be read */
    zc_buf_t put_off;          /* why the broker refuses messages for now; empty: it doesn't */
    uint64_t confirmed;        /* answers that were OK */
    zc_publisher_t *publisher; /* or, with --http: */
    zc_http_pub_t *http;       /* or, with --fast: */
    void *xpub;
    zc_places_t *places; /* --fast */
    zc_redial_t redial;  /* of xpub */
    bool subscribed;     /* the broker's subscription has come */
    bool asked;          /* the broker has been asked for its limit: */
    size_t max_payload;  /* SIZE_MAX: it didn't tell */
    zc_progress_t progress;
    uint64_t begun;     /* monotonic ms */
    uint64_t read, all; /* bytes of the input read, and its size; 0: unknown */
} s_pub_t;

/*  Headers ------------------------------------------------------------------------------------- */

static void s_header (s_pub_t *self, const char *name, size_t name_len, const char *value)
{
    zc_buf_add (&self->headers, name, name_len);
    zc_buf_addf (&self->headers, ": %s\n", value);
}

/*  "name=value" or "name: value". */
static int s_header_option (s_pub_t *self, const char *text)
{
    size_t len = strcspn (text, "=:");
    if (len == 0 || !text[len])
        return zc_tool_misuse ("--header '%s': expected NAME=VALUE or 'NAME: VALUE'", text);
    const char *value = text + len + 1;
    if (text[len] == ':')
        value += strspn (value, " ");
    s_header (self, text, len, value);
    return ZC_EXIT_OK;
}

static int s_headers (s_pub_t *self)
{
    const char *names[] = {"event", "id", "traceparent"};
    const char *key, *value;
    for (size_t i = 0; i < 3; i++)
        if (zc_options_text (self->options, names[i]))
            s_header (self, names[i], strlen (names[i]), zc_options_text (self->options, names[i]));
    for (size_t i = 0; zc_options_item (self->options, "header", i, &key, &value); i++)
        if (s_header_option (self, value) != ZC_EXIT_OK)
            return ZC_EXIT_USAGE;
    zc_message_t message;
    if (self->ndjson && self->headers.len)
        return zc_tool_misuse (
            "--event, --id, --traceparent and --header are none for --ndjson, whose lines have "
            "their own");
    if (self->ndjson && !self->topic.len)
        return ZC_EXIT_OK;
    zc_slice_t headers = {zc_buf_str (&self->headers), self->headers.len};
    int rc = zc_publish_parse (&message, self->topic, (zc_slice_t){"", 0}, headers, 0);
    if (rc != 0)
        return zc_tool_misuse ("%s", zc_message_strerror (rc));
    zc_slice_t text;
    zc_trace_t trace;
    if (zc_header_find (headers, "traceparent", &text) && zc_traceparent_parse (text, &trace) != 0)
        return zc_tool_misuse (
            "'%.*s' is no traceparent: expected 00-, 32 digits, -, 16 digits, -, 2 "
            "digits, in lower-case hexadecimal",
            (int)text.len, text.at);
    if (message.key.len && (self->lines || zc_options_number (self->options, "repeat") != 1))
        return zc_tool_misuse ("an id or key is for one message, not with --lines or --repeat");
    return ZC_EXIT_OK;
}

/*  --key-field: the text itself, or a tab for "\t". */
static void s_separator (s_pub_t *self)
{
    const char *text = zc_options_text (self->options, "key-field");
    for (; text && *text; text++) {
        bool tab = text[0] == '\\' && text[1] == 't';
        zc_buf_addc (&self->separator, tab ? '\t' : *text);
        text += tab;
    }
}

/*  Sending ------------------------------------------------------------------------------------- */

static void s_refused (s_pub_t *self, uint64_t line, zc_slice_t code, zc_slice_t text)
{
    char which[40] = "";
    if (self->lines)
        snprintf (which, sizeof which, "line %llu ", (unsigned long long)line);
    self->failed = true;
    zc_progress_clear (&self->progress);
    zc_tool_say ("%srefused: %.*s: %.*s", which, (int)code.len, code.at, (int)text.len, text.at);
}

/*  The line of the next message to be reported: lines without a message are skipped. */
static uint64_t s_next_line (s_pub_t *self)
{
    const uint64_t *skipped = (const uint64_t *)self->skipped.data;
    size_t count = self->skipped.len / sizeof *skipped, passed = 0;
    self->report_line++;
    while (passed < count && skipped[passed] == self->report_line) {
        self->report_line++;
        passed++;
    }
    if (passed)
        zc_buf_shift (&self->skipped, passed * sizeof *skipped);
    return self->report_line;
}

static void s_published (void *arg, const zc_published_t *published)
{
    s_pub_t *self = arg;
    uint64_t line = s_next_line (self);
    self->reported++;
    self->put_off.len = 0;
    if (zc_slice_is (published->code, "OK")) {
        self->confirmed++;
        if (self->quiet)
            return;
        zc_tool_put (published->text);
        putchar ('\n');
        return;
    }
    s_refused (self, line, published->code, published->text);
}

static void s_put_off (void *arg, zc_slice_t code, zc_slice_t text)
{
    s_pub_t *self = arg;
    self->put_off.len = 0;
    zc_buf_addf (&self->put_off, "%.*s: %.*s", (int)code.len, code.at, (int)text.len, text.at);
}

static int s_open (s_pub_t *self, void *context)
{
    if (zc_options_text (self->options, "http")) {
        zc_slice_t headers = {zc_buf_str (&self->headers), self->headers.len};
        self->http = zc_http_pub_new (self->options, self->topic, headers);
        return self->http ? ZC_EXIT_OK : ZC_EXIT_USAGE;
    }
    bool fast = zc_options_bool (self->options, "fast");
    const char *endpoint = zc_options_text (self->options, fast ? "publish" : "control");
    if (fast) {
        int one = 1;
        self->xpub = zmq_socket (context, ZMQ_XPUB);
        zmq_setsockopt (self->xpub, ZMQ_XPUB_NODROP, &one, sizeof one);
        zc_give_up_sending (self->xpub, S_UNANSWERED_MS);
        self->places = zc_places_new (endpoint, endpoint, zc_mono_ms ());
        if (zc_redial_connect (&self->redial, self->xpub, zc_places_control (self->places), 0) == 0)
            return ZC_EXIT_OK;
    } else {
        zc_publisher_config_t config = {
            .control = endpoint, .arg = self, .published = s_published, .put_off = s_put_off};
        self->publisher = zc_publisher_new (context, &config);
        if (self->publisher)
            return ZC_EXIT_OK;
    }
    zc_tool_say ("%s: %s", endpoint, zmq_strerror (errno));
    return ZC_EXIT_FAILURE;
}

static long s_wait_ms (const s_pub_t *self, uint64_t since_ms)
{
    if (self->timeout == 0)
        return 1000;
    uint64_t end = since_ms + (uint64_t)self->timeout, now = zc_mono_ms ();
    return end > now ? (long)(end - now) : 0;
}

static void s_read_subscriptions (s_pub_t *self)
{
    char frame[8];
    while (zmq_recv (self->xpub, frame, sizeof frame, ZMQ_DONTWAIT) > 0)
        self->subscribed = frame[0] == 1;
    zc_places_connected (self->places, self->subscribed, zc_mono_ms ());
}

/*  Looks for a broker. Returns for how many milliseconds at most to wait for it. */
static long s_look_for_broker (s_pub_t *self)
{
    uint64_t now = zc_mono_ms ();
    if (zc_places_leaves (self->places, now)) {
        zc_places_move (self->places, now);
        zc_redial_move (&self->redial, zc_places_control (self->places));
    }
    zc_redial_try (&self->redial);
    long wait = zc_redial_timeout (&self->redial);
    return wait > 100 && zc_places_several (self->places) ? 100 : wait;
}

/*  Waits for `events`. Returns false when the time is over. */
static bool s_fast_wait (s_pub_t *self, short events, uint64_t since_ms)
{
    long wait = s_wait_ms (self, since_ms), most = wait;
    if (!self->subscribed) {
        most = s_look_for_broker (self);
    }
    zmq_pollitem_t items[1 + ZC_TOOL_ITEMS] = {{self->xpub, 0, events, 0}};
    zc_tool_poll (items, 1, most < wait ? most : wait, false);
    return wait > 0 && !zc_tool_stopped;
}

static int s_fast_send_frame (s_pub_t *self, zc_slice_t frame, int flags, uint64_t since_ms)
{
    while (zmq_send (self->xpub, frame.at, frame.len, flags | ZMQ_DONTWAIT) < 0)
        if (errno != EINTR && !s_fast_wait (self, ZMQ_POLLOUT, since_ms))
            return -1;
    return 0;
}

static void s_limits (void *arg, const zc_answer_t *answer)
{
    zc_answer_limits (answer, arg);
}

/*  Asks on control how large a payload may be. */
static void s_learn_limit (s_pub_t *self)
{
    bool soon = self->timeout && self->timeout < S_LIMITS_MS;
    unsigned wait = soon ? (unsigned)self->timeout : S_LIMITS_MS;
    static const zc_ask_t ask = {.verb = ZC_LIMITS};
    self->asked = true;
    self->max_payload = SIZE_MAX;
    zc_tool_link_t *link = zc_tool_link_new (self->options, wait);
    if (link) {
        zc_tool_link_hush (link);
        zc_tool_ask (link, &ask, s_limits, &self->max_payload);
    }
    zc_tool_link_destroy (&link);
    if (self->max_payload == SIZE_MAX && !zc_tool_stopped)
        zc_tool_say ("nobody answers at %s how large a message may be: one that is too large will "
                     "be lost",
                     zc_options_text (self->options, "control"));
}

/*  Whether the broker accepts the payload; says so if it doesn't. */
static bool s_fast_fits (s_pub_t *self, zc_slice_t payload)
{
    if (payload.len > S_FAST_SURE && !self->asked)
        s_learn_limit (self);
    if (payload.len <= S_FAST_SURE || payload.len <= self->max_payload)
        return true;
    char text[120];
    int len = snprintf (text, sizeof text, "%zu bytes are more than the broker's max-payload, %zu",
                        payload.len, self->max_payload);
    s_refused (self, self->line_number, (zc_slice_t){"payload", 7},
               (zc_slice_t){text, (size_t)len});
    return false;
}

static int s_fast_send (s_pub_t *self, zc_slice_t topic, zc_slice_t headers, zc_slice_t payload)
{
    uint64_t begun = zc_mono_ms ();
    s_read_subscriptions (self);
    while (!self->subscribed && s_fast_wait (self, ZMQ_POLLIN, begun))
        s_read_subscriptions (self);
    if (self->subscribed && s_fast_send_frame (self, topic, ZMQ_SNDMORE, begun) == 0 &&
        s_fast_send_frame (self, payload, ZMQ_SNDMORE, begun) == 0 &&
        s_fast_send_frame (self, headers, 0, begun) == 0)
        return ZC_EXIT_OK;
    if (zc_tool_stopped)
        return ZC_EXIT_FAILURE;
    return zc_tool_no_broker ("publish", zc_options_text (self->options, "publish"),
                              self->subscribed, self->timeout);
}

static int s_send_as (s_pub_t *self, zc_slice_t topic, zc_slice_t headers, zc_slice_t payload)
{
    self->taken++;
    if (self->http) {
        int status = zc_http_pub_send (self->http, payload, self->timeout, s_published, self);
        return status == ZC_EXIT_OK && !zc_tool_flush () ? ZC_EXIT_FAILURE : status;
    }
    if (self->xpub)
        return s_fast_fits (self, payload) ? s_fast_send (self, topic, headers, payload)
                                           : ZC_EXIT_OK;
    zc_publisher_add (self->publisher, topic, payload, headers);
    return ZC_EXIT_OK;
}

static int s_send (s_pub_t *self, zc_slice_t payload)
{
    zc_slice_t headers = {zc_buf_str (&self->headers), self->headers.len};
    return s_send_as (self, self->topic, headers, payload);
}

/*  Reports a line that is no message; the others go on. */
static int s_skip_line (s_pub_t *self, const char *why)
{
    zc_buf_add (&self->skipped, &self->line_number, sizeof self->line_number);
    s_refused (self, self->line_number, (zc_slice_t){"input", 5}, (zc_slice_t){why, strlen (why)});
    return ZC_EXIT_OK;
}

static int s_send_record (s_pub_t *self, zc_slice_t line)
{
    zc_ndjson_t record;
    const char *wrong = zc_ndjson_parse (&record, line, self->topic.len ? self->topic.at : NULL);
    int status = wrong ? s_skip_line (self, wrong)
                       : s_send_as (self, record.topic,
                                    (zc_slice_t){zc_buf_str (&record.headers), record.headers.len},
                                    record.payload);
    zc_ndjson_clear (&record);
    return status;
}

/*  "KEY:PAYLOAD" */
static int s_send_with_key (s_pub_t *self, zc_slice_t line)
{
    const char *at = memmem (line.at, line.len, self->separator.data, self->separator.len);
    size_t len = at ? (size_t)(at - line.at) : 0;
    if (len == 0 || len > ZC_EVENT_MAX || !zc_text_plain (line.at, len))
        return s_skip_line (self, "it doesn't begin with a key of 1 to 256 bytes of plain text, "
                                  "and the separator");
    zc_buf_t headers = ZC_BUF_INIT;
    size_t rest = len + self->separator.len;
    zc_buf_add (&headers, self->headers.data, self->headers.len);
    zc_buf_addf (&headers, "key: %.*s\n", (int)len, line.at);
    int status = s_send_as (self, self->topic, (zc_slice_t){zc_buf_str (&headers), headers.len},
                            (zc_slice_t){line.at + rest, line.len - rest});
    zc_buf_clear (&headers);
    return status;
}

static int s_send_line (s_pub_t *self, zc_slice_t line)
{
    self->line_number++;
    if (self->ndjson && line.len == 0) {
        zc_buf_add (&self->skipped, &self->line_number, sizeof self->line_number);
        return ZC_EXIT_OK;
    }
    return self->ndjson          ? s_send_record (self, line)
           : self->separator.len ? s_send_with_key (self, line)
                                 : s_send (self, line);
}

/*  Milliseconds until the rate allows another message; 0: now. */
static uint64_t s_rate_wait (const s_pub_t *self)
{
    uint64_t due = self->rate ? self->taken * 1000 / self->rate : 0;
    uint64_t passed = zc_mono_ms () - self->begun;
    return due > passed ? due - passed : 0;
}

/*  Input --------------------------------------------------------------------------------------- */

/*  Publishes all whole lines; at the end of the input, also a line without LF. */
static int s_send_lines (s_pub_t *self, bool at_end)
{
    size_t done = 0;
    int status = ZC_EXIT_OK;
    const char *text = zc_buf_str (&self->line);
    const char *end;
    while (status == ZC_EXIT_OK && !s_rate_wait (self) &&
           (end = memchr (text + done, '\n', self->line.len - done))) {
        size_t len = (size_t)(end - text) - done;
        status = s_send_line (self, (zc_slice_t){text + done, len});
        done += len + 1;
    }
    zc_buf_shift (&self->line, done);
    if (status == ZC_EXIT_OK && at_end && self->line.len > 0 && !s_rate_wait (self)) {
        status = s_send_line (self, (zc_slice_t){zc_buf_str (&self->line), self->line.len});
        zc_buf_clear (&self->line);
    }
    if (self->line.len > S_LINE_MAX) {
        zc_tool_say ("line %llu is longer than 64 MiB", (unsigned long long)self->line_number + 1);
        return ZC_EXIT_FAILURE;
    }
    return status;
}

static void s_set_message (s_pub_t *self, zc_slice_t message)
{
    uint64_t times = (uint64_t)zc_options_number (self->options, "repeat");
    self->message = message;
    self->again = times ? times : UINT64_MAX;
}

/*  Reads once; closes the input at its end. */
static int s_read (s_pub_t *self)
{
    ssize_t len = read (self->input, zc_buf_reserve (&self->line, S_READ), S_READ);
    if (len < 0 && (errno == EINTR || errno == EAGAIN))
        return ZC_EXIT_OK;
    if (len < 0) {
        zc_tool_say ("cannot read: %s", strerror (errno));
        self->failed = true;
    }
    if (len > 0) {
        self->line.len += (size_t)len;
        self->read += (uint64_t)len;
    } else {
        self->input = -1;
    }
    if (self->lines)
        return s_send_lines (self, self->input < 0);
    if (self->line.len > S_LINE_MAX) {
        zc_tool_say ("the message is larger than 64 MiB");
        return ZC_EXIT_FAILURE;
    }
    if (self->input < 0 && !self->failed)
        s_set_message (self, (zc_slice_t){zc_buf_str (&self->line), self->line.len});
    return ZC_EXIT_OK;
}

/*  Whether there is more to publish that has been read, and waits for the rate. */
static bool s_has_more (const s_pub_t *self)
{
    if (!self->lines)
        return self->again > 0;
    return self->line.len && (self->input < 0 || memchr (self->line.data, '\n', self->line.len));
}

/*  Publishes as many of these as the rate allows and the queue has room for. */
static int s_produce (s_pub_t *self)
{
    int status = ZC_EXIT_OK;
    if (self->lines)
        return s_has_more (self) ? s_send_lines (self, self->input < 0) : ZC_EXIT_OK;
    for (int i = 0; i < S_AHEAD && status == ZC_EXIT_OK && self->again && !s_rate_wait (self) &&
                    !zc_tool_stopped;
         i++) {
        self->again -= self->again != UINT64_MAX;
        status = s_send (self, self->message);
    }
    return status;
}

/*  The line on the terminal: messages confirmed, and the part of the input that was read. */
static void s_show_progress (s_pub_t *self)
{
    if (!zc_progress_due (&self->progress))
        return;
    uint64_t ms = zc_mono_ms () - self->begun, done = self->xpub ? self->taken : self->confirmed;
    double share = self->all ? 100 * (double)self->read / (double)self->all : 0;
    char percent[32] = "";
    if (self->all)
        snprintf (percent, sizeof percent, ", %.0f %% of the file", share < 100 ? share : 100.0);
    zc_progress_show (&self->progress, "%llu %s %s%s, %.0f/s", (unsigned long long)done,
                      self->lines ? "lines" : "messages", self->xpub ? "sent" : "confirmed",
                      percent, (double)done * 1000 / (double)(ms ? ms : 1));
}

/*  After a signal: says what happened to the lines, if not all were confirmed. */
static void s_say_stopped (const s_pub_t *self)
{
    unsigned long long taken = self->taken, confirmed = self->confirmed;
    unsigned long long waiting = taken - self->reported;
    if (self->xpub)
        zc_tool_say ("stopped: %llu messages sent, unconfirmed as --fast is", taken);
    else if (!self->lines && taken <= 1)
        zc_tool_say (taken ? "stopped: the message may have been published or not"
                           : "stopped before anything was published");
    else if (waiting == 0)
        zc_tool_say ("stopped: %llu of %llu messages are confirmed", confirmed, taken);
    else
        zc_tool_say ("stopped: %llu of %llu messages are confirmed; %llu others may have been "
                     "published or not",
                     confirmed, taken, waiting);
}

/*  How long the oldest message has waited for the broker. While the broker refuses all messages
 *  for now, moving bytes don't count. */
static uint64_t s_age (const s_pub_t *self)
{
    return self->put_off.len ? zc_publisher_age (self->publisher)
                             : zc_publisher_quiet_ms (self->publisher);
}

static int s_check_age (s_pub_t *self)
{
    uint64_t waiting = zc_publisher_stats (self->publisher)->waiting;
    if (!self->timeout || !waiting || s_age (self) < (uint64_t)self->timeout)
        return ZC_EXIT_OK;
    const char *control = zc_publisher_place (self->publisher);
    bool connected = zc_publisher_is_connected (self->publisher);
    zc_progress_clear (&self->progress);
    if (connected && self->put_off.len)
        zc_tool_say ("the broker at %s takes nothing (tried for %g s): %s", control,
                     (double)self->timeout / 1000, zc_buf_str (&self->put_off));
    else
        zc_tool_no_broker ("control", control, connected, self->timeout);
    if (self->taken > 1)
        zc_tool_say ("%llu of %llu messages are not acknowledged", (unsigned long long)waiting,
                     (unsigned long long)self->taken);
    return ZC_EXIT_FAILURE;
}

static long s_least (long a, long b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/*  One turn with acknowledgement: waits for input, answers or a timeout, and handles them. */
static int s_turn (s_pub_t *self)
{
    zmq_pollitem_t items[3 + ZC_TOOL_ITEMS];
    size_t count = zc_publisher_pollitems (self->publisher, items), input = count;
    const zc_publisher_stats_t *stats = zc_publisher_stats (self->publisher);
    bool room = stats->waiting < S_AHEAD && stats->bytes < S_AHEAD_BYTES, more = s_has_more (self);
    bool reads = self->input >= 0 && room && !more;
    if (reads)
        items[count++] = (zmq_pollitem_t){NULL, self->input, ZMQ_POLLIN, 0};
    long wait = zc_publisher_timeout (self->publisher);
    if (more && room)
        wait = s_least (wait, (long)s_rate_wait (self));
    if (stats->waiting && self->timeout) {
        uint64_t age = s_age (self);
        wait = s_least (wait,
                        age < (uint64_t)self->timeout ? (long)((uint64_t)self->timeout - age) : 0);
    }
    /* it goes on publishing even if nobody reads its ids */
    zc_tool_poll (items, count, wait, false);
    int status = ZC_EXIT_OK;
    if (reads && items[input].revents && !zc_tool_stopped)
        status = s_read (self);
    if (status == ZC_EXIT_OK && room && !zc_tool_stopped)
        status = s_produce (self);
    zc_publisher_run (self->publisher);
    s_show_progress (self);
    if (status == ZC_EXIT_OK && !zc_tool_flush ())
        status = ZC_EXIT_FAILURE;
    return status == ZC_EXIT_OK ? s_check_age (self) : status;
}

/*  One turn without acknowledgement: reads the next bytes, and sends their lines. */
static int s_fast_turn (s_pub_t *self)
{
    zmq_pollitem_t items[1 + ZC_TOOL_ITEMS] = {{NULL, self->input, ZMQ_POLLIN, 0}};
    bool more = s_has_more (self), reads = !more && self->input >= 0;
    zc_tool_poll (items, reads, more ? (long)s_rate_wait (self) : -1, false);
    int status = reads && items[0].revents && !zc_tool_stopped ? s_read (self) : ZC_EXIT_OK;
    if (status == ZC_EXIT_OK && !zc_tool_stopped)
        status = s_produce (self);
    s_show_progress (self);
    return status;
}

static int s_run (s_pub_t *self)
{
    int status = ZC_EXIT_OK;
    while (status == ZC_EXIT_OK && !zc_tool_stopped) {
        bool more = self->input >= 0 || s_has_more (self);
        if ((self->xpub || self->http) && more)
            status = s_fast_turn (self);
        else if (self->publisher && (more || zc_publisher_stats (self->publisher)->waiting))
            status = s_turn (self);
        else
            break;
    }
    zc_progress_clear (&self->progress);
    if (zc_tool_stopped)
        s_say_stopped (self);
    return zc_tool_stopped || self->failed ? ZC_EXIT_FAILURE : status;
}

/*  Closes the XPUB socket, and waits until the network has all messages. */
static int s_linger (s_pub_t *self, void *context)
{
    int linger = self->timeout ? (int)self->timeout : -1;
    uint64_t begun = zc_mono_ms ();
    bool stopped = zc_tool_stopped;
    if (stopped || !self->subscribed)
        linger = 0;
    zmq_setsockopt (self->xpub, ZMQ_LINGER, &linger, sizeof linger);
    zmq_close (self->xpub);
    zc_redial_clear (&self->redial);
    zc_places_destroy (&self->places);
    zc_context_end_unless (&context, linger < 0 ? -1 : linger + ZC_CONTEXT_END_MS,
                           stopped ? -1 : zc_tool_stop_fd ());
    if (zc_tool_stopped && !stopped) {
        zc_tool_say ("stopped before the network had taken all");
        return ZC_EXIT_FAILURE;
    }
    if (linger <= 0 || zc_mono_ms () - begun < (uint64_t)linger)
        return ZC_EXIT_OK;
    zc_tool_say ("the broker at %s did not take all within %g s",
                 zc_options_text (self->options, "publish"), (double)linger / 1000);
    return ZC_EXIT_FAILURE;
}

static int s_close (s_pub_t *self, void *context)
{
    zc_buf_clear (&self->headers);
    zc_buf_clear (&self->line);
    zc_buf_clear (&self->put_off);
    zc_buf_clear (&self->separator);
    zc_buf_clear (&self->skipped);
    zc_publisher_destroy (&self->publisher);
    zc_http_pub_destroy (&self->http);
    if (self->xpub)
        return s_linger (self, context);
    zc_context_end (&context, ZC_CONTEXT_END_MS);
    return ZC_EXIT_OK;
}

/*  Chooses the source of the messages. A MESSAGE is sent at once. */
static int s_source (s_pub_t *self, const char *message)
{
    const char *path = zc_options_text (self->options, "file");
    self->input = -1;
    if (message) {
        s_set_message (self, (zc_slice_t){message, strlen (message)});
        return s_produce (self);
    }
    bool standard = !path || strcmp (path, "-") == 0;
    self->input = standard ? STDIN_FILENO : open (path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (self->input >= 0 && fstat (self->input, &about) == 0 && S_ISREG (about.st_mode))
        self->all = (uint64_t)about.st_size;
    if (self->input >= 0)
        return ZC_EXIT_OK;
    zc_tool_say ("%s: %s", path, strerror (errno));
    return ZC_EXIT_FAILURE;
}

static int s_check_words (const zc_options_t *options)
{
    const char *topic = zc_options_word (options, 0);
    const char *message = zc_options_word (options, 1);
    bool ndjson = zc_options_bool (options, "ndjson"), http = zc_options_text (options, "http");
    bool lines = ndjson || zc_options_bool (options, "lines");
    if (!topic && !ndjson)
        return zc_tool_misuse ("which topic?");
    if (zc_options_text (options, "key-field") && (ndjson || !lines))
        return zc_tool_misuse ("--key-field is for --lines");
    if (http && (ndjson || zc_options_text (options, "key-field")))
        return zc_tool_misuse ("--ndjson and --key-field aren't for --http");
    if (lines && zc_options_number (options, "repeat") != 1)
        return zc_tool_misuse ("--repeat is for one message, and not for lines");
    if (message && zc_options_word (options, 2))
        return zc_tool_misuse ("'%s' is too much: quote a message that has spaces",
                               zc_options_word (options, 2));
    if (http && zc_options_bool (options, "fast"))
        return zc_tool_misuse ("--http or --fast: not both");
    if (message && (lines || zc_options_text (options, "file")))
        return zc_tool_misuse ("a message on the command line, or --lines or --file: not both");
    return ZC_EXIT_OK;
}

static int s_pub (const zc_options_t *options)
{
    const char *topic = zc_options_word (options, 0);
    s_pub_t self = {.options = options,
                    .topic = {topic, topic ? strlen (topic) : 0},
                    .headers = ZC_BUF_INIT,
                    .lines =
                        zc_options_bool (options, "lines") || zc_options_bool (options, "ndjson"),
                    .ndjson = zc_options_bool (options, "ndjson"),
                    .separator = ZC_BUF_INIT,
                    .skipped = ZC_BUF_INIT,
                    .rate = (uint64_t)zc_options_number (options, "rate"),
                    .quiet = zc_options_bool (options, "quiet"),
                    .timeout = zc_options_number (options, "timeout"),
                    .line = ZC_BUF_INIT,
                    .put_off = ZC_BUF_INIT,
                    .begun = zc_mono_ms ()};
    s_separator (&self);
    zc_progress_init (&self.progress, (self.lines || zc_options_number (options, "repeat") != 1) &&
                                          (self.quiet || !isatty (STDOUT_FILENO)));
    void *context = zmq_ctx_new ();
    int status = s_headers (&self);
    if (status == ZC_EXIT_OK)
        status = s_open (&self, context);
    if (status == ZC_EXIT_OK)
        status = s_source (&self, zc_options_word (options, 1));
    if (status == ZC_EXIT_OK)
        status = s_run (&self);
    else if (zc_tool_stopped)
        s_say_stopped (&self);
    int closed = s_close (&self, context);
    return status == ZC_EXIT_OK ? closed : status;
}

static int s_pub_checked (const zc_options_t *options)
{
    int status = s_check_words (options);
    return status == ZC_EXIT_OK ? s_pub (options) : status;
}

const zc_tool_command_t zc_tool_pub = {&s_program, s_pub_checked};
