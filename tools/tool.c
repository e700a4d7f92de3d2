/*  tool.c - code that the subcommands of `zmq` share. */
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/peer/context.h"
#include "lib/peer/places.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"

/*  Messages ----------------------------------------------------------------------------------- */

static const char *s_name = "zmq";

void zc_tool_name (const char *name)
{
    s_name = name;
}

static void s_escape (zc_buf_t *out, const char *text, size_t len)
{
    char *room = (char *)zc_buf_reserve (out, 4 * len + 1);
    out->len += zc_text_escape (text, len, room);
}

__attribute__ ((format (printf, 1, 0))) static void s_vsay (const char *format, va_list args)
{
    zc_buf_t text = ZC_BUF_INIT, line = ZC_BUF_INIT;
    zc_buf_vaddf (&text, format, args);
    zc_buf_addf (&line, "%s: ", s_name);
    s_escape (&line, zc_buf_str (&text), text.len);
    zc_buf_addc (&line, '\n');
    fputs (zc_buf_str (&line), stderr);
    zc_buf_clear (&line);
    zc_buf_clear (&text);
}

void zc_tool_say (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_vsay (format, args);
    va_end (args);
}

int zc_tool_misuse (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_vsay (format, args);
    va_end (args);
    fprintf (stderr, "Try '%s --help'.\n", s_name);
    return ZC_EXIT_USAGE;
}

int zc_tool_no_broker (const char *option, const char *endpoint, bool connected, int64_t timeout_ms)
{
    double seconds = (double)timeout_ms / 1000;
    if (connected)
        zc_tool_say ("the broker at %s is connected but has not answered within %g s", endpoint,
                     seconds);
    else
        zc_tool_say ("no broker answers at %s (waited %g s): is zcast-broker running, and is this "
                     "its %s endpoint? --%s ENDPOINT or -c FILE gives another",
                     endpoint, seconds, option, option);
    return ZC_EXIT_FAILURE;
}

bool zc_tool_on_terminal (void)
{
    static int known = -1;
    if (known < 0)
        known = isatty (STDOUT_FILENO);
    return known;
}

void zc_tool_put (zc_slice_t text)
{
    if (!zc_tool_on_terminal ()) {
        fwrite (text.at, 1, text.len, stdout);
        return;
    }
    zc_buf_t shown = ZC_BUF_INIT;
    s_escape (&shown, text.at, text.len);
    fwrite (shown.data, 1, shown.len, stdout);
    zc_buf_clear (&shown);
}

/*  The length of a character in valid JSON that a terminal must not get; 0 if it may. JSON has
 *  newlines and tabs between its tokens. */
static size_t s_obeyed (const char *text, unsigned *code)
{
    const uint8_t *at = (const uint8_t *)text;
    *code = at[0];
    if (at[0] < 0x20 || at[0] == 0x7f)
        return at[0] != '\n' && at[0] != '\t';
    if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
        *code = at[1];
        return 2;
    }
    if (at[0] != 0xe2 || (at[1] != 0x80 && at[1] != 0x81))
        return 0;
    *code = 0x2000u | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    return zc_text_turns (*code) ? 3 : 0;
}

void zc_tool_put_json (const char *json)
{
    unsigned code;
    for (const char *at = json; *at;) {
        size_t len = zc_tool_on_terminal () ? s_obeyed (at, &code) : 0;
        if (len)
            printf ("\\u%04x", code);
        else
            putchar (*at);
        at += len ? len : 1;
    }
}

bool zc_tool_flush (void)
{
    if (fflush (stdout) == 0 && !ferror (stdout))
        return true;
    if (errno != EPIPE && !zc_tool_stopped)
        zc_tool_say ("cannot write: %s", strerror (errno));
    return false;
}

/*  Waiting ------------------------------------------------------------------------------------- */

volatile bool zc_tool_stopped;
/* readable once stopped, so that a signal between a check and a wait ends the wait */
static int s_stop_fd = -1;

static void s_stop (int number)
{
    (void)number;
    int saved = errno;
    zc_tool_stopped = true;
    ssize_t rc = write (s_stop_fd, &(uint64_t){1}, sizeof (uint64_t));
    (void)rc;
    errno = saved;
}

void zc_tool_catch_signals (void)
{
    struct sigaction action = {.sa_handler = s_stop, .sa_flags = (int)SA_RESETHAND};
    s_stop_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s_stop_fd < 0)
        return;
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
}

int zc_tool_stop_fd (void)
{
    return s_stop_fd;
}

static void s_end_unread (void)
{
    raise (SIGPIPE);
    exit (ZC_EXIT_FAILURE); /* if SIGINT's default is ignored */
}

void zc_tool_poll (zmq_pollitem_t *items, size_t count, long ms, bool output)
{
    items[count] = (zmq_pollitem_t){NULL, s_stop_fd, ZMQ_POLLIN, 0};
    items[count + 1] = (zmq_pollitem_t){NULL, STDOUT_FILENO, 0, 0}; /* for POLLERR and POLLHUP */
    zmq_poll (items, (int)count + 1 + output, ms);
    if (output && items[count + 1].revents)
        s_end_unread ();
}

void zc_tool_end_unread (void)
{
    struct pollfd output = {STDOUT_FILENO, 0, 0}; /* for POLLERR and POLLHUP */
    if (poll (&output, 1, 0) > 0)
        s_end_unread ();
}

/*  Requests ------------------------------------------------------------------------------------ */

#define S_AGAIN_MS 100 /* before a question is asked again, of one of several brokers */

struct zc_tool_link {
    unsigned timeout_ms;
    zc_places_t *places;
    bool connected;    /* as `places` knows */
    bool asked;        /* the request may have reached a broker */
    uint64_t until_ms; /* of several brokers: how long the request is made */
    uint64_t again_ms; /* when to make it again; 0: it is under way */
    zc_id_t handed;    /* the last message of the answer that `fn` has */
    void *context;
    zc_control_t *control;
    zc_control_fn fn; /* of the present request */
    void *arg;
    bool there, refused;
    bool hushed; /* failures are not said */
};

zc_tool_link_t *zc_tool_link_new (const zc_options_t *options, unsigned timeout_ms)
{
    const char *control = zc_options_text (options, "control");
    zc_tool_link_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->timeout_ms = timeout_ms;
    self->context = zmq_ctx_new ();
    self->places = zc_places_new (control, control, zc_mono_ms ());
    self->control = zc_control_new (self->context, zc_places_control (self->places));
    if (!self->control) {
        zc_tool_say ("%s: %s", control, zmq_strerror (errno));
        zc_tool_link_destroy (&self);
    }
    return self;
}

void zc_tool_link_hush (zc_tool_link_t *self)
{
    self->hushed = true;
}

void zc_tool_link_destroy (zc_tool_link_t **self_p)
{
    zc_tool_link_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->control)
        zc_control_reset (self->control);
    zc_control_destroy (&self->control);
    zc_places_destroy (&self->places);
    zc_context_end (&self->context, ZC_CONTEXT_END_MS);
    free (self);
}

const char *zc_tool_link_place (const zc_tool_link_t *self)
{
    return zc_places_control (self->places);
}

/*  The present broker doesn't answer. Another one may. */
static void s_unanswered (zc_tool_link_t *self)
{
    if (zc_places_several (self->places))
        self->again_ms = zc_mono_ms () + S_AGAIN_MS;
}

/*  Hands a part over. Where the request was made again, part of the answer is known already. */
static void s_hand_over (zc_tool_link_t *self, const zc_answer_t *answer)
{
    bool message = answer->kind == ZC_MSG;
    if (message && answer->message.id <= self->handed)
        return;
    if (message)
        self->handed = answer->message.id;
    self->fn (self->arg, answer);
}

static void s_part (void *arg, const zc_answer_t *answer)
{
    zc_tool_link_t *self = arg;
    bool behind = zc_answer_is_error (answer, "behind") && zc_places_several (self->places);
    if (behind)
        zc_places_behind (self->places, zc_mono_ms ());
    if (behind || answer->kind == ZC_NO_ANSWER) {
        s_unanswered (self);
        return;
    }
    self->until_ms = zc_mono_ms () + self->timeout_ms;
    self->there = !answer->more;
    self->refused = answer->kind == ZC_ERR || answer->kind == ZC_MALFORMED;
    if (!self->refused)
        zc_places_good (self->places);
    if (self->refused && self->hushed)
        return;
    if (answer->kind == ZC_ERR)
        zc_tool_say ("the broker refuses: %.*s", (int)answer->text.len, answer->text.at);
    else if (answer->kind == ZC_MALFORMED)
        zc_tool_say ("the program at %s is not zcast-broker: %.*s", zc_tool_link_place (self),
                     (int)answer->text.len, answer->text.at);
    else
        s_hand_over (self, answer);
}

static void s_request (zc_tool_link_t *self, const zc_ask_t *ask)
{
    self->again_ms = 0;
    if (zc_control_request (self->control, ask, self->timeout_ms, s_part, self) == 0)
        s_unanswered (self);
}

static void s_heard (void *arg, const zc_answer_t *answer)
{
    (void)answer;
    zc_places_heard (((zc_tool_link_t *)arg)->places);
}

/*  Leaves a broker that is of no use for the next one, and asks again. */
static void s_look_at_place (zc_tool_link_t *self, const zc_ask_t *ask)
{
    static const zc_ask_t ping = {.verb = ZC_PING};
    uint64_t now = zc_mono_ms ();
    bool connected = zc_control_connected (self->control);
    if (connected != self->connected)
        zc_places_connected (self->places, connected, now);
    self->connected = connected;
    self->asked |= connected;
    zc_places_moved (self->places, zc_control_moved_ms (self->control));
    if (zc_places_leaves (self->places, now)) {
        zc_places_move (self->places, now);
        self->connected = false;
        zc_control_move (self->control, zc_tool_link_place (self));
    } else if (zc_places_asks (self->places, now)) {
        zc_control_request (self->control, &ping, 0, s_heard, self);
    }
    bool once = ask->verb == ZC_PUBLISH || ask->verb == ZC_PURGE;
    if (self->again_ms && now >= self->again_ms && !(once && self->asked))
        s_request (self, ask);
}

/*  Whether an answer may still come. */
static bool s_hopes (const zc_tool_link_t *self, const zc_ask_t *ask)
{
    bool once = ask->verb == ZC_PUBLISH || ask->verb == ZC_PURGE;
    if (!zc_places_several (self->places) || (once && self->again_ms && self->asked))
        return !self->again_ms && zc_control_pending (self->control) > 0;
    return zc_mono_ms () < self->until_ms;
}

static void s_await (zc_tool_link_t *self, const zc_ask_t *ask)
{
    while (!self->there && !self->refused && s_hopes (self, ask) && !zc_tool_stopped) {
        zmq_pollitem_t items[2 + ZC_TOOL_ITEMS];
        size_t count = zc_control_pollitems (self->control, items);
        long wait = zc_control_timeout (self->control);
        if (zc_places_several (self->places) && (wait < 0 || wait > S_AGAIN_MS))
            wait = S_AGAIN_MS;
        zc_tool_poll (items, count, wait, true);
        zc_control_read (self->control, 1000);
        if (zc_places_several (self->places))
            s_look_at_place (self, ask);
    }
}

int zc_tool_ask (zc_tool_link_t *self, const zc_ask_t *ask, zc_control_fn fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
    self->there = self->refused = self->asked = false;
    self->handed = ZC_ID_NONE;
    self->until_ms = zc_mono_ms () + self->timeout_ms;
    s_request (self, ask);
    s_await (self, ask);
    if (zc_places_several (self->places)) { /* nothing is awaited any more */
        zc_control_reset (self->control);
        zc_places_heard (self->places);
    }
    if (zc_tool_stopped || self->refused || (!self->there && self->hushed))
        return ZC_EXIT_FAILURE;
    return self->there
               ? ZC_EXIT_OK
               : zc_tool_no_broker ("control", zc_tool_link_place (self), false, self->timeout_ms);
}

static void s_take_text (void *arg, const zc_answer_t *answer)
{
    char **text = arg;
    *text = strndup (answer->text.at, answer->text.len);
}

int zc_tool_request (const zc_options_t *options, zc_verb_t verb, char **text, char **place)
{
    zc_ask_t ask = {.verb = verb};
    *text = *place = NULL;
    zc_tool_link_t *link =
        zc_tool_link_new (options, (unsigned)zc_options_number (options, "timeout"));
    int status = link ? zc_tool_ask (link, &ask, s_take_text, text) : ZC_EXIT_FAILURE;
    if (status == ZC_EXIT_OK)
        *place = strdup (zc_tool_link_place (link));
    zc_tool_link_destroy (&link);
    return status;
}
