/*  zmq_history.c - `zmq history`: the stored messages of topics, page by page (FETCH). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/timestamp.h"
#include "lib/wire/line.h"
#include "lib/wire/message.h"
#include "tools/listing.h"
#include "tools/locate.h"
#include "tools/printer.h"
#include "tools/tool.h"

#define S_PAGE 1000
#define S_PAGE_BYTES (1 << 20)

static const zc_option_t s_options[] = {
    {.name = "since",
     .letter = 's',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_EVENT_ID_MAX + 3,
     .argument = "WHEN",
     .help = "what came after: a time (2026-11-27T10:00:00Z), so long ago (5m), an id, a "
             "publisher's own "
             "id "
             "(id:TEXT)"},
    {.name = "until",
     .letter = 'u',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_EVENT_ID_MAX + 3,
     .argument = "WHEN",
     .help = "what came before a time, or so long ago; or up to an id and with it"},
    {.name = "last",
     .letter = 'l',
     .type = ZC_OPT_NUMBER,
     .min = 1,
     .max = INT64_MAX,
     .argument = "N",
     .help = "the last N messages of these"},
    {.name = "count",
     .letter = 'n',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "print how many messages there are"},
    {.name = "ndjson",
     .letter = 'j',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "one JSON object a line, which zmq pub --ndjson takes back"},
    ZC_FORMAT_OPTION,
    {.name = "prefix",
     .letter = 'p',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "TOPIC stands for all topics that begin with it; an empty one for all there are"},
    ZC_TOOL_TIMEOUT ("5s", "how long to wait for an answer of the broker"),
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq history",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... TOPIC...",
    .words = 10000,
    .summary =
        "Prints the messages that the broker keeps of the topics, in the order of their ids, each "
        "with its time and its id; with several topics, or --prefix, the topic, too.",
    .epilog = "Examples:\n"
              "  zmq history news\n"
              "  zmq history news --last 10\n"
              "  zmq history news --since 1h --until 30m\n"
              "  zmq history --prefix host/ --count\n"
              "  zmq history news --ndjson > news.ndjson; zmq pub --ndjson < news.ndjson\n",
    .options = s_options,
};

typedef struct {
    const zc_options_t *options;
    zc_tool_link_t *link;
    zc_printer_t printer;
    zc_buf_t topics; /* separated by LF */
    size_t topic_count;
    char since[ZC_ID_SIZE]; /* a position, or "earliest" */
    zc_id_t until;          /* inclusive; at most the broker's head */
    char line[ZC_LINE_MAX + 1];
    zc_id_t at;         /* the page is complete up to here */
    zc_id_t floor;      /* of the first page */
    bool holed;         /* history let go of messages between two pages */
    uint64_t remaining; /* messages after the page */
    uint64_t came;      /* messages in the page */
} s_history_t;

/*  What the options say --------------------------------------------------------------------------
 */

static int s_parse_until (s_history_t *self)
{
    const char *text = zc_options_text (self->options, "until");
    zc_since_t until;
    self->until = ZC_ID_MAX;
    if (!text)
        return ZC_EXIT_OK;
    const char *wrong = zc_since_parse (&until, text, zc_wall_ms ());
    if (!wrong && until.from != ZC_FROM_POSITION)
        wrong = "a time (2026-11-27T10:00:00Z), so long ago (5m), or an id";
    if (wrong)
        return zc_tool_misuse ("--until %s: %s", text, wrong);
    self->until = until.position;
    return ZC_EXIT_OK;
}

static int s_parse_since (const s_history_t *self, zc_since_t *since)
{
    const char *text = zc_options_text (self->options, "since");
    uint64_t last = (uint64_t)zc_options_number (self->options, "last");
    if (text && last)
        return zc_tool_misuse ("--since or --last: not both");
    *since = (zc_since_t){.from = last ? ZC_FROM_LAST : ZC_FROM_EARLIEST, .count = last};
    const char *wrong = text ? zc_since_parse (since, text, zc_wall_ms ()) : NULL;
    if (wrong)
        return zc_tool_misuse ("--since %s: %s", text, wrong);
    return ZC_EXIT_OK;
}

static int s_add_prefix (s_history_t *self, const char *word)
{
    zc_listing_t list;
    int status = zc_listing_read (&list, self->link, (zc_slice_t){word, strlen (word)}, 0);
    for (size_t i = 0; i < list.count; i++) {
        if (!list.at[i].messages)
            continue;
        zc_ask_add_topic (&self->topics, (zc_slice_t){list.at[i].topic, strlen (list.at[i].topic)});
        self->topic_count++;
    }
    zc_listing_clear (&list);
    if (status == ZC_EXIT_OK && self->topic_count > ZC_TOPICS_MAX) {
        zc_tool_say ("these prefixes stand for %zu topics, and at most %d can be asked for at once",
                     self->topic_count, ZC_TOPICS_MAX);
        return ZC_EXIT_FAILURE;
    }
    return status;
}

static int s_find_topics (s_history_t *self)
{
    const char *word;
    int status = ZC_EXIT_OK;
    bool prefix = zc_options_bool (self->options, "prefix");
    for (size_t i = 0; status == ZC_EXIT_OK && (word = zc_options_word (self->options, i)); i++) {
        if (prefix) {
            status = s_add_prefix (self, word);
        } else {
            zc_ask_add_topic (&self->topics, (zc_slice_t){word, strlen (word)});
            self->topic_count++;
        }
    }
    return status;
}

/*  The first position, if only the broker knows it. */
static int s_find_since (s_history_t *self, const zc_since_t *since)
{
    size_t at = 0, count = 0;
    const zc_ask_t ask = {.list = {(char *)self->topics.data, self->topics.len}};
    zc_slice_t *topics = calloc (self->topic_count, sizeof *topics);
    if (!topics)
        abort ();
    while (count < self->topic_count && zc_ask_topic (&ask, &at, &topics[count]))
        count++;
    int status = zc_locate (self->options, since, topics, count, false, self->until,
                            (unsigned)zc_options_number (self->options, "timeout"), self->since);
    free (topics);
    return status;
}

/*  Asking ----------------------------------------------------------------------------------------
 */

static void s_synced (void *arg, const zc_answer_t *answer)
{
    s_history_t *self = arg;
    if (self->until > answer->head)
        self->until = answer->head;
    snprintf (self->line, sizeof self->line, "%.*s", (int)answer->line.len, answer->line.at);
}

static void s_part (void *arg, const zc_answer_t *answer)
{
    s_history_t *self = arg;
    if (answer->kind == ZC_MSG) {
        self->came++;
        if (answer->message.id <= self->until && !zc_options_bool (self->options, "count"))
            zc_printer_message (&self->printer, &answer->message);
        return;
    }
    if (self->at == ZC_ID_NONE)
        self->floor = answer->floor;
    else if (answer->floor > self->at)
        self->holed = true;
    self->at = answer->head;
    self->remaining = answer->remaining;
}

static int s_ask (s_history_t *self, uint64_t count, uint64_t bytes)
{
    char since[ZC_ID_SIZE];
    zc_id_format (self->at, since);
    const char *from = self->at ? since : self->since;
    zc_ask_t ask = {.verb = ZC_FETCH,
                    .since_text = {from, strlen (from)},
                    .count = count,
                    .bytes = bytes,
                    .list = {(char *)self->topics.data, self->topics.len},
                    .line = {self->line, strlen (self->line)}};
    self->came = 0;
    return zc_tool_ask (self->link, &ask, s_part, self);
}

/*  Says where history begins, if that is after the position asked for. */
static void s_say_where_it_begins (const s_history_t *self)
{
    zc_id_t since;
    char floor[ZC_ID_SIZE], time[ZC_TIMESTAMP_SIZE];
    if (zc_id_parse (self->since, strlen (self->since), &since) != 0 || self->floor <= since)
        return;
    zc_id_format (self->floor, floor);
    zc_timestamp_format (zc_id_ms (self->floor), time);
    zc_tool_say ("history is complete after %s (%s) only: what was published before may be missing",
                 floor, time);
}

static int s_list (s_history_t *self)
{
    int status = ZC_EXIT_OK;
    uint64_t last = (uint64_t)zc_options_number (self->options, "last");
    do {
        bool first = self->at == ZC_ID_NONE;
        status = s_ask (self, S_PAGE, S_PAGE_BYTES);
        if (status == ZC_EXIT_OK && first && !last)
            s_say_where_it_begins (self);
        if (!zc_tool_flush ())
            return ZC_EXIT_FAILURE;
    } while (status == ZC_EXIT_OK && self->remaining && self->at < self->until);
    if (self->holed) {
        zc_tool_say ("history let go of messages while it was read: some are missing here");
        return ZC_EXIT_FAILURE;
    }
    if (status == ZC_EXIT_OK && self->printer.seen < last)
        zc_tool_say ("there are no more than %" PRIu64 " of the last %" PRIu64, self->printer.seen,
                     last);
    return status;
}

static int s_count (s_history_t *self)
{
    int status = s_ask (self, 1, 1);
    uint64_t count = self->came + self->remaining;
    if (status == ZC_EXIT_OK && !zc_options_number (self->options, "last"))
        s_say_where_it_begins (self);
    self->at = self->until;
    if (status == ZC_EXIT_OK)
        status = s_ask (self, 1, 1);
    uint64_t after = self->came + self->remaining;
    if (status == ZC_EXIT_OK)
        printf ("%" PRIu64 "\n", count > after ? count - after : 0);
    return status;
}

static int s_check_words (const zc_options_t *options)
{
    const char *word;
    bool prefix = zc_options_bool (options, "prefix");
    if (!zc_options_word (options, 0))
        return zc_tool_misuse ("which topic?");
    for (size_t i = 0; (word = zc_options_word (options, i)); i++)
        if (!zc_topic_valid (word, strlen (word)) && !(prefix && !*word))
            return zc_tool_misuse ("topic %zu: a topic is 1 to 1024 bytes of UTF-8 without control "
                                   "characters",
                                   i + 1);
    return ZC_EXIT_OK;
}

/*  Whether the range is empty: a broker refuses positions that it hasn't reached. */
static bool s_is_empty (const s_history_t *self)
{
    zc_id_t since = ZC_ID_NONE;
    zc_id_parse (self->since, strlen (self->since), &since);
    return since >= self->until;
}

static int s_run_with (s_history_t *self, const zc_since_t *since)
{
    static const zc_ask_t sync = {.verb = ZC_SYNC};
    int status = s_find_topics (self);
    if (status != ZC_EXIT_OK || self->topic_count == 0) {
        if (status == ZC_EXIT_OK && zc_options_bool (self->options, "count"))
            puts ("0");
        return status;
    }
    status = zc_tool_ask (self->link, &sync, s_synced, self);
    if (status == ZC_EXIT_OK)
        status = s_find_since (self, since);
    if (status != ZC_EXIT_OK)
        return status;
    if (s_is_empty (self)) {
        if (zc_options_bool (self->options, "count"))
            puts ("0");
        return ZC_EXIT_OK;
    }
    return zc_options_bool (self->options, "count") ? s_count (self) : s_list (self);
}

static int s_run (const zc_options_t *options)
{
    s_history_t self = {.options = options, .topics = ZC_BUF_INIT};
    zc_since_t since;
    bool several = zc_options_bool (options, "prefix") || zc_options_word (options, 1);
    int status = s_check_words (options);
    if (status == ZC_EXIT_OK)
        status = s_parse_until (&self);
    if (status == ZC_EXIT_OK)
        status = s_parse_since (&self, &since);
    if (status == ZC_EXIT_OK)
        status = zc_printer_init (&self.printer, options, zc_options_bool (options, "ndjson"),
                                  several ? "%T  %i  %t\\t%p\\n" : "%T  %i  %p\\n");
    if (status == ZC_EXIT_OK)
        self.link = zc_tool_link_new (options, (unsigned)zc_options_number (options, "timeout"));
    if (status == ZC_EXIT_OK)
        status = self.link ? s_run_with (&self, &since) : ZC_EXIT_FAILURE;
    zc_tool_link_destroy (&self.link);
    zc_printer_clear (&self.printer);
    zc_buf_clear (&self.topics);
    return status;
}

const zc_tool_command_t zc_tool_history = {&s_program, s_run};
