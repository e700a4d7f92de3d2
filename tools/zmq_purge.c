/*  zmq_purge.c - `zmq purge`: removes all messages of topics from history. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/base/daemon.h"
#include "lib/wire/message.h"
#include "tools/human.h"
#include "tools/listing.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    {.name = "yes", .letter = 'y', .type = ZC_OPT_BOOL, .preset = "no", .help = "don't ask"},
    {.name = "prefix",
     .letter = 'p',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "TOPIC stands for all topics that begin with it; an empty one for all there are"},
    ZC_TOOL_TIMEOUT ("60s",
                     "how long to wait for the broker, which answers when the messages are gone"),
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq purge",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... TOPIC...",
    .words = 10000,
    .summary = "Removes all messages of the topics from the broker's history, for good. Whoever "
               "comes back and has not had all of them is told of a gap. It says what is kept of "
               "the topics and asks first; where there is no terminal to ask on, --yes is needed.",
    .epilog = "Examples:\n"
              "  zmq purge news\n"
              "  zmq purge --prefix test/ --yes\n",
    .options = s_options,
};

typedef struct {
    zc_buf_t topics; /* separated by LF */
    size_t count;
    uint64_t messages, bytes;
} s_plan_t;

static void s_plan_add (s_plan_t *self, const zc_listed_t *listed)
{
    zc_ask_add_topic (&self->topics, (zc_slice_t){listed->topic, strlen (listed->topic)});
    self->count++;
    self->messages += listed->messages;
    self->bytes += listed->bytes;
}

/*  The topics that match the words and have messages. */
static int s_find (const zc_options_t *options, zc_tool_link_t *link, s_plan_t *plan)
{
    bool prefix = zc_options_bool (options, "prefix");
    const char *word;
    int status = ZC_EXIT_OK;
    for (size_t i = 0; status == ZC_EXIT_OK && (word = zc_options_word (options, i)); i++) {
        zc_listing_t list;
        status = zc_listing_read (&list, link, (zc_slice_t){word, strlen (word)}, 0);
        for (size_t k = 0; k < list.count; k++)
            if (list.at[k].messages && (prefix || strcmp (list.at[k].topic, word) == 0))
                s_plan_add (plan, &list.at[k]);
        zc_listing_clear (&list);
    }
    return status;
}

static bool s_confirm (const zc_options_t *options, const s_plan_t *plan)
{
    char count[ZC_HUMAN_SIZE], topics[ZC_HUMAN_SIZE], size[ZC_HUMAN_SIZE], answer[16] = "";
    zc_human_count ((double)plan->messages, count);
    zc_human_count ((double)plan->count, topics);
    zc_human_bytes ((double)plan->bytes, size);
    if (zc_options_bool (options, "yes"))
        return true;
    if (!isatty (STDIN_FILENO)) {
        zc_tool_say ("%s messages of %s topic%s (%s) would be removed: --yes does it", count,
                     topics, plan->count == 1 ? "" : "s", size);
        return false;
    }
    fprintf (stderr, "Remove %s messages (%s) of %s topic%s for good? [y/N] ", count, size, topics,
             plan->count == 1 ? "" : "s");
    fflush (stderr);
    ssize_t len = read (STDIN_FILENO, answer, sizeof answer - 1);
    if (len > 0 && tolower ((unsigned char)answer[0]) == 'y')
        return true;
    zc_tool_say ("nothing was removed");
    return false;
}

static void s_purged (void *arg, const zc_answer_t *answer)
{
    uint64_t *count = arg;
    *count += answer->purged;
}

/*  Purges in pieces that fit into a request. */
static int s_purge (zc_tool_link_t *link, const s_plan_t *plan, uint64_t *count)
{
    zc_ask_t all = {.list = {(char *)plan->topics.data, plan->topics.len}};
    zc_slice_t topic;
    size_t at = 0, begun = 0, topics = 0;
    int status = ZC_EXIT_OK;
    while (status == ZC_EXIT_OK && at <= all.list.len && zc_ask_topic (&all, &at, &topic)) {
        bool last = at > all.list.len;
        if (++topics < ZC_TOPICS_MAX && !last)
            continue;
        zc_ask_t ask = {.verb = ZC_PURGE, .list = {all.list.at + begun, at - 1 - begun}};
        status = zc_tool_ask (link, &ask, s_purged, count);
        begun = at;
        topics = 0;
    }
    return status;
}

static int s_check_words (const zc_options_t *options)
{
    const char *word;
    bool prefix = zc_options_bool (options, "prefix");
    if (!zc_options_word (options, 0))
        return zc_tool_misuse ("which topic?");
    for (size_t i = 0; (word = zc_options_word (options, i)); i++) {
        if (!zc_topic_valid (word, strlen (word)) && !(prefix && !*word))
            return zc_tool_misuse ("topic %zu: a topic is 1 to 1024 bytes of UTF-8 without control "
                                   "characters",
                                   i + 1);
        for (size_t k = 0; k < i; k++)
            if (strcmp (zc_options_word (options, k), word) == 0)
                return zc_tool_misuse ("'%s' is there twice", word);
    }
    return ZC_EXIT_OK;
}

static int s_run_with (const zc_options_t *options, zc_tool_link_t *link)
{
    s_plan_t plan = {.topics = ZC_BUF_INIT};
    uint64_t count = 0;
    int status = s_find (options, link, &plan);
    if (status == ZC_EXIT_OK && plan.count && !s_confirm (options, &plan))
        status = ZC_EXIT_FAILURE;
    if (status == ZC_EXIT_OK && plan.count)
        status = s_purge (link, &plan, &count);
    if (status == ZC_EXIT_OK) {
        char text[ZC_HUMAN_SIZE];
        printf ("%s messages removed\n", zc_human_count ((double)count, text));
    }
    zc_buf_clear (&plan.topics);
    return status;
}

static int s_run (const zc_options_t *options)
{
    int status = s_check_words (options);
    if (status != ZC_EXIT_OK)
        return status;
    zc_tool_link_t *link =
        zc_tool_link_new (options, (unsigned)zc_options_number (options, "timeout"));
    status = link ? s_run_with (options, link) : ZC_EXIT_FAILURE;
    zc_tool_link_destroy (&link);
    return status;
}

const zc_tool_command_t zc_tool_purge = {&s_program, s_run};
