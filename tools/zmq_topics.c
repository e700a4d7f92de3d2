/*  zmq_topics.c - `zmq topics`: the broker's topics, and their part of history. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/daemon.h"
#include "lib/base/timestamp.h"
#include "lib/wire/message.h"
#include "tools/columns.h"
#include "tools/human.h"
#include "tools/listing.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    {.name = "json",
     .letter = 'j',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "one JSON object a line"},
    {.name = "count",
     .letter = 'n',
     .type = ZC_OPT_NUMBER,
     .preset = "0",
     .max = INT64_MAX,
     .argument = "N",
     .help = "only the N topics that were published on last; 0: all"},
    ZC_TOOL_TIMEOUT ("5s", "how long to wait for the broker"),
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq topics",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... [PREFIX]",
    .words = 1,
    .summary = "Lists the topics that begin with PREFIX, or all there are: how many messages "
               "history keeps of each, their size, and the id and time of the last one. The topic "
               "that was published on last comes first.",
    .epilog = "Examples:\n"
              "  zmq topics\n"
              "  zmq topics host/ --count 20\n"
              "  zmq topics --json | jq -r 'select(.messages == 0).topic'\n",
    .options = s_options,
};

static void s_print_json (const zc_listed_t *listed)
{
    char id[ZC_ID_SIZE], time[ZC_TIMESTAMP_SIZE];
    zc_id_format (listed->last, id);
    zc_timestamp_format (zc_id_ms (listed->last), time);
    json_t *object = json_pack ("{s:s, s:I, s:I, s:s, s:s}", "topic", listed->topic, "messages",
                                (json_int_t)listed->messages, "bytes", (json_int_t)listed->bytes,
                                "id", id, "time", time);
    char *text = object ? json_dumps (object, JSON_COMPACT) : NULL;
    if (!text)
        abort ();
    zc_tool_put_json (text);
    putchar ('\n');
    free (text);
    json_decref (object);
}

static void s_print_table (const zc_listing_t *list)
{
    static const zc_column_t columns[] = {
        {"MESSAGES", false}, {"SIZE", false}, {"LAST ID", false}, {"TIME", true}, {"TOPIC", true}};
    zc_columns_t table;
    char text[ZC_HUMAN_SIZE], id[ZC_ID_SIZE], time[ZC_TIMESTAMP_SIZE];
    zc_columns_begin (&table, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; i < list->count; i++) {
        const zc_listed_t *listed = &list->at[i];
        zc_id_format (listed->last, id);
        zc_timestamp_format (zc_id_ms (listed->last), time);
        zc_columns_cell (&table, zc_human_count ((double)listed->messages, text));
        zc_columns_cell (&table, zc_human_bytes ((double)listed->bytes, text));
        zc_columns_cell (&table, id);
        zc_columns_cell (&table, time);
        zc_columns_cell (&table, listed->topic);
    }
    zc_columns_end (&table, "", stdout);
}

static int s_run (const zc_options_t *options)
{
    const char *prefix = zc_options_word (options, 0);
    size_t most = (size_t)zc_options_number (options, "count");
    prefix = prefix ? prefix : "";
    if (strlen (prefix) > ZC_TOPIC_MAX)
        return zc_tool_misuse ("a prefix has at most %d bytes", ZC_TOPIC_MAX);
    zc_tool_link_t *link =
        zc_tool_link_new (options, (unsigned)zc_options_number (options, "timeout"));
    if (!link)
        return ZC_EXIT_FAILURE;
    zc_listing_t list;
    int status = zc_listing_read (&list, link, (zc_slice_t){prefix, strlen (prefix)}, most);
    while (most && list.count > most)
        free (list.at[--list.count].topic);
    for (size_t i = 0; status == ZC_EXIT_OK && zc_options_bool (options, "json") && i < list.count;
         i++)
        s_print_json (&list.at[i]);
    if (status == ZC_EXIT_OK && !zc_options_bool (options, "json"))
        s_print_table (&list);
    zc_listing_clear (&list);
    zc_tool_link_destroy (&link);
    return status;
}

const zc_tool_command_t zc_tool_topics = {&s_program, s_run};
